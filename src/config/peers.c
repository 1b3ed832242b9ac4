#include "config/peers.h"

#include <string.h>

#include "config/config_internal.h"

static const char *const keys[PEER_TEXT_COUNT] = {
#define PEER_TEXT(member, key) key,
    PEER_TEXTS
#undef PEER_TEXT
};

static char **member_of(ConfigPeer *p, PeerText text)
{
    char **const members[PEER_TEXT_COUNT] = {
#define PEER_TEXT(member, key) &p->member,
        PEER_TEXTS
#undef PEER_TEXT
    };
    return members[text];
}

const char *config_peer_key(PeerText text)
{
    return keys[text];
}

const char *config_peer_text(const ConfigPeer *p, PeerText text)
{
    const char *const members[PEER_TEXT_COUNT] = {
#define PEER_TEXT(member, key) p->member,
        PEER_TEXTS
#undef PEER_TEXT
    };
    return members[text];
}

void config_peer_clear(ConfigPeer *p)
{
    for (PeerText t = 0; t < PEER_TEXT_COUNT; t++)
        free(*member_of(p, t));
    *p = (ConfigPeer){0};
}

void config_peer_copy(ConfigPeer *to, const ConfigPeer *from)
{
    for (PeerText t = 0; t < PEER_TEXT_COUNT; t++)
        *member_of(to, t) = mem_strdup(config_peer_text(from, t));
}

/* -- what a value may be ------------------------------------------------------------------------
 */

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NODE_MAX 100
#define TEXT_MAX 4096

static bool is_node(const char *s)
{
    size_t n = strspn(s, ALNUM "_-.:");
    return n && n <= NODE_MAX && !s[n] && strspn(s, ALNUM) > 0;
}

/* What more there is to say of it net/link knows. */
static bool is_address(const char *s)
{
    size_t scheme = text_starts(s, "https://") ? 8 : text_starts(s, "http://") ? 7 : 0;
    return scheme && s[scheme] && s[scheme] != '/' && !strpbrk(s, "@?# \\");
}

static bool is_clean(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            return false;
    return *s && strlen(s) <= TEXT_MAX && text_is_utf8(s, strlen(s));
}

static Error *check_value(PeerText text, const char *value)
{
    bool yes, good = is_clean(value);
    const char *allowed = "a text on one line";
    Error *e = NULL;
    switch (text) {
    case PEER_TEXT_name:
        good = good && config_is_entry_name(value);
        allowed = "up to 63 letters, digits, \"_\", \"-\", \".\", the first a letter or a digit";
        break;
    case PEER_TEXT_url:
        good = good && is_address(value);
        allowed = "https://host or https://host:8443, without a login; http:// for this host only";
        break;
    case PEER_TEXT_node:
        good = good && is_node(value);
        allowed = "up to 100 letters, digits, \"_\", \"-\", \".\", \":\"";
        break;
    case PEER_TEXT_legacy:
    case PEER_TEXT_insecure:
        e = text_parse_bool(value, &yes);
        good = !e;
        allowed = "true or false";
        error_drop(e);
        break;
    default:
        break;
    }
    if (good)
        return NULL;
    /* An address may have a password in it. */
    AUTO(char) shown = text_printable(value);
    e = text == PEER_TEXT_url ? ERROR_NEW(ERR_CONFIG, "url is no address of a service")
                              : ERROR_NEW(ERR_CONFIG, "%s cannot be \"%s\"", keys[text], shown);
    return error_hint(e, "allowed: %s", allowed);
}

