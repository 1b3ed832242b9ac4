/* Prune beside all others: whatever somebody does between any two of its calls of the store, a
 * backup that is there afterwards is whole, and what nobody needs goes with the next prune. */
#include "kit.h"

#include "repo/lineage.h"
#include "repo/pin.h"
#include "repo/prune.h"
#include "repo/repo_internal.h"
#include "repo/trash.h"
#include "store/store_internal.h"

/* -- a store that calls somebody before its n-th call ------------------------------------------ */

typedef struct Hook {
    Store base;
    Store *to; /* borrowed */
    unsigned calls, at[2];
    void (*act[2])(void *ctx);
    void *ctx;
} Hook;

typedef struct HookPut {
    StorePut base;
    StorePut *to;
} HookPut;

static Store *pass(Store *s)
{
    Hook *h = (Hook *)s;
    unsigned call = ++h->calls;
    for (int i = 0; i < 2; i++)
        if (h->act[i] && h->at[i] == call)
            h->act[i](h->ctx);
    return h->to;
}

static void hook_free(Store *s)
{
    free(s);
}
static Error *hook_begin(Store *s, const char *name, StorePut **out)
{
    HookPut *p = mem_new(HookPut);
    Error *e = store_put_begin(pass(s), name, &p->to);
    if (e) {
        free(p);
        return e;
    }
    *out = &p->base;
    return NULL;
}
static Error *hook_write(StorePut *p, const void *data, size_t n)
{
    return store_put_write(((HookPut *)p)->to, data, n);
}
static Error *hook_finish(StorePut *p, bool whole)
{
    (void)whole;
    pass(p->store);
    return store_put_finish(((HookPut *)p)->to);
}
static void hook_put_free(StorePut *p)
{
    store_put_free(((HookPut *)p)->to);
    free(p);
}
static Error *hook_barrier(Store *s)
{
    return store_barrier(pass(s));
}
static Error *hook_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    return store_get(pass(s), name, offset, p, n);
}
static Error *hook_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    return store_get_all(pass(s), name, max, out);
}
static Error *hook_size(Store *s, const char *name, uint64_t *size)
{
    return store_size(pass(s), name, size);
}
static Error *hook_remove(Store *s, const char *name)
{
    return store_delete(pass(s), name);
}
static Error *hook_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    return store_list_stamped(pass(s), prefix, each, ctx);
}
static const StoreKind hook_kind = {.free = hook_free,
                                    .begin = hook_begin,
                                    .write = hook_write,
                                    .finish = hook_finish,
                                    .put_free = hook_put_free,
                                    .barrier = hook_barrier,
                                    .get = hook_get,
                                    .get_all = hook_get_all,
                                    .size = hook_size,
                                    .remove = hook_remove,
                                    .list = hook_list};

static Hook *hook_new(Store *to, void *ctx)
{
    Hook *h = mem_new(Hook);
    h->base.kind = &hook_kind;
    h->base.where = mem_strdup("hooked");
    h->to = to;
    h->ctx = ctx;
    return h;
}

/* -- a world: two tables, some backups --------------------------------------------------------- */

#define DAY 86400000ll

typedef struct World {
    Repo *repo; /* of the one who acts */
    KitTable old, now;
    char *first, *second, *made; /* ids; made: what the actor committed, or NULL */
    Writer *writer;
    Error *said;
} World;

static PruneOptions at_once(void)
{
    return (PruneOptions){.now = clock_now() + 1000, .limit_ms = 7 * DAY};
}

static World world_new(void)
{
    World w = {.repo = kit_repo(),
               .old = kit_table("orders", 20001, 2, 80, 0),
               .now = kit_table("orders", 20001, 2, 80, 0)};
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_row(&w.now.pieces[1], 9000, 2);
    kit_backup(w.repo, &o, &w.old, 1, &info);
    w.first = mem_strdup(info.id);
    kit_backup(w.repo, &o, &w.now, 1, &info);
    w.second = mem_strdup(info.id);
    return w;
}

static void world_free(World *w)
{
    writer_free(w->writer);
    error_free(w->said);
    kit_free(&w->old);
    kit_free(&w->now);
    free(w->first);
    free(w->second);
    free(w->made);
    repo_free(w->repo);
}

