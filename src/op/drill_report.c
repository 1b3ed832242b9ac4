#include "op/drill.h"

#include <string.h>

static Doc *tables_doc(const DrillResult *r)
{
    Doc *list = doc_array();
    for (size_t i = 0; i < r->table_count; i++) {
        const DrillTable *t = &r->tables[i];
        Doc *d = doc_object();
        doc_set_str(d, "name", t->name);
        doc_set_int(d, "rows", (int64_t)t->rows[0]);
        doc_set_int(d, "restoredRows", (int64_t)t->rows[1]);
        doc_set_str(d, "sum", t->sum[0]);
        doc_set_str(d, "restoredSum", t->sum[1]);
        doc_set_bool(d, "same", t->same);
        if (t->note)
            doc_set_str(d, "note", t->note);
        doc_push(list, d);
    }
    return list;
}

static Doc *assertions_doc(const DrillResult *r)
{
    Doc *list = doc_array();
    for (size_t i = 0; i < r->assertions.count; i++) {
        const Assertion *a = &r->assertions.items[i];
        Doc *d = doc_object();
        doc_set_str(d, "file", a->file);
        doc_set_int(d, "statement", (int64_t)a->number);
        doc_set_str(d, "sql", a->sql);
        doc_set_bool(d, "holds", a->good);
        doc_set_str(d, "detail", a->detail);
        doc_push(list, d);
    }
    return list;
}

Doc *drill_doc(const DrillResult *r)
{
    Doc *d = doc_object(), *took = doc_object();
    doc_set_str(d, "id", r->backup_id);
    doc_set_str(d, "result", drill_outcome_name(r->outcome));
    doc_set_str(d, "why", r->why);
    doc_set_bool(d, "proofLeft", r->proof_left);
    doc_set_str(d, "database", r->database);
    doc_set_time(d, "backupTime", r->backup_time);
    doc_set_time(d, "started", r->started);
    doc_set_str(d, "server", r->server);
    doc_set_str(d, "serverVersion", r->server_version);
    doc_set_str(d, "databaseVersion", r->backup_version);
    doc_set_str(d, "toolVersion", r->tool_version);
    doc_set_str(d, "pgstowVersion", PGSTOW_VERSION);
    doc_set_str(d, "filter", r->filter);
    doc_set(d, "masked", doc_texts(&r->masked));
    doc_set_int(took, "restore", r->restore_ms);
    doc_set_int(took, "compare", r->compare_ms);
    doc_set_int(took, "validate", r->validate_ms);
    doc_set_int(took, "assertions", r->assert_ms);
    doc_set_int(took, "all", r->duration_ms);
    doc_set(d, "duration", took);
    doc_set_int(d, "restoredBytes", (int64_t)r->restored_bytes);
    doc_set_bool(d, "compared", r->compared);
    doc_set(d, "tables", tables_doc(r));
    doc_set_int(d, "tablesDifferent", (int64_t)r->different);
    doc_set_int(d, "largeObjects", (int64_t)r->objects[0]);
    doc_set_int(d, "restoredLargeObjects", (int64_t)r->objects[1]);
    doc_set_bool(d, "largeObjectsSame", r->objects_same);
    doc_set_int(d, "sequences", (int64_t)r->sequences);
    doc_set(d, "sequencesDifferent", doc_texts(&r->sequences_different));
    doc_set_bool(d, "validated", r->validated);
    doc_set(d, "findings", doc_texts(&r->findings));
    doc_set(d, "assertions", assertions_doc(r));
    doc_set_int(d, "assertionsFailed", (int64_t)r->assertions_failed);
    doc_set(d, "notes", doc_texts(&r->notes));
    return d;
}

/* -- as text ----------------------------------------------------------------------------------- */

static void fact(Buf *out, const char *name, const char *value)
{
    AUTO(char) shown = text_printable(value ? value : "");
    if (*shown)
        buf_printf(out, "%-14s%s\n", name, shown);
}

static void span(Buf *out, const char *name, int64_t ms)
{
    char text[32];
    fact(out, name, text_duration(ms, text));
}

