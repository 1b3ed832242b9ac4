/* peer: the services that this one syncs with. */
#include "op/peer.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"

static Error *open_state(const Run *run, bool existing, State **out)
{
    Error *e = state_open(config_str(run->config, SETTING_STATE_DIR),
                          &(StateOptions){.existing = existing}, out);
    if (!e || !existing || error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_drop(e); /* nobody was added then */
    return NULL;
}

/* -- add and remove ------------------------------------------------------------------------------
 */

static const struct {
    SettingId id;
    PeerText text;
} flags[] = {
    {SETTING_PEER_URL, PEER_TEXT_url},
    {SETTING_PEER_NODE, PEER_TEXT_node},
    {SETTING_PEER_KEY_FILE, PEER_TEXT_key_file},
    {SETTING_PEER_KEY_COMMAND, PEER_TEXT_key_command},
    {SETTING_PEER_REGISTRATION_FILE, PEER_TEXT_registration_file},
    {SETTING_PEER_LEGACY, PEER_TEXT_legacy},
    {SETTING_PEER_CA_FILE, PEER_TEXT_ca_file},
    {SETTING_SYNC_PEER_ENTRY, PEER_TEXT_entry},
    {SETTING_PEER_REPO_KEY_FILE, PEER_TEXT_repo_key_file},
    {SETTING_PEER_REPO_COMMAND, PEER_TEXT_repo_passphrase_command},
};

/* The service reads them from another folder than this one. */
static Error *whole_path(PeerText text, const char *value, char **out)
{
    bool file = text == PEER_TEXT_key_file || text == PEER_TEXT_registration_file ||
                text == PEER_TEXT_ca_file || text == PEER_TEXT_repo_key_file;
    *out = file ? file_real_path(value) : mem_strdup(value);
    if (!*out || (file && !file_exists(*out)))
        return error_hint(ERROR_NEW(ERR_USAGE, "there is no file %s that can be read", value),
                          "openssl rand -hex 32 makes a key: both sides need the same one");
    return NULL;
}

static Error *read_flags(const Run *run, ConfigPeer *p)
{
    TRY(config_peer_set(p, config_peer_key(PEER_TEXT_name), run_word(run, 1)));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const char *value = config_str(run->config, flags[i].id);
        AUTO(char) whole = NULL;
        if (!value)
            continue;
        TRY(whole_path(flags[i].text, value, &whole));
        TRY(config_peer_set(p, config_peer_key(flags[i].text), whole));
    }
    if (config_bool(run->config, SETTING_PEER_INSECURE))
        TRY(config_peer_set(p, config_peer_key(PEER_TEXT_insecure), "true"));
    return NULL;
}

/* Its node id is its own to say, where it can be asked. */
static Error *learn_node(Run *run, ConfigPeer *p)
{
    AUTO(Peer) peer = NULL;
    AUTO_VALUE(PeerPing) ping = {0};
    if (p->node || !p->url)
        return NULL;
    Error *e = peer_open_one(run->config, p, run->cancel, &peer);
    e = e ? e : op_peer_ping(peer, &ping);
    const char *node = !e && ping.answer ? doc_str(ping.answer, "nodeId", NULL) : NULL;
    if (node)
        return config_peer_set(p, config_peer_key(PEER_TEXT_node), node);
    if (e || !config_peer_has_key(p)) {
        error_drop(e); /* what is wrong with it adding tells, and ping */
        return NULL;
    }
    return error_hint(ERROR_NEW(ERR_USAGE,
                                "the node id of %s is not known: it cannot be asked (%s)", p->name,
                                error_message(ping.error)),
                      "say --node ID: what sync.nodeId is there, by default its host name");
}

static Error *peer_add(Run *run)
{
    AUTO(State) state = NULL;
    AUTO(char) user = history_user();
    AUTO(Secret) key = NULL;
    AUTO_VALUE(ConfigPeer) p = {0};
    TRY(error_rekind(read_flags(run, &p), ERR_USAGE));
    TRY(peer_read_key(&p, run->cancel, &key)); /* now, and not at the first request */
    TRY(learn_node(run, &p));
    TRY(open_state(run, false, &state));
    TRY(op_peer_add(run->config, state, &(PeerActor){user, "", "cli"}, &p));
    if (run->json) {
        AUTO(char) own = peer_own_node(run->config);
        PeerFacts facts = {p, true, clock_now()};
        run_result(run, peer_doc(&facts, own));
    } else if (!run->quiet) {
        printf("added %s (%s)%s%s\n", p.name, p.url, p.node ? ", node " : "", p.node ? p.node : "");
    }
    return NULL;
}

