#include "repo/chunk_reader.h"

#include <string.h>

#include "repo/chunk_hash.h"
#include "repo/repo_internal.h"

#define FRAMES_KEPT 32

/* A decoded frame, and where each of its chunks begins in it. */
typedef struct Kept {
    PackId pack;
    uint32_t number;
    uint64_t used_at; /* 0: empty */
    Frame frame;
    size_t *starts;
} Kept;

struct ChunkReader {
    Repo *repo;
    Codec *codec;
    Hash *hash;
    ChunkHash ids;
    Kept kept[FRAMES_KEPT];
    uint64_t clock, fetched;
};

ChunkReader *chunk_reader_new(Repo *r)
{
    ChunkReader *cr = mem_new(ChunkReader);
    cr->repo = r;
    cr->codec = codec_new();
    cr->hash = hash_new();
    cr->ids.keys = repo_keys(r);
    return cr;
}

void chunk_reader_free(ChunkReader *cr)
{
    if (!cr)
        return;
    for (size_t i = 0; i < FRAMES_KEPT; i++) {
        frame_clear(&cr->kept[i].frame);
        free(cr->kept[i].starts);
    }
    codec_free(cr->codec);
    hash_free(cr->hash);
    chunk_hash_clear(&cr->ids);
    free(cr);
}

uint64_t chunk_reader_fetched(const ChunkReader *cr)
{
    return cr->fetched;
}

static Error *fill(ChunkReader *cr, Kept *k, PackId pack, uint32_t number)
{
    k->used_at = 0;
    TRY(pack_read_frame(repo_packs(cr->repo), pack, number, cr->codec, cr->hash, &k->frame));
    cr->fetched += k->frame.stored;
    free(k->starts);
    k->starts = mem_calloc(k->frame.chunks, sizeof *k->starts);
    size_t at = 0;
    for (size_t i = 0; i < k->frame.chunks; i++) {
        k->starts[i] = at;
        at += k->frame.lengths[i];
    }
    if (at != k->frame.raw.len) {
        char name[NAME_TEXT];
        FAIL(ERR_DAMAGED, "%s: the chunks of frame %u do not make its bytes", name_pack(pack, name),
             number);
    }
    k->pack = pack;
    k->number = number;
    return NULL;
}

static Error *get_frame(ChunkReader *cr, PackId pack, uint32_t number, Kept **out)
{
    Kept *oldest = &cr->kept[0];
    for (size_t i = 0; i < FRAMES_KEPT; i++) {
        Kept *k = &cr->kept[i];
        if (k->used_at && k->number == number && pack_id_equal(k->pack, pack)) {
            k->used_at = ++cr->clock;
            *out = k;
            return NULL;
        }
        if (k->used_at < oldest->used_at)
            oldest = k;
    }
    TRY(fill(cr, oldest, pack, number));
    oldest->used_at = ++cr->clock;
    *out = oldest;
    return NULL;
}

/* What the recipe says, what the frame says and what the bytes say must be one. */
Error *chunk_reader_get(ChunkReader *cr, const ChunkRef *c, const uint8_t **p,
                        uint8_t whole_or_null[HASH_BYTES])
{
    uint8_t scratch[HASH_BYTES], *whole = whole_or_null ? whole_or_null : scratch;
    char name[NAME_TEXT];
    Kept *k;
    TRY(get_frame(cr, c->pack, c->frame, &k));
    const Frame *f = &k->frame;
    if (c->index >= f->chunks || f->lengths[c->index] != c->length ||
        memcmp(f->ids[c->index].b, c->id.b, CHUNK_ID_BYTES) != 0)
        FAIL(ERR_DAMAGED, "%s: chunk %u of frame %u is not the one that the recipe names",
             name_pack(c->pack, name), c->index, c->frame);
    *p = f->raw.data + k->starts[c->index];
    TRY(chunk_hash_for(&cr->ids, f->tag));
    chunk_hash(&cr->ids, *p, c->length, whole);
    if (memcmp(whole, c->id.b, CHUNK_ID_BYTES) != 0)
        FAIL(ERR_DAMAGED, "%s: the bytes of chunk %u of frame %u have another hash",
             name_pack(c->pack, name), c->index, c->frame);
    return NULL;
}

Error *chunk_reader_recipe(ChunkReader *cr, const Piece *piece, Page *out)
{
    size_t before = out->count;
    TRY(recipe_load(repo_packs(cr->repo), &piece->recipe, cr->codec, cr->hash, out));
    if (out->count - before != piece->chunks)
        FAIL(ERR_DAMAGED, "the recipe has %zu chunks, not %u", out->count - before, piece->chunks);
    return NULL;
}
