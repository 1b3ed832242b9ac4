#include "pg/toc_make.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pg/pattern.h"
#include "sql.h"

/* Archive 1.14, as docs on it say; what stands in an entry is in the order of the file. */
enum { SETTINGS = 3 }; /* entries before those of tables */
enum { MINOR = 14, INT_SIZE = 4, OFF_SIZE = 8, FORMAT_CUSTOM = 1 };

typedef struct Making {
    Buf entries;
    int count;
} Making;

static void put_int(Buf *b, int v)
{
    buf_u8(b, v < 0);
    buf_u32(b, (uint32_t)(v < 0 ? -v : v));
}

static void put_str(Buf *b, const char *s)
{
    if (!s) {
        put_int(b, -1);
        return;
    }
    put_int(b, (int)strlen(s));
    buf_add_str(b, s);
}

typedef struct Row {
    const char *tag, *desc, *defn, *copy, *schema;
    TocSection section;
    uint32_t oid; /* of a relation; 0 */
    bool data;
} Row;

static void put_entry(Making *m, const Row *r)
{
    Buf *b = &m->entries;
    char oid[16];
    snprintf(oid, sizeof oid, "%u", r->oid);
    put_int(b, ++m->count);
    put_int(b, r->data);
    put_str(b, r->oid ? "1259" : "0");
    put_str(b, oid);
    put_str(b, r->tag);
    put_str(b, r->desc);
    put_int(b, r->section);
    put_str(b, r->defn);
    put_str(b, ""); /* no DROP */
    put_str(b, r->copy);
    put_str(b, r->schema);
    put_str(b, NULL); /* tablespace, access method */
    put_str(b, NULL);
    put_str(b, ""); /* owner */
    put_str(b, "false");
    put_str(b, NULL); /* no dependencies */
    buf_u8(b, r->data ? TOC_OFFSET_UNSET : TOC_OFFSET_NO_DATA);
    buf_u64(b, 0);
}

/* -- which tables ----------------------------------------------------------------------------- */

static Error *matches_any(const StrList *patterns, bool schemas, const char *schema,
                          const char *name, bool *matches)
{
    *matches = false;
    for (size_t i = 0; patterns && i < patterns->count && !*matches; i++) {
        AUTO_VALUE(Pattern) p = {0};
        TRY(schemas ? pattern_parse_single(patterns->items[i], &p)
                    : pattern_parse(patterns->items[i], &p));
        *matches = schemas ? pattern_matches_name(&p, schema) : pattern_matches(&p, schema, name);
    }
    return NULL;
}

static Error *is_asked_for(const TocRows *choice, const char *schema, const char *name, bool *asked)
{
    bool in_schema, excluded;
    TRY(matches_any(choice->schemas, true, schema, NULL, &in_schema));
    TRY(matches_any(choice->exclude_tables, false, schema, name, &excluded));
    bool all = !choice->schemas || !choice->schemas->count;
    *asked = (all || in_schema) && !excluded;
    return NULL;
}

static Error *is_chosen(const TocRows *choice, const Relation *r, bool *chosen)
{
    bool without_data;
    *chosen = false;
    if (r->kind != 'r' || r->extension)
        return NULL;
    TRY(matches_any(choice->exclude_table_data, false, r->schema, r->name, &without_data));
    TRY(is_asked_for(choice, r->schema, r->name, chosen));
    *chosen = *chosen && !without_data;
    return NULL;
}

/* -- the entries ------------------------------------------------------------------------------ */

static void put_table(Making *m, const TocTable *t)
{
    AUTO(char) schema = text_sql_ident(t->schema);
    AUTO(char) table = text_sql_ident(t->name);
    AUTO(char) list = relation_sql_columns(t->columns);
    AUTO(char)
    copy = t->columns->count ? mem_printf("COPY %s.%s (%s) FROM stdin;\n", schema, table, list)
                             : mem_printf("COPY %s.%s  FROM stdin;\n", schema, table);
    put_entry(m, &(Row){.tag = t->name,
                        .desc = "TABLE DATA",
                        .section = TOC_DATA,
                        .defn = "",
                        .copy = copy,
                        .schema = t->schema,
                        .oid = t->oid,
                        .data = true});
}

static void put_relation(Making *m, const Relation *r)
{
    AUTO_VALUE(StrList) columns = {0};
    for (size_t i = 0; i < r->column_count; i++)
        if (!r->columns[i].generated)
            strlist_add(&columns, r->columns[i].name);
    put_table(
        m, &(TocTable){.schema = r->schema, .name = r->name, .columns = &columns, .oid = r->oid});
}

static void put_sequence(Making *m, const TocSequence *s)
{
    AUTO(char) schema = text_sql_ident(s->schema);
    AUTO(char) name = text_sql_ident(s->name);
    AUTO(char) whole = mem_printf("%s.%s", schema, name);
    AUTO(char) literal = text_sql_literal(whole);
    AUTO(char)
    defn = mem_printf("SELECT pg_catalog.setval(%s, %lld, %s);\n\n\n", literal, (long long)s->value,
                      s->called ? "true" : "false");
    put_entry(m, &(Row){.tag = s->name,
                        .desc = "SEQUENCE SET",
                        .section = TOC_DATA,
                        .defn = defn,
                        .schema = s->schema});
}

