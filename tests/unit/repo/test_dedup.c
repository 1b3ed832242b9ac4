#include "kit.h"

#include "repo/trash.h"

/* Raw bytes of the data packs that this backup's own session wrote. */
static uint64_t raw_new(Repo *r, const char *id, const char *parent)
{
    AUTO(Manifest) m = NULL;
    AUTO(Manifest) p = NULL;
    OK(catalog_load(r, id, &m));
    if (parent)
        OK(catalog_load(r, parent, &p));
    uint64_t raw = 0;
    for (size_t i = 0; i < m->pack_count; i++)
        if (m->packs[i].kind == PACK_DATA && (!p || !manifest_find_pack(p, m->packs[i].id)))
            raw += m->packs[i].raw;
    return raw;
}

/* VACUUM FULL: every row has moved by half a piece. */
static void test_moved(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    const uint64_t rows = kit_sanitized() ? 40000 : 250000;
    KitTable a = kit_table("orders", 20001, 4, rows, 0),
             b = kit_table("orders", 20001, 4, rows, rows / 2);
    /* The last half piece is new, so it is left out. */
    AUTO_VALUE(Buf) half = {0};
    for (uint64_t i = 0; i < rows / 2; i++)
        kit_row(&half, rows * 7 / 2 + i, 0);
    b.pieces[3].len = half.len;
    memcpy(b.pieces[3].data, half.data, half.len);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) second = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, &a, 1, &first);
    kit_backup(r, &o, &b, 1, &second);
    kit_compare(r, second.id, &b, 1);
    uint64_t raw = raw_new(r, second.id, first.id);
    print_message("# moved: %.2f %% new\n", 100.0 * (double)raw / (double)kit_bytes(&b));
    if (!kit_sanitized())
        assert_true(raw * 100 <= kit_bytes(&b) * 3);
    kit_free(&a);
    kit_free(&b);
}

/* A stream without fixed pieces: a few rows put in near its beginning move all pieces' bounds. */
static void test_content_cut(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable a = kit_table("view", 20001, 1, 600000, 1000), b = a;
    b.pieces = mem_calloc(1, sizeof(Buf));
    for (uint64_t i = 0; i < 200; i++)
        kit_row(&b.pieces[0], i, 0);
    buf_add(&b.pieces[0], a.pieces[0].data, a.pieces[0].len);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) second = {0};
    AUTO_VALUE(BackupInfo) third = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, &a, 1, &first);
    kit_compare(r, first.id, &a, 1);
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, first.id, &m));
    assert_true(m->streams[0].piece_count >= 2);
    assert_int_equal(m->streams[0].rows, 600000);
    kit_backup(r, &o, &b, 1, &second);
    kit_compare(r, second.id, &b, 1);
    assert_true(raw_new(r, second.id, first.id) < 100000);
    kit_backup(r, &o, &b, 1, &third);
    assert_true(third.new_bytes <= third.manifest_size + 16);
    kit_free(&a);
    kit_free(&b);
}

/* Writes the first `pieces` pieces and then gives up. */
static void give_up(Repo *r, const KitTable *t, uint32_t pieces)
{
    AUTO(Writer) w = NULL;
    AUTO(PieceWriter) p = NULL;
    WriterOptions o = kit_options();
    o.level = 0; /* so that packs fill up */
    OK(writer_open(r, &o, NULL, &w));
    OK(piece_writer_new(w, &p));
    uint32_t stream = kit_add(w, t);
    for (uint32_t i = 0; i < pieces; i++)
        kit_piece(p, t, stream, i);
}

static Error *count_one(void *ctx, const char *name, uint64_t size)
{
    (void)name, (void)size;
    ++*(size_t *)ctx;
    return NULL;
}

static size_t count_objects(Repo *r, const char *prefix)
{
    size_t count = 0;
    OK(store_list(repo_store(r), prefix, count_one, &count));
    return count;
}

