#include "op/backup_facts.h"

#include <string.h>

#include "pg/doctor_pooler.h"

/* Behind a pooler in transaction mode pg_dump's settings, our locks and row_security = off may each
 * be in another session of the server than what needs them. */
Error *backup_refuse_pooler(Conn *c)
{
    AUTO_VALUE(FindingList) findings = {0};
    TRY(doctor_ask_pooler(c, &findings));
    for (size_t i = 0; i < findings.count; i++) {
        const Finding *f = &findings.items[i];
        if (f->level != FINDING_PROBLEM)
            continue;
        Error *e = ERROR_NEW(ERR_PREFLIGHT, "%s: %s", conn_describe(c), f->detail);
        return f->remedy ? error_hint(e, "%s", f->remedy) : e;
    }
    return NULL;
}

Error *backup_ask_facts(Conn *c, BackupInfo *f)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(
        c,
        "SELECT d.oid, pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype "
        "FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
        0, NULL, &rows));
    if (rows_count(rows) != 1)
        FAIL(ERR_DB, "%s is not in pg_database", conn_describe(c));
    f->database = mem_strdup(conn_dbname(c));
    f->database_oid = rows_oid(rows, 0, 0);
    f->encoding = mem_strdup(rows_text(rows, 0, 1));
    f->collate = mem_strdup(rows_text(rows, 0, 2));
    f->ctype = mem_strdup(rows_text(rows, 0, 3));
    f->server = mem_printf("%s:%s", conn_host(c), conn_port(c));
    f->database_version = mem_strdup(conn_server_version_text(c));
    f->started = clock_now();
    /* Not everybody may ask for it. */
    Error *e = conn_value(c, "SELECT system_identifier FROM pg_catalog.pg_control_system()", 0,
                          NULL, &f->system_identifier);
    if (e && conn_broken(c))
        return e;
    error_free(e);
    if (!f->system_identifier)
        f->system_identifier = mem_strdup("");
    return NULL;
}

/* pg_dump leaves out the rows of unlogged tables on a standby, where they are not, without a word.
 */
Error *backup_warn_unlogged(Conn *c, StrList *warnings)
{
    AUTO(char) count = NULL;
    TRY(conn_value(c,
                   "SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'r' AND "
                   "relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()",
                   0, NULL, &count));
    if (strcmp(count, "0"))
        strlist_own(warnings,
                    mem_printf("%s unlogged tables have no rows on a standby: the backup has only "
                               "their definitions",
                               count));
    return NULL;
}

#define CASCADE " cascade"
#define ROWS_ONLY "rows-only"

char *backup_filter_text(const BackupOptions *o, bool rows_only)
{
    const struct {
        const char *name;
        const StrList *patterns;
    } parts[] = {{"exclude-table", &o->exclude_tables},
                 {"exclude-table-data", &o->exclude_table_data},
                 {"schema", &o->schemas},
                 {"where", &o->where},
                 {"mask", &o->masks}};
    Buf text = {0};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        AUTO_VALUE(StrList) sorted = {0};
        strlist_copy(&sorted, parts[p].patterns);
        strlist_sort(&sorted);
        for (size_t i = 0; i < sorted.count; i++)
            buf_printf(&text, "%s%s=%s", text.len ? " " : "", parts[p].name, sorted.items[i]);
    }
    if (o->cascade && text.len)
        buf_add_str(&text, CASCADE);
    if (rows_only)
        buf_printf(&text, "%s" ROWS_ONLY, text.len ? " " : "");
    return buf_steal_str(&text);
}

bool backup_filter_leaves_rows(const char *filter)
{
    return strstr(filter, "where=") || text_ends(filter, CASCADE) ||
           text_ends(filter, CASCADE " " ROWS_ONLY);
}
