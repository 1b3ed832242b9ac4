#include "kit.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flow/group.h"

/* The same data again: nothing new but a manifest, and the very same places. */
static void test_unchanged(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t[2] = {kit_table("orders", 20001, 3, 40000, 0), kit_table("tiny", 20002, 1, 10, 0)};
    AUTO_VALUE(BackupInfo) a = {0};
    AUTO_VALUE(BackupInfo) b = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, t, 2, &a);
    assert_string_equal(a.id, "shop-20240115T103000Z");
    assert_string_equal(a.key, "20240115103000");
    assert_int_equal(a.logical_size, kit_bytes(&t[0]) + kit_bytes(&t[1]));
    assert_int_equal(a.rows, 120010);
    assert_int_equal(a.sequence, 1);
    assert_true(a.new_bytes == a.size || a.new_bytes > a.size / 100 * 99);
    kit_compare(r, a.id, t, 2);
    kit_backup(r, &o, t, 2, &b);
    assert_string_equal(b.id, "shop-20240115T103001Z"); /* moved on */
    assert_string_equal(b.parent, a.id);
    assert_int_equal(b.sequence, 2);
    assert_string_equal(b.predecessor_hash, a.checksum);
    assert_true(b.new_bytes == b.manifest_size || b.new_bytes < b.manifest_size + 16);
    kit_compare(r, b.id, t, 2);
    AUTO(Manifest) ma = NULL;
    AUTO(Manifest) mb = NULL;
    OK(catalog_load(r, a.id, &ma));
    OK(catalog_load(r, b.id, &mb));
    for (size_t i = 0; i < 3; i++) {
        const RecipeRef *x = &ma->streams[0].pieces[i].recipe,
                        *y = &mb->streams[0].pieces[i].recipe;
        assert_true(pack_id_equal(x->pack, y->pack) && x->frame == y->frame);
    }
    kit_free(&t[0]);
    kit_free(&t[1]);
}

static void set_row(KitTable *t, uint32_t piece, uint64_t rows, uint64_t first,
                    bool (*changed)(uint64_t id))
{
    Buf *b = &t->pieces[piece];
    b->len = 0;
    for (uint64_t i = 0; i < rows; i++)
        kit_row(b, first + i, changed(first + i));
}

static bool one_in_5000(uint64_t id)
{
    return id % 5000 == 77;
}

/* 24 of 120,000 rows changed: about as many chunks are new, and a page of recipe for each. */
static void test_changes(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 3, 40000, 0);
    AUTO_VALUE(BackupInfo) a = {0};
    AUTO_VALUE(BackupInfo) b = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, &t, 1, &a);
    KitTable before = kit_table("orders", 20001, 3, 40000, 0);
    for (uint32_t p = 0; p < 3; p++)
        set_row(&t, p, 40000, p * 40000, one_in_5000);
    kit_backup(r, &o, &t, 1, &b);
    assert_true(b.new_bytes > 50000 && b.new_bytes < 30 * 11000);
    kit_compare(r, a.id, &before, 1);
    kit_compare(r, b.id, &t, 1);
    kit_free(&t);
    kit_free(&before);
}

/* 300 tables of a few rows, and one that is empty: they lie in a handful of frames. */
static void test_small_streams(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t[301];
    char names[301][16];
    for (uint32_t i = 0; i < 301; i++) {
        snprintf(names[i], sizeof names[i], "t%u", i);
        t[i] = kit_table(names[i], 30000 + i, 1, i == 300 ? 0 : 1 + i % 17, i * 100);
    }
    AUTO_VALUE(BackupInfo) a = {0};
    AUTO_VALUE(BackupInfo) b = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, t, 301, &a);
    kit_compare(r, a.id, t, 301);
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, a.id, &m));
    assert_int_equal(m->pack_count, 1);
    PackInfo info;
    FrameInfo *frames;
    size_t count;
    OK(pack_read_footer(repo_packs(r), m->packs[0].id, &info, &frames, &count));
    assert_true(count <= 2);
    assert_int_equal(frames[0].oid, 0);
    free(frames);
    kit_backup(r, &o, t, 301, &b);
    assert_true(b.new_bytes <= b.manifest_size + 16);
    for (uint32_t i = 0; i < 301; i++)
        kit_free(&t[i]);
}