/* An interrupted backup is continued from the packs that were finished, twice over. */
static void test_continued(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    const uint32_t pieces = kit_sanitized() ? 16 : 40; /* enough for a pack to be finished */
    KitTable t = kit_table("orders", 20001, pieces, 30000, 0);
    give_up(r, &t, pieces - 2 - pieces / 3); /* of the smaller table no pack: leaves no trace */
    give_up(r, &t, pieces - 1);
    assert_true(count_objects(r, "packs/") >= pieces / 16);
    assert_int_equal(count_objects(r, "sessions/"), kit_sanitized() ? 1 : 2);
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    o.level = 0;
    kit_backup(r, &o, &t, 1, &info);
    kit_compare(r, info.id, &t, 1);
    assert_true(info.new_bytes < info.size / 10 * 6);
    assert_int_equal(count_objects(r, "sessions/"), 0);
    assert_string_equal(info.id,
                        kit_sanitized() ? "shop-20240115T103001Z" : "shop-20240115T103002Z");
    kit_free(&t);
}

static Error *first_pack(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    if (!*(char **)ctx)
        *(char **)ctx = mem_strdup(name);
    return NULL;
}

static void flip(Store *s, const char *name, size_t at)
{
    AUTO_VALUE(Buf) b = {0};
    OK(store_get_all(s, name, 1 << 30, &b));
    assert_true(at < b.len);
    b.data[at] ^= 1;
    OK(store_delete(s, name));
    OK(store_put(s, name, b.data, b.len));
}

/* The only session there is: its object, to be put back later. */
static Error *keep_session(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    *(char **)ctx = mem_strdup(name);
    return NULL;
}

/* Killed between the commit and the end of the session that it continued: the next run finds packs
 * that are a dead session's and the parent's as well. What the parent knows of them counts. */
static void test_dead_and_parent(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    const uint32_t pieces = kit_sanitized() ? 16 : 40;
    KitTable t = kit_table("orders", 20001, pieces, 30000, 0);
    give_up(r, &t, pieces - 1);
    AUTO(char) name = NULL;
    AUTO_VALUE(Buf) session = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    AUTO(Codec) codec = codec_new();
    OK(store_list(repo_store(r), "sessions/", keep_session, &name));
    OK(store_get_all(repo_store(r), name, SIZE_MAX / 4, &session));
    WriterOptions o = kit_options();
    o.level = 0;
    kit_backup(r, &o, &t, 1, &info);
    OK(store_put(repo_store(r), name, session.data, session.len));
    t.oid = 777; /* made anew meanwhile: no label of the dead session's frames is its own */
    kit_backup(r, &o, &t, 1, &info);
    assert_int_equal(count_objects(r, "sessions/"), 0);
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, info.id, &m));
    for (size_t i = 0; i < m->pack_count; i++) {
        uint8_t sha256[HASH_BYTES];
        uint64_t size;
        OK(pack_hash(repo_packs(r), m->packs[i].id, sha256, &size));
        assert_int_equal(size, m->packs[i].size);
        assert_memory_equal(sha256, m->packs[i].sha256, HASH_BYTES);
    }
    assert_true(info.new_bytes <= info.manifest_size + 16);
    kit_free(&t);
}

/* A dead session's packs were not yet made durable: the commit that names them does it, or fails.
 */
static void test_dead_made_durable(void **state)
{
    (void)state;
    if (kit_sanitized()) { /* it takes two full packs; a skip would count as a failure in TAP */
        print_message("# test_dead_made_durable does not run under sanitizers\n");
        return;
    }
    char path[] = "/tmp/pgstow-dedup-XXXXXX";
    assert_non_null(mkdtemp(path));
    AUTO(Repo) before = NULL;
    AUTO(Repo) r = NULL;
    Store *s;
    OK(store_open_dir(path, true, &s));
    OK(kit_open(s, &before));
    KitTable t = kit_table("orders", 20001, 40, 30000, 0);
    give_up(before, &t, 39);
    OK(store_open_dir(path, false, &s)); /* as another process has it */
    OK(kit_open(s, &r));
    assert_true(count_objects(r, "packs/02/") == 1);
    AUTO(Writer) w = NULL;
    WriterOptions o = kit_options();
    OK(writer_open(r, &o, NULL, &w));
    kit_tables(w, &t, 1);
    AUTO(char) from = mem_printf("%s/packs/02", path);
    AUTO(char) to = mem_printf("%s/away", path);
    assert_int_equal(rename(from, to), 0);
    BackupInfo facts = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    FAILS(ERR_NOT_FOUND, writer_commit(w, &facts, &info));
    AUTO_VALUE(BackupList) list = {0};
    OK(catalog_list(r, NULL, &list));
    assert_int_equal(list.count, 0);
    kit_free(&t);
    AUTO(char) command = mem_printf("rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* What a dead session left behind is read before it is trusted. */
static void test_dead_damaged(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 24, 20000, 0);
    give_up(r, &t, 24);
    AUTO(char) name = NULL;
    OK(store_list(repo_store(r), "packs/", first_pack, &name));
    assert_non_null(name);
    for (size_t i = 0; i < 40; i++)
        flip(repo_store(r), name, 5000 + i * 500000);
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    o.level = 0;
    kit_backup(r, &o, &t, 1, &info);
    kit_compare(r, info.id, &t, 1);
    kit_free(&t);
}

static PackId pack_of_kind(Repo *r, const char *id, PackKind kind)
{
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, id, &m));
    for (size_t i = 0; i < m->pack_count; i++)
        if (m->packs[i].kind == kind)
            return m->packs[i].id;
    fail();
    return (PackId){.n = 0};
}

