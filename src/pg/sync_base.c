#include "pg/sync_base.h"

#include <inttypes.h>
#include <string.h>

#define TABLE SYNC_BASE_SCHEMA "." SYNC_BASE_TABLE

void sync_base_clear(SyncBase *b)
{
    free(b->system);
    free(b->source);
    free(b->repository);
    free(b->backup);
    free(b->content);
    free(b->session);
    free(b->mode);
    free(b->conflict);
    strlist_free(&b->tables);
    *b = (SyncBase){0};
}

bool sync_base_is_table(const char *schema, const char *name)
{
    return !strcmp(schema, SYNC_BASE_SCHEMA) && !strcmp(name, SYNC_BASE_TABLE);
}

static Error *there(Conn *c, bool *out)
{
    AUTO(char) any = NULL;
    TRY(conn_value(c,
                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace "
                   "n ON n.oid = c.relnamespace WHERE n.nspname = '" SYNC_BASE_SCHEMA "' AND "
                   "c.relname = '" SYNC_BASE_TABLE "')",
                   0, NULL, &any));
    *out = any && *any == 't';
    return NULL;
}

static Error *granted(Error *e)
{
    if (!e || error_kind(e) != ERR_DB_PERMISSION)
        return e;
    Error *told =
        ERROR_NEW(ERR_DB_PERMISSION, "the database cannot keep which backup was merged last: %s",
                  error_message(e));
    error_free(e);
    return error_hint(told, "GRANT CREATE ON DATABASE, or where " TABLE
                            " is somebody else's: GRANT USAGE ON SCHEMA " SYNC_BASE_SCHEMA
                            ", and SELECT, INSERT, DELETE ON " TABLE);
}

static char *copy(const Rows *rows, size_t column)
{
    return mem_strdup(rows_text(rows, 0, column));
}

Error *sync_base_read(Conn *c, const char *system, const char *source, SyncBase *out, bool *found)
{
    AUTO(Rows) rows = NULL;
    AUTO(Rows) tables = NULL;
    const char *params[] = {system, source};
    bool any = false;
    *found = false;
    TRY(there(c, &any));
    if (!any)
        return NULL;
    TRY(granted(conn_query(c,
                           "SELECT repository, backup, content, session, mode, conflict, kept "
                           "FROM " TABLE " WHERE system = $1 AND source = $2",
                           2, params, &rows)));
    if (rows_count(rows) != 1)
        return NULL;
    TRY(conn_query(
        c, "SELECT pg_catalog.unnest(tables) FROM " TABLE " WHERE system = $1 AND source = $2", 2,
        params, &tables));
    *out = (SyncBase){.system = mem_strdup(system),
                      .source = mem_strdup(source),
                      .repository = copy(rows, 0),
                      .backup = copy(rows, 1),
                      .content = copy(rows, 2),
                      .session = copy(rows, 3),
                      .mode = copy(rows, 4),
                      .conflict = copy(rows, 5),
                      .kept = rows_int(rows, 0, 6)};
    for (size_t i = 0; i < rows_count(tables); i++)
        strlist_add(&out->tables, rows_text(tables, i, 0));
    *found = true;
    return NULL;
}

static Error *make_table(Conn *c)
{
    AUTO(char) schema = NULL;
    TRY(conn_value(c,
                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = "
                   "'" SYNC_BASE_SCHEMA "')",
                   0, NULL, &schema));
    if (*schema != 't')
        TRY(conn_exec(c, "CREATE SCHEMA " SYNC_BASE_SCHEMA "; COMMENT ON SCHEMA " SYNC_BASE_SCHEMA
                         " IS 'pgstow keeps here what it must know of this database'"));
    return conn_exec(
        c, "CREATE TABLE " TABLE " (system text NOT NULL, source text NOT NULL, repository text "
           "NOT NULL, backup text NOT NULL, content text NOT NULL, merged timestamptz NOT NULL, "
           "session text, mode text NOT NULL, conflict text NOT NULL, kept bigint NOT NULL, tables "
           "text[] NOT NULL, PRIMARY KEY (system, source)); COMMENT ON TABLE " TABLE
           " IS 'the backup that was merged last, of each source: what a sync by difference starts "
           "from'");
}

/* {"a","b"} */
static char *array_text(const StrList *l)
{
    AUTO_VALUE(Buf) b = {0};
    buf_u8(&b, '{');
    for (size_t i = 0; i < l->count; i++) {
        buf_add_str(&b, i ? ",\"" : "\"");
        for (const char *p = l->items[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                buf_u8(&b, '\\');
            buf_u8(&b, (uint8_t)*p);
        }
        buf_u8(&b, '"');
    }
    buf_u8(&b, '}');
    return buf_steal_str(&b);
}

Error *sync_base_write(Conn *c, const SyncBase *b, bool make, bool *done)
{
    AUTO(Rows) before = NULL;
    AUTO(Rows) none = NULL;
    AUTO(char) kept = mem_printf("%" PRId64, b->kept);
    AUTO(char) tables = array_text(&b->tables);
    const char *params[] = {b->system,  b->source, b->repository, b->backup, b->content,
                            b->session, b->mode,   b->conflict,   kept,      tables};
    TRY(there(c, done));
    if (!*done && !make)
        return NULL;
    if (!*done)
        TRY(granted(make_table(c)));
    *done = true;
    TRY(granted(conn_query(c, "DELETE FROM " TABLE " WHERE system = $1 AND source = $2", 2, params,
                           &before)));
    return granted(conn_query(
        c,
        "INSERT INTO " TABLE " (system, source, repository, backup, content, session, mode, "
        "conflict, kept, tables, merged) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
        "$9::pg_catalog.int8, $10::pg_catalog.text[], pg_catalog.now())",
        10, params, &none));
}
