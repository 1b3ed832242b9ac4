#include "kit.h"

#include "repo/object_keys.h"

#define REPOSITORY "00112233445566778899aabbccddeeff"
#define ID "shop-20240115T103000Z"

static void set_pieces(Stream *s, size_t count, const PackInfo *pack)
{
    for (size_t i = 0; i < count; i++) {
        mem_grow(s->pieces, s->piece_count, s->piece_cap);
        Piece *p = &s->pieces[s->piece_count++];
        *p = (Piece){.rows = i + 1, .bytes = 100 * (i + 1), .chunks = (uint32_t)i};
        memset(p->digest, (int)i, HASH_BYTES);
        if (i % 2) {
            p->recipe = (RecipeRef){.kind = RECIPE_INDEX, .pack = pack->id, .frame = 7, .raw = 99};
            memset(p->recipe.hash.b, 5, CHUNK_ID_BYTES);
        } else {
            page_encode(NULL, 0, &p->recipe.bytes);
        }
        s->rows += p->rows;
        s->bytes += p->bytes;
    }
    piece_digest_all(s->pieces, s->piece_count, s->digest);
}

static Manifest *sample(void)
{
    Manifest *m = manifest_new();
    BackupInfo info = {.id = (char *)ID,
                       .key = (char *)"20240115103000",
                       .database = (char *)"shop",
                       .database_oid = 16384,
                       .server = (char *)"localhost:5432",
                       .system_identifier = (char *)"",
                       .database_version = (char *)"PostgreSQL 15.3",
                       .tool_version = (char *)"15.3",
                       .pgstow_version = (char *)"0.1.0",
                       .encoding = (char *)"UTF8",
                       .collate = (char *)"C",
                       .ctype = (char *)"C",
                       .filter = (char *)"",
                       .parent = (char *)"",
                       .predecessor_hash = (char *)"",
                       .sequence = 3,
                       .timestamp = 1705314600000,
                       .started = 1705314600100,
                       .finished = 1705314612600,
                       .logical_size = 12345678901,
                       .rows = 42,
                       .compressed = true};
    strlist_add(&info.tags, "why=before the move");
    strlist_add(&info.warnings, "a \"quoted\" line\nand another");
    backup_info_copy(&m->info, &info);
    strlist_free(&info.tags);
    strlist_free(&info.warnings);
    for (uint32_t i = 0; i < 3; i++) {
        mem_grow(m->packs, m->pack_count, m->pack_cap);
        m->packs[m->pack_count++] = (PackInfo){.id = {{{9}}, i},
                                               .kind = i == 1 ? PACK_RECIPE : PACK_DATA,
                                               .size = 1000 + i,
                                               .raw = 5000,
                                               .used = 4000,
                                               .sha256 = {(uint8_t)i, 8}};
    }
    Stream *toc = manifest_add_stream(m);
    toc->kind = STREAM_TOC;
    toc->mean_bits = CHUNK_MEAN_BITS;
    set_pieces(toc, 1, &m->packs[1]);
    Stream *table = manifest_add_stream(m);
    *table = (Stream){.kind = STREAM_TABLE,
                      .dump_id = 3001,
                      .oid = 4000000000u,
                      .schema = mem_strdup("public"),
                      .name = mem_strdup("a \"table\" with ümläuts"),
                      .piece_pages = 8192,
                      .mean_bits = 13,
                      .rows_framed = true};
    set_pieces(table, 5, &m->packs[1]);
    return m;
}

