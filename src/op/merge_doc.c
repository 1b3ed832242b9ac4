/* What a merge is told in words, and what it did as JSON. */
#include <string.h>

#include "op/merge.h"

Error *merge_parse_conflict(const char *text, MergeRules *rules)
{
    static const char *const words[] = {
        [MERGE_CONFLICT_SOURCE] = "source",
        [MERGE_CONFLICT_TARGET] = "target",
        [MERGE_CONFLICT_NEWEST] = "newest:",
        [MERGE_CONFLICT_FAIL] = "fail",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bool newest = i == MERGE_CONFLICT_NEWEST;
        if (newest ? !text_starts(text, words[i]) : strcmp(text, words[i]) != 0)
            continue;
        rules->conflict = (MergeConflict)i;
        rules->newest = newest ? text + strlen(words[i]) : NULL;
        return NULL;
    }
    return error_hint(ERROR_NEW(ERR_USAGE, "--on-conflict %s is not known", text),
                      "source, target, newest:COLUMN or fail");
}

static void set_counts(Doc *d, const MergeCounts *n)
{
    doc_set_int(d, "inserted", (int64_t)n->inserted);
    doc_set_int(d, "updated", (int64_t)n->updated);
    doc_set_int(d, "deleted", (int64_t)n->deleted);
    doc_set_int(d, "unchanged", (int64_t)n->unchanged);
    doc_set_int(d, "conflicts", (int64_t)n->conflicts);
    doc_set_int(d, "kept", (int64_t)n->kept);
    doc_set_int(d, "replaced", (int64_t)n->replaced);
    doc_set_int(d, "skipped", (int64_t)n->skipped);
    doc_set_int(d, "cascaded", (int64_t)n->cascaded);
}

static Doc *table_doc(const MergedTable *t)
{
    Doc *d = doc_object();
    doc_set_str(d, "schema", t->schema);
    doc_set_str(d, "name", t->name);
    doc_set_str(d, "key", t->key);
    doc_set_str(d, "base", t->base);
    doc_set_bool(d, "delta", t->delta);
    doc_set_str(d, "fullFor", t->full_for);
    set_counts(d, &t->counts);
    doc_set_int(d, "compared", (int64_t)t->compared);
    doc_set_int(d, "verified", (int64_t)t->verified);
    doc_set(d, "samples", doc_texts(&t->samples));
    return d;
}

Doc *merge_doc(const MergeResult *r, const char *mode)
{
    Doc *d = doc_object(), *tables = doc_array();
    doc_set_str(d, "id", r->backup_id);
    doc_set_str(d, "database", r->database);
    doc_set_str(d, "merge", mode);
    doc_set_bool(d, "dryRun", r->dry_run);
    doc_set_bool(d, "delta", r->delta);
    doc_set_str(d, "fullFor", r->full_for);
    doc_set_str(d, "base", r->base);
    doc_set_bool(d, "baseKept", r->base_kept);
    set_counts(d, &r->sums);
    doc_set_int(d, "sequences", (int64_t)r->sequences);
    for (size_t i = 0; i < r->count; i++)
        doc_push(tables, table_doc(&r->tables[i]));
    doc_set(d, "tables", tables);
    doc_set(d, "leftOut", doc_texts(&r->left_out));
    doc_set_int(d, "rows", (int64_t)r->rows);
    doc_set_int(d, "compared", (int64_t)r->compared);
    doc_set_int(d, "verified", (int64_t)r->verified);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set_int(d, "fetchedBytes", (int64_t)r->fetched);
    doc_set_int(d, "duration", r->duration_ms);
    doc_set(d, "warnings", doc_texts(&r->warnings));
    return d;
}
