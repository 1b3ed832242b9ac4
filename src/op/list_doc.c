/* What is in the repository, as `list --deleted`, `stats` and `check` print it with --json, and as
 * the API answers. */
#include "op/delete.h"
#include "op/list.h"

Doc *trashed_doc(const Trashed *t, int64_t trash_ms)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", t->id);
    doc_set_str(d, "database", t->there ? t->info.database : NULL);
    doc_set_time(d, "deleted", t->deleted);
    doc_set_time(d, "until", t->deleted ? t->deleted + trash_ms : 0);
    doc_set_int(d, "size", (int64_t)t->info.size);
    return d;
}

Doc *repo_stats_doc(const RepoStats *s)
{
    Doc *d = doc_object(), *databases = doc_array();
    for (size_t i = 0; i < s->count; i++) {
        const DatabaseStats *b = &s->items[i];
        Doc *one = doc_object();
        doc_set_str(one, "database", b->database);
        doc_set_int(one, "backups", (int64_t)b->backups);
        doc_set_int(one, "logicalSize", (int64_t)b->logical);
        doc_set_int(one, "storedSize", (int64_t)b->stored);
        doc_set_int(one, "sharedSize", (int64_t)b->shared);
        doc_set_int(one, "firstLogicalSize", (int64_t)b->first_logical);
        doc_set_int(one, "latestLogicalSize", (int64_t)b->latest_logical);
        doc_set_int(one, "newBytesMean", (int64_t)b->new_bytes_mean);
        doc_set_time(one, "first", b->first);
        doc_set_time(one, "latest", b->latest);
        doc_push(databases, one);
    }
    doc_set(d, "databases", databases);
    doc_set_int(d, "storedTotal", (int64_t)s->stored_total);
    doc_set_int(d, "unreferenced", (int64_t)s->unreferenced);
    return d;
}

Doc *check_doc(const char *line, bool fresh)
{
    Doc *d = doc_object();
    doc_set_bool(d, "fresh", fresh);
    doc_set_str(d, "line", line);
    return d;
}
