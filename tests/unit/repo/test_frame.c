/* Parts whose checks are right and whose contents are not: what wrote them was wrong, or meant it.
 * Bits that flipped miss their checks: test_damage.c. */
#include "../unit.h"

#include "repo/frame.h"

enum { ID_AT = 12, KIND_AT = 10, VERSION_AT = 8, COLUMNS_AT = 4 + 5 }; /* docs/format.md */

static const PackId here = {.n = 3};

/* The check behind p[0..n), made anew. */
static void seal_again(ObjectKind kind, uint32_t number, Hash *hash, uint8_t *p, size_t n)
{
    AUTO_VALUE(Buf) name = {0};
    pack_id_write(&name, here);
    buf_u32(&name, number);
    Part part = {PART_LEGIBLE, kind, number, &name};
    part_close(NULL, &part, hash, p, n, p + n);
}

static Error *decode_header(Buf *b, Hash *hash)
{
    PackSeal seal;
    size_t length;
    seal_again(OBJECT_PACK, 0, hash, b->data, b->len - CHECK_BYTES);
    return pack_header_decode(b->data, b->len, here, NULL, hash, &seal, &length);
}

static void test_header(void **state)
{
    (void)state;
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) b = {0};
    PackSeal seal = {.id = here, .kind = PACK_DATA};
    pack_header_encode(&seal, hash, &b);
    OK(decode_header(&b, hash));
    b.data[ID_AT] ^= 1;
    FAILS(ERR_DAMAGED, decode_header(&b, hash));
    b.data[ID_AT] ^= 1;
    b.data[KIND_AT] = 3;
    FAILS(ERR_DAMAGED, decode_header(&b, hash));
    b.data[KIND_AT] = PACK_RECIPE;
    OK(decode_header(&b, hash));
    b.data[VERSION_AT]++;
    FAILS(ERR_REPO_UNSUPPORTED, decode_header(&b, hash));
    b.data[VERSION_AT]--;
    b.data[0] ^= 1;
    FAILS(ERR_DAMAGED, decode_header(&b, hash));
}

/* A frame of seven bytes in two chunks, the second of which says that it is `second` long. */
static void encode(uint32_t second, Hash *hash, Buf *b, FrameInfo *info)
{
    AUTO_VALUE(Buf) payload = {0};
    PackSeal seal = {.id = here, .kind = PACK_DATA};
    ChunkId ids[2] = {0};
    uint32_t lengths[2] = {3, second};
    FrameBody body = {.n = 7, .ids = ids, .lengths = lengths, .chunks = 2, .oid = 7, .piece = 1};
    buf_add_str(&payload, "abcdefg");
    b->len = 0;
    frame_encode(&seal, 5, &body, CODEC_STORE, &payload, hash, b, info);
}

static Error *decode(const FrameInfo *info, Buf *b, size_t n, Hash *hash)
{
    AUTO(Codec) codec = codec_new();
    AUTO_VALUE(Frame) f = {0};
    PackSeal seal = {.id = here, .kind = PACK_DATA};
    FrameHead head;
    TRY(frame_decode(&seal, info, b->data, n, codec, hash, &head, &f));
    assert_int_equal(f.raw.len, 7);
    assert_memory_equal(f.raw.data, "abcdefg", 7);
    return NULL;
}

static void test_frame(void **state)
{
    (void)state;
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) b = {0};
    FrameInfo info, wrong;
    encode(4, hash, &b, &info);
    OK(decode(&info, &b, b.len, hash));
    FAILS(ERR_DAMAGED, decode(&info, &b, b.len - 1, hash));
    for (int i = 0; i < 4; i++) {
        wrong = info;
        wrong.raw += i == 0;
        wrong.chunks += i == 1;
        wrong.stored += i == 2;
        wrong.header -= i == 3;
        FAILS(ERR_DAMAGED, decode(&wrong, &b, wrong.stored, hash));
    }
    b.data[COLUMNS_AT] = 1;
    seal_again(OBJECT_FRAME_HEADER, 5, hash, b.data + 4, info.header);
    FAILS(ERR_REPO_UNSUPPORTED, decode(&info, &b, b.len, hash));
    encode(5, hash, &b, &info);
    FAILS(ERR_DAMAGED, decode(&info, &b, b.len, hash));
}

static Error *decode_footer(const FrameInfo *frames, size_t count, Hash *hash)
{
    AUTO_VALUE(Buf) b = {0};
    FrameInfo *list = NULL;
    size_t got = 0;
    PackSeal seal = {.id = here, .kind = PACK_DATA};
    footer_encode(&seal, frames, count, hash, &b);
    FAILS(ERR_DAMAGED, footer_decode(&seal, b.data, CHECK_BYTES - 1, 100, 300, hash, &list, &got));
    TRY(footer_decode(&seal, b.data, b.len - TRAILER_BYTES, 100, 300, hash, &list, &got));
    assert_int_equal(got, count);
    free(list);
    return NULL;
}

static void test_footer(void **state)
{
    (void)state;
    AUTO(Hash) hash = hash_new();
    FrameInfo good[2] = {{.number = 1, .offset = 100, .stored = 100},
                         {.number = 2, .offset = 200, .stored = 100}};
    OK(decode_footer(good, 2, hash));
    for (int i = 0; i < 4; i++) {
        FrameInfo bad[2] = {good[0], good[1]};
        bad[0].offset -= i == 0;          /* begins in the header */
        bad[1].stored += i == 1;          /* ends in the footer */
        bad[1].number -= i == 2 ? 1u : 0; /* twice */
        bad[0].number += i == 3 ? 2u : 0; /* not in order */
        FAILS(ERR_DAMAGED, decode_footer(bad, 2, hash));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_footer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
