#include "op/peer.h"

#include <string.h>
#include <unistd.h>

#include "op/secret_input.h"
#include "state/state_audit.h"

#define KEY_LEAST 16 /* bytes of a key that signs: it must not be guessed from what it signed */

char *peer_own_node(const Config *c)
{
    char host[256] = "";
    const char *set = config_str(c, SETTING_SYNC_NODE_ID);
    if (set)
        return mem_strdup(set);
    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        strcpy(host, "localhost");
    return mem_strdup(host);
}

/* -- all of them --------------------------------------------------------------------------------
 */

void peer_list_clear(PeerList *l)
{
    for (size_t i = 0; i < l->count; i++)
        config_peer_clear(&l->items[i].config);
    free(l->items);
    *l = (PeerList){0};
}

static PeerFacts *grow(PeerList *l)
{
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count] = (PeerFacts){0};
    return &l->items[l->count++];
}

static PeerFacts *named(const PeerList *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].config.name, name))
            return &l->items[i];
    return NULL;
}

static Doc *facts_doc(const ConfigPeer *p)
{
    Doc *d = doc_object();
    for (PeerText t = 0; t < PEER_TEXT_COUNT; t++)
        if (config_peer_text(p, t))
            doc_set_str(d, config_peer_key(t), config_peer_text(p, t));
    return d;
}

static Error *facts_read(const char *text, ConfigPeer *out)
{
    AUTO(Doc) d = NULL;
    AUTO_VALUE(ConfigPeer) p = {0};
    TRY(doc_parse(text, strlen(text), "a peer in the state", &d));
    for (size_t i = 0; i < doc_count(d); i++) {
        const char *key = doc_key_at(d, i), *value = doc_str(d, key, NULL);
        if (!value)
            FAIL(ERR_DAMAGED, "a peer in the state has no text as %s", key);
        TRY(config_peer_set(&p, key, value));
    }
    TRY(config_peer_check(&p));
    *out = p;
    p = (ConfigPeer){0};
    return NULL;
}

Error *peer_list(const Config *c, State *s, PeerList *out)
{
    AUTO_VALUE(PeerList) l = {0};
    AUTO_VALUE(StatePeers) added = {0};
    const ConfigPeer *p;
    for (size_t i = 0; (p = config_peer(c, i)); i++)
        config_peer_copy(&grow(&l)->config, p);
    if (s)
        TRY(state_peer_list(s, &added));
    for (size_t i = 0; i < added.count; i++) {
        AUTO_VALUE(ConfigPeer) one = {0};
        TRY_CTX(facts_read(added.items[i].facts, &one), "the peer %s", added.items[i].name);
        if (named(&l, one.name))
            continue;
        PeerFacts *f = grow(&l);
        *f = (PeerFacts){one, true, added.items[i].created};
        one = (ConfigPeer){0};
    }
    *out = l;
    l = (PeerList){0};
    return NULL;
}

Doc *peer_doc(const PeerFacts *p, const char *own_node)
{
    Doc *d = facts_doc(&p->config);
    doc_set_bool(d, "local", p->config.node && !strcmp(p->config.node, own_node));
    doc_set_str(d, "from", p->added ? "added" : "file");
    doc_set_time(d, "added", p->added ? p->created : 0);
    doc_set_bool(d, "signed", config_peer_has_key(&p->config));
    doc_set_bool(d, "legacy", config_peer_legacy(&p->config));
    return d;
}

/* -- added and removed ---------------------------------------------------------------------------
 */

typedef struct Change {
    const PeerActor *who;
    const char *action, *name, *facts; /* facts NULL: it is removed */
} Change;

/* The change and its entry in the audit log, as one. */
static Error *change(State *s, void *ctx)
{
    const Change *c = ctx;
    Instant now = clock_now();
    TRY(c->facts ? state_peer_add(s, c->name, c->facts, now) : state_peer_remove(s, c->name));
    return state_audit_add(s,
                           &(StateAuditNew){.actor = c->who->name,
                                            .role = c->who->role,
                                            .origin = c->who->origin,
                                            .action = c->action,
                                            .object = c->name,
                                            .outcome = "done",
                                            .detail = c->facts,
                                            .now = now},
                           NULL);
}

static bool in_file(const Config *c, const char *name)
{
    const ConfigPeer *p;
    for (size_t i = 0; (p = config_peer(c, i)); i++)
        if (!strcmp(p->name, name))
            return true;
    return false;
}

Error *op_peer_add(const Config *c, State *s, const PeerActor *who, const ConfigPeer *p)
{
    AUTO(Link) probe = NULL;
    AUTO(Doc) d = facts_doc(p);
    AUTO(char) facts = doc_print(d, false);
    TRY(config_peer_check(p));
    if (in_file(c, p->name))
        return error_hint(ERROR_NEW(ERR_EXISTS, "there is a peer named %s in the file", p->name),
                          "choose another name, or change it there");
    /* That its address can be used at all. */
    TRY(link_open(&(LinkOptions){.name = p->name,
                                 .url = p->url,
                                 .ca_file = p->ca_file,
                                 .insecure = config_peer_insecure(p)},
                  &probe));
    return state_together(s, change, &(Change){who, "peer.add", p->name, facts});
}

Error *op_peer_remove(const Config *c, State *s, const PeerActor *who, const char *name)
{
    if (in_file(c, name))
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "the peer %s was not added by hand", name),
                          "it stands under peers: in %s: take it out there", config_yaml_file(c));
    return state_together(s, change, &(Change){who, "peer.remove", name, NULL});
}

