#include "kit.h"

/* -- recipes of made-up chunks ------------------------------------------------------------------
 */

typedef struct Made {
    Store *store;
    Packer *packer;
    PackReader *reader;
    Codec *codec;
    Hash *hash;
    uint64_t stored;
} Made;

static Error *ignore_pack(void *ctx, const PackInfo *pack)
{
    (void)ctx;
    (void)pack;
    return NULL;
}

static void start(Made *m)
{
    if (!m->store) {
        m->store = store_open_memory();
        m->reader = pack_reader_new(m->store, NULL);
        m->codec = codec_new();
        m->hash = hash_new();
    }
    m->stored = 0;
    OK(packer_new(m->store, NULL, "shop", session_id_new(), PACK_RECIPE, 1, ignore_pack, NULL, &m->packer));
}

static void finish(Made *m)
{
    OK(packer_finish(m->packer));
    packer_free(m->packer);
    m->packer = NULL;
}

static void made_free(Made *m)
{
    pack_reader_free(m->reader);
    codec_free(m->codec);
    hash_free(m->hash);
    store_free(m->store);
}

/* Chunk i of a made-up table, in frames of 30 chunks. */
static ChunkRef chunk(uint64_t i, uint64_t version)
{
    uint8_t whole[HASH_BYTES];
    uint64_t seed[2] = {i, version};
    AUTO(Hash) h = hash_new();
    ChunkRef c = {.length = (uint32_t)(2000 + kit_mix(i) % 20000),
                  .pack = {{{1, 2, 3}}, (uint32_t)(i / 3000)},
                  .frame = (uint32_t)(i / 30 % 100),
                  .index = (uint32_t)(i % 30)};
    hash_once(h, seed, sizeof seed, whole);
    memcpy(c.id.b, whole, CHUNK_ID_BYTES);
    return c;
}

static ChunkRef *chunks(size_t count)
{
    ChunkRef *c = mem_calloc(count, sizeof *c);
    for (size_t i = 0; i < count; i++)
        c[i] = chunk(i, 0);
    return c;
}

static void write_recipe(Made *m, const ChunkRef *c, size_t n, const RecipeRef *parent,
                         RecipeRef *out)
{
    AUTO_VALUE(RecipeIndex) x = {0};
    if (parent)
        OK(recipe_load_index(m->reader, parent, m->codec, m->hash, &x));
    RecipeWriter w = {m->packer, m->codec, m->hash, &m->stored};
    OK(recipe_write(&w, c, n, parent ? &x : NULL, parent, out));
}

static void compare(Made *m, const RecipeRef *ref, const ChunkRef *c, size_t n)
{
    AUTO_VALUE(Page) page = {0};
    OK(recipe_load(m->reader, ref, m->codec, m->hash, &page));
    assert_int_equal(page.count, n);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(page.chunks[i].id.b, c[i].id.b, CHUNK_ID_BYTES);
        assert_int_equal(page.chunks[i].length, c[i].length);
        assert_int_equal(page.chunks[i].frame, c[i].frame);
        assert_int_equal(page.chunks[i].index, c[i].index);
        assert_true(pack_id_equal(page.chunks[i].pack, c[i].pack));
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t chunks;
        RecipeKind kind;
    } cases[] = {{0, RECIPE_INLINE}, {1, RECIPE_INLINE},   {10, RECIPE_INLINE},
                 {40, RECIPE_PAGE},  {3000, RECIPE_INDEX}, {40000, RECIPE_INDEX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Made m = {0};
        RecipeRef ref = {0};
        ChunkRef *c = chunks(cases[i].chunks);
        start(&m);
        write_recipe(&m, c, cases[i].chunks, NULL, &ref);
        finish(&m);
        assert_int_equal(ref.kind, cases[i].kind);
        assert_true(ref.kind == RECIPE_INLINE ? m.stored == 0 : m.stored > 0);
        compare(&m, &ref, c, cases[i].chunks);
        recipe_ref_clear(&ref);
        free(c);
        made_free(&m);
    }
}

/* An unchanged piece costs nothing, one changed chunk one page and the index. */
static void test_sharing(void **state)
{
    (void)state;
    const size_t n = 8000;
    Made m = {0};
    RecipeRef first = {0}, same = {0}, changed = {0};
    ChunkRef *c = chunks(n);
    start(&m);
    write_recipe(&m, c, n, NULL, &first);
    uint64_t whole = m.stored;
    finish(&m);
    start(&m);
    write_recipe(&m, c, n, &first, &same);
    assert_int_equal(m.stored, 0);
    assert_true(pack_id_equal(same.pack, first.pack) && same.frame == first.frame);
    c[4321] = chunk(4321, 1);
    write_recipe(&m, c, n, &first, &changed);
    finish(&m);
    assert_true(m.stored > 0 && m.stored < whole / 10);
    compare(&m, &changed, c, n);
    recipe_ref_clear(&first);
    recipe_ref_clear(&same);
    recipe_ref_clear(&changed);
    free(c);
    made_free(&m);
}

