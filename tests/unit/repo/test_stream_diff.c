#include "kit.h"

#include "repo/stream_diff.h"

/* -- rows as a multiset of hashes ------------------------------------------------------------- */

typedef struct Bag {
    uint64_t *items;
    size_t count, cap;
    Buf partial;
} Bag;

static void bag_clear(Bag *b)
{
    free(b->items);
    buf_free(&b->partial);
    *b = (Bag){0};
}

static void bag_row(Bag *b, const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3ull;
    mem_grow(b->items, b->count, b->cap);
    b->items[b->count++] = h;
}

static void bag_feed(Bag *b, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n') {
            buf_u8(&b->partial, p[i]);
            continue;
        }
        bag_row(b, b->partial.data, b->partial.len);
        b->partial.len = 0;
    }
}

static int compare_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* all - some, which must be part of it. */
static Bag bag_without(Bag *all, Bag *some)
{
    Bag left = {0};
    size_t j = 0;
    mem_sort(all->items, all->count, sizeof *all->items, compare_hash);
    mem_sort(some->items, some->count, sizeof *some->items, compare_hash);
    for (size_t i = 0; i < all->count; i++) {
        if (j < some->count && some->items[j] == all->items[i]) {
            j++;
            continue;
        }
        mem_grow(left.items, left.count, left.cap);
        left.items[left.count++] = all->items[i];
    }
    assert_int_equal(j, some->count);
    return left;
}

/* -- the comparison --------------------------------------------------------------------------- */

typedef struct Sides {
    Bag out[2];
} Sides;

static Error *take(void *ctx, int side, const void *p, size_t n)
{
    bag_feed(&((Sides *)ctx)->out[side], p, n);
    return NULL;
}

static Bag bag_of(const KitTable *t)
{
    Bag b = {0};
    for (uint32_t i = 0; i < t->count; i++)
        bag_feed(&b, t->pieces[i].data, t->pieces[i].len);
    return b;
}

/* What was not handed out is the same on both sides. */
static void check(Sides *s, const KitTable *a, const KitTable *b)
{
    Bag all[2] = {bag_of(a), bag_of(b)};
    assert_int_equal(s->out[0].partial.len, 0);
    assert_int_equal(s->out[1].partial.len, 0);
    Bag left[2] = {bag_without(&all[0], &s->out[0]), bag_without(&all[1], &s->out[1])};
    assert_int_equal(left[0].count, left[1].count);
    if (left[0].count)
        assert_memory_equal(left[0].items, left[1].items, left[0].count * sizeof *left[0].items);
    for (int i = 0; i < 2; i++) {
        bag_clear(&all[i]);
        bag_clear(&left[i]);
        bag_clear(&s->out[i]);
    }
}

typedef struct Handed {
    uint64_t bytes[2], fetched;
} Handed;

static const Stream *table_of(const Manifest *m)
{
    for (size_t i = 0; i < m->stream_count; i++)
        if (m->streams[i].kind == STREAM_TABLE)
            return &m->streams[i];
    return NULL;
}

/* Both ways: two backups, and the first one against rows that come by. */
static Handed compare(const KitTable *a, const KitTable *b)
{
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(BackupInfo) x = {0};
    AUTO_VALUE(BackupInfo) y = {0};
    AUTO(Manifest) mx = NULL;
    AUTO(Manifest) my = NULL;
    WriterOptions o = kit_options();
    kit_backup(r, &o, a, 1, &x);
    kit_backup(r, &o, b, 1, &y);
    OK(catalog_load(r, x.id, &mx));
    OK(catalog_load(r, y.id, &my));
    const Stream *sa = table_of(mx), *sb = table_of(my);

    AUTO(ChunkReader) chunks = chunk_reader_new(r);
    Sides sides = {0};
    StreamDiff d = {.chunks = chunks, .take = take, .ctx = &sides};
    OK(stream_diff(&d, sa, sb));
    check(&sides, a, b);
    Handed handed = {{d.bytes[0], d.bytes[1]}, chunk_reader_fetched(chunks)};

    StreamDiff live = {.chunks = chunks, .take = take, .ctx = &sides};
    bool pieces = sa->piece_pages != 0;
    uint32_t count = pieces ? (a->count > b->count ? a->count : b->count) : 1;
    for (uint32_t i = 0; i < count; i++) {
        AUTO(LiveDiff) l = NULL;
        OK(live_diff_new(&live, sa, pieces ? i : ALL_PIECES, &l));
        for (uint32_t p = pieces ? i : 0; p < (pieces ? i + 1 : b->count) && p < b->count; p++)
            for (size_t at = 0, n; at < b->pieces[p].len; at += n) {
                n = 1 + (size_t)(kit_mix(at) % 5000);
                n = n < b->pieces[p].len - at ? n : b->pieces[p].len - at;
                OK(live_diff_feed(l, b->pieces[p].data + at, n));
            }
        OK(live_diff_end(l));
    }
    check(&sides, a, b);
    return handed;
}

/* -- cases ------------------------------------------------------------------------------------ */