/* A foreign number by which nothing may be shifted. */
static void test_mean_bits(void **state)
{
    (void)state;
    static const uint8_t wrong[] = {0, CHUNK_MEAN_BITS_MIN - 1, CHUNK_MEAN_BITS_MAX + 1, 255};
    for (size_t i = 0; i < sizeof wrong; i++) {
        AUTO(Manifest) m = sample();
        AUTO(Manifest) back = NULL;
        AUTO_VALUE(Buf) b = {0};
        m->streams[1].mean_bits = wrong[i];
        OK(manifest_encode(m, REPOSITORY, NULL, &b));
        FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, ID, &back));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    AUTO(Manifest) m = sample();
    AUTO(Manifest) back = NULL;
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(Buf) again = {0};
    OK(manifest_encode(m, REPOSITORY, NULL, &b));
    OK(manifest_decode(NULL, b.data, b.len, ID, &back));
    assert_string_equal(back->info.id, ID);
    assert_string_equal(back->info.repository, REPOSITORY);
    assert_int_equal(back->info.logical_size, 12345678901);
    assert_int_equal(back->info.timestamp, 1705314600000);
    assert_string_equal(back->info.tags.items[0], "why=before the move");
    assert_string_equal(back->info.warnings.items[0], "a \"quoted\" line\nand another");
    assert_int_equal(back->info.manifest_size, b.len);
    assert_int_equal(strlen(back->info.checksum), 64);
    assert_int_equal(back->stream_count, 2);
    const Stream *s = manifest_find_stream(back, STREAM_TABLE, 3001);
    assert_non_null(s);
    assert_string_equal(s->name, "a \"table\" with ümläuts");
    assert_int_equal(s->oid, 4000000000u);
    assert_true(s->rows_framed);
    assert_int_equal(s->piece_count, 5);
    assert_int_equal(s->pieces[3].recipe.frame, 7);
    assert_int_equal(s->pieces[3].recipe.raw, 99);
    assert_true(pack_id_equal(s->pieces[3].recipe.pack, m->packs[1].id));
    const PackInfo *pack = manifest_find_pack(back, m->packs[2].id);
    assert_non_null(pack);
    assert_int_equal(pack->size, 1002);
    assert_null(manifest_find_pack(back, (PackId){{{1}}, 1}));
    OK(manifest_encode(back, REPOSITORY, NULL, &again));
    assert_int_equal(again.len, b.len);
    assert_memory_equal(again.data, b.data, b.len);
}

/* The facts come from the first bytes, and more are asked for one by one. */
static void test_facts(void **state)
{
    (void)state;
    AUTO(Manifest) m = sample();
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    size_t n = 0, more = 0;
    OK(manifest_encode(m, REPOSITORY, NULL, &b));
    do {
        n = more;
        OK(manifest_decode_info(NULL, b.data, n, ID, &info, &more));
        assert_true(!more || more > n);
    } while (more);
    assert_true(n < b.len);
    assert_string_equal(info.database_version, "PostgreSQL 15.3");
    AUTO(Doc) d = backup_info_doc(&info);
    assert_string_equal(doc_str(d, "timestamp", ""), "2024-01-15T10:30:00.000Z");
    assert_int_equal(doc_int(d, "duration", 0), 12500);
    assert_string_equal(doc_str(doc_get(d, "tags"), "why", ""), "before the move");
    assert_true(doc_has(d, "lastProof"));
}

static void test_damage(void **state)
{
    (void)state;
    AUTO(Manifest) m = sample();
    AUTO_VALUE(Buf) b = {0};
    OK(manifest_encode(m, REPOSITORY, NULL, &b));
    for (size_t i = 0; i < b.len; i++) {
        AUTO(Manifest) out = NULL;
        b.data[i] ^= (uint8_t)(1u << i % 8);
        FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, ID, &out));
        b.data[i] ^= (uint8_t)(1u << i % 8);
        FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, i, ID, &out));
    }
    AUTO(Manifest) out = NULL;
    buf_u8(&b, 0);
    FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, ID, &out));
    b.len--;
    FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, "shop-20240115T103001Z", &out));
}

static void test_tombstone(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    AUTO(Manifest) out = NULL;
    AUTO_VALUE(BackupInfo) info = {0};
    size_t more;
    manifest_tombstone(ID, session_id_new(), &b);
    FAILS(ERR_FENCED, manifest_decode(NULL, b.data, b.len, ID, &out));
    FAILS(ERR_FENCED, manifest_decode_info(NULL, b.data, b.len, ID, &info, &more));
    FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, "other-20240115T103000Z", &out));
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= (uint8_t)(1u << i % 8);
        FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, ID, &out));
        b.data[i] ^= (uint8_t)(1u << i % 8);
        FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, i, ID, &out));
    }
}