static Error *count_one(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    (void)size;
    ++*(size_t *)ctx;
    return NULL;
}

static size_t count_in(Repo *r, const char *folder)
{
    size_t n = 0;
    OK(store_list(repo_store(r), folder, count_one, &n));
    return n;
}

/* Every backup that is there is whole; the one that was made is there. */
static void must_be_whole(World *w, const char *when, unsigned a, unsigned b)
{
    AUTO_VALUE(BackupList) list = {0};
    bool made = false;
    OK(catalog_list(w->repo, NULL, &list));
    if (list.damaged.count)
        print_error("%s %u %u: %s\n", when, a, b, list.damaged.items[0]);
    assert_int_equal(list.damaged.count, 0);
    for (size_t i = 0; i < list.count; i++) {
        const BackupInfo *info = &list.items[i];
        AUTO(Manifest) m = NULL;
        OK(catalog_load(w->repo, info->id, &m));
        for (size_t k = 0; k < m->pack_count; k++) {
            char name[NAME_TEXT];
            bool there;
            OK(store_exists(repo_store(w->repo), name_pack(m->packs[k].id, name), &there));
            if (!there)
                print_error("%s at %u, %u: %s has lost %s\n", when, a, b, info->id, name);
            assert_true(there);
        }
        kit_compare(w->repo, info->id, strcmp(info->id, w->first) ? &w->now : &w->old, 1);
        made = made || (w->made && !strcmp(info->id, w->made));
    }
    assert_true(made || !w->made);
}

static unsigned prune_hooked(World *w, unsigned a, unsigned b, void (*first)(void *),
                             void (*second)(void *))
{
    Hook *h = hook_new(repo_store(w->repo), w);
    AUTO(Repo) r = NULL;
    OK(kit_open(&h->base, &r));
    AUTO_VALUE(PruneResult) result = {0};
    PruneOptions o = at_once();
    h->calls = 0;
    h->at[0] = a;
    h->at[1] = b;
    h->act[0] = first;
    h->act[1] = second;
    Error *e = prune_run(r, &o, NULL, &result);
    /* It may be told that it was taken for dead, or that all changed too fast; nothing else. */
    if (e && error_kind(e) != ERR_BUSY && error_kind(e) != ERR_FENCED)
        OK(e);
    else
        error_free(e);
    return h->calls;
}

/* -- those who act ----------------------------------------------------------------------------- */

static void open_writer(void *ctx)
{
    World *w = ctx;
    WriterOptions o = kit_options();
    o.timestamp += 1000000;
    error_free(w->said);
    w->said = writer_open(w->repo, &o, NULL, &w->writer);
}

static void commit(void *ctx)
{
    World *w = ctx;
    AUTO_VALUE(BackupInfo) info = {0};
    if (!w->writer)
        return;
    kit_tables(w->writer, &w->now, 1);
    kit_commit(w->writer, &info);
    w->made = mem_strdup(info.id);
    writer_free(w->writer);
    w->writer = NULL;
}

static void back_up(void *ctx)
{
    open_writer(ctx);
    commit(ctx);
}

/* All at once: a new backup, the one that it came from deleted, and another prune that purges. */
static void replace_parent(void *ctx)
{
    World *w = ctx;
    AUTO_VALUE(PruneResult) result = {0};
    PruneOptions o = at_once();
    back_up(w);
    error_free(w->said);
    w->said = trash_put(w->repo, w->second);
    error_free(prune_run(w->repo, &o, NULL, &result));
}

static void delete_parent_and_prune(void *ctx)
{
    World *w = ctx;
    AUTO_VALUE(PruneResult) result = {0};
    PruneOptions o = at_once();
    error_free(w->said);
    w->said = trash_put(w->repo, w->second);
    error_free(prune_run(w->repo, &o, NULL, &result));
}

static void undelete_second(void *ctx)
{
    World *w = ctx;
    error_free(w->said);
    w->said = trash_undelete(w->repo, w->second);
}

static void pin_second(void *ctx)
{
    World *w = ctx;
    error_free(w->said);
    w->said = pin_put(w->repo, w->second);
}

