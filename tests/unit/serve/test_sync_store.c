/* What peers read and write of a repository, and what they may not. */
#include "../store/store_setup.h"

#include "repo/names.h"
#include "repo/session_peer.h"
#include "serve/sync_store.h"

#define SESSION "sessions/0123456789abcdef01234567"
#define PACK "packs/00/0123456789abcdef01234567-0"
#define OTHERS "packs/00/ffffffffffffffffffffffff-0"

typedef struct Bench {
    SyncStores *stores;
    char *folder;
    SyncRight writer, reader, other; /* other: another host's sync */
} Bench;

static void begin(Bench *b, const char *name)
{
    AUTO(Store) s = NULL;
    b->folder = setup_path(name);
    OK(store_open_dir(b->folder, true, &s));
    OK(store_put(s, "config", "a config", 8));
    OK(store_put(s, OTHERS, "0123456789", 10));
    OK(store_put(s, "ledger/one", "x", 1));
    b->stores = sync_stores_new();
    b->writer = (SyncRight){"one", "north", b->folder, true};
    b->reader = (SyncRight){"two", "north", b->folder, false};
    b->other = (SyncRight){"three", "south", b->folder, true};
}

static void end(Bench *b)
{
    sync_stores_free(b->stores);
    free(b->folder);
}

static void sum(const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    AUTO(Hash) h = hash_new();
    hash_once(h, p, n, out);
}

/* One piece; `all`: what the whole is, where this is the last. */
static Error *put_piece(Bench *b, const SyncRight *r, const char *name, const char *upload,
                        uint64_t offset, const char *bytes, const char *all)
{
    uint64_t have;
    SyncPiece p = {.name = name,
                   .upload = upload,
                   .offset = offset,
                   .bytes = (const uint8_t *)bytes,
                   .n = strlen(bytes),
                   .last = all != NULL};
    sum(bytes, p.n, p.sha256);
    if (all)
        sum(all, strlen(all), p.whole);
    return sync_store_put(b->stores, r, &p, &have);
}

static Error *put(Bench *b, const SyncRight *r, const char *name, const char *bytes)
{
    return put_piece(b, r, name, "", 0, bytes, bytes);
}

static void assert_holds(const Bench *b, const char *name, const char *expected)
{
    AUTO(Store) s = NULL;
    AUTO_VALUE(Buf) got = {0};
    OK(store_open_dir(b->folder, false, &s));
    OK(store_get_all(s, name, 1000, &got));
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
}

static void test_rights(void **state)
{
    (void)state;
    Bench b;
    AUTO_VALUE(Buf) out = {0};
    uint64_t size;
    begin(&b, "rights");
    /* A pack comes after the session that it is named by, and both are this sync's. */
    FAILS(ERR_REPO_PERMISSION, put(&b, &b.writer, PACK, "a pack"));
    OK(put(&b, &b.writer, SESSION, "a session"));
    OK(put(&b, &b.writer, PACK, "a pack"));
    FAILS(ERR_REPO_PERMISSION, put(&b, &b.other, "packs/01/0123456789abcdef01234567-1", "a pack"));
    FAILS(ERR_EXISTS, put(&b, &b.other, SESSION, "another session"));
    assert_holds(&b, SESSION, "a session");
    OK(put(&b, &b.writer, "backups/shop-20240115T103000Z.manifest", "a manifest"));
    FAILS(ERR_EXISTS, put(&b, &b.other, "backups/shop-20240115T103000Z.manifest", "another"));
    assert_holds(&b, "backups/shop-20240115T103000Z.manifest", "a manifest");
    static const char *const never[] = {
        "config", "keys/a.slot",   "trash/shop",   "ledger/two",           "pins/shop", "tmp/a",
        "../a",   "packs/../../a", "peers/a.gone", "backups/a/b.manifest", "purges/a",  ""};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        FAILS(ERR_REPO_PERMISSION, put(&b, &b.writer, never[i], "x"));
    /* A reader puts his session and nothing else. */
    OK(put(&b, &b.reader, "sessions/aaaaaaaaaaaaaaaaaaaaaaaa", "a reader"));
    FAILS(ERR_REPO_PERMISSION, put(&b, &b.reader, "packs/00/aaaaaaaaaaaaaaaaaaaaaaaa-0", "x"));
    FAILS(ERR_REPO_PERMISSION, put(&b, &b.reader, "backups/b.manifest", "x"));
    /* Deleted are sessions alone, by the host whose they are. */
    FAILS(ERR_REPO_PERMISSION, sync_store_remove(b.stores, &b.writer, PACK));
    FAILS(ERR_REPO_PERMISSION, sync_store_remove(b.stores, &b.writer, OTHERS));
    FAILS(ERR_REPO_PERMISSION, sync_store_remove(b.stores, &b.other, SESSION));
    OK(sync_store_remove(b.stores, &b.reader, SESSION)); /* a later sync of the same host */
    FAILS(ERR_REPO_PERMISSION, put(&b, &b.writer, "packs/02/0123456789abcdef01234567-2", "late"));
    /* Read is what a copy needs. */
    OK(sync_store_get(b.stores, &b.reader, OTHERS, 8, 100, &out, &size));
    assert_int_equal(size, 10);
    assert_int_equal(out.len, 2);
    FAILS(ERR_REPO_PERMISSION,
          sync_store_get(b.stores, &b.reader, "ledger/one", 0, 1, &out, &size));
    FAILS(ERR_REPO_PERMISSION, sync_store_list(b.stores, &b.reader, "ledger/", "", 0, &out));
    FAILS(ERR_REPO_PERMISSION, sync_store_list(b.stores, &b.reader, "packs/../", "", 0, &out));
    FAILS(ERR_NOT_FOUND, sync_store_size(b.stores, &b.reader, "packs/00/a", &size));
    end(&b);
}