/* Few rows of many changed: few bytes are handed out, and little is read. */
static void test_few(void **state)
{
    (void)state;
    KitTable a = kit_table("t", 20001, 3, 20000, 0), b = kit_table("t", 20001, 3, 20000, 0);
    Handed same = compare(&a, &b);
    assert_int_equal(same.bytes[0] + same.bytes[1] + same.fetched, 0);
    b.pieces[1].len = 0;
    for (uint64_t i = 0; i < 20000; i++)
        kit_row(&b.pieces[1], 20000 + i, i == 7 || i == 15000);
    Handed few = compare(&a, &b);
    assert_true(few.bytes[0] > 0 && few.bytes[0] < 3 * CHUNK_MAX);
    assert_true(few.bytes[1] > 0 && few.bytes[1] < 3 * CHUNK_MAX);
    assert_true(few.fetched < kit_bytes(&a) / 3);
    kit_free(&a);
    kit_free(&b);
}

/* A stream that lost, got, or moved pieces, and one that is cut by content. */
static void test_shapes(void **state)
{
    (void)state;
    KitTable a = kit_table("t", 20001, 3, 3000, 0), more = kit_table("t", 20001, 5, 3000, 0),
             moved = kit_table("t", 20001, 3, 3000, 3000),
             content = kit_table("t", 20001, 1, 9500, 0), none = kit_table("t", 20001, 1, 0, 0);
    compare(&a, &more);
    compare(&more, &a);
    compare(&a, &moved);
    compare(&a, &content);
    compare(&content, &a);
    compare(&content, &none);
    compare(&none, &content);
    kit_free(&a);
    kit_free(&more);
    kit_free(&moved);
    kit_free(&content);
    kit_free(&none);
}

/* About 24 KB without a newline, always the same for a number. */
static void add_block(Buf *b, uint64_t number)
{
    char text[16];
    for (uint64_t i = 0; i < 1500; i++) {
        kit_number(text, kit_mix(number * 100003 + i), 16, 16);
        buf_add(b, text, 16);
    }
}

/* The end of a row larger than a chunk, with what follows it, is there the beginning of all: the
 * same chunk is the end of a row here and whole rows there. */
static void test_tail(void **state)
{
    (void)state;
    KitTable a = kit_table("t", 20001, 1, 0, 0), b = kit_table("t", 20001, 1, 0, 0);
    for (uint64_t i = 0; i < 4; i++)
        add_block(&a.pieces[0], i);
    for (uint64_t i = 0; i < 3000; i++)
        kit_row(&a.pieces[0], i, 0);
    if (a.pieces[0].data[a.pieces[0].len - 1] != '\n')
        buf_u8(&a.pieces[0], '\n');
    const Buf *all = &a.pieces[0];
    size_t at = 0;
    bool found = false;
    for (bool inside = false; at < all->len;) {
        if (inside && memchr(all->data + at, '\n', CHUNK_MIN)) {
            found = true; /* this chunk begins inside of the row and ends behind it */
            break;
        }
        size_t n = chunk_cut(all->data + at, all->len - at, CHUNK_MEAN_BITS, true,
                             all->len - at < CHUNK_MAX);
        at += n;
        inside = all->data[at - 1] != '\n';
    }
    if (!found) { /* then the chunk of the row's end is the one after the last without a newline */
        size_t n = 0;
        for (at = 0;; at += n) {
            n = chunk_cut(all->data + at, all->len - at, CHUNK_MEAN_BITS, true, false);
            if (memchr(all->data + at, '\n', n))
                break;
        }
    }
    assert_true(at > 0 && at < all->len);
    buf_add(&b.pieces[0], all->data + at, all->len - at);
    compare(&a, &b);
    compare(&b, &a);
    kit_free(&a);
    kit_free(&b);
}

/* Rows that are put together from few blocks, so that chunks come in many rows, in any order. */
static void random_piece(Buf *b, uint64_t seed, uint64_t rows)
{
    b->len = 0;
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t r = kit_mix(seed * 1000003 + i), blocks = r % 4;
        if (r % 3) {
            kit_row(b, r / 7 % 50, 0);
            continue;
        }
        for (uint64_t k = 0; k < blocks; k++)
            add_block(b, kit_mix(r + k) % 5);
        buf_u8(b, '\n');
    }
}

static void test_random(void **state)
{
    (void)state;
    uint64_t rounds = kit_sanitized() ? 10 : 60;
    for (uint64_t round = 0; round < rounds; round++) {
        uint32_t pieces = round % 2 ? 2 : 1;
        KitTable a = kit_table("t", 20001, pieces, 0, 0), b = kit_table("t", 20001, pieces, 0, 0);
        for (uint32_t p = 0; p < pieces; p++) {
            random_piece(&a.pieces[p], round * 10 + p, 40);
            /* Half of the rounds: the rows of the other side in part. */
            random_piece(&b.pieces[p], round % 4 < 2 ? round * 10 + p : round * 10 + 5, 40);
            if (round % 3 == 0)
                random_piece(&b.pieces[p], round * 10 + p, 30 + kit_mix(round) % 20);
        }
        compare(&a, &b);
        kit_free(&a);
        kit_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
