#include "pg/load.h"

#include <inttypes.h>
#include <string.h>

#include "pg/load_statement.h"
#include "pg/toc_search_path.h"
#include "sql.h"

void load_plan_clear(LoadPlan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->tables[i].name);
        free(p->tables[i].truncate);
        free(p->tables[i].copy);
        free(p->tables[i].append);
    }
    free(p->tables);
    free(p->by_dump_id);
    *p = (LoadPlan){0};
}

/* Tables by name, sorted: many may be asked for as many. */
typedef struct Named {
    const char *schema, *table; /* borrowed from the rows */
} Named;
typedef struct NameSet {
    Rows *rows;
    Named *items;
    size_t count;
} NameSet;

static void name_set_clear(NameSet *s)
{
    if (s->rows)
        rows_free(s->rows);
    free(s->items);
}
DEFINE_AUTO_VALUE(NameSet, name_set_clear)

static int by_name(const void *a, const void *b)
{
    const Named *x = a, *y = b;
    int order = strcmp(x->table, y->table);
    return order ? order : strcmp(x->schema, y->schema);
}

static Error *name_set_ask(Conn *c, const char *sql, NameSet *out)
{
    TRY(conn_query(c, sql, 0, NULL, &out->rows));
    out->count = rows_count(out->rows);
    out->items = mem_calloc(out->count, sizeof *out->items);
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = (Named){rows_text(out->rows, i, 0), rows_text(out->rows, i, 1)};
    mem_sort(out->items, out->count, sizeof *out->items, by_name);
    return NULL;
}

static bool among(const NameSet *set, const LoadTarget *t)
{
    Named key = {t->schema, t->table};
    return set->count && bsearch(&key, set->items, set->count, sizeof key, by_name);
}

static int by_dump_id(const void *a, const void *b)
{
    int x = (*(const LoadTable *const *)a)->entry->dump_id,
        y = (*(const LoadTable *const *)b)->entry->dump_id;
    return (x > y) - (x < y);
}

static void index_tables(LoadPlan *p)
{
    p->by_dump_id = mem_calloc(p->count, sizeof *p->by_dump_id);
    for (size_t i = 0; i < p->count; i++)
        p->by_dump_id[i] = &p->tables[i];
    mem_sort(p->by_dump_id, p->count, sizeof *p->by_dump_id, by_dump_id);
}

static bool has_table(const Toc *toc, const LoadTarget *t)
{
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (toc_is(e, "TABLE") && !strcmp(e->tag, t->table) && !strcmp(e->schema, t->schema))
            return true;
    }
    return false;
}

/* A partition that the archive has without its root: its rows are its own. */
static void target_itself(const TocEntry *e, LoadTarget *t)
{
    AUTO(char) schema = text_sql_ident(e->schema);
    AUTO(char) table = text_sql_ident(e->tag);
    free(t->schema);
    free(t->table);
    free(t->text);
    t->schema = mem_strdup(e->schema);
    t->table = mem_strdup(e->tag);
    t->text = mem_printf("%s.%s", schema, table);
}

Error *load_plan_make(Conn *c, const Toc *toc, LoadPlan *out)
{
    AUTO_VALUE(NameSet) of_extensions = {0};
    AUTO_VALUE(NameSet) foreign = {0};
    AUTO_VALUE(NameSet) generated = {0};
    TRY(name_set_ask(c, sql_load_extension_tables, &of_extensions));
    TRY(name_set_ask(c, sql_load_foreign_tables, &foreign));
    if (conn_server_version(c) >= 120000)
        TRY(name_set_ask(c, sql_load_generated_tables, &generated));
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (!toc_is_table_data(e))
            continue;
        AUTO_VALUE(LoadTarget) target = {0};
        TRY_CTX(load_target_parse(e->copy_stmt ? e->copy_stmt : "", &target),
                "the archive's entry %d (%s %s)", e->dump_id, e->desc, e->tag);
        if (load_via_root(e, &target) && !has_table(toc, &target))
            target_itself(e, &target);
        bool extension = among(&of_extensions, &target);
        bool root = load_via_root(e, &target);
        bool plain = extension || root || among(&foreign, &target);
        mem_grow(out->tables, out->count, out->cap);
        out->tables[out->count++] = (LoadTable){
            .entry = e,
            .name = mem_printf("%s.%s", e->schema, e->tag),
            .truncate = plain ? NULL : mem_printf("TRUNCATE TABLE ONLY %s", target.text),
            .copy = mem_printf("COPY %s %s FROM STDIN%s", target.text, target.columns,
                               plain ? "" : " WITH (FREEZE)"),
            .append = mem_printf("COPY %s %s FROM STDIN", target.text, target.columns),
            .through_root = root,
            .serial = extension,
            .late = !extension && among(&generated, &target),
        };
    }
    index_tables(out);
    return NULL;
}

static int compare_dump_id(const void *key, const void *table)
{
    int x = *(const int *)key, y = (*(const LoadTable *const *)table)->entry->dump_id;
    return (x > y) - (x < y);
}