static void test_pieces(void **state)
{
    (void)state;
    Bench b;
    uint64_t have;
    bool done;
    begin(&b, "pieces");
    OK(put(&b, &b.writer, SESSION, "a session"));
    OK(put_piece(&b, &b.writer, PACK, "aa", 0, "hello ", NULL));
    OK(put_piece(&b, &b.writer, PACK, "aa", 0, "hello ", NULL)); /* its answer was lost */
    OK(sync_store_have(b.stores, &b.writer, PACK, "aa", &have, &done));
    assert_true(have == 6 && !done);
    FAILS(ERR_CONFLICT, put_piece(&b, &b.writer, PACK, "aa", 0, "other ", NULL));
    FAILS(ERR_CONFLICT, put_piece(&b, &b.writer, PACK, "aa", 9, "gap", NULL));
    FAILS(ERR_CONFLICT, put_piece(&b, &b.writer, PACK, "bb", 6, "world", "hello world"));
    OK(put_piece(&b, &b.writer, PACK, "aa", 6, "world", "hello world"));
    assert_holds(&b, PACK, "hello world");
    /* Its last answer was lost, also where the service was started again since. */
    OK(put_piece(&b, &b.writer, PACK, "aa", 6, "world", "hello world"));
    FAILS(ERR_CONFLICT, put_piece(&b, &b.writer, PACK, "aa", 6, "w0rld", "hello w0rld"));
    /* Another writing of the same name: as a whole it is there, or it is another object. */
    OK(put(&b, &b.writer, PACK, "hello world"));
    FAILS(ERR_EXISTS, put(&b, &b.writer, PACK, "hello w0rld"));
    assert_holds(&b, PACK, "hello world");
    OK(sync_store_have(b.stores, &b.writer, PACK, "aa", &have, &done));
    assert_true(have == 0 && done);
    /* Damaged on the way. */
    SyncPiece p = {.name = "packs/02/0123456789abcdef01234567-2",
                   .upload = "",
                   .bytes = (const uint8_t *)"abc",
                   .n = 3};
    FAILS(ERR_NETWORK, sync_store_put(b.stores, &b.writer, &p, &have));
    FAILS(ERR_DAMAGED, put_piece(&b, &b.writer, p.name, "", 0, "abc", "abd"));
    OK(sync_store_have(b.stores, &b.writer, p.name, "", &have, &done));
    assert_true(have == 0 && !done);
    OK(put(&b, &b.writer, p.name, "abc"));
    end(&b);
}

static size_t unfinished(const Bench *b)
{
    AUTO(Store) s = NULL;
    uint64_t files, bytes;
    OK(store_open_dir(b->folder, false, &s));
    OK(store_sweep(s, -1000, true, &files, &bytes));
    return (size_t)files;
}

static Error *lives_two(void *ctx, const char *session, bool *lives)
{
    (void)ctx;
    *lives = !strcmp(session, "two");
    return NULL;
}

static void test_what_is_over(void **state)
{
    (void)state;
    Bench b;
    AUTO(Store) s = NULL;
    AUTO_VALUE(SessionsGone) gone = {0};
    char upload[16];
    begin(&b, "over");
    OK(put(&b, &b.writer, SESSION, "a session"));
    OK(put(&b, &b.reader, "sessions/aaaaaaaaaaaaaaaaaaaaaaaa", "a reader"));
    for (unsigned i = 0; i < SYNC_UPLOADS_MAX; i++) {
        snprintf(upload, sizeof upload, "%x", i);
        OK(put_piece(&b, &b.writer, PACK, upload, 0, "begun", NULL));
    }
    FAILS(ERR_RATE, put_piece(&b, &b.writer, PACK, "fff", 0, "begun", NULL));
    assert_int_equal(unfinished(&b), SYNC_UPLOADS_MAX);
    OK(sync_stores_sweep(b.stores, lives_two, NULL, 60000));
    assert_int_equal(unfinished(&b), 0);
    OK(sync_store_give_up(b.folder, lives_two, NULL));
    OK(sync_store_give_up(b.folder, lives_two, NULL));
    OK(store_open_dir(b.folder, false, &s));
    OK(sessions_gone_list(s, &gone));
    assert_int_equal(gone.count, 1);
    SessionId id;
    assert_true(text_unhex(&SESSION[9], id.b, sizeof id.b));
    assert_true(sessions_gone_has(&gone, id));
    /* From then on nothing of it comes any more, though somebody still thinks that it lives. */
    FAILS(ERR_REPO_PERMISSION, put(&b, &b.writer, PACK, "a pack"));
    FAILS(ERR_EXISTS, put(&b, &b.writer, SESSION, "a session"));
    /* Where the session is gone, so is what is known of it. */
    OK(store_delete(s, SESSION));
    OK(sync_store_give_up(b.folder, lives_two, NULL));
    sessions_gone_clear(&gone);
    OK(sessions_gone_list(s, &gone));
    assert_int_equal(gone.count, 0);
    end(&b);
}