Error *config_peer_set(ConfigPeer *p, const char *key, const char *value)
{
    PeerText t = 0;
    while (t < PEER_TEXT_COUNT && strcmp(keys[t], key) != 0)
        t++;
    if (t == PEER_TEXT_COUNT) {
        AUTO_VALUE(Buf) all = {0};
        AUTO(char) shown = text_printable(key);
        const char *near = text_nearest(key, keys, PEER_TEXT_COUNT);
        for (PeerText i = 0; i < PEER_TEXT_COUNT; i++)
            buf_printf(&all, "%s%s", i ? ", " : "", keys[i]);
        AUTO(char) list = buf_steal_str(&all);
        return error_hint(ERROR_NEW(ERR_CONFIG, "a peer has no \"%s\"", shown), "%s%s%sallowed: %s",
                          near ? "did you mean \"" : "", near ? near : "", near ? "\"? " : "",
                          list);
    }
    if (*member_of(p, t))
        FAIL(ERR_CONFIG, "\"%s\" is there twice", key);
    TRY(check_value(t, value));
    *member_of(p, t) = mem_strdup(value);
    return NULL;
}

static Error *one_of(const char *a, const char *key_a, const char *b, const char *key_b)
{
    if (a && b)
        return error_hint(ERROR_NEW(ERR_CONFIG, "both %s and %s are set", key_a, key_b),
                          "keep one of the two");
    return NULL;
}

Error *config_peer_check(const ConfigPeer *p)
{
    if (!p->name)
        return error_hint(ERROR_NEW(ERR_CONFIG, "this peer has no name"),
                          "give it one: \"- name: berlin\"; `pgstow peer ping` and `pgstow sync` "
                          "know it by that");
    if (!p->url)
        return error_hint(ERROR_NEW(ERR_CONFIG, "the peer %s has no url", p->name),
                          "https://host:8443, where its `pgstow serve` listens");
    TRY(one_of(p->key_file, "keyFile", p->key_command, "keyCommand"));
    TRY(one_of(p->registration_file, "registrationKeyFile", p->registration_command,
               "registrationKeyCommand"));
    TRY(one_of(p->repo_key_file, "repoKeyFile", p->repo_passphrase_command,
               "repoPassphraseCommand"));
    if (config_peer_has_key(p) && !p->node)
        return error_hint(ERROR_NEW(ERR_CONFIG, "the peer %s has a key and no nodeId", p->name),
                          "its requests are known by the id: sync.nodeId there, by default its "
                          "host name; `pgstow peer ping` shows it");
    if (p->legacy && !config_peer_legacy(p) && !config_peer_has_key(p))
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "the peer %s has legacyHeader: false and no key", p->name),
            "give both sides the same keyFile or keyCommand");
    return NULL;
}

static bool is_set(const char *text, bool standard)
{
    bool yes = standard;
    if (text)
        error_drop(text_parse_bool(text, &yes)); /* checked when it was set */
    return yes;
}

bool config_peer_has_key(const ConfigPeer *p)
{
    return p->key_file || p->key_command;
}

bool config_peer_legacy(const ConfigPeer *p)
{
    return is_set(p->legacy, !config_peer_has_key(p));
}

bool config_peer_insecure(const ConfigPeer *p)
{
    return is_set(p->insecure, false);
}

/* -- of the file --------------------------------------------------------------------------------
 */

const ConfigPeer *config_peer(const Config *c, size_t i)
{
    return i < c->peer_count ? &c->peers[i] : NULL;
}

Error *config_add_peer(Config *c, ConfigPeer *p)
{
    TRY(config_peer_check(p));
    for (size_t i = 0; i < c->peer_count; i++)
        if (!strcmp(c->peers[i].name, p->name))
            FAIL(ERR_CONFIG, "a second peer \"%s\"", p->name);
    mem_grow(c->peers, c->peer_count, c->peer_cap);
    c->peers[c->peer_count++] = *p;
    *p = (ConfigPeer){0};
    return NULL;
}

Error *config_peer_from_file(ConfigPeer *p, const SourceFile *f, const char *key, const char *value)
{
    bool program = !strcmp(key, keys[PEER_TEXT_key_command]) ||
                   !strcmp(key, keys[PEER_TEXT_registration_command]) ||
                   !strcmp(key, keys[PEER_TEXT_repo_passphrase_command]);
    if (program && config_is_strange(f))
        return error_hint(ERROR_NEW(ERR_CONFIG,
                                    "%s names a program, and the file belongs to another user (%u)",
                                    key, (unsigned)f->owner),
                          "give the file by --config if you trust it");
    return config_peer_set(p, key, value);
}
