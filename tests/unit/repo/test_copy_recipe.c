#include "kit.h"

#include "repo/copy_recipe.h"
#include "repo/repo_internal.h"

#define CHUNKS 8000
#define PACKS 3 /* of rows, on each side */

/* Both sides lie in one repository: their packs have different names. */
typedef struct Sides {
    Repo *repo;
    Codec *codec;
    Hash *hash;
    ParentPacks *packs;
    ChunkRef *source, *target; /* chunk for chunk */
    Piece before, copied, now;
} Sides;

static PackId pack(bool target, uint64_t i)
{
    return (PackId){{{target ? 9 : 1, 2, 3}}, (uint32_t)(i / (CHUNKS / PACKS + 1))};
}

static ChunkRef chunk(bool target, uint64_t i, uint64_t version)
{
    uint64_t seed[2] = {i, version};
    uint8_t whole[HASH_BYTES];
    AUTO(Hash) h = hash_new();
    ChunkRef c = {.length = (uint32_t)(2000 + kit_mix(i) % 20000),
                  .pack = pack(target, i),
                  .frame = (uint32_t)(i / 30 % 100),
                  .index = (uint32_t)(i % 30)};
    hash_once(h, seed, sizeof seed, whole);
    memcpy(c.id.b, whole, CHUNK_ID_BYTES);
    return c;
}

static Error *ignore_pack(void *ctx, const PackInfo *info)
{
    (void)ctx;
    (void)info;
    return NULL;
}

static void write_piece(Sides *s, const ChunkRef *c, size_t n, const Piece *parent, Piece *out)
{
    AUTO_VALUE(RecipeIndex) x = {0};
    PackReader *reader = repo_packs(s->repo);
    Packer *packer;
    uint64_t stored = 0;
    if (parent)
        OK(recipe_load_index(reader, &parent->recipe, s->codec, s->hash, &x));
    OK(packer_new(repo_store(s->repo), NULL, "shop", session_id_new(), PACK_RECIPE, 1, ignore_pack,
                  NULL, &packer));
    RecipeWriter w = {packer, s->codec, s->hash, &stored};
    OK(recipe_write(&w, c, n, parent ? &x : NULL, parent ? &parent->recipe : NULL, &out->recipe));
    OK(packer_finish(packer));
    packer_free(packer);
    out->chunks = (uint32_t)n;
}

/* Of the target's packs of rows, all but `missing` are there. */
static void offer(Sides *s, size_t missing)
{
    Manifest m = {0};
    for (size_t i = 0; i < PACKS; i++) {
        PackId id = {{{9, 2, 3}}, (uint32_t)i};
        char name[NAME_TEXT];
        bool there;
        mem_grow(m.packs, m.pack_count, m.pack_cap);
        m.packs[m.pack_count++] =
            (PackInfo){.id = id, .kind = PACK_DATA, .size = 4, .raw = 4, .used = 4};
        OK(store_exists(repo_store(s->repo), name_pack(id, name), &there));
        if (i != missing && !there)
            OK(store_put(repo_store(s->repo), name, "pack", 4));
    }
    OK(parent_packs_new(s->repo, &m, NULL, 0, &s->packs));
    free(m.packs);
}

/* Chunk `changed` of the piece is another one than in the backup before. */
static void start(Sides *s, size_t changed, size_t missing)
{
    *s = (Sides){.repo = kit_repo(), .codec = codec_new(), .hash = hash_new()};
    s->source = mem_calloc(CHUNKS, sizeof *s->source);
    s->target = mem_calloc(CHUNKS, sizeof *s->target);
    for (size_t i = 0; i < CHUNKS; i++) {
        s->source[i] = chunk(false, i, 0);
        s->target[i] = chunk(true, i, 0);
    }
    write_piece(s, s->source, CHUNKS, NULL, &s->before);
    write_piece(s, s->target, CHUNKS, NULL, &s->copied);
    s->source[changed] = chunk(false, changed, 1);
    write_piece(s, s->source, CHUNKS, &s->before, &s->now);
    assert_int_equal(s->now.recipe.kind, RECIPE_INDEX);
    offer(s, missing);
}

static void end(Sides *s)
{
    parent_packs_free(s->packs);
    piece_clear(&s->before);
    piece_clear(&s->copied);
    piece_clear(&s->now);
    free(s->source);
    free(s->target);
    codec_free(s->codec);
    hash_free(s->hash);
    repo_free(s->repo);
}