/* -- secrets -------------------------------------------------------------------------------------
 */

Error *peer_read_key(const ConfigPeer *p, const Cancel *c, Secret **out)
{
    AUTO(char) what = mem_printf("the key of the peer %s", p->name);
    SecretInput in = {.file = p->key_file, .command = p->key_command};
    AUTO(Secret) key = NULL;
    *out = NULL;
    if (!secret_input_given(&in))
        return NULL;
    TRY(secret_input_get(&in, &(SecretWords){what, ERR_CONFIG}, c, &key));
    if (secret_length(key) < KEY_LEAST)
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "%s is shorter than %d characters", what, KEY_LEAST),
            "openssl rand -hex 32 makes one; both sides need the same");
    *out = STEAL(key);
    return NULL;
}

static Error *registration_by(const char *file, const char *command, const char *text,
                              const Cancel *c, Secret **out)
{
    SecretInput in = {.file = (char *)(uintptr_t)file, .command = (char *)(uintptr_t)command};
    AUTO(Secret) held = text ? secret_copy(text, strlen(text)) : NULL;
    in.text = held;
    *out = NULL;
    if (!secret_input_given(&in) || (held && !secret_length(held)))
        return NULL;
    return secret_input_get(&in, &(SecretWords){"the registration key", ERR_CONFIG}, c, out);
}

Error *peer_read_registration(const Config *c, const Cancel *cancel, Secret **out)
{
    static const SettingId ids[] = {SETTING_SYNC_REGISTRATION_FILE,
                                    SETTING_SYNC_REGISTRATION_COMMAND,
                                    SETTING_SYNC_REGISTRATION_KEY};
    SettingId chosen = secret_strongest(c, ids, sizeof ids / sizeof *ids);
    const char *text = chosen == SETTINGS ? NULL : config_str(c, chosen);
    return registration_by(chosen == ids[0] ? text : NULL, chosen == ids[1] ? text : NULL,
                           chosen == ids[2] ? text : NULL, cancel, out);
}

static Error *registration_for(const Config *c, const ConfigPeer *p, const Cancel *cancel,
                               Secret **out)
{
    if (p->registration_file || p->registration_command)
        return registration_by(p->registration_file, p->registration_command, NULL, cancel, out);
    return peer_read_registration(c, cancel, out);
}

/* -- one -----------------------------------------------------------------------------------------
 */

void peer_close(Peer *p)
{
    if (!p)
        return;
    link_close(p->link);
    key_input_free(p->keys);
    config_peer_clear(&p->config);
    free(p->own_node);
    free(p);
}

Error *peer_unknown(const PeerList *l, const char *name)
{
    AUTO_VALUE(Buf) all = {0};
    AUTO(char) shown = text_printable(name);
    Error *e = ERROR_NEW(ERR_NOT_FOUND, "there is no peer \"%s\"", shown);
    if (!l->count)
        return error_hint(e, "`pgstow peer add` adds one, or `peers:` in the file");
    for (size_t i = 0; i < l->count; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", l->items[i].config.name);
    AUTO(char) names = buf_steal_str(&all);
    return error_hint(e, "there are %s", names);
}

Error *peer_open_one(const Config *c, const ConfigPeer *facts, Cancel *cancel, Peer **out)
{
    AUTO(Peer) p = mem_new(Peer);
    AUTO(Secret) key = NULL;
    AUTO(Secret) registration = NULL;
    config_peer_copy(&p->config, facts);
    p->own_node = peer_own_node(c);
    p->cancel = cancel;
    TRY(peer_read_key(facts, cancel, &key));
    if (!key)
        TRY(registration_for(c, facts, cancel, &registration));
    if (!key && !registration)
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "nothing proves to the peer %s who we are", facts->name),
            "set SYNC_REGISTRATION_KEY as it is there, or give both sides a key (keyFile)");
    TRY(link_open(&(LinkOptions){.name = facts->name,
                                 .url = facts->url,
                                 .node = p->own_node,
                                 .key = key,
                                 .registration = registration,
                                 .ca_file = facts->ca_file,
                                 .insecure = config_peer_insecure(facts)},
                  &p->link));
    p->keys = key_input_new(&(KeyInputs){.key_file = facts->repo_key_file,
                                         .command = facts->repo_passphrase_command,
                                         .cancel = cancel,
                                         .how = "name what opens it among the peer's settings: "
                                                "repoKeyFile or repoPassphraseCommand (of `pgstow "
                                                "peer add`: --peer-repo-key-file)"});
    *out = STEAL(p);
    return NULL;
}

Error *peer_open(const Config *c, State *s, const char *name, Cancel *cancel, Peer **out)
{
    AUTO_VALUE(PeerList) all = {0};
    TRY(peer_list(c, s, &all));
    const PeerFacts *found = named(&all, name);
    return found ? peer_open_one(c, &found->config, cancel, out) : peer_unknown(&all, name);
}

Error *peer_check_protocol(const char *who, int64_t version)
{
    if (version == PEER_PROTOCOL)
        return NULL;
    return error_hint(ERROR_NEW(ERR_PREFLIGHT,
                                "%s speaks version %lld of what syncs are agreed in, and this host "
                                "version %d",
                                who, (long long)version, PEER_PROTOCOL),
                      "install the same pgstow on both hosts; nothing was touched");
}
