#include <string.h>

#include "crypto/hash.h"
#include "op/diff_work.h"
#include "pg/large_object.h"
#include "pg/load_objects.h"

/* Every large object of one side: its OID and the hash of its bytes, 40 bytes each in memory. */
typedef struct Sum {
    uint32_t oid;
    uint8_t sha256[HASH_BYTES];
} Sum;
typedef struct Sums {
    Sum *items;
    size_t count, cap;
    Hash *hash;
    ObjectRecords records;
} Sums;
static void sums_clear(Sums *s)
{
    free(s->items);
    if (s->hash)
        hash_free(s->hash);
}
DEFINE_AUTO_VALUE(Sums, sums_clear)

static Error *begin(void *ctx, uint32_t oid)
{
    Sums *s = ctx;
    mem_grow(s->items, s->count, s->cap);
    s->items[s->count++].oid = oid;
    return NULL;
}

static Error *bytes(void *ctx, const void *p, size_t n)
{
    hash_add(((Sums *)ctx)->hash, p, n);
    return NULL;
}

static Error *end(void *ctx)
{
    Sums *s = ctx;
    hash_end(s->hash, s->items[s->count - 1].sha256);
    return NULL;
}

static Error *take(void *to, const void *p, size_t n)
{
    return object_records_feed(&((Sums *)to)->records, p, n);
}

static int compare_sums(const void *a, const void *b)
{
    const Sum *x = a, *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

static Error *sum_live(DiffWork *w, const LiveRead *l, Sums *out)
{
    const Toc *toc = live_read_toc(l);
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (!toc_has_block(e) || toc_is_table_data(e))
            continue;
        uint32_t *oids;
        size_t count;
        TRY(cancel_check(job_cancel(w->c->job)));
        TRY(large_object_list(l->lock, toc, e, &oids, &count));
        Error *failed = large_object_read(l->lock, oids, count, take, out);
        free(oids);
        TRY(failed);
    }
    return NULL;
}

static Error *sum_backup(DiffWork *w, const BackupRead *b, Sums *out)
{
    for (size_t i = 0; i < b->manifest->stream_count; i++) {
        const Stream *s = &b->manifest->streams[i];
        if (s->kind == STREAM_LARGE_OBJECTS)
            TRY(backup_read_stream(b, s, job_cancel(w->c->job), take, out, NULL));
    }
    return NULL;
}

static Error *sum_up(DiffWork *w, int side, Sums *out)
{
    const DiffSide *s = &w->sides[side];
    out->hash = hash_new();
    out->records = (ObjectRecords){.begin = begin, .bytes = bytes, .end = end, .ctx = out};
    TRY(s->is_live ? sum_live(w, &s->live, out) : sum_backup(w, &s->backup, out));
    TRY(object_records_end(&out->records));
    mem_sort(out->items, out->count, sizeof *out->items, compare_sums);
    return NULL;
}

/* Whether all streams of large objects are the same: then none is read. */
static bool same_streams(const Manifest *a, const Manifest *b)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a->stream_count && a->streams[i].kind != STREAM_LARGE_OBJECTS)
            i++;
        while (j < b->stream_count && b->streams[j].kind != STREAM_LARGE_OBJECTS)
            j++;
        if (i == a->stream_count || j == b->stream_count)
            return i == a->stream_count && j == b->stream_count;
        if (memcmp(a->streams[i].digest, b->streams[j].digest, HASH_BYTES) != 0)
            return false;
    }
}

Error *diff_large_objects(DiffWork *w)
{
    AUTO_VALUE(Sums) a = {0};
    AUTO_VALUE(Sums) b = {0};
    DiffResult *r = w->result;
    if (!w->sides[1].is_live &&
        same_streams(w->sides[0].backup.manifest, w->sides[1].backup.manifest))
        return NULL;
    job_phase(w->c->job, "large objects", 0, 0);
    TRY(sum_up(w, 0, &a));
    TRY(sum_up(w, 1, &b));
    for (size_t i = 0, j = 0; i < a.count || j < b.count;) {
        int order = i == a.count ? 1 : j == b.count ? -1 : compare_sums(&a.items[i], &b.items[j]);
        if (order < 0)
            r->large_objects_removed++;
        else if (order > 0)
            r->large_objects_added++;
        else if (memcmp(a.items[i].sha256, b.items[j].sha256, HASH_BYTES) != 0)
            r->large_objects_changed++;
        i += order <= 0;
        j += order >= 0;
    }
    return NULL;
}