const LoadTable *load_plan_find(const LoadPlan *p, int dump_id)
{
    const LoadTable **found =
        bsearch(&dump_id, p->by_dump_id, p->count, sizeof *p->by_dump_id, compare_dump_id);
    return found ? *found : NULL;
}

Error *load_session(Conn *c, const char *encoding, const char *role)
{
    TRY(conn_exec(c, sql_load_session));
    if (conn_server_version(c) >= 90600)
        TRY(conn_exec(c, "SET idle_in_transaction_session_timeout = 0"));
    if (conn_server_version(c) >= 140000)
        TRY(conn_exec(c, "SET idle_session_timeout = 0"));
    if (conn_server_version(c) >= 170000)
        TRY(conn_exec(c, "SET transaction_timeout = 0"));
    if (conn_server_version(c) >= 90500)
        TRY(conn_exec(c, "SET row_security = off"));
    if (encoding) {
        AUTO(char) value = text_sql_literal(conn_send_encoding(c, encoding));
        TRY(conn_execf(c, "SET client_encoding = %s", value));
    }
    if (role) {
        AUTO(char) name = text_sql_ident(role);
        TRY(conn_execf(c, "SET ROLE %s", name));
    }
    return NULL;
}

Error *load_search_path(Conn *c, const StrList *schemas)
{
    if (!schemas || !schemas->count)
        return NULL;
    AUTO(char) value = search_path_value(schemas);
    return conn_execf(c, "SET search_path = %s", value);
}

Error *load_table_begin(Conn *c, const LoadTable *t)
{
    TRY(conn_exec(c, "BEGIN"));
    if (t->truncate)
        TRY(conn_exec(c, t->truncate));
    return copy_in_begin(c, t->copy);
}

Error *load_check_rows(const LoadTable *t, uint64_t rows, uint64_t expected)
{
    if (rows != expected)
        FAIL(ERR_MISMATCH,
             "table %s: the backup recorded %" PRIu64 " rows, the server took %" PRIu64, t->name,
             expected, rows);
    return NULL;
}

static Error *end_copy(Conn *c, const LoadTable *t, uint64_t expected)
{
    uint64_t rows = 0;
    TRY(copy_in_end(c, &rows));
    return load_check_rows(t, rows, expected);
}

Error *load_table_end(Conn *c, const LoadTable *t, uint64_t expected)
{
    TRY(end_copy(c, t, expected));
    return conn_exec(c, "COMMIT");
}

Error *load_may_share(Conn *c, const LoadTable *t, bool *out)
{
    AUTO(char) code = NULL;
    *out = false;
    if (!t->truncate || t->serial || t->late)
        return NULL;
    const char *params[] = {t->entry->schema, t->entry->tag};
    TRY(conn_value(c, sql_load_runs_code, 2, params, &code));
    *out = code && *code == 'f';
    return NULL;
}

Error *load_table_empty(Conn *c, const LoadTable *t)
{
    return conn_exec(c, t->truncate);
}

Error *load_share_begin(Conn *c, const LoadTable *t)
{
    TRY(conn_exec(c, "BEGIN"));
    return copy_in_begin(c, t->append);
}

Error *load_share_end(Conn *c, uint64_t *rows)
{
    return copy_in_end(c, rows);
}

Error *load_share_commit(Conn *c)
{
    return conn_exec(c, "COMMIT");
}

/* FREEZE asks for a table that this very part of the transaction made or truncated. */
Error *load_within_begin(Conn *c, const LoadTable *t, bool append)
{
    TRY(conn_exec(c, "SAVEPOINT pgstow_load"));
    if (t->truncate && !append)
        TRY(conn_exec(c, t->truncate));
    return copy_in_begin(c, append ? t->append : t->copy);
}

Error *load_within_end(Conn *c, const LoadTable *t, uint64_t expected)
{
    TRY(end_copy(c, t, expected));
    return conn_exec(c, "RELEASE SAVEPOINT pgstow_load");
}

void load_within_abort(Conn *c)
{
    if (conn_broken(c))
        return;
    error_drop(copy_in_abort(c, "the restore was stopped"));
    error_drop(conn_exec(c, "ROLLBACK TO SAVEPOINT pgstow_load; RELEASE SAVEPOINT pgstow_load"));
}

static bool is_one_of(const char *state, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (text_starts(state, *prefixes))
            return true;
    return false;
}

bool load_failed_on_rows(const Conn *c)
{
    /* Of the server, its disk, the session or its privileges, and damage. All else can come out of
     * a function. */
    static const char *const others[] = {"08", "25", "26", "28",    "3D",    "42501", "53",
                                         "57", "58", "F0", "XX001", "XX002", NULL};
    const char *state = conn_last_sqlstate(c);
    return !conn_broken(c) && *state && !is_one_of(state, others);
}

bool load_failed_on_name(const Conn *c)
{
    static const char *const names[] = {"42883", "42P01", "42704", "42703", "3F000", NULL};
    return !conn_broken(c) && is_one_of(conn_last_sqlstate(c), names);
}

void load_table_abort(Conn *c)
{
    if (conn_broken(c))
        return;
    error_drop(copy_in_abort(c, "the restore was stopped"));
    error_drop(conn_exec(c, "ROLLBACK"));
}