static void prune_too(void *ctx)
{
    World *w = ctx;
    AUTO_VALUE(PruneResult) result = {0};
    PruneOptions o = at_once();
    error_free(prune_run(w->repo, &o, NULL, &result));
}

/* A run that dies with packs stored, as if by kill -9: its session stays, unfenced. */
static void die(World *w)
{
    AUTO_VALUE(SessionInfo) s = {0};
    SessionInfo *list;
    size_t count;
    open_writer(w);
    OK(w->said);
    kit_tables(w->writer, &w->now, 1);
    char name[NAME_TEXT];
    OK(session_list(w->repo, &list, &count));
    assert_int_equal(count, 1);
    /* The same session, of a process that is gone. */
    OK(store_delete(repo_store(w->repo), name_session(list[0].id, name)));
    list[0].pid = 0x3ffffff;
    list[0].pid_start = 1;
    writer_free(w->writer);
    w->writer = NULL;
    error_free(session_end(w->repo, list[0].id));
    OK(session_put(w->repo, &list[0]));
    session_list_free(list, count);
}

/* -- interleavings ----------------------------------------------------------------------------- */

typedef struct Scene {
    const char *name;
    bool deleted_first, deleted_second, dead; /* before it begins */
    void (*first)(void *), (*second)(void *);
} Scene;

static const Scene scenes[] = {
    {"a backup", true, false, false, back_up, NULL},
    {"a writer that opens, and commits later", true, false, false, open_writer, commit},
    {"a writer that opens, its parent deleted", true, false, false, open_writer,
     delete_parent_and_prune},
    {"its parent goes before it", true, true, false, open_writer, commit},
    {"a backup, and its parent purged by another", true, false, false, replace_parent, NULL},
    {"the parent is deleted under it, then it commits", false, false, false, open_writer,
     replace_parent},
    {"undelete", true, true, false, undelete_second, NULL},
    {"undelete, and a backup of it", true, true, false, undelete_second, back_up},
    {"a pin on one that is deleted", true, true, false, pin_second, NULL},
    {"another prune", true, true, false, prune_too, NULL},
    {"another prune, and a backup", true, false, true, prune_too, back_up},
    {"a writer that goes on from a dead one", true, false, true, open_writer, commit},
    {"that, and another prune", true, false, true, open_writer, prune_too},
};

static unsigned play(const Scene *s, unsigned a, unsigned b)
{
    World w = world_new();
    if (s->dead)
        die(&w);
    if (s->deleted_first)
        OK(trash_put(w.repo, w.first));
    if (s->deleted_second)
        OK(trash_put(w.repo, w.second));
    unsigned calls = prune_hooked(&w, a, b, s->first, s->second);
    must_be_whole(&w, s->name, a, b);
    /* What was begun can be ended; and then all that is left over goes. */
    commit(&w);
    must_be_whole(&w, s->name, a, b);
    prune_hooked(&w, 0, 0, NULL, NULL);
    must_be_whole(&w, s->name, a, b);
    if (w.said && error_kind(w.said) != ERR_NOT_FOUND && error_kind(w.said) != ERR_BUSY)
        OK(STEAL(w.said));
    world_free(&w);
    return calls;
}

static void test_interleavings(void **state)
{
    (void)state;
    unsigned played = 0, step = kit_sanitized() ? 7 : 1;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        const Scene *s = &scenes[i];
        unsigned calls = play(s, 0, 0);
        assert_true(calls > 8);
        for (unsigned a = 1; a <= calls; a += step)
            for (unsigned b = s->second ? a : calls; b <= calls; b += s->second ? 7 * step : 1) {
                play(s, a, s->second ? b : 0);
                played++;
            }
    }
    print_message("%u interleavings\n", played);
    assert_true(played > 100);
}

/* -- what it deletes, and what not ------------------------------------------------------------- */