static Error *peer_remove(Run *run)
{
    AUTO(State) state = NULL;
    AUTO(char) user = history_user();
    const char *name = run_word(run, 1);
    TRY(open_state(run, false, &state));
    TRY(op_peer_remove(run->config, state, &(PeerActor){user, "", "cli"}, name));
    if (run->json) {
        Doc *d = doc_object();
        doc_set_str(d, "removed", name);
        run_result(run, d);
    } else if (!run->quiet) {
        printf("removed %s\n", name);
    }
    return NULL;
}

/* -- list ----------------------------------------------------------------------------------------
 */

static Error *read_peers(const Run *run, State **state, PeerList *out)
{
    TRY(open_state(run, true, state));
    return peer_list(run->config, *state, out);
}

static void list_row(Table *t, const PeerFacts *p, const char *own)
{
    const ConfigPeer *c = &p->config;
    bool local = c->node && !strcmp(c->node, own);
    table_own(t, mem_printf("%s%s", c->name, local ? " [Local]" : ""));
    table_add(t, c->url);
    table_add(t, c->node ? c->node : "-");
    table_add(t, c->entry ? c->entry : "-");
    table_add(t, !config_peer_has_key(c) ? "registration key"
                 : config_peer_legacy(c) ? "own key, or registration key"
                                         : "own key");
    table_add(t, p->added ? "peer add" : "file");
}

static Error *peer_list_all(Run *run)
{
    static const char *const headings[] = {"NAME", "URL", "NODE", "ENTRY", "PROOF", "FROM"};
    AUTO(State) state = NULL;
    AUTO_VALUE(PeerList) all = {0};
    AUTO_VALUE(Table) t = {0};
    AUTO(char) own = peer_own_node(run->config);
    TRY(read_peers(run, &state, &all));
    if (run->json) {
        Doc *d = doc_object(), *peers = doc_array();
        for (size_t i = 0; i < all.count; i++)
            doc_push(peers, peer_doc(&all.items[i], own));
        doc_set_str(d, "nodeId", own);
        doc_set(d, "peers", peers);
        run_result(run, d);
        return NULL;
    }
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < all.count; i++)
        list_row(&t, &all.items[i], own);
    printf("this host: node %s [Local]\n", own);
    if (all.count)
        table_print(&t);
    else
        puts("no peers: pgstow peer add makes one known");
    return NULL;
}

/* -- ping ----------------------------------------------------------------------------------------
 */

static char *clock_words(int64_t ms)
{
    char text[32];
    int64_t apart = ms < 0 ? -ms : ms;
    if (apart < 1000)
        return mem_strdup("same");
    text_duration(apart, text);
    return mem_printf("%s %s", text, ms > 0 ? "ahead" : "behind");
}

/* Whether what proves us is what the peer expects. */
static const char *key_words(const PeerPing *p)
{
    if (p->accepted)
        return doc_bool(p->answer, "signed", false) ? "own key matches"
                                                    : "registration key matches";
    if (!p->online)
        return "-";
    return error_kind(p->error) == ERR_TOKEN  ? "does not match"
           : error_kind(p->error) == ERR_ROLE ? "sync is off there"
                                              : "not known";
}

static char *tool_words(const Doc *answer)
{
    const Doc *tools = answer ? doc_get(answer, "tools") : NULL;
    const char *version = doc_count(tools) ? doc_str(doc_at(tools, 0), "version", NULL) : NULL;
    return version ? mem_printf("pg_dump %s", version) : mem_strdup(answer ? "no pg_dump" : "-");
}

/* The least of its entries' disks. */
static char *free_words(const Doc *answer)
{
    char text[32];
    int64_t least = -1;
    const Doc *entries = answer ? doc_get(answer, "entries") : NULL;
    for (size_t i = 0; i < doc_count(entries); i++) {
        const Doc *repository = doc_get(doc_at(entries, i), "repository");
        int64_t n = repository ? doc_int(repository, "freeBytes", -1) : -1;
        if (n >= 0 && (least < 0 || n < least))
            least = n;
    }
    return mem_strdup(least < 0 ? "-" : text_size((uint64_t)least, text));
}

static void ping_row(Table *t, const ConfigPeer *c, const char *own, const PeerPing *p)
{
    const char *there = p->answer ? doc_str(p->answer, "nodeId", "-") : c->node ? c->node : "-";
    bool local = !strcmp(there, own);
    table_own(t, mem_printf("%s%s", c->name, local ? " [Local]" : ""));
    table_add(t, p->online ? "yes" : "no");
    table_add(t, there);
    table_add(t, p->answer ? doc_str(p->answer, "version", "-") : "-");
    table_own(t, p->answer ? clock_words(p->clock_ms) : mem_strdup("-"));
    table_add(t, key_words(p));
    table_own(t, tool_words(p->answer));
    table_own(t, free_words(p->answer));
}