static CopyRecipe recipe(Sides *s, const Piece *before, const Piece *copied)
{
    return (CopyRecipe){.source = repo_packs(s->repo),
                        .target = repo_packs(s->repo),
                        .packs = s->packs,
                        .codec = s->codec,
                        .hash = s->hash,
                        .before = before,
                        .copied = copied};
}

/* How many chunks are known; each is the one of its side. */
static size_t load(Sides *s, const CopyRecipe *r, Buf *known)
{
    AUTO_VALUE(Page) page = {0};
    size_t count = 0;
    OK(copy_recipe_load(r, &s->now, &page, known));
    assert_int_equal(page.count, CHUNKS);
    assert_int_equal(known->len, CHUNKS);
    for (size_t i = 0; i < CHUNKS; i++) {
        const ChunkRef *c = known->data[i] ? &s->target[i] : &s->source[i], *got = &page.chunks[i];
        assert_true(pack_id_equal(got->pack, c->pack) && got->frame == c->frame &&
                    got->index == c->index && got->length == c->length);
        assert_memory_equal(got->id.b, c->id.b, CHUNK_ID_BYTES);
        count += known->data[i];
    }
    return count;
}

static void test_one_page_is_new(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) known = {0};
    Sides s;
    start(&s, 4321, PACKS);
    CopyRecipe r = recipe(&s, &s.before, &s.copied);
    size_t count = load(&s, &r, &known);
    assert_true(count < CHUNKS && count >= CHUNKS - 2 * PAGE_CHUNKS_MAX);
    assert_int_equal(known.data[4321], 0);
    end(&s);
}

/* What is not all there of the target's is the source's again. */
static void test_a_pack_that_is_missing(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) known = {0};
    Sides s;
    start(&s, 10, 1);
    CopyRecipe r = recipe(&s, &s.before, &s.copied);
    assert_true(load(&s, &r, &known) > CHUNKS / PACKS);
    for (size_t i = 0; i < CHUNKS; i++)
        assert_false(known.data[i] && s.target[i].pack.n == 1);
    end(&s);
}

/* Without an earlier piece, with one that is gone, or became another one. */
static void test_nothing_is_known(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) known = {0};
    Sides s;
    Piece gone, other = {0}, small = {0};
    start(&s, 4321, PACKS);
    CopyRecipe none = recipe(&s, NULL, NULL);
    assert_int_equal(load(&s, &none, &known), 0);
    gone = s.before;
    gone.recipe.pack.n += 100;
    CopyRecipe lost = recipe(&s, &gone, &s.copied);
    known.len = 0;
    assert_int_equal(load(&s, &lost, &known), 0);
    write_piece(&s, s.target, CHUNKS - 1, NULL, &other);
    CopyRecipe shorter = recipe(&s, &s.before, &other);
    known.len = 0;
    assert_int_equal(load(&s, &shorter, &known), 0);
    piece_clear(&other);
    s.copied.digest[0] ^= 1; /* as long, and of other rows */
    CopyRecipe otherwise = recipe(&s, &s.before, &s.copied);
    known.len = 0;
    assert_int_equal(load(&s, &otherwise, &known), 0);
    s.copied.digest[0] ^= 1;
    write_piece(&s, s.source, 5, NULL, &small);
    assert_int_equal(small.recipe.kind, RECIPE_INLINE);
    AUTO_VALUE(Page) page = {0};
    known.len = 0;
    CopyRecipe both = recipe(&s, &s.before, &s.copied);
    OK(copy_recipe_load(&both, &small, &page, &known));
    assert_true(page.count == 5 && known.len == 5 && !known.data[4]);
    piece_clear(&small);
    end(&s);
}

/* The manifest says how many there are. */
static void test_another_count(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) known = {0};
    AUTO_VALUE(Page) page = {0};
    Sides s;
    start(&s, 1, PACKS);
    CopyRecipe r = recipe(&s, &s.before, &s.copied);
    s.now.chunks++;
    FAILS(ERR_DAMAGED, copy_recipe_load(&r, &s.now, &page, &known));
    assert_int_equal(page.count, 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_page_is_new),
        cmocka_unit_test(test_a_pack_that_is_missing),
        cmocka_unit_test(test_nothing_is_known),
        cmocka_unit_test(test_another_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
