#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/copy_work.h"

#define GAP_MAX (64u << 10) /* bytes that are read for nothing rather than by a further request */

/* -- one pack ---------------------------------------------------------------------------------- */

/* What one thread copies with. */
typedef struct Hand {
    CopyWork *c;
    Cancel *cancel;
    Codec *codec;
    Hash *hash;
    ChunkHash source_ids, target_ids;
    Frame frame;
    Buf packed;
    ChunkId *ids; /* in the target */
    size_t cap;
} Hand;

static void hand_clear(Hand *h)
{
    codec_free(h->codec);
    hash_free(h->hash);
    chunk_hash_clear(&h->source_ids);
    chunk_hash_clear(&h->target_ids);
    frame_clear(&h->frame);
    buf_free(&h->packed);
    free(h->ids);
}
DEFINE_AUTO_VALUE(Hand, hand_clear)

/* Every chunk must be the one that the frame says; how the target knows it goes to h->ids. */
static Error *know_chunks(Hand *h)
{
    const Frame *f = &h->frame;
    uint8_t whole[HASH_BYTES];
    if (h->cap < f->chunks) {
        h->ids = mem_realloc(h->ids, f->chunks, sizeof *h->ids);
        h->cap = f->chunks;
    }
    TRY(chunk_hash_for(&h->source_ids, f->tag));
    size_t at = 0;
    for (size_t i = 0; i < f->chunks; at += f->lengths[i++]) {
        chunk_hash(&h->source_ids, f->raw.data + at, f->lengths[i], whole);
        if (memcmp(whole, f->ids[i].b, CHUNK_ID_BYTES) != 0)
            FAIL(ERR_DAMAGED, "the bytes of chunk %zu have another hash", i);
        if (!h->c->same_ids)
            chunk_hash(&h->target_ids, f->raw.data + at, f->lengths[i], whole);
        memcpy(h->ids[i].b, whole, CHUNK_ID_BYTES);
    }
    return NULL;
}

static Error *read_frame(Hand *h, PackId pack, uint32_t number, CodecId *codec)
{
    char name[NAME_TEXT];
    TRY(pack_read_packed(repo_packs(h->c->ends->from), pack, number, h->codec, h->hash, &h->frame,
                         codec, &h->packed));
    TRY_CTX(know_chunks(h), "frame %u of %s", number, name_pack(pack, name));
    return NULL;
}

/* A damaged frame is left out: perhaps this backup does not use it. Those that were copied go to
 * `moved`. */
static Error *move_frame(Hand *h, PackId source, uint32_t number, OpenPack *to, FrameSet *moved)
{
    CodecId codec;
    uint64_t stored;
    TRY(cancel_check(h->cancel));
    Error *e = read_frame(h, source, number, &codec);
    if (e && error_kind(e) == ERR_DAMAGED) {
        log_warning("left out: %s", error_message(e));
        error_drop(e);
        return NULL;
    }
    TRY(e);
    const Frame *f = &h->frame;
    FrameBody body = {.n = f->raw.len,
                      .ids = h->ids,
                      .lengths = f->lengths,
                      .chunks = f->chunks,
                      .oid = f->oid,
                      .piece = f->piece};
    TRY(open_pack_add(to, number, &body, codec, &h->packed, h->hash, &stored));
    mem_grow(moved->items, moved->count, moved->cap);
    moved->items[moved->count++] = number;
    job_add_bytes(h->c->ends->job, f->raw.len);
    job_add_new(h->c->ends->job, stored);
    return rate_take(h->c->ends->rate, stored, h->cancel);
}

/* How many of these frames lie so that reading them at once is no waste: [*from, *from + *n) has
 * them, and hardly anything else. Frames were written by several threads, so their numbers are only
 * about in the order of their places: a gap may be filled by one that comes later. */
static size_t read_together(const FrameInfo *f, size_t count, uint64_t *from, size_t *n)
{
    uint64_t low = f[0].offset, high = low + f[0].stored, wanted = f[0].stored;
    size_t together = 1;
    *from = low;
    *n = f[0].stored;
    for (size_t i = 1; i < count; i++) {
        uint64_t end = f[i].offset + f[i].stored;
        low = f[i].offset < low ? f[i].offset : low;
        high = end > high ? end : high;
        wanted += f[i].stored;
        if (high - low > STORE_AHEAD_MAX)
            break;
        if (high - low - wanted > GAP_MAX)
            continue;
        together = i + 1;
        *from = low;
        *n = (size_t)(high - low);
    }
    return together;
}