static void test_frees_what_nobody_needs(void **state)
{
    (void)state;
    World w = world_new();
    PackId own = {0};
    AUTO(Manifest) m = NULL;
    AUTO(Manifest) first = NULL;
    OK(catalog_load(w.repo, w.second, &m));
    OK(catalog_load(w.repo, w.first, &first));
    for (size_t i = 0; i < m->pack_count; i++)
        if (!manifest_find_pack(first, m->packs[i].id))
            own = m->packs[i].id;
    OK(damage_put(w.repo, own, 0, "a test"));
    OK(proof_put(w.repo, w.second, "data", true, ""));
    size_t packs = count_in(w.repo, "packs/");
    AUTO_VALUE(PruneResult) kept = {0};
    PruneOptions o = at_once();
    OK(prune_run(w.repo, &o, NULL, &kept));
    assert_int_equal(kept.packs, 0);
    assert_int_equal(kept.packs_kept, packs);
    OK(trash_put(w.repo, w.second));
    /* Not before its days are over; and a dry run touches nothing. */
    AUTO_VALUE(PruneResult) early = {0};
    PruneOptions week = o;
    week.trash_ms = 7 * DAY;
    OK(prune_run(w.repo, &week, NULL, &early));
    assert_int_equal(early.purged.count + early.packs, 0);
    AUTO_VALUE(PruneResult) dry = {0};
    o.dry_run = true;
    OK(prune_run(w.repo, &o, NULL, &dry));
    assert_int_equal(dry.purged.count, 1);
    assert_true(dry.packs > 0);
    assert_int_equal(count_in(w.repo, "packs/"), packs);
    o.dry_run = false;
    AUTO_VALUE(PruneResult) done = {0};
    OK(prune_run(w.repo, &o, NULL, &done));
    assert_int_equal(done.purged.count, 1);
    assert_int_equal(done.packs, dry.packs);
    assert_int_equal(done.bytes, dry.bytes);
    assert_int_equal(count_in(w.repo, "packs/"), packs - done.packs);
    assert_int_equal(count_in(w.repo, "proofs/"), 0);
    assert_int_equal(count_in(w.repo, "trash/"), 0);
    assert_int_equal(count_in(w.repo, "purges/"), 0);
    assert_int_equal(count_in(w.repo, "sessions/"), 0);
    assert_int_equal(count_in(w.repo, "lineages/"), 1);
    kit_compare(w.repo, w.first, &w.old, 1);
    world_free(&w);
}

static void test_numbers_are_not_given_twice(void **state)
{
    (void)state;
    World w = world_new();
    PruneOptions o = at_once();
    AUTO(Manifest) second = NULL;
    OK(catalog_load(w.repo, w.second, &second));
    assert_int_equal(second->info.sequence, 2);
    OK(trash_put(w.repo, w.second));
    AUTO_VALUE(PruneResult) done = {0};
    OK(prune_run(w.repo, &o, NULL, &done));
    AUTO_VALUE(BackupInfo) third = {0};
    WriterOptions options = kit_options();
    kit_backup(w.repo, &options, &w.now, 1, &third);
    assert_int_equal(third.sequence, 3);
    assert_string_equal(third.predecessor_hash, second->info.checksum);
    /* Another server of the same name has its own. */
    options.system_identifier = "7300000000000000002";
    AUTO_VALUE(BackupInfo) other = {0};
    kit_backup(w.repo, &options, &w.now, 1, &other);
    assert_int_equal(other.sequence, 1);
    world_free(&w);
}

static void test_an_unreadable_root_ends_it(void **state)
{
    (void)state;
    World w = world_new();
    PruneOptions o = at_once();
    char name[NAME_TEXT];
    AUTO_VALUE(Buf) bytes = {0};
    OK(trash_put(w.repo, w.first));
    OK(store_get_all(repo_store(w.repo), name_manifest(w.second, name), 1 << 20, &bytes));
    OK(store_delete(repo_store(w.repo), name));
    bytes.data[bytes.len / 2] ^= 1;
    OK(store_put(repo_store(w.repo), name, bytes.data, bytes.len));
    size_t packs = count_in(w.repo, "packs/");
    AUTO_VALUE(PruneResult) done = {0};
    Error *e = prune_run(w.repo, &o, NULL, &done);
    if (e) {
        assert_int_equal(error_kind(e), ERR_DAMAGED);
        assert_int_equal(count_in(w.repo, "packs/"), packs);
        error_free(e);
    } else { /* the flipped bit lies in the streams, which prune does not read */
        bytes.data[bytes.len / 2] ^= 1;
        bytes.data[40] ^= 1;
        OK(store_delete(repo_store(w.repo), name));
        OK(store_put(repo_store(w.repo), name, bytes.data, bytes.len));
        FAILS(ERR_DAMAGED, prune_run(w.repo, &o, NULL, &done));
    }
    assert_int_equal(count_in(w.repo, "sessions/"), 0);
    world_free(&w);
}

