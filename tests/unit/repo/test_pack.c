#include "kit.h"

#include "flow/group.h"
#include "repo/frame.h"

typedef struct Done {
    PackInfo packs[64];
    size_t count;
} Done;

static Error *note_pack(void *ctx, const PackInfo *pack)
{
    Done *d = ctx;
    assert_true(d->count < 64);
    d->packs[d->count++] = *pack;
    return NULL;
}

/* One chunk of pseudo-random bytes that says which frame it is. */
static FrameBody make_body(Buf *raw, ChunkId *id, uint32_t *length, uint64_t seed, size_t n)
{
    AUTO(Hash) hash = hash_new();
    uint8_t sha256[HASH_BYTES];
    raw->len = 0;
    for (uint64_t i = 0; raw->len < n; i++)
        buf_u64(raw, kit_mix(seed * 1000003 + i));
    raw->len = n;
    hash_once(hash, raw->data, n, sha256);
    memcpy(id->b, sha256, CHUNK_ID_BYTES);
    *length = (uint32_t)n;
    return (FrameBody){.raw = raw->data,
                       .n = n,
                       .ids = id,
                       .lengths = length,
                       .chunks = 1,
                       .oid = 7,
                       .piece = (uint32_t)seed,
                       .level = 1};
}

static void put(Packer *p, PackId pack, uint32_t frame, uint64_t seed, size_t n)
{
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) raw = {0};
    ChunkId id;
    uint32_t length;
    uint64_t stored;
    FrameBody body = make_body(&raw, &id, &length, seed, n);
    OK(packer_put(p, pack, frame, &body, codec, hash, &stored));
    assert_true(stored > n);
}

static void check_frame(PackReader *r, PackId pack, uint32_t frame, uint64_t seed, size_t n)
{
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) raw = {0};
    AUTO_VALUE(Frame) f = {0};
    ChunkId id;
    uint32_t length;
    make_body(&raw, &id, &length, seed, n);
    OK(pack_read_frame(r, pack, frame, codec, hash, &f));
    assert_int_equal(f.raw.len, n);
    assert_memory_equal(f.raw.data, raw.data, n);
    assert_int_equal(f.chunks, 1);
    assert_memory_equal(f.ids[0].b, id.b, CHUNK_ID_BYTES);
    assert_int_equal(f.piece, seed);
    OK(pack_read_frame_header(r, pack, frame, hash, &f));
    assert_int_equal(f.raw.len, 0);
    assert_int_equal(f.lengths[0], n);
}

/* Frames in any order, one given back, an empty pack that never appears. */
static void test_order(void **state)
{
    (void)state;
    AUTO(Store) s = store_open_memory();
    Done done = {.count = 0};
    AUTO(Packer) p = NULL;
    OK(packer_new(s, NULL, "shop", session_id_new(), PACK_DATA, 4, note_pack, &done, &p));
    PackId pack[4];
    uint32_t frame[4];
    for (int i = 0; i < 4; i++)
        OK(packer_reserve(p, &pack[i], &frame[i]));
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    uint64_t stored;
    put(p, pack[3], frame[3], 3, 1000);
    put(p, pack[0], frame[0], 0, 300000);
    FAILS(ERR_INTERNAL, packer_finish(p));
    OK(packer_put(p, pack[1], frame[1], &(FrameBody){0}, codec, hash, &stored));
    put(p, pack[2], frame[2], 2, 1);
    OK(packer_finish(p));
    assert_int_equal(done.count, 1);
    assert_int_equal(done.packs[0].id.n, 4);
    assert_int_equal(done.packs[0].raw, 301001);
    AUTO(PackReader) r = pack_reader_new(s, NULL);
    check_frame(r, pack[0], frame[0], 0, 300000);
    check_frame(r, pack[2], frame[2], 2, 1);
    check_frame(r, pack[3], frame[3], 3, 1000);
    AUTO_VALUE(Frame) f = {0};
    FAILS(ERR_DAMAGED, pack_read_frame(r, pack[1], frame[1], codec, hash, &f));
    uint8_t sha256[HASH_BYTES];
    uint64_t size;
    OK(pack_hash(r, pack[0], sha256, &size));
    assert_int_equal(size, done.packs[0].size);
    assert_memory_equal(sha256, done.packs[0].sha256, HASH_BYTES);
    PackInfo info;
    FrameInfo *frames;
    size_t count;
    OK(pack_read_footer(r, pack[0], &info, &frames, &count));
    assert_int_equal(count, 3);
    assert_int_equal(info.raw, 301001);
    assert_int_equal(info.kind, PACK_DATA);
    free(frames);
    FAILS(ERR_INTERNAL, packer_reserve(p, &pack[0], &frame[0]));

    AUTO(Packer) empty = NULL;
    OK(packer_new(s, NULL, "shop", session_id_new(), PACK_RECIPE, 1, note_pack, &done, &empty));
    OK(packer_reserve(empty, &pack[0], &frame[0]));
    OK(packer_put(empty, pack[0], frame[0], &(FrameBody){0}, codec, hash, &stored));
    OK(packer_finish(empty));
    assert_int_equal(done.count, 1);
    FAILS(ERR_DAMAGED, pack_hash(r, pack[0], sha256, &size));
}