typedef struct Got {
    size_t count;
    char last[64];
    size_t heads;
} Got;

static Error *take(void *ctx, const PeerObject *o)
{
    Got *g = ctx;
    g->count++;
    g->heads += o->head_bytes;
    snprintf(g->last, sizeof g->last, "%s", o->name);
    return NULL;
}

static void test_lists(void **state)
{
    (void)state;
    Bench b;
    AUTO(Store) s = NULL;
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) some = {0};
    Got got = {0};
    bool more = true;
    size_t pages = 0;
    begin(&b, "lists");
    OK(store_open_dir(b.folder, false, &s));
    OK(buf_reserve(&text, 40000, 40000));
    memset(text.data, 'x', text.cap);
    for (int i = 0; i < 300; i++) {
        AUTO(char) name = mem_printf("pins/%03d", i);
        OK(store_put(s, name, text.data, 40000));
    }
    while (more) {
        AUTO_VALUE(Buf) out = {0};
        OK(sync_store_list(b.stores, &b.reader, "pins/", got.last, 30000, &out));
        assert_true(out.len <= PEER_LIST_BYTES);
        OK(peer_wire_read(&out, take, &got, &more));
        pages++;
        out.data[out.len / 2] ^= 1;
        FAILS(ERR_NETWORK, peer_wire_read(&out, take, &got, &more));
        out.data[out.len / 2] ^= 1;
        OK(peer_wire_read(&out, take, &(Got){0}, &more));
    }
    assert_int_equal(got.count, 300);
    assert_int_equal(got.heads, 300 * 30000);
    assert_string_equal(got.last, "pins/299");
    assert_true(pages > 2);
    got = (Got){0};
    OK(sync_store_look(b.stores, &b.reader, "config\npins/000\npins/none\n", 26, 0, &some));
    OK(peer_wire_read(&some, take, &got, &more));
    assert_int_equal(got.count, 3);
    end(&b);
}

/* What is there is told by its hash, so that the other side need not fetch it; what it builds on is
 * made durable first. */
static void test_what_is_there_already(void **state)
{
    (void)state;
    Bench b;
    uint8_t got[HASH_BYTES], wanted[HASH_BYTES];
    uint64_t size, space;
    begin(&b, "there");
    sum("0123456789", 10, wanted);
    OK(sync_store_hash(b.stores, &b.reader, OTHERS, got, &size));
    assert_true(size == 10);
    assert_memory_equal(got, wanted, HASH_BYTES);
    FAILS(ERR_NOT_FOUND, sync_store_hash(b.stores, &b.reader, PACK, got, &size));
    FAILS(ERR_REPO_PERMISSION, sync_store_hash(b.stores, &b.reader, "ledger/one", got, &size));
    OK(sync_store_free_space(b.stores, &b.reader, &space));
    assert_true(space > 0);
    OK(sync_store_adopt(b.stores, &b.writer, OTHERS "\n", sizeof OTHERS));
    FAILS(ERR_REPO_PERMISSION, sync_store_adopt(b.stores, &b.reader, OTHERS "\n", sizeof OTHERS));
    FAILS(ERR_REPO_PERMISSION, sync_store_adopt(b.stores, &b.writer, "ledger/one", 10));
    end(&b);
}

/* So many at once are open: one that nobody uses makes room, one that is in the middle does not. */
static void test_many_syncs(void **state)
{
    (void)state;
    Bench b;
    char session[32], name[64];
    begin(&b, "many");
    uint64_t size;
    for (unsigned i = 0; i < 2 * SYNC_STORES_MAX; i++) {
        snprintf(session, sizeof session, "s-%u", i);
        SyncRight r = {session, "north", b.folder, false};
        OK(sync_store_size(b.stores, &r, OTHERS, &size));
    }
    for (unsigned i = 0; i < SYNC_STORES_MAX; i++) {
        snprintf(session, sizeof session, "w-%u", i);
        snprintf(name, sizeof name, "sessions/%024x", i);
        SyncRight r = {session, "north", b.folder, true};
        OK(put_piece(&b, &r, name, "a", 0, "begun", NULL));
    }
    FAILS(ERR_RATE, sync_store_size(b.stores, &b.reader, OTHERS, &size));
    /* What nothing was heard of for long is closed, though its sync lives. */
    OK(sync_stores_sweep(b.stores, lives_two, NULL, -1));
    OK(sync_store_size(b.stores, &b.reader, OTHERS, &size));
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_what_is_over),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_what_is_there_already),
        cmocka_unit_test(test_many_syncs),
    };
    return cmocka_run_group_tests(tests, setup_make, setup_drop);
}
