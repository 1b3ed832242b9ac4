#include "kit.h"

#include "repo/chunk_map.h"

/* Lengths of all chunks of p[0..n). */
static size_t cut_all(const uint8_t *p, size_t n, bool rows, size_t *lengths, size_t max)
{
    size_t count = 0;
    for (size_t at = 0; at < n; at += lengths[count++]) {
        assert_true(count < max);
        size_t left = n - at;
        /* Not more than what a window holds: the cut must not depend on what lies behind it. */
        bool last = left <= CHUNK_MAX;
        lengths[count] = chunk_cut(p + at, last ? left : CHUNK_MAX, CHUNK_MEAN_BITS, rows, last);
        assert_true(lengths[count] > 0 && lengths[count] <= CHUNK_MAX);
        if (!last)
            assert_int_equal(lengths[count], chunk_cut(p + at, left, CHUNK_MEAN_BITS, rows, false));
    }
    return count;
}

static void noise(Buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_u8(b, (uint8_t)(kit_mix(i) >> 11));
}

static void test_rows(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    for (uint64_t i = 0; i < 30000; i++)
        kit_row(&b, i, 0);
    size_t lengths[2000], count = cut_all(b.data, b.len, true, lengths, 2000), at = 0;
    for (size_t i = 0; i < count; i++) {
        at += lengths[i];
        assert_int_equal(b.data[at - 1], '\n');
        assert_true(i + 1 == count || lengths[i] > CHUNK_MIN);
    }
    size_t mean = b.len / count;
    assert_true(mean > 7000 && mean < 11000);
}

static void test_binary(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    noise(&b, 4 << 20);
    size_t lengths[2000], count = cut_all(b.data, b.len, false, lengths, 2000);
    size_t mean = b.len / count, greatest = 0;
    assert_true(mean > 7000 && mean < 11000);
    for (size_t i = 0; i + 1 < count; i++) {
        assert_true(lengths[i] > CHUNK_MIN);
        greatest = lengths[i] > greatest ? lengths[i] : greatest;
    }
    assert_true(greatest > 12000);
    /* Nothing to cut at: the greatest length. Nothing at all but an end: what is there. */
    memset(b.data, 0, b.len);
    assert_int_equal(chunk_cut(b.data, b.len, CHUNK_MEAN_BITS, false, false), CHUNK_MAX);
    assert_int_equal(chunk_cut(b.data, 5, CHUNK_MEAN_BITS, true, true), 5);
    assert_int_equal(chunk_cut(b.data, CHUNK_MIN, CHUNK_MEAN_BITS, false, true), CHUNK_MIN);
}

/* A row put in: all but a few chunks stay what they were. */
static void test_resync(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) a = {0};
    AUTO_VALUE(Buf) b = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        kit_row(&a, i, 0);
        kit_row(&b, i, 0);
        if (i == 7777)
            kit_row(&b, i, 1);
    }
    size_t la[1000], lb[1000], na = cut_all(a.data, a.len, true, la, 1000),
                               nb = cut_all(b.data, b.len, true, lb, 1000);
    size_t same = 0;
    while (same < na && same < nb && la[na - 1 - same] == lb[nb - 1 - same])
        same++;
    size_t front = 0;
    while (front < na && front < nb && la[front] == lb[front])
        front++;
    assert_true(same + front + 6 >= na);
    assert_true(same > na / 3 && front > na / 4);
}

/* Rows beyond the greatest size are cut inside; what is before them ends with its row. */
static void test_large_row(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    kit_row(&b, 1, 0);
    size_t first = b.len;
    noise(&b, 100000);
    for (size_t i = first; i < b.len; i++)
        if (b.data[i] == '\n')
            b.data[i] = 'n';
    buf_u8(&b, '\n');
    size_t row_end = b.len;
    for (uint64_t i = 2; i < 1000; i++)
        kit_row(&b, i, 0);
    size_t lengths[100], count = cut_all(b.data, b.len, true, lengths, 100), at = 0;
    assert_int_equal(lengths[0], first);
    bool ends_with_row = false;
    for (size_t i = 0; i < count; i++) {
        at += lengths[i];
        if (at == row_end)
            ends_with_row = true;
        if (at > row_end)
            assert_int_equal(b.data[at - 1], '\n');
    }
    assert_true(ends_with_row || at == b.len);
}

static void test_events(void **state)
{
    (void)state;
    size_t samples = 0, pages = 0, pieces = 0, both = 0;
    for (uint64_t i = 0; i < 1 << 18; i++) {
        ChunkId id;
        for (size_t k = 0; k < CHUNK_ID_BYTES; k++)
            id.b[k] = (uint8_t)(kit_mix(i * CHUNK_ID_BYTES + k) >> 7);
        samples += chunk_is_sample(&id);
        pages += chunk_ends_page(&id);
        pieces += chunk_ends_piece(&id);
        both += chunk_is_sample(&id) && chunk_ends_page(&id);
    }
    assert_in_range(samples, 3800, 4400); /* 4096 */
    assert_in_range(pages, 1850, 2250);   /* 2048 */
    assert_in_range(pieces, 40, 90);      /* 64 */
    assert_in_range(both, 10, 60);        /* 32 */
}

static void test_map(void **state)
{
    (void)state;
    AUTO_VALUE(ChunkMap) m = {0};
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            ChunkRef ref = {.length = i};
            uint64_t x = kit_mix(i);
            memcpy(ref.id.b, &x, sizeof x);
            assert_null(chunk_map_find(&m, &ref.id));
            chunk_map_add(&m, &ref, i % 2);
            ref.length = 1;
            chunk_map_add(&m, &ref, true); /* the first one stays */
        }
        assert_int_equal(m.count, 5000);
        for (uint32_t i = 0; i < 5000; i++) {
            ChunkId id = {{0}};
            uint64_t x = kit_mix(i);
            memcpy(id.b, &x, sizeof x);
            const MapEntry *e = chunk_map_find(&m, &id);
            assert_non_null(e);
            assert_int_equal(e->ref.length, i);
            assert_int_equal(e->sparse, i % 2);
        }
        chunk_map_empty(&m);
    }
}

static void test_names(void **state)
{
    (void)state;
    PackId id = {.session = session_id_new(), .n = 258}, again;
    char name[NAME_TEXT];
    uint32_t frame;
    assert_int_equal(strncmp(name_pack(id, name), "packs/02/", 9), 0);
    assert_true(name_parse_pack(name, &again));
    assert_true(pack_id_equal(id, again));
    name[7] = '3'; /* the wrong folder */
    assert_false(name_parse_pack(name, &again));
    assert_false(name_parse_pack("packs/02/x-1", &again));
    assert_false(name_parse_pack("", &again));
    assert_true(name_parse_damage(name_damage(id, UINT32_MAX, name), &again, &frame));
    assert_true(pack_id_equal(id, again) && frame == UINT32_MAX);
    strcat(name, "0");
    assert_false(name_parse_damage(name, &again, &frame));
    AUTO(char) odd = backup_id_make("my/../db", 1705314600000);
    assert_string_equal(odd, "my%2F..%2Fdb-20240115T103000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_binary),
        cmocka_unit_test(test_resync), cmocka_unit_test(test_large_row),
        cmocka_unit_test(test_events), cmocka_unit_test(test_map),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
