/* What is held in memory of a parent has a ceiling, however large that is: its samples, its pieces,
 * the footers of its packs. Of packs there is no more here than is looked at: header and footer. */
#include "kit.h"

#include "repo/dedup.h"
#include "repo/frame.h"

#define PIECE_CHUNKS 2048u
#define PIECE_FRAMES 64u
#define SAMPLES_MAX 512u /* of 32 in each piece */
#define FOOTERS_MAX (16u << 20)

static PackInfo make_pack(Store *s, PackId id, uint32_t frames, uint32_t chunks)
{
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) bytes = {0};
    char name[NAME_TEXT];
    FrameInfo *list = mem_calloc(frames, sizeof *list);
    PackSeal seal = {id, PACK_DATA, NULL};
    PackInfo info = {.id = id, .kind = PACK_DATA};
    pack_header_encode(&seal, hash, &bytes);
    for (uint32_t i = 0; i < frames; i++) {
        list[i] = (FrameInfo){
            .number = i, .offset = bytes.len, .header = 10, .raw = FRAME_TARGET, .chunks = chunks};
        info.raw += list[i].raw;
    }
    footer_encode(&seal, list, frames, hash, &bytes);
    free(list);
    OK(store_put(s, name_pack(id, name), bytes.data, bytes.len));
    info.size = bytes.len;
    info.used = info.raw;
    return info;
}

static void test_footers(void **state)
{
    (void)state;
    AUTO(Store) s = store_open_memory();
    AUTO(PackReader) r = pack_reader_new(s, NULL);
    AUTO(Hash) hash = hash_new();
    enum { PACKS = 12, FRAMES = 60000 };
    PackId ids[PACKS];
    size_t most = 0;
    for (uint32_t i = 0; i < PACKS; i++) {
        ids[i] = (PackId){.session = session_id_new(), .n = 2 * i};
        make_pack(s, ids[i], FRAMES, i + 1);
    }
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < PACKS; i++) {
            FrameInfo f;
            OK(pack_frame_info(r, ids[i], FRAMES - 1, hash, &f));
            assert_int_equal(f.chunks, i + 1);
            size_t bytes = pack_reader_bytes(r);
            most = bytes > most ? bytes : most;
            assert_true(bytes <= FOOTERS_MAX);
        }
    /* They would take more, and as many as may stay do. */
    assert_true(sizeof(FrameInfo) * FRAMES * PACKS > FOOTERS_MAX);
    assert_true(most > FOOTERS_MAX / 2);
}

/* -- a parent --------------------------------------------------------------------------------- */

typedef struct Parent {
    Repo *repo;
    Dedup *dedup;
    DedupStream *stream;
    Codec *codec;
    Hash *hash;
    uint32_t pieces;
} Parent;

static ChunkRef chunk_at(PackId pack, uint32_t piece, uint32_t k)
{
    uint32_t each = PIECE_CHUNKS / PIECE_FRAMES;
    ChunkRef c = {
        .length = 8192, .pack = pack, .frame = piece * PIECE_FRAMES + k / each, .index = k % each};
    for (size_t i = 0; i < CHUNK_ID_BYTES; i += 4) {
        uint64_t part = kit_mix(((uint64_t)piece << 32 | k) * 5 + i / 4);
        memcpy(c.id.b + i, &part, 4);
    }
    return c;
}

static Error *list_pack(void *ctx, const PackInfo *pack)
{
    Manifest *m = ctx;
    mem_grow(m->packs, m->pack_count, m->pack_cap);
    m->packs[m->pack_count++] = *pack;
    return NULL;
}