/* What is wrong with a peer is in *ping, whoever says it. */
static Error *ping_one(Run *run, const ConfigPeer *c, PeerPing *ping, Doc **doc)
{
    AUTO(Peer) peer = NULL;
    Error *e = peer_open_one(run->config, c, run->cancel, &peer);
    TRY(cancel_check(run->cancel));
    if (e)
        ping->error = e;
    else
        TRY(op_peer_ping(peer, ping));
    *doc = peer_ping_doc(c, ping);
    return NULL;
}

/* One that answers and has another id than it is known by would be refused by us. */
static void warn_of_node(const ConfigPeer *c, const PeerPing *ping)
{
    const char *node = ping->answer ? doc_str(ping->answer, "nodeId", NULL) : NULL;
    if (!node || !c->node || !strcmp(node, c->node))
        return;
    AUTO(char) shown = text_printable(node);
    AUTO(char)
    text = mem_printf("the peer %s calls itself %s, and is known here as %s: its signed requests "
                      "are refused here until that is the same",
                      c->name, shown, c->node);
    output_warning(text);
}

static Error *conclude(const PeerList *all, size_t failed, Error *first)
{
    if (!failed || all->count == 1)
        return first;
    error_drop(first);
    FAIL(ERR_PARTIAL, "%zu of %zu peers cannot be synced with", failed, all->count);
}

static Error *only_named(PeerList *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].config.name, name) != 0)
            continue;
        PeerFacts found = all->items[i];
        all->items[i] = all->items[0];
        all->items[0] = found;
        for (size_t k = 1; k < all->count; k++)
            config_peer_clear(&all->items[k].config);
        all->count = 1;
        return NULL;
    }
    return peer_unknown(all, name);
}

static Error *peer_ping(Run *run)
{
    static const char *const headings[] = {"NAME",  "ONLINE", "NODE",  "VERSION",
                                           "CLOCK", "KEY",    "TOOLS", "FREE"};
    AUTO(State) state = NULL;
    AUTO_VALUE(PeerList) all = {0};
    AUTO_VALUE(Table) t = {0};
    AUTO(char) own = peer_own_node(run->config);
    AUTO(Doc) d = doc_object();
    AUTO(Error) first = NULL;
    size_t failed = 0;
    Doc *docs = doc_array();
    doc_set(d, "peers", docs);
    TRY(read_peers(run, &state, &all));
    if (run_word(run, 1))
        TRY(only_named(&all, run_word(run, 1)));
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < all.count; i++) {
        AUTO_VALUE(PeerPing) ping = {0};
        const ConfigPeer *c = &all.items[i].config;
        Doc *one = NULL;
        TRY(ping_one(run, c, &ping, &one));
        doc_push(docs, one);
        ping_row(&t, c, own, &ping);
        warn_of_node(c, &ping);
        if (ping.error && all.count > 1)
            output_warning(error_message(ping.error));
        failed += ping.error != NULL;
        if (!first)
            first = STEAL(ping.error);
    }
    if (run->json)
        run_result(run, STEAL(d));
    else if (all.count)
        table_print(&t);
    else
        puts("no peers: pgstow peer add makes one known");
    return conclude(&all, failed, STEAL(first));
}

/* ------------------------------------------------------------------------------------------------
 */

static Error *check_flags(const Run *run, const char *verb)
{
    for (size_t i = 0; strcmp(verb, "add") != 0 && i <= sizeof flags / sizeof *flags; i++) {
        SettingId id = i < sizeof flags / sizeof *flags ? flags[i].id : SETTING_PEER_INSECURE;
        if (config_source(run->config, id) == CONFIG_FLAG)
            FAIL(ERR_USAGE, "--%s belongs to peer add", setting_info(id)->flag);
    }
    return NULL;
}

Error *cmd_PEER(Run *run)
{
    static const char *const names[] = {"add", "list", "remove", "ping"};
    static Error *(*const verbs[])(Run *) = {peer_add, peer_list_all, peer_remove, peer_ping};
    const char *verb = run_word(run, 0);
    bool named = run_word(run, 1) != NULL;
    size_t which = 0;
    while (which < 4 && strcmp(verb, names[which]) != 0)
        which++;
    if (which == 4) {
        AUTO(char) shown = text_printable(verb);
        const char *near = text_nearest(verb, names, 4);
        Error *e = ERROR_NEW(ERR_USAGE, "peer does not know \"%s\"", shown);
        return near ? error_hint(e, "did you mean %s? There are add, list, remove and ping", near)
                    : error_hint(e, "there are add, list, remove and ping");
    }
    if ((which == 1 && named) || ((which == 0 || which == 2) && !named))
        return error_hint(which == 1 ? ERROR_NEW(ERR_USAGE, "peer list takes no argument")
                                     : ERROR_NEW(ERR_USAGE, "peer %s needs a name", verb),
                          "pgstow peer --help explains it");
    TRY(check_flags(run, verb));
    return verbs[which](run);
}