static void lines(Buf *out, const char *title, const StrList *texts)
{
    if (texts->count)
        buf_printf(out, "\n%s\n", title);
    for (size_t i = 0; i < texts->count; i++) {
        AUTO(char) shown = text_printable(texts->items[i]);
        buf_printf(out, "  %s\n", shown);
    }
}

static void add_tables(const DrillResult *r, Buf *out)
{
    buf_printf(out, "\ntables: %zu, of which %llu differ\n", r->table_count,
               (unsigned long long)r->different);
    for (size_t i = 0; i < r->table_count; i++) {
        const DrillTable *t = &r->tables[i];
        AUTO(char) name = text_printable(t->name);
        buf_printf(out, "  %-9s %12llu rows  %s  %s", t->same ? "same" : "DIFFERENT",
                   (unsigned long long)t->rows[0], t->sum[0], name);
        if (!t->same)
            buf_printf(out, " (restored: %llu rows, %s)", (unsigned long long)t->rows[1],
                       t->sum[1]);
        buf_printf(out, "%s%s\n", t->note ? ": " : "", t->note ? t->note : "");
    }
    if (!r->compared)
        return;
    buf_printf(out, "large objects: %llu, %s\n", (unsigned long long)r->objects[0],
               r->objects_same ? "all the same" : "DIFFERENT");
    buf_printf(out, "sequences: %llu, %s\n", (unsigned long long)r->sequences,
               r->sequences_different.count ? "DIFFERENT" : "all the same");
}

static void add_assertions(const DrillResult *r, Buf *out)
{
    if (r->assertions.count)
        buf_printf(out, "\nassertions: %zu, of which %llu do not hold\n", r->assertions.count,
                   (unsigned long long)r->assertions_failed);
    for (size_t i = 0; i < r->assertions.count; i++) {
        const Assertion *a = &r->assertions.items[i];
        AUTO(char) sql = text_printable(a->sql);
        AUTO(char) detail = text_printable(a->detail ? a->detail : "");
        buf_printf(out, "  %-6s %s, statement %zu: %s\n", a->good ? "holds" : "FAILED", a->file,
                   a->number, sql);
        if (*detail)
            buf_printf(out, "         %s\n", detail);
    }
}

void drill_text(const DrillResult *r, Buf *out)
{
    char time[CLOCK_TEXT], size[32];
    fact(out, "drill of", r->backup_id);
    fact(out, "result",
         r->outcome == DRILL_GOOD  ? "good: it was restored and compared"
         : r->outcome == DRILL_BAD ? "BAD"
                                   : "NOT DONE: this says nothing of the backup");
    fact(out, "why", r->why);
    fact(out, "when", r->started ? clock_human(r->started, time) : NULL);
    fact(out, "database", r->database);
    fact(out, "backed up", r->backup_time ? clock_human(r->backup_time, time) : NULL);
    fact(out, "from", r->backup_version);
    fact(out, "by pg_dump", r->tool_version);
    fact(out, "by pgstow", PGSTOW_VERSION);
    fact(out, "restored on", r->server);
    fact(out, "which is", r->server_version);
    fact(out, "filter", r->filter);
    fact(out, "rows restored", text_size(r->restored_bytes, size));
    span(out, "restore took", r->restore_ms);
    span(out, "comparing", r->compare_ms);
    span(out, "validating", r->validate_ms);
    span(out, "assertions", r->assert_ms);
    span(out, "all", r->duration_ms);
    add_tables(r, out);
    lines(out, "sequences that differ", &r->sequences_different);
    if (r->validated && !r->findings.count)
        buf_add_str(out, "\nvalidate: nothing found\n");
    lines(out, "validate", &r->findings);
    add_assertions(r, out);
    lines(out, "warnings of the restore", &r->notes);
}

Doc *drills_doc(const DrillResult *results, size_t count)
{
    Doc *d = doc_object(), *drills = doc_array();
    for (size_t i = 0; i < count; i++)
        if (results[i].backup_id)
            doc_push(drills, drill_doc(&results[i]));
    doc_set_str(d, "level", "drill");
    doc_set(d, "drills", drills);
    return d;
}