static Error *move_frames(Hand *h, PackId source, const FrameInfo *frames, size_t count,
                          OpenPack *to, FrameSet *moved)
{
    Store *store = repo_store(h->c->ends->from);
    char name[NAME_TEXT];
    name_pack(source, name);
    for (size_t i = 0; i < count;) {
        uint64_t from;
        size_t n, end = i + read_together(frames + i, count - i, &from, &n);
        TRY(store_ahead(store, name, from, n));
        for (; i < end; i++)
            TRY(move_frame(h, source, frames[i].number, to, moved));
    }
    return store_ahead(store, name, 0, 0);
}

/* What is to be copied comes to the front. *whole: all of it is, or was from the beginning; of a
 * sparse pack that pays where the frames that are wanted are half of it anyway. */
static size_t choose_frames(const Move *m, FrameInfo *frames, size_t count, bool *whole)
{
    uint64_t all = 0, wanted = 0;
    size_t chosen = 0;
    PackId target;
    for (size_t i = 0; i < count; i++) {
        bool want =
            frame_set_has(&m->needed, frames[i].number) && !move_find(m, frames[i].number, &target);
        all += frames[i].stored;
        wanted += want ? frames[i].stored : 0;
    }
    *whole = !m->sparse || (wanted >= all / 2 && !m->part_count);
    for (size_t i = 0; i < count; i++)
        if (*whole || (frame_set_has(&m->needed, frames[i].number) &&
                       !move_find(m, frames[i].number, &target)))
            frames[chosen++] = frames[i];
    return chosen;
}

static Error *move_chosen(Hand *h, Move *m, FrameInfo *frames, size_t count)
{
    AUTO(OpenPack) to = NULL;
    CopyEnds ends = *h->c->ends;
    bool whole;
    size_t chosen = choose_frames(m, frames, count, &whole);
    if (!chosen && m->sparse)
        return NULL;
    TRY(packer_begin(h->c->w->data, h->hash, &to));
    MovePart *part = move_add_part(m, open_pack_id(to));
    TRY(move_frames(h, m->source, frames, chosen, to, &part->frames));
    FAULT_POINT("copy.pack.origin");
    /* First, so that no pack is ever there without. One that lacks something is not taken for the
     * pack another time: the source may be healed. */
    if (whole && part->frames.count == count)
        TRY(origin_put(ends.to, repo_id(ends.from), m->source, part->target));
    else if (!whole)
        TRY(origin_put_part(ends.to, repo_id(ends.from), m->source, part->target));
    FAULT_POINT("copy.pack.finish");
    return open_pack_finish(h->c->w->data, to, h->hash);
}

static Error *move_pack(Hand *h, Move *m)
{
    PackInfo info;
    FrameInfo *frames = NULL;
    size_t count;
    FAULT_POINT("copy.pack");
    TRY(pack_read_footer(repo_packs(h->c->ends->from), m->source, &info, &frames, &count));
    Error *e = move_chosen(h, m, frames, count);
    free(frames);
    return e;
}

/* -- all --------------------------------------------------------------------------------------- */

static Error *pack_work(void *arg)
{
    CopyTurns *turns = arg;
    CopyWork *c = turns->work;
    AUTO_VALUE(Hand)
    h = {.c = c,
         .cancel = turns->cancel,
         .codec = codec_new(),
         .hash = hash_new(),
         .source_ids = {.keys = repo_keys(c->ends->from)}};
    TRY(writer_chunk_hash(c->w, &h.target_ids));
    for (;;) {
        size_t i;
        bool got;
        TRY(copy_next(turns, &i, &got));
        if (!got)
            return NULL;
        if (c->moves[i].there)
            continue;
        TRY(move_pack(&h, &c->moves[i]));
        job_add_items(c->ends->job, 1);
    }
}

/* Of a sparse one all that is needed may be there. */
static void look_at_needs(Move *m)
{
    PackId target;
    frame_set_sort(&m->needed);
    m->there = true;
    for (size_t i = 0; i < m->needed.count && m->there; i++)
        m->there = move_find(m, m->needed.items[i], &target);
}

Error *copy_packs(CopyWork *c, CopyOutcome *out)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < c->count; i++) {
        Move *m = &c->moves[i];
        if (m->sparse)
            look_at_needs(m);
        if (m->there) {
            out->reused++;
            job_add_reused(c->ends->job, m->info->raw);
        } else {
            out->packs++;
            bytes += m->sparse ? m->info->used : m->info->raw;
        }
    }
    job_phase(c->ends->job, "copying", bytes, out->packs);
    job_object(c->ends->job, c->m->info.id);
    return copy_parallel(c, c->count, pack_work, NULL);
}