typedef enum Harm { HARM_DELETE, HARM_CUT, HARM_MARK_PACK, HARM_MARK_FRAME } Harm;

static void harm(Repo *r, PackId pack, Harm how)
{
    char name[NAME_TEXT];
    Store *s = repo_store(r);
    AUTO_VALUE(Buf) b = {0};
    name_pack(pack, name);
    OK(store_get_all(s, name, 1 << 30, &b));
    if (how == HARM_DELETE || how == HARM_CUT)
        OK(store_delete(s, name));
    if (how == HARM_CUT)
        OK(store_put(s, name, b.data, b.len - 100));
    if (how == HARM_MARK_PACK)
        OK(damage_put(r, pack, UINT32_MAX, "test"));
    if (how == HARM_MARK_FRAME)
        OK(damage_put(r, pack, 3, "test"));
}

#define HEAL_ROWS (kit_sanitized() ? 20000u : 40000u)
/* Whatever happens to a pack of the parent, the next backup is whole again. */
static void heal(PackKind kind, Harm how, uint64_t least, uint64_t most)
{
    AUTO(Repo) r = kit_repo();
    KitTable t[2] = {kit_table("orders", 20001, 3, HEAL_ROWS, 0),
                     kit_table("tiny", 20002, 1, 10, 0)};
    AUTO_VALUE(BackupInfo) a = {0};
    AUTO_VALUE(BackupInfo) b = {0};
    AUTO_VALUE(BackupInfo) c = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, t, 2, &a);
    harm(r, pack_of_kind(r, a.id, kind), how);
    kit_backup(r, &o, t, 2, &b);
    kit_compare(r, b.id, t, 2);
    uint64_t raw = raw_new(r, b.id, a.id);
    assert_in_range(raw, least, most);
    kit_backup(r, &o, t, 2, &c);
    /* At most the small table, which alone holds the first one's pack. */
    assert_true(c.new_bytes <= c.manifest_size + 1000);
    kit_compare(r, c.id, t, 2);
    kit_free(&t[0]);
    kit_free(&t[1]);
}

static void test_healing(void **state)
{
    (void)state;
    KitTable t = kit_table("orders", 20001, 3, HEAL_ROWS, 0);
    uint64_t all = kit_bytes(&t);
    kit_free(&t);
    heal(PACK_DATA, HARM_DELETE, all, all + 2000);
    heal(PACK_DATA, HARM_CUT, all, all + 2000);
    heal(PACK_DATA, HARM_MARK_PACK, all, all + 2000);
    heal(PACK_DATA, HARM_MARK_FRAME, 200000, 300000);
    heal(PACK_RECIPE, HARM_DELETE, all - 1000, all + 2000);
    heal(PACK_RECIPE, HARM_CUT, all - 1000, all + 2000);
    heal(PACK_RECIPE, HARM_MARK_PACK, 0, 0);
}

/* The first `part` percent of the rows of every piece at another version. */
static void rewrite_rows(KitTable *t, uint64_t rows, uint64_t percent)
{
    for (uint32_t p = 0; p < t->count; p++) {
        t->pieces[p].len = 0;
        for (uint64_t i = 0; i < rows; i++)
            kit_row(&t->pieces[p], p * rows + i, i < rows * percent / 100);
    }
}

