#include "op/live_read.h"

#include "base/clock.h"
#include "base/log.h"

#define LOCK_WAIT_MS 10000
#define ATTEMPTS 4

static void let_go(LiveRead *l)
{
    source_list_clear(&l->sources);
    relation_list_clear(&l->relations);
    if (l->dump)
        dump_free(STEAL(l->dump));
    if (l->snapshot)
        snapshot_free(STEAL(l->snapshot));
}

void live_read_clear(LiveRead *l)
{
    let_go(l);
    if (l->tool)
        tool_free(l->tool);
    if (l->lock)
        conn_free(l->lock);
    if (l->list)
        conn_free(l->list);
    free(l->encoding);
    strlist_free(&l->warnings);
    *l = (LiveRead){0};
}

static Error *connect_both(LiveRead *l)
{
    job_phase(l->c->job, "connecting", 0, 0);
    TRY(op_connect(l->c, NULL, &l->list));
    TRY(tools_find(&l->c->tools, TOOL_PG_DUMP, conn_server_version(l->list), 0, &l->tool));
    TRY(conn_open_like(l->list, NULL, NULL, &l->lock));
    TRY(conn_value(l->list,
                   "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database "
                   "WHERE datname = pg_catalog.current_database()",
                   0, NULL, &l->encoding));
    TRY(conn_prepare_dump(l->list, l->encoding));
    return conn_prepare_dump(l->lock, l->encoding);
}

static Error *take(LiveRead *l)
{
    TRY(snapshot_take(l->list, l->lock, LOCK_WAIT_MS, l->c->job, &l->snapshot));
    job_phase(l->c->job, "reading the catalog", 0, 0);
    DumpOptions dump = {.tool = l->tool,
                        .conn = l->list,
                        .snapshot = snapshot_name(l->snapshot),
                        .encoding = l->encoding,
                        .lock_wait_ms = LOCK_WAIT_MS,
                        .cancel = job_cancel(l->c->job)};
    TRY(dump_start(&dump, &l->dump));
    TRY(dump_end(l->dump, &l->warnings));
    TRY(relation_list_read(l->lock, &l->relations));
    TRY(conn_prepare_dump(l->lock, l->encoding));
    TRY(source_resolve(l->lock, dump_toc(l->dump), NULL, &l->sources));
    uint32_t *oids = mem_calloc(l->sources.count, sizeof *oids);
    for (size_t i = 0; i < l->sources.count; i++)
        oids[i] = l->sources.items[i].oid;
    Error *e = snapshot_cover(l->snapshot, oids, l->sources.count);
    free(oids);
    return e;
}

Error *live_read_open(const OpContext *c, LiveRead *out)
{
    AUTO_VALUE(LiveRead) l = {.c = c};
    TRY(connect_both(&l));
    for (int attempt = 1;; attempt++) {
        Error *e = take(&l);
        if (!e)
            break;
        if (error_kind(e) != ERR_DB_CHANGED || attempt == ATTEMPTS)
            return e;
        log_info("starting over: %s", error_message(e));
        error_free(e);
        let_go(&l);
        TRY(conn_exec(l.lock, "ROLLBACK"));
        clock_sleep_ms(100 * attempt);
    }
    *out = l;
    l = (LiveRead){0};
    return NULL;
}

const Toc *live_read_toc(const LiveRead *l)
{
    return dump_toc(l->dump);
}

Error *live_read_join(const LiveRead *l, const char *encoding, Cancel *cancel, Conn **out)
{
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(l->lock, NULL, cancel, &c));
    TRY(snapshot_join(snapshot_name(l->snapshot), c));
    TRY(conn_prepare_dump(c, encoding));
    TRY(conn_execf(c, "SET lock_timeout = %d", LOCK_WAIT_MS));
    *out = STEAL(c);
    return NULL;
}