/* 100 MB in one row, into a directory: memory stays bounded. */
static void test_huge_row(void **state)
{
    (void)state;
    char path[] = "/tmp/pgstow-unit-XXXXXX";
    assert_non_null(mkdtemp(path));
    Store *s;
    AUTO(Repo) r = NULL;
    AUTO(Writer) w = NULL;
    AUTO(PieceWriter) p = NULL;
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    OK(store_open_dir(path, true, &s));
    OK(kit_open(s, &r));
    OK(writer_open(r, &o, NULL, &w));
    KitTable t = {.name = "big", .oid = 5, .count = 1};
    uint32_t stream = kit_add(w, &t);
    OK(piece_writer_new(w, &p));
    static uint64_t part[8192];
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    OK(piece_begin(p, stream, 0));
    for (uint64_t i = 0; i < 1600; i++) {
        for (uint64_t k = 0; k < 8192; k++)
            part[k] = kit_mix(i * 8192 + k) | 0x4040404040404040u; /* no '\n' among them */
        OK(piece_write(p, part, sizeof part));
    }
    OK(piece_write(p, "\n", 1));
    OK(piece_end(p, 1));
    OK(piece_writer_finish(p));
    getrusage(RUSAGE_SELF, &after);
    kit_commit(w, &info);
    assert_int_equal(info.logical_size, 1600 * 65536 + 1);
    assert_int_equal(info.rows, 1);
    if (!kit_sanitized())
        assert_true(after.ru_maxrss - before.ru_maxrss < 24 << 10);
    AUTO(Manifest) m = NULL;
    AUTO(StreamReader) sr = NULL;
    OK(catalog_load(r, info.id, &m));
    assert_true(m->streams[0].piece_count > 1);
    OK(stream_reader_open(r, m, &m->streams[0], &sr));
    const uint8_t *at;
    size_t n;
    uint64_t bytes = 0;
    do {
        OK(stream_reader_next(sr, &at, &n));
        bytes += n;
    } while (n);
    assert_int_equal(bytes, info.logical_size);
    AUTO(char) command = mem_printf("rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* Another run declared this one dead: its commit fails and shows nothing. */
static void test_fenced(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 1, 1000, 0);
    WriterOptions o = kit_options();
    AUTO(Writer) w = NULL;
    OK(writer_open(r, &o, NULL, &w));
    kit_tables(w, &t, 1);
    SessionInfo *list;
    size_t count;
    bool committed;
    OK(session_list(r, &list, &count));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].backup_id, writer_id(w));
    OK(session_fence(r, &list[0], session_id_new(), &committed));
    assert_false(committed);
    BackupInfo facts = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    FAILS(ERR_FENCED, writer_commit(w, &facts, &info));
    AUTO_VALUE(BackupList) l = {0};
    OK(catalog_list(r, NULL, &l));
    assert_int_equal(l.count, 0);
    assert_int_equal(l.damaged.count, 0);
    session_info_clear(&list[0]);
    free(list);
    writer_free(STEAL(w));
    /* The next one takes the id after it, and what was stored. */
    AUTO_VALUE(BackupInfo) again = {0};
    kit_backup(r, &o, &t, 1, &again);
    assert_string_equal(again.id, "shop-20240115T103001Z");
    kit_compare(r, again.id, &t, 1);
    OK(session_list(r, &list, &count));
    assert_int_equal(count, 0);
    free(list);
    kit_free(&t);
}

static void test_busy(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    WriterOptions o = kit_options();
    AUTO(Writer) a = NULL;
    AUTO(Writer) b = NULL;
    OK(writer_open(r, &o, NULL, &a));
    Error *e = writer_open(r, &o, NULL, &b);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_BUSY);
    AUTO(char) pid = mem_printf("process %d on", (int)getpid());
    assert_non_null(strstr(error_message(e), pid));
    error_free(e);
    o.server = "elsewhere:5432"; /* a database of the same name on another server */
    OK(writer_open(r, &o, NULL, &b));
    assert_string_not_equal(writer_id(a), writer_id(b));
    writer_free(STEAL(b));
    writer_free(STEAL(a)); /* wrote nothing: no trace */
    o = kit_options();
    OK(writer_open(r, &o, NULL, &a));
    assert_string_equal(writer_id(a), "shop-20240115T103000Z");
}

/* Whether a writer gives up the session of a run on another host, at the same server address. */
static bool gives_up(const char *system_identifier)
{
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(SessionInfo)
    s = {.kind = SESSION_WRITER,
         .backup_id = mem_strdup("shop-20240115T103000Z"),
         .database = mem_strdup("shop"),
         .server = mem_strdup("localhost:5432"),
         .system_identifier = mem_strdup(system_identifier),
         .what = mem_strdup("backup"),
         .database_oid = 16384};
    session_info_here(&s);
    free(s.host);
    s.host = mem_strdup("another");
    OK(session_put(r, &s));
    AUTO(Writer) w = NULL;
    WriterOptions o = kit_options();
    OK(writer_open(r, &o, NULL, &w));
    assert_string_not_equal(writer_id(w), s.backup_id);
    bool fenced;
    OK(store_exists(repo_store(r), "backups/shop-20240115T103000Z.manifest", &fenced));
    return fenced;
}

/* Every host's own server is "localhost", and only the lock of the same one says that a run on
 * another host is dead. */
static void test_other_hosts(void **state)
{
    (void)state;
    assert_true(gives_up("7300000000000000001"));
    assert_true(gives_up("")); /* not everybody may ask for it */
    assert_false(gives_up("7300000000000000002"));
}

typedef struct Rival {
    Repo *repo;
    const char *server;
    pthread_barrier_t *start;
    Writer *w;
} Rival;

