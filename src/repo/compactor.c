#include "repo/compactor.h"

uint64_t rewrite_limit(const BackupInfo *parent)
{
    uint64_t percent = parent->new_bytes / (parent->size / 100 + 1) / SPARSE_PART;
    if (percent < REWRITE_PERCENT)
        percent = REWRITE_PERCENT;
    if (percent > REWRITE_PERCENT_MAX)
        percent = REWRITE_PERCENT_MAX;
    return parent->logical_size / 100 * percent;
}

void frame_runs_clear(FrameRuns *r)
{
    free(r->items);
    *r = (FrameRuns){0};
}

static void find_runs(ParentPacks *packs, const Page *page, FrameRuns *runs)
{
    for (size_t i = 0; i < page->count; i++) {
        const ChunkRef *c = &page->chunks[i], *before = i ? &page->chunks[i - 1] : NULL;
        if (!before || c->frame != before->frame || !pack_id_equal(c->pack, before->pack)) {
            mem_grow(runs->items, runs->count, runs->cap);
            runs->items[runs->count++] = (FrameRun){
                .pack = parent_packs_find(packs, c->pack), .frame = c->frame, .first = (uint32_t)i};
        }
        FrameRun *r = &runs->items[runs->count - 1];
        r->count++;
        r->bytes += c->length;
        if (c->index >= r->end)
            r->end = c->index + 1;
    }
}

static int by_place(const void *a, const void *b)
{
    const FrameRun *x = a, *y = b;
    if (x->pack != y->pack)
        return x->pack > y->pack ? 1 : -1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static int by_first(const void *a, const void *b)
{
    const FrameRun *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* What the runs of one piece are judged with. */
typedef struct Judge {
    ParentPacks *packs;
    PackReader *reader;
    Hash *hash;
    bool exclusive;
} Judge;

/* Judges the runs [from, to), which lie in one frame. */
static void judge_frame(const Judge *j, FrameRun *from, const FrameRun *to)
{
    if (!parent_packs_sound(j->packs, from->pack, from->frame))
        return;
    FrameInfo info;
    Error *e = pack_frame_info(j->reader, from->pack->info.id, from->frame, j->hash, &info);
    if (e) {
        parent_pack_distrust(from->pack, e);
        return;
    }
    uint64_t used = 0;
    for (const FrameRun *r = from; r < to; r++)
        used += r->bytes;
    for (FrameRun *r = from; r < to; r++) {
        r->sound = r->end <= info.chunks;
        if (from->pack->sparse)
            r->sparse = SPARSE_PACK;
        else if (j->exclusive && used < info.raw / SPARSE_PART)
            r->sparse = SPARSE_FRAME;
        r->small = j->exclusive && info.raw < FRAME_TARGET / SPARSE_PART;
    }
}

void frame_runs_judge(ParentPacks *packs, PackReader *reader, Hash *hash, const Page *page,
                      bool exclusive, FrameRuns *out)
{
    Judge j = {packs, reader, hash, exclusive};
    size_t small = 0;
    find_runs(packs, page, out);
    mem_sort(out->items, out->count, sizeof *out->items, by_place);
    for (size_t from = 0, to; from < out->count; from = to) {
        for (to = from + 1; to < out->count; to++)
            if (by_place(&out->items[from], &out->items[to]) != 0)
                break;
        judge_frame(&j, &out->items[from], &out->items[to]);
        small += out->items[from].small;
    }
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].small && small > SMALL_FRAMES_MAX && !out->items[i].sparse)
            out->items[i].sparse = SPARSE_FRAME;
    mem_sort(out->items, out->count, sizeof *out->items, by_first);
}