typedef struct Uses {
    size_t count;
    uint64_t raw;
} Uses;

static Error *add_use(void *ctx, PackId pack, uint64_t raw)
{
    Uses *u = ctx;
    (void)pack;
    u->count++;
    u->raw += raw;
    return NULL;
}

static void test_index(void **state)
{
    (void)state;
    const size_t n = 5000;
    Made m = {0};
    RecipeRef ref = {0}, small = {0};
    AUTO_VALUE(RecipeIndex) x = {0};
    AUTO_VALUE(RecipeIndex) one = {0};
    Uses uses = {0};
    ChunkRef *c = chunks(n);
    size_t samples = 0;
    for (size_t i = 0; i < n; i++)
        samples += chunk_is_sample(&c[i].id);
    start(&m);
    write_recipe(&m, c, n, NULL, &ref);
    write_recipe(&m, c, 5, NULL, &small);
    finish(&m);
    OK(recipe_load_index(m.reader, &ref, m.codec, m.hash, &x));
    assert_int_equal(x.sample_count, samples);
    assert_in_range(x.page_count, n / 250, n / 80);
    size_t pages = x.page_count, counted = 0;
    for (size_t i = 0; i < pages; i++)
        counted += x.pages[i].chunks;
    assert_int_equal(counted, n);
    OK(recipe_each_use(&ref, &x, add_use, &uses));
    assert_int_equal(uses.count, pages + 1);
    assert_in_range(uses.raw, n * 22, n * 26);
    OK(recipe_load_index(m.reader, &small, m.codec, m.hash, &one));
    assert_int_equal(one.page_count, 1);
    assert_int_equal(one.pages[0].chunks, 5);
    uses = (Uses){0};
    OK(recipe_each_use(&small, &one, add_use, &uses));
    assert_int_equal(uses.count, 0);
    recipe_ref_clear(&ref);
    recipe_ref_clear(&small);
    free(c);
    made_free(&m);
}

/* Repetitions make the smallest pages and no runs: an index must still fit into a frame. */
static void test_repetition(void **state)
{
    (void)state;
    const size_t n = 600000;
    Made m = {0};
    RecipeRef ref = {0};
    ChunkRef ends = chunk(0, 0);
    for (uint64_t i = 1; !chunk_ends_page(&ends.id) || !chunk_is_sample(&ends.id); i++)
        ends = chunk(i, 0);
    ChunkRef *c = mem_calloc(n, sizeof *c);
    for (size_t i = 0; i < n; i++)
        c[i] = ends;
    start(&m);
    write_recipe(&m, c, n, NULL, &ref);
    finish(&m);
    compare(&m, &ref, c, n);
    assert_true(ref.raw < FRAME_LIMIT);
    recipe_ref_clear(&ref);
    free(c);
    made_free(&m);
}

/* Whatever bytes come: an error or a decoded page, never a crash, and nothing left over. */
static void test_foreign_bytes(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) page = {0};
    AUTO_VALUE(Buf) index = {0};
    RecipeIndex x = {0};
    ChunkRef *c = chunks(100);
    page_encode(c, 100, &page);
    PageRef refs[2] = {{.frame = 3, .chunks = 70, .raw = 2000, .bytes = 500000},
                       {.frame = 4, .chunks = 30, .raw = 900, .bytes = 200000}};
    x.pages = refs;
    x.page_count = 2;
    x.samples = &c[0].id;
    x.sample_count = 1;
    recipe_index_encode(&x, &index);
    for (size_t n = 0; n < page.len; n++) {
        AUTO_VALUE(Page) out = {0};
        FAILS(ERR_DAMAGED, page_decode(page.data, n, &out));
    }
    for (size_t n = 0; n < index.len; n++) {
        AUTO_VALUE(RecipeIndex) out = {0};
        FAILS(ERR_DAMAGED, recipe_index_decode(index.data, n, &out));
    }
    AUTO_VALUE(Page) wrong = {0};
    AUTO_VALUE(RecipeIndex) wrong_index = {0};
    FAILS(ERR_DAMAGED, page_decode(index.data, index.len, &wrong));
    FAILS(ERR_DAMAGED, recipe_index_decode(page.data, page.len, &wrong_index));
    for (uint64_t i = 0; i < 20000; i++) {
        Buf *b = i % 2 ? &page : &index;
        AUTO_VALUE(Page) p = {0};
        AUTO_VALUE(RecipeIndex) ri = {0};
        size_t at = (size_t)(kit_mix(i) % b->len);
        uint8_t before = b->data[at];
        b->data[at] = (uint8_t)kit_mix(i + 99);
        Error *e =
            i % 2 ? page_decode(b->data, b->len, &p) : recipe_index_decode(b->data, b->len, &ri);
        if (e)
            assert_int_equal(error_kind(e), ERR_DAMAGED);
        error_free(e);
        b->data[at] = before;
    }
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_index),         cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_foreign_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