/* A manifest that says what cannot be is not written, or not believed. */
static void test_nonsense(void **state)
{
    (void)state;
    AUTO(Manifest) m = sample();
    AUTO(Manifest) out = NULL;
    AUTO_VALUE(Buf) b = {0};
    m->streams[1].rows++;
    OK(manifest_encode(m, REPOSITORY, NULL, &b));
    FAILS(ERR_DAMAGED, manifest_decode(NULL, b.data, b.len, ID, &out));
    m->streams[1].rows--;
    m->streams[1].pieces[1].recipe.pack.n = 77;
    b.len = 0;
    FAILS(ERR_INTERNAL, manifest_encode(m, REPOSITORY, NULL, &b));
    m->streams[1].pieces[1].recipe.pack.n = 1;
    m->packs[0].id.n = 5;
    FAILS(ERR_INTERNAL, manifest_encode(m, REPOSITORY, NULL, &b));
}

/* Whoever may write backups of one database alone makes one up of another. */
static void test_another_database(void **state)
{
    (void)state;
    AUTO(Keyring) full = keyring_new();
    AUTO(Keyring) shop = keyring_new();
    AUTO(Keyring) forger = keyring_new();
    AUTO(Secret) bytes = NULL;
    AUTO(Manifest) m = sample();
    AUTO(Manifest) back = NULL;
    AUTO_VALUE(Buf) good = {0};
    AUTO_VALUE(Buf) bad = {0};
    AUTO_VALUE(StrList) databases = {0};
    strlist_add(&databases, "shop");
    OK(keyring_write_set(full, keyring_make_set(full), &databases, &bytes));
    OK(keyring_read_set(shop, bytes));
    uint8_t *name = memmem(secret_bytes(bytes), secret_length(bytes), "shop", 4);
    memcpy(name, "bank", 4); /* the keys of shop, used in another's name */
    OK(keyring_read_set(forger, bytes));

    OK(manifest_encode(m, REPOSITORY, shop, &good));
    OK(manifest_decode(full, good.data, good.len, ID, &back));

    const char *bank = "bank-20240115T103000Z";
    free(m->info.id);
    m->info.id = mem_strdup(bank);
    AUTO(Manifest) renamed = NULL;
    /* The id may be any, as imported ones are. */
    OK(manifest_encode(m, REPOSITORY, shop, &bad));
    OK(manifest_decode(full, bad.data, bad.len, bank, &renamed));
    manifest_free(STEAL(renamed));

    free(m->info.database);
    m->info.database = mem_strdup("bank");
    bad.len = 0;
    OK(manifest_encode(m, REPOSITORY, forger, &bad));
    FAILS(ERR_DAMAGED, manifest_decode(full, bad.data, bad.len, bank, &renamed));
    FAILS(ERR_DAMAGED, manifest_decode(shop, bad.data, bad.len, bank, &renamed));
}

/* An object that leaves out the key of a part, as whoever may write can make one: to full keys that
 * is damage of this object, and no reason to ask for another key. */
static void test_no_key_in_it(void **state)
{
    (void)state;
    AUTO(Keyring) full = keyring_new();
    AUTO(Keyring) writer = keyring_new();
    AUTO(Secret) bytes = NULL;
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(StrList) databases = {0};
    const PartUse uses[] = {PART_INDEX, PART_PAYLOAD};
    uint64_t set = keyring_make_set(full);
    strlist_add(&databases, "shop");
    OK(keyring_write_set(full, set, &databases, &bytes));
    OK(keyring_read_set(writer, bytes));
    uint8_t block[2 + KEY_SALT_BYTES] = {SEAL_AES_256_GCM}, part_bytes[4] = {0};
    uint8_t check[CHECK_BYTES] = {0};
    for (size_t i = 0; i < 2; i++) {
        AUTO(ObjectKeys) a = NULL;
        AUTO(ObjectKeys) b = NULL;
        AUTO_VALUE(Buf) name = {0};
        Part part = {uses[i], OBJECT_MANIFEST, 1, &name};
        OK(object_keys_open(full, set, block, sizeof block, "pgstow manifest", &a));
        FAILS(ERR_DAMAGED, part_open(a, &part, hash, part_bytes, 4, check, "it"));
        OK(object_keys_open(writer, set, block, sizeof block, "pgstow manifest", &b));
        FAILS(ERR_KEY, part_open(b, &part, hash, part_bytes, 4, check, "it"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_mean_bits),
        cmocka_unit_test(test_another_database),
        cmocka_unit_test(test_no_key_in_it),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_tombstone),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