/* A pack of which a fifth is left is written out of the way, a twentieth of the data a run (after
 * the run that changed so much a tenth), until nothing refers to it any more. */
static void test_sparse_pack(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 3, 40000, 0);
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, &t, 1, &info);
    PackId old = pack_of_kind(r, info.id, PACK_DATA);
    rewrite_rows(&t, 40000, 80);
    kit_backup(r, &o, &t, 1, &info);
    uint64_t total = 0, logical = info.logical_size;
    for (int run = 0; run < 6; run++) {
        kit_backup(r, &o, &t, 1, &info);
        assert_true(info.rewritten <= logical / (run ? 20 : 10));
        assert_true(run > 1 || info.rewritten > logical / (run ? 25 : 12));
        total += info.rewritten;
        kit_compare(r, info.id, &t, 1);
    }
    assert_int_equal(info.rewritten, 0);
    assert_in_range(total, logical / 100 * 17, logical / 100 * 23);
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, info.id, &m));
    assert_null(manifest_find_pack(m, old));
    kit_free(&t);
}

/* 40 days with changes all over: the packs do not add up, and no day pays much for that. */
static void test_many_runs(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    const uint64_t rows = kit_sanitized() ? 6000 : 20000;
    KitTable t = kit_table("orders", 20001, 3, rows, 0);
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    uint64_t rewritten = 0;
    size_t most = 0;
    for (uint64_t day = 0; day < (kit_sanitized() ? 22 : 40); day++) {
        for (uint32_t p = 0; p < t.count; p++) {
            t.pieces[p].len = 0;
            for (uint64_t i = 0; i < rows; i++) {
                uint64_t id = p * rows + i, phase = kit_mix(id) % 4000;
                kit_row(&t.pieces[p], id, phase < day ? 1 + day - phase % 3 : 0);
            }
        }
        kit_backup(r, &o, &t, 1, &info);
        rewritten += info.rewritten;
        assert_true(info.rewritten <= info.logical_size / 10);
        AUTO(Manifest) m = NULL;
        OK(catalog_load(r, info.id, &m));
        if (m->pack_count > most)
            most = m->pack_count;
    }
    kit_compare(r, info.id, &t, 1);
    assert_true(rewritten > 0);
    assert_true(most < 45);
    kit_free(&t);
}

/* Which backup becomes the parent. */
static void test_parent(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 1, 5000, 0);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, &t, 1, &first);
    o.filter = "schema=public";
    kit_backup(r, &o, &t, 1, &info);
    assert_string_equal(info.parent, first.id); /* a whole one serves a part */
    assert_int_equal(info.sequence, 1);         /* of a lineage of its own */
    AUTO(char) part = mem_strdup(info.id);
    o.filter = NULL;
    kit_backup(r, &o, &t, 1, &info);
    assert_string_equal(info.parent, first.id); /* but a part not the whole */
    assert_int_equal(info.sequence, 2);
    o.filter = "schema=public";
    o.parent = "";
    kit_backup(r, &o, &t, 1, &info);
    assert_string_equal(info.parent, "");
    assert_true(raw_new(r, info.id, NULL) == kit_bytes(&t));
    o.parent = part;
    kit_backup(r, &o, &t, 1, &info);
    assert_string_equal(info.parent, part);
    assert_true(info.new_bytes <= info.manifest_size + 16);
    o.parent = "shop-20200101T000000Z";
    AUTO(Writer) w = NULL;
    FAILS(ERR_NOT_FOUND, writer_open(r, &o, NULL, &w));
    /* Renamed: found by its OID. Restored elsewhere under another OID: by its name. */
    o = kit_options();
    t.name = "orders_2024";
    kit_backup(r, &o, &t, 1, &info);
    assert_true(info.new_bytes <= info.manifest_size + 16);
    o.system_identifier = "7300000000000000002";
    o.database_oid = 16999;
    t.oid = 777;
    kit_backup(r, &o, &t, 1, &info);
    assert_true(info.new_bytes <= info.manifest_size + 16);
    /* A deleted one is no parent, but its number is not given again. */
    AUTO_VALUE(BackupInfo) next = {0};
    OK(trash_put(r, info.id));
    kit_backup(r, &o, &t, 1, &next);
    assert_string_not_equal(next.parent, info.id);
    assert_int_equal(next.sequence, info.sequence + 1);
    assert_string_equal(next.predecessor_hash, info.checksum);
    kit_free(&t);
}

