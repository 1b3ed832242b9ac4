#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/copy_work.h"

static int by_source(const void *key, const void *b)
{
    return pack_id_compare(*(const PackId *)key, ((const Move *)b)->source);
}

const Move *copy_find_move(const CopyWork *c, PackId source)
{
    return c->count ? bsearch(&source, c->moves, c->count, sizeof *c->moves, by_source) : NULL;
}

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

/* A damaged frame is left out: perhaps this backup does not use it. *whole: none was. */
static Error *move_frame(Hand *h, PackId source, uint32_t number, OpenPack *to, bool *whole)
{
    CodecId codec;
    uint64_t stored;
    TRY(cancel_check(h->cancel));
    Error *e = read_frame(h, source, number, &codec);
    if (e && error_kind(e) == ERR_DAMAGED) {
        log_warning("left out: %s", error_message(e));
        error_drop(e);
        *whole = false;
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
    job_add_bytes(h->c->ends->job, f->raw.len);
    job_add_new(h->c->ends->job, stored);
    return rate_take(h->c->ends->rate, stored, h->cancel);
}

static Error *move_frames(Hand *h, const Move *m, OpenPack *to, bool *whole)
{
    PackInfo info;
    FrameInfo *frames = NULL;
    size_t count;
    TRY(pack_read_footer(repo_packs(h->c->ends->from), m->source, &info, &frames, &count));
    Error *e = NULL;
    *whole = true;
    for (size_t i = 0; i < count && !e; i++)
        e = move_frame(h, m->source, frames[i].number, to, whole);
    free(frames);
    return e;
}

static Error *move_pack(Hand *h, Move *m)
{
    AUTO(OpenPack) to = NULL;
    bool whole;
    FAULT_POINT("copy.pack");
    TRY(packer_begin(h->c->w->data, h->hash, &to));
    m->target = open_pack_id(to);
    TRY(move_frames(h, m, to, &whole));
    FAULT_POINT("copy.pack.origin");
    /* First, so that no pack is ever there without. One that lacks something is not taken for the
     * pack another time: the source may be healed. */
    if (whole)
        TRY(origin_put(h->c->ends->to, repo_id(h->c->ends->from), m->source, m->target));
    FAULT_POINT("copy.pack.finish");
    return open_pack_finish(h->c->w->data, to, h->hash);
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

/* A copy that may be used again: of several (an earlier one was found damaged) any sound one. */
static void find_there(CopyWork *c, Move *m)
{
    size_t count;
    const Origin *o = origin_find(c->origins, m->source, &count);
    ParentPacks *packs = dedup_packs(c->w->dedup);
    for (size_t i = 0; i < count && !m->there; i++) {
        m->target = o[i].target;
        m->there = parent_packs_whole(packs, parent_packs_find(packs, o[i].target));
    }
}

Error *copy_packs(CopyWork *c, CopyOutcome *out)
{
    uint64_t bytes = 0;
    c->moves = mem_calloc(c->m->pack_count, sizeof *c->moves);
    for (size_t i = 0; i < c->m->pack_count; i++) {
        const PackInfo *info = &c->m->packs[i];
        if (info->kind != PACK_DATA)
            continue;
        Move *m = &c->moves[c->count++];
        *m = (Move){.source = info->id, .info = info};
        find_there(c, m);
        if (m->there) {
            out->reused++;
            job_add_reused(c->ends->job, info->raw);
        } else {
            out->packs++;
            bytes += info->raw;
        }
    }
    job_phase(c->ends->job, "copying", bytes, out->packs);
    job_object(c->ends->job, c->m->info.id);
    return copy_parallel(c, c->count, pack_work, NULL);
}