static void test_the_dead(void **state)
{
    (void)state;
    World w = world_new();
    AUTO_VALUE(PruneResult) young = {0};
    AUTO_VALUE(PruneResult) old = {0};
    PruneOptions o = at_once();
    o.trash_ms = DAY;
    die(&w);
    size_t packs = count_in(w.repo, "packs/");
    /* Fenced at once, but its packs wait for the next run. */
    OK(prune_run(w.repo, &o, NULL, &young));
    assert_int_equal(young.sessions_fenced, 1);
    assert_int_equal(young.packs, 0);
    assert_int_equal(count_in(w.repo, "sessions/"), 1);
    o.now += 2 * DAY;
    OK(prune_run(w.repo, &o, NULL, &old));
    assert_int_equal(old.sessions_ended, 1);
    assert_int_equal(count_in(w.repo, "sessions/"), 0);
    assert_true(count_in(w.repo, "packs/") <= packs);
    must_be_whole(&w, "the dead", 0, 0);
    world_free(&w);
}

static void elsewhere(World *w, SessionKind kind, const char *backup, Instant started)
{
    AUTO_VALUE(SessionInfo)
    s = {.kind = kind, .backup_id = mem_strdup(backup), .what = mem_strdup("restore")};
    session_info_here(&s);
    free(s.host);
    s.host = mem_strdup("another");
    s.started = started;
    OK(session_put(w->repo, &s));
}

/* Until the session of another host is given up, the marker waits: a reader reads, and a prune's
 * lists may be older than the marker. */
static void waits_for(SessionKind kind, bool reads)
{
    World w = world_new();
    PruneOptions o = at_once();
    AUTO_VALUE(PruneResult) first = {0};
    AUTO_VALUE(PruneResult) second = {0};
    OK(trash_put(w.repo, w.first));
    elsewhere(&w, kind, reads ? w.first : "", o.now - 6 * DAY);
    OK(prune_run(w.repo, &o, NULL, &first));
    assert_int_equal(first.purged.count, 0);
    assert_int_equal(first.waiting.count, 1);
    o.now += 2 * DAY;
    OK(prune_run(w.repo, &o, NULL, &second));
    assert_int_equal(second.purged.count, 1);
    assert_int_equal(second.sessions_ended, 1);
    world_free(&w);
}

static void test_readers_elsewhere(void **state)
{
    (void)state;
    waits_for(SESSION_READER, true);
}

static void test_beside_another_prune(void **state)
{
    (void)state;
    waits_for(SESSION_PRUNE, false);
}

static void test_own_session_gone(void **state)
{
    (void)state;
    World w = world_new();
    AUTO_VALUE(TrashList) trash = {0};
    OK(trash_put(w.repo, w.first));
    OK(trash_list(w.repo, true, &trash));
    PurgeOptions o = {.own = session_id_new(), .now = clock_now(), .limit_ms = DAY};
    bool purged;
    AUTO(char) why = NULL;
    FAILS(ERR_FENCED, trash_purge(w.repo, &o, &trash.items[0], &purged, &why));
    assert_int_equal(count_in(w.repo, "trash/"), 1);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_interleavings),
                                       cmocka_unit_test(test_frees_what_nobody_needs),
                                       cmocka_unit_test(test_numbers_are_not_given_twice),
                                       cmocka_unit_test(test_an_unreadable_root_ends_it),
                                       cmocka_unit_test(test_the_dead),
                                       cmocka_unit_test(test_readers_elsewhere),
                                       cmocka_unit_test(test_beside_another_prune),
                                       cmocka_unit_test(test_own_session_gone)};
    return cmocka_run_group_tests_name("repo/prune", tests, NULL, NULL);
}