/* Every single byte of a pack counts: turned over, it is noticed where it is read. */
static void test_flips(void **state)
{
    (void)state;
    AUTO(Store) s = store_open_memory();
    Done done = {.count = 0};
    AUTO(Packer) p = NULL;
    OK(packer_new(s, NULL, "shop", session_id_new(), PACK_DATA, 0, note_pack, &done, &p));
    PackId pack;
    uint32_t a, b;
    OK(packer_reserve(p, &pack, &a));
    OK(packer_reserve(p, &pack, &b));
    put(p, pack, a, 0, 500);
    put(p, pack, b, 1, 300);
    OK(packer_finish(p));
    AUTO_VALUE(Buf) whole = {0};
    char name[NAME_TEXT];
    OK(store_get_all(s, name_pack(pack, name), 1 << 20, &whole));
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    for (size_t i = 0; i <= whole.len; i++) {
        AUTO(Store) other = store_open_memory();
        if (i < whole.len)
            whole.data[i] ^= 1;
        OK(store_put(other, name, whole.data, i < whole.len ? whole.len : whole.len - 1));
        if (i < whole.len)
            whole.data[i] ^= 1;
        AUTO(PackReader) r = pack_reader_new(other, NULL);
        AUTO_VALUE(Frame) f = {0};
        Error *first = pack_read_frame(r, pack, a, codec, hash, &f);
        Error *second = pack_read_frame(r, pack, b, codec, hash, &f);
        if (!first && !second)
            print_error("byte %zu of %zu does not count\n", i, whole.len);
        assert_true(first || second);
        error_free(first);
        error_free(second);
    }
    /* The pack under another one's name. */
    PackId other = pack;
    other.n = 2;
    OK(store_put(s, name_pack(other, name), whole.data, whole.len));
    AUTO(PackReader) r = pack_reader_new(s, NULL);
    AUTO_VALUE(Frame) f = {0};
    FAILS(ERR_DAMAGED, pack_read_frame(r, other, a, codec, hash, &f));
}

typedef struct Hand {
    Packer *p;
    uint64_t seed;
    PackId pack[60];
    uint32_t frame[60];
} Hand;

static Error *work(void *arg)
{
    Hand *h = arg;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) raw = {0};
    for (uint32_t i = 0; i < 60; i++) {
        ChunkId id;
        uint32_t length;
        uint64_t stored;
        TRY(packer_reserve(h->p, &h->pack[i], &h->frame[i]));
        FrameBody body = make_body(&raw, &id, &length, h->seed + i, 270000);
        TRY(packer_put(h->p, h->pack[i], h->frame[i], &body, codec, hash, &stored));
    }
    return NULL;
}

/* 8 threads, several packs, every frame found again. */
static void test_threads(void **state)
{
    (void)state;
    AUTO(Store) s = store_open_memory();
    Done done = {.count = 0};
    AUTO(Packer) p = NULL;
    AUTO(Group) g = NULL;
    static Hand hands[8];
    OK(packer_new(s, NULL, "shop", session_id_new(), PACK_DATA, 0, note_pack, &done, &p));
    OK(group_new(NULL, &g));
    for (uint64_t i = 0; i < 8; i++) {
        hands[i] = (Hand){.p = p, .seed = i * 1000};
        OK(group_start(g, work, &hands[i]));
    }
    OK(group_join(g));
    OK(packer_finish(p));
    assert_in_range(done.count, 3, 12);
    AUTO(PackReader) r = pack_reader_new(s, NULL);
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 60; k += 7)
            check_frame(r, hands[i].pack[k], hands[i].frame[k], hands[i].seed + k, 270000);
    for (size_t i = 0; i < done.count; i++) {
        uint8_t sha256[HASH_BYTES];
        uint64_t size;
        OK(pack_hash(r, done.packs[i].id, sha256, &size));
        assert_memory_equal(sha256, done.packs[i].sha256, HASH_BYTES);
        assert_int_equal(done.packs[i].id.n % 2, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
