/* What a service says of itself to its peers. */
#include "base/file.h"
#include "op/peer.h"
#include "serve/api_internal.h"

static ToolsOptions tools_of(const Config *c)
{
    return (ToolsOptions){.setting = {[TOOL_PG_DUMP] = config_str(c, SETTING_PG_DUMP),
                                      [TOOL_PG_RESTORE] = config_str(c, SETTING_PG_RESTORE),
                                      [TOOL_PSQL] = config_str(c, SETTING_PSQL)},
                          .force_pg_dump_missing = config_bool(c, SETTING_FORCE_PG_DUMP_MISSING)};
}

static Doc *tool_doc(const ToolsOptions *o, ToolName name)
{
    AUTO(Tool) tool = NULL;
    Doc *d = doc_object();
    Error *e = tools_find(o, name, 0, 0, &tool);
    doc_set_str(d, "name", tools_name(name));
    doc_set_str(d, "version", tool ? tool->text : NULL);
    if (e) {
        doc_set_str(d, "error", error_message(e));
        doc_set_str(d, "hint", error_hint_text(e));
    }
    error_drop(e);
    return d;
}

static Doc *tools_doc(const Config *c)
{
    ToolsOptions o = tools_of(c);
    Doc *all = doc_array();
    for (ToolName name = 0; name < TOOL_NAMES; name++)
        doc_push(all, tool_doc(&o, name));
    return all;
}

/* Its place is not told: the peer has no use for it. */
static Doc *repository_doc(const ServiceEntry *entry)
{
    AUTO(Repo) repo = NULL;
    uint64_t free_bytes = 0;
    OpContext op = shelf_op(entry->shelf);
    Doc *d = doc_object();
    Error *e = op_open_repo(&op, false, &repo);
    doc_set_str(d, "id", repo ? repo_id(repo) : NULL);
    doc_set_bool(d, "encrypted", repo && repo_keys(repo));
    if (e)
        doc_set_str(d, "error", error_kind_info(error_kind(e))->name);
    error_drop(e);
    e = file_free_space(op.repo_dir, &free_bytes);
    if (!e)
        doc_set_int(d, "freeBytes", (int64_t)free_bytes);
    error_drop(e);
    return d;
}

static Doc *entries_doc(const Ask *a)
{
    Doc *all = doc_array();
    for (size_t i = 0; i < a->config->count; i++) {
        const ServiceEntry *entry = &a->config->entries[i];
        Doc *d = doc_object();
        doc_set_str(d, "entry", entry->name);
        doc_set_str(d, "database", entry->database);
        doc_set(d, "repository", repository_doc(entry));
        doc_push(all, d);
    }
    return all;
}

Error *api_peer(Ask *a)
{
    char now[CLOCK_TEXT];
    const Config *c = a->config->config;
    AUTO(char) node = peer_own_node(c);
    Doc *d = doc_object();
    doc_set_bool(d, "success", true);
    doc_set_int(d, "protocol", PEER_PROTOCOL);
    doc_set_str(d, "nodeId", node);
    doc_set_str(d, "version", PGSTOW_VERSION);
    doc_set_str(d, "knownAs", a->peer->peer);
    doc_set_bool(d, "signed", a->peer->is_signed);
    pthread_mutex_lock(&a->api->repository);
    doc_set(d, "tools", tools_doc(c));
    doc_set(d, "entries", entries_doc(a));
    pthread_mutex_unlock(&a->api->repository);
    /* Last, so that it is as near to the answer as can be. */
    Instant t = clock_now();
    doc_set_str(d, "time", clock_iso(t, now));
    doc_set_int(d, "timeMs", t);
    a->reply->status = 200;
    a->reply->body = d;
    return NULL;
}