static Error *put_sequences(Conn *c, const TocRows *choice, Making *m)
{
    AUTO(Rows) rows = NULL;
    TRY_CTX(conn_query(c, sql_sequence_values, 0, NULL, &rows), "reading the sequences");
    for (size_t i = 0; i < rows_count(rows); i++) {
        bool asked;
        TRY(is_asked_for(choice, rows_text(rows, i, 0), rows_text(rows, i, 1), &asked));
        if (!asked)
            continue;
        if (!rows_bool(rows, i, 3))
            return error_hint(ERROR_NEW(ERR_DB_PERMISSION, "sequence %s.%s may not be read",
                                        rows_text(rows, i, 0), rows_text(rows, i, 1)),
                              "GRANT SELECT ON ALL SEQUENCES IN SCHEMA ... TO the backup user");
        put_sequence(m, &(TocSequence){.schema = rows_text(rows, i, 0),
                                       .name = rows_text(rows, i, 1),
                                       .value = rows_int(rows, i, 2),
                                       .called = true});
    }
    return NULL;
}

static void put_settings(Making *m, const char *encoding)
{
    AUTO(char) set = mem_printf("SET client_encoding = '%s';\n", encoding);
    put_entry(m,
              &(Row){.tag = "ENCODING", .desc = "ENCODING", .section = TOC_PRE_DATA, .defn = set});
    put_entry(m, &(Row){.tag = "STDSTRINGS",
                        .desc = "STDSTRINGS",
                        .section = TOC_PRE_DATA,
                        .defn = "SET standard_conforming_strings = 'on';\n"});
    put_entry(m, &(Row){.tag = "SEARCHPATH",
                        .desc = "SEARCHPATH",
                        .section = TOC_PRE_DATA,
                        .defn = "SELECT pg_catalog.set_config('search_path', '', false);\n"});
}

static void put_header(const char *database, const char *version, const Making *m, Buf *out)
{
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    buf_add(out, "PGDMP", 5);
    const uint8_t numbers[] = {1, MINOR, 0, INT_SIZE, OFF_SIZE, FORMAT_CUSTOM};
    buf_add(out, numbers, sizeof numbers);
    put_int(out, 0); /* not compressed */
    const int parts[] = {tm.tm_sec, tm.tm_min,  tm.tm_hour, tm.tm_mday,
                         tm.tm_mon, tm.tm_year, tm.tm_isdst};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        put_int(out, parts[i]);
    put_str(out, database);
    put_str(out, text_starts(version, "PostgreSQL ") ? version + strlen("PostgreSQL ") : version);
    put_str(out, "pgstow " PGSTOW_VERSION);
    put_int(out, m->count);
}

Error *toc_make_rows(Conn *c, const RelationList *relations, const TocRows *choice, Toc **out)
{
    Making m = {0};
    AUTO_VALUE(Buf) raw = {0};
    AUTO(char) encoding = NULL;
    TRY(conn_use_utf8(c));
    TRY(conn_value(c, "SELECT pg_catalog.current_setting('client_encoding')", 0, NULL, &encoding));
    put_settings(&m, encoding);
    Error *e = NULL;
    for (size_t i = 0; i < relations->count && !e; i++) {
        bool chosen = false;
        e = is_chosen(choice, &relations->items[i], &chosen);
        if (!e && chosen)
            put_relation(&m, &relations->items[i]);
    }
    if (!e)
        e = put_sequences(c, choice, &m);
    if (!e && choice->schemas && choice->schemas->count && m.count == SETTINGS)
        e = ERROR_NEW(ERR_NOT_FOUND, "--schema matches no table or sequence that could be backed "
                                     "up");
    put_header(conn_dbname(c), conn_server_version_text(c), &m, &raw);
    buf_add(&raw, m.entries.data, m.entries.len);
    buf_free(&m.entries);
    return e ? e : toc_parse(raw.data, raw.len, out);
}

Error *toc_make_given(const TocGiven *given, Toc **out)
{
    Making m = {0};
    AUTO_VALUE(Buf) raw = {0};
    put_settings(&m, given->encoding);
    for (size_t i = 0; i < given->table_count; i++)
        put_table(&m, &given->tables[i]);
    for (size_t i = 0; i < given->sequence_count; i++)
        put_sequence(&m, &given->sequences[i]);
    put_header(given->database, given->version, &m, &raw);
    buf_add(&raw, m.entries.data, m.entries.len);
    buf_free(&m.entries);
    return toc_parse(raw.data, raw.len, out);
}

bool toc_is_rows_only(const Toc *t)
{
    bool rows = false;
    for (size_t i = 0; i < t->count; i++) {
        /* An extension makes the tables whose rows are its configuration. */
        if (toc_is(&t->entries[i], "TABLE") || toc_is(&t->entries[i], "EXTENSION"))
            return false;
        rows = rows || toc_is_table_data(&t->entries[i]);
    }
    return rows;
}