static Error *open_rival(void *arg)
{
    Rival *v = arg;
    WriterOptions o = kit_options();
    o.server = v->server;
    pthread_barrier_wait(v->start);
    return writer_open(v->repo, &o, NULL, &v->w);
}

/* Databases of one name on several servers, backed up in the same moment: no two get one id. */
static void test_same_moment(void **state)
{
    (void)state;
    const char *servers[] = {"one:5432", "two:5432"};
    for (int round = 0; round < 1000; round++) {
        AUTO(Repo) r = kit_repo();
        AUTO(Group) g = NULL;
        pthread_barrier_t start;
        Rival rivals[2];
        pthread_barrier_init(&start, NULL, 2);
        OK(group_new(NULL, &g));
        for (int i = 0; i < 2; i++) {
            rivals[i] = (Rival){r, servers[i], &start, NULL};
            OK(group_start(g, open_rival, &rivals[i]));
        }
        OK(group_join(g));
        assert_string_not_equal(writer_id(rivals[0].w), writer_id(rivals[1].w));
        writer_free(rivals[0].w);
        writer_free(rivals[1].w);
        pthread_barrier_destroy(&start);
    }
}

/* What callers get wrong is told, never committed. */
static void test_misuse(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    WriterOptions o = kit_options();
    AUTO(Writer) w = NULL;
    AUTO(PieceWriter) p = NULL;
    AUTO_VALUE(BackupInfo) info = {0};
    KitTable t = kit_table("orders", 20001, 2, 10, 0);
    OK(writer_open(r, &o, NULL, &w));
    uint32_t stream = kit_add(w, &t);
    OK(piece_writer_new(w, &p));
    FAILS(ERR_INTERNAL, piece_begin(p, 1, 0));
    FAILS(ERR_INTERNAL, piece_begin(p, stream, 2));
    kit_piece(p, &t, stream, 0);
    FAILS(ERR_INTERNAL, piece_begin(p, stream, 0));
    BackupInfo facts = {0};
    FAILS(ERR_INTERNAL, writer_commit(w, &facts, &info));
    OK(piece_begin(p, stream, 1));
    OK(piece_write(p, "a\nb\n", 4));
    FAILS(ERR_INTERNAL, piece_writer_finish(p));
    FAILS(ERR_INTERNAL, piece_end(p, 3)); /* there were two rows */
    kit_free(&t);
}

typedef struct Share {
    Writer *w;
    const KitTable *t;
    uint32_t stream, from;
} Share;

static Error *write_share(void *arg)
{
    Share *s = arg;
    AUTO(PieceWriter) p = NULL;
    TRY(piece_writer_new(s->w, &p));
    for (uint32_t i = s->from; i < s->t->count; i += 8)
        kit_piece(p, s->t, s->stream, i);
    for (uint32_t i = 0; i < 10; i++) {
        AUTO(char) name = mem_printf("s%u_%u", s->from, i);
        KitTable small = kit_table(name, 50000 + s->from * 100 + i, 1, 30, s->from * 1000 + i);
        kit_piece(p, &small, kit_add(s->w, &small), 0);
        kit_free(&small);
    }
    return piece_writer_finish(p);
}

static void backup_by_threads(Repo *r, const KitTable *t, BackupInfo *out)
{
    AUTO(Writer) w = NULL;
    AUTO(Group) g = NULL;
    WriterOptions o = kit_options();
    Share shares[8];
    OK(writer_open(r, &o, NULL, &w));
    OK(group_new(NULL, &g));
    uint32_t stream = kit_add(w, t);
    for (uint32_t i = 0; i < 8; i++) {
        shares[i] = (Share){w, t, stream, i};
        OK(group_start(g, write_share, &shares[i]));
    }
    OK(group_join(g));
    kit_commit(w, out);
}

static void test_threads(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 40, 4000, 0);
    AUTO_VALUE(BackupInfo) a = {0};
    AUTO_VALUE(BackupInfo) b = {0};
    backup_by_threads(r, &t, &a);
    backup_by_threads(r, &t, &b);
    assert_true(b.new_bytes <= b.manifest_size + 16);
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, b.id, &m));
    assert_int_equal(m->stream_count, 81);
    uint64_t raw = 0, used = 0;
    for (size_t i = 0; i < m->pack_count; i++) {
        raw += m->packs[i].kind == PACK_DATA ? m->packs[i].raw : 0;
        used += m->packs[i].kind == PACK_DATA ? m->packs[i].used : 0;
    }
    assert_int_equal(raw, used); /* every byte once */
    assert_int_equal(raw, b.logical_size);
    for (size_t i = 0; i < 81; i++) {
        AUTO_VALUE(Buf) whole = {0};
        OK(stream_read_all(r, m, &m->streams[i], 1 << 30, &whole));
    }
    kit_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),     cmocka_unit_test(test_changes),
        cmocka_unit_test(test_small_streams), cmocka_unit_test(test_huge_row),
        cmocka_unit_test(test_fenced),        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_misuse),        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_other_hosts),   cmocka_unit_test(test_same_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