static uint32_t pages_of(Repo *r, uint32_t oid, const char *name)
{
    AUTO(Writer) w = NULL;
    WriterOptions o = kit_options();
    OK(writer_open(r, &o, NULL, &w));
    return writer_piece_pages(w, oid, "public", name, 8192);
}

static void test_piece_pages(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 2, 100, 0);
    t.piece_pages = 1024;
    assert_int_equal(pages_of(r, 20001, "orders"), 8192);
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, &t, 1, &info);
    assert_int_equal(pages_of(r, 20001, "other"), 1024);
    assert_int_equal(pages_of(r, 1, "orders"), 1024);
    assert_int_equal(pages_of(r, 1, "other"), 8192);
    kit_free(&t);
}

/* Groups of large objects (pg_dump 17 on) have no name and new numbers each time. */
static void object_groups(Repo *r, uint32_t first_number, const KitTable *groups, size_t count,
                          BackupInfo *out)
{
    AUTO(Writer) w = NULL;
    AUTO(PieceWriter) p = NULL;
    WriterOptions o = kit_options();
    OK(writer_open(r, &o, NULL, &w));
    OK(piece_writer_new(w, &p));
    for (uint32_t i = 0; i < count; i++) {
        StreamSpec spec = {.kind = STREAM_LARGE_OBJECTS,
                           .dump_id = first_number + i,
                           .schema = "",
                           .name = "large objects",
                           .pieces = 1};
        uint32_t stream;
        OK(writer_add_stream(w, &spec, &stream));
        kit_piece(p, &groups[i], stream, 0);
    }
    OK(piece_writer_finish(p));
    kit_commit(w, out);
}

static void test_object_groups(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable groups[3];
    for (uint32_t i = 0; i < 3; i++)
        groups[i] = kit_table("group", 0, 1, 20000, i * 1000000);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) second = {0};
    object_groups(r, 100, groups, 3, &first);
    object_groups(r, 207, groups, 3, &second);
    assert_true(raw_new(r, second.id, first.id) == 0);
    for (uint32_t i = 0; i < 3; i++)
        kit_free(&groups[i]);
}

/* Many tables are found as fast as few: each by its own OID, or in another database by its name. */
static void test_many_tables(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    enum { MANY = 3000 };
    KitTable *tables = mem_calloc(MANY, sizeof *tables);
    AUTO_VALUE(StrList) names = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        strlist_own(&names, mem_printf("table %u", i * 7919 % MANY));
        tables[i] = kit_table(names.items[i], 60000 - i, 1, 3, i * 10);
    }
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, tables, MANY, &info);
    AUTO(char) first = mem_strdup(info.id);
    kit_backup(r, &o, tables, MANY, &info);
    assert_true(raw_new(r, info.id, first) == 0);
    o.system_identifier = "7300000000000000002";
    for (uint32_t i = 0; i < MANY; i++)
        tables[i].oid = 60001 - i; /* the neighbour's */
    kit_backup(r, &o, tables, MANY, &info);
    assert_true(raw_new(r, info.id, first) == 0);
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, info.id, &m));
    for (uint32_t i = 0; i < MANY; i++) {
        const Stream *s = manifest_find_stream(m, STREAM_TABLE, tables[i].oid);
        assert_non_null(s);
        assert_string_equal(s->name, tables[i].name);
    }
    assert_null(manifest_find_stream(m, STREAM_TABLE, 60002));
    assert_null(manifest_find_stream(m, STREAM_LARGE_OBJECTS, 60001));
    for (uint32_t i = 0; i < MANY; i++)
        kit_free(&tables[i]);
    free(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_content_cut),
        cmocka_unit_test(test_continued),
        cmocka_unit_test(test_dead_damaged),
        cmocka_unit_test(test_healing),
        cmocka_unit_test(test_sparse_pack),
        cmocka_unit_test(test_many_runs),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_piece_pages),
        cmocka_unit_test(test_object_groups),
        cmocka_unit_test(test_many_tables),
        cmocka_unit_test(test_dead_and_parent),
        cmocka_unit_test(test_dead_made_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