static Parent parent_of(uint32_t pieces)
{
    Parent p = {.codec = codec_new(), .hash = hash_new(), .pieces = pieces};
    AUTO(Packer) packer = NULL;
    RepoOptions options = {.create = true};
    uint64_t stored = 0;
    OK(repo_open(store_open_memory(), &options, &p.repo));
    PackId data = {.session = session_id_new(), .n = 0};
    Manifest *m = manifest_new();
    PackInfo pack =
        make_pack(repo_store(p.repo), data, pieces * PIECE_FRAMES, PIECE_CHUNKS / PIECE_FRAMES);
    OK(list_pack(m, &pack));
    OK(packer_new(repo_store(p.repo), NULL, "shop", data.session, PACK_RECIPE, 1, list_pack, m,
                  &packer));
    RecipeWriter w = {packer, p.codec, p.hash, &stored, NULL, NULL};
    Stream *s = manifest_add_stream(m);
    *s = (Stream){.kind = STREAM_TABLE,
                  .oid = 20001,
                  .schema = mem_strdup("public"),
                  .name = mem_strdup("orders"),
                  .piece_pages = 8192,
                  .pieces = mem_calloc(pieces, sizeof *s->pieces),
                  .piece_count = pieces};
    ChunkRef *refs = mem_calloc(PIECE_CHUNKS, sizeof *refs);
    for (uint32_t i = 0; i < pieces; i++) {
        for (uint32_t k = 0; k < PIECE_CHUNKS; k++)
            refs[k] = chunk_at(data, i, k);
        OK(recipe_write(&w, refs, PIECE_CHUNKS, NULL, NULL, &s->pieces[i].recipe));
    }
    free(refs);
    OK(packer_finish(packer));
    Stream same = {.kind = STREAM_TABLE, .oid = 20001};
    DedupOptions o = {.parent = m, .same_database = true, .samples_max = SAMPLES_MAX};
    OK(dedup_new(p.repo, &o, &p.dedup));
    p.stream = dedup_stream_new(p.dedup, &same);
    return p;
}

static void parent_free(Parent *p)
{
    dedup_stream_free(p->stream);
    dedup_free(p->dedup);
    codec_free(p->codec);
    hash_free(p->hash);
    repo_free(p->repo);
}

/* How many chunks of the parent's piece `from` are found where piece `number` is written. */
static uint32_t found_in(const Parent *p, DedupHand *h, uint32_t number, uint32_t from)
{
    uint32_t count = 0;
    OK(dedup_begin(h, p->stream, number));
    for (uint32_t k = 0; k < PIECE_CHUNKS; k++) {
        const MapEntry *found;
        ChunkRef c = chunk_at((PackId){.n = 0}, from, k);
        OK(dedup_find(h, &c.id, c.length, &found));
        count += found != NULL;
    }
    return count;
}

/* The pieces have all moved, as VACUUM FULL moves rows. The samples that may be held are a fourth
 * of them, of all pieces alike: so the end of the table is found as its beginning is. */
static void look_at(uint32_t pieces, size_t *samples, size_t *hand)
{
    Parent p = parent_of(pieces);
    uint32_t first = 0, last = 0;
    *hand = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        AUTO(DedupHand) h = dedup_hand_new(p.dedup, p.codec, p.hash);
        bool found = found_in(&p, h, (i + 1) % pieces, i) > PIECE_CHUNKS / 4;
        *(i < pieces / 2 ? &first : &last) += found;
    }
    assert_true(first >= pieces / 2 * 3 / 4);
    assert_true(last >= pieces / 2 * 3 / 4);
    *samples = dedup_stream_bytes(p.stream);
    AUTO(DedupHand) h = dedup_hand_new(p.dedup, p.codec, p.hash);
    for (uint32_t i = 0; i < pieces; i++) {
        assert_int_equal(found_in(&p, h, i, i), PIECE_CHUNKS);
        size_t bytes = dedup_hand_bytes(h);
        *hand = bytes > *hand ? bytes : *hand;
    }
    parent_free(&p);
}

static void test_samples(void **state)
{
    (void)state;
    size_t samples[2], hand[2];
    look_at(32, &samples[0], &hand[0]);
    look_at(64, &samples[1], &hand[1]);
    assert_in_range(samples[0], SAMPLES_MAX * 4, SAMPLES_MAX * 16);
    assert_in_range(samples[1], SAMPLES_MAX * 4, SAMPLES_MAX * 16);
    assert_int_equal(hand[0], hand[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_footers),
        cmocka_unit_test(test_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
