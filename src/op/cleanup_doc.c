/* What cleanup did, as JSON. */
#include "op/cleanup.h"

Doc *cleanup_doc(const CleanupResult *r, bool dry_run)
{
    Doc *d = doc_object(), *backups = doc_array(), *pruned = doc_object();
    char time[CLOCK_TEXT];
    const PruneResult *p = &r->prune;
    for (size_t i = 0; i < r->count; i++) {
        Doc *b = doc_object();
        doc_set_str(b, "id", r->items[i].id);
        doc_set_str(b, "database", r->items[i].database);
        doc_set_str(b, "timestamp", clock_iso(r->items[i].timestamp, time));
        doc_set_bool(b, "keep", r->items[i].keep);
        doc_set(b, "why", doc_texts(&r->items[i].why));
        doc_push(backups, b);
    }
    doc_set_bool(d, "dryRun", dry_run);
    doc_set(d, "backups", backups);
    doc_set(d, "unreadable", doc_texts(&r->unreadable));
    doc_set(d, "deleted", doc_texts(&r->deleted));
    doc_set(d, "purged", doc_texts(&p->purged));
    doc_set(d, "waiting", doc_texts(&p->waiting));
    doc_set_int(pruned, "packs", (int64_t)p->packs);
    doc_set_int(pruned, "bytes", (int64_t)p->bytes);
    doc_set_int(pruned, "packsKept", (int64_t)p->packs_kept);
    doc_set_int(pruned, "bytesKept", (int64_t)p->bytes_kept);
    doc_set_int(pruned, "unfinishedFiles", (int64_t)p->files);
    doc_set_int(pruned, "unfinishedBytes", (int64_t)p->file_bytes);
    doc_set_int(pruned, "sessionsEnded", (int64_t)p->sessions_ended);
    doc_set_int(pruned, "sessionsFenced", (int64_t)p->sessions_fenced);
    doc_set(d, "freed", pruned);
    return d;
}
