#include "kit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "repo/repo_internal.h"
#include "repo/session_peer.h"

static void fill(SessionInfo *s, SessionKind kind)
{
    *s = (SessionInfo){.kind = kind,
                       .backup_id = mem_strdup("shop-20240115T103000Z"),
                       .database = mem_strdup("shop"),
                       .server = mem_strdup("localhost:5432"),
                       .what = mem_strdup("backup"),
                       .database_oid = 16384};
    session_info_here(s);
}

static size_t count_sessions(Repo *r)
{
    SessionInfo *list = NULL;
    size_t n = 0;
    OK(session_list(r, &list, &n));
    for (size_t i = 0; i < n; i++)
        session_info_clear(&list[i]);
    free(list);
    return n;
}

static void test_round_trip(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(SessionInfo) s = {0};
    SessionInfo *list = NULL;
    size_t n;
    fill(&s, SESSION_WRITER);
    strlist_add(&s.parents, "shop-20240114T103000Z");
    for (uint32_t i = 0; i < 1000; i++) {
        mem_grow(s.packs, s.pack_count, s.pack_cap);
        s.packs[s.pack_count++] = (PackId){s.id, i * 77};
    }
    OK(session_put(r, &s));
    FAILS(ERR_EXISTS, session_put(r, &s));
    OK(session_list(r, &list, &n));
    assert_int_equal(n, 1);
    assert_memory_equal(list[0].id.b, s.id.b, SESSION_BYTES);
    assert_int_equal(list[0].kind, SESSION_WRITER);
    assert_string_equal(list[0].backup_id, s.backup_id);
    assert_string_equal(list[0].parents.items[0], "shop-20240114T103000Z");
    assert_int_equal(list[0].pack_count, 1000);
    assert_true(pack_id_equal(list[0].packs[999], s.packs[999]));
    assert_int_equal(list[0].pid, getpid());
    assert_int_equal(session_state(&list[0]), SESSION_ALIVE);
    session_info_clear(&list[0]);
    free(list);
    OK(session_end(r, s.id));
    OK(session_end(r, s.id));
    assert_int_equal(count_sessions(r), 0);
}

/* A session of a process that has ended. */
static void dead_session(SessionInfo *s, SessionKind kind)
{
    fill(s, kind);
    pid_t child = fork();
    if (!child)
        _exit(0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    s->pid = child;
}

static void test_state(void **state)
{
    (void)state;
    AUTO_VALUE(SessionInfo) s = {0};
    fill(&s, SESSION_WRITER);
    assert_int_equal(session_state(&s), SESSION_ALIVE);
    s.pid_start++; /* the number was given to another process */
    assert_int_equal(session_state(&s), SESSION_DEAD);
    s.pid_start--;
    free(s.host);
    s.host = mem_strdup("elsewhere");
    assert_int_equal(session_state(&s), SESSION_ELSEWHERE);
    session_info_here(&s);
    free(s.boot);
    s.boot = mem_strdup("another boot");
    assert_int_equal(session_state(&s), SESSION_ELSEWHERE);
    AUTO_VALUE(SessionInfo) dead = {0};
    dead_session(&dead, SESSION_READER);
    assert_int_equal(session_state(&dead), SESSION_DEAD);
}

static void test_fence(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(SessionInfo) s = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    KitTable t = kit_table("tiny", 20002, 1, 10, 0);
    WriterOptions o = kit_options();
    SessionId by = session_id_new();
    bool committed;
    char name[NAME_TEXT];
    fill(&s, SESSION_WRITER);
    OK(session_fence(r, &s, by, &committed));
    assert_false(committed);
    OK(session_fence(r, &s, by, &committed)); /* by two at once: both go on */
    assert_false(committed);
    kit_backup(r, &o, &t, 1, &info);
    assert_string_not_equal(info.id, s.backup_id); /* that id is spent */
    free(s.backup_id);
    s.backup_id = mem_strdup(info.id);
    OK(session_fence(r, &s, by, &committed));
    assert_true(committed);
    kit_compare(r, info.id, &t, 1);
    /* Nothing may be concluded from what cannot be read. */
    OK(store_delete(repo_store(r), name_manifest(info.id, name)));
    OK(store_put(repo_store(r), name, "rubbish", 7));
    FAILS(ERR_DAMAGED, session_fence(r, &s, by, &committed));
    kit_free(&t);
}

static void test_unreadable(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO(ReadSession) reader = NULL;
    SessionInfo *list = NULL;
    size_t n;
    OK(store_put(repo_store(r), "sessions/000000000000000000000000", "rubbish", 7));
    FAILS(ERR_DAMAGED, session_list(r, &list, &n));
    OK(read_session_open(r, "shop-20240115T103000Z", "restore", &reader)); /* that must work */
}

static void test_readers(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO(ReadSession) a = NULL;
    AUTO_VALUE(SessionInfo) dead = {0};
    AUTO_VALUE(SessionInfo) dead_writer = {0};
    dead_session(&dead, SESSION_READER);
    OK(session_put(r, &dead));
    dead_session(&dead_writer, SESSION_WRITER);
    OK(session_put(r, &dead_writer));
    OK(read_session_open(r, "shop-20240115T103000Z", "restore", &a));
    assert_int_equal(count_sessions(r), 2); /* the dead reader is swept away, no writer ever */
    read_session_close(STEAL(a));
    assert_int_equal(count_sessions(r), 1);
}

static SessionState state_of(Repo *r)
{
    SessionInfo *list = NULL;
    size_t n = 0;
    OK(session_list(r, &list, &n));
    assert_int_equal(n, 1);
    SessionState state = session_state(&list[0]);
    session_list_free(list, n);
    return state;
}

/* Another host's process cannot be asked, but the service that its session came through can say
 * that its sync is over. Then the next run does not wait for it. */
static void test_of_a_peer(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(SessionInfo) s = {0};
    AUTO_VALUE(SessionPeer) p = {0};
    fill(&s, SESSION_WRITER);
    free(s.host);
    s.host = mem_strdup("elsewhere");
    free(s.what);
    s.what = mem_strdup("copy");
    OK(session_peer_put(repo_store(r), s.id, "a sync", "north"));
    OK(session_put(r, &s));
    assert_int_equal(state_of(r), SESSION_ELSEWHERE);
    OK(session_peer_put(repo_store(r), s.id, "a sync", "north"));
    FAILS(ERR_EXISTS, session_peer_put(repo_store(r), s.id, "another", "north"));
    OK(session_peer_give_up(repo_store(r), s.id));
    OK(session_peer_give_up(repo_store(r), s.id));
    FAILS(ERR_EXISTS, session_peer_put(repo_store(r), s.id, "a sync", "north"));
    assert_int_equal(state_of(r), SESSION_DEAD);
    OK(session_peer_get(repo_store(r), s.id, &p));
    assert_string_equal(p.sync, "a sync");
    assert_true(p.gone);
    OK(session_peer_drop(repo_store(r), s.id));
    assert_int_equal(state_of(r), SESSION_ELSEWHERE);
    session_peer_clear(&p);
    FAILS(ERR_NOT_FOUND, session_peer_get(repo_store(r), s.id, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_state),
        cmocka_unit_test(test_fence),      cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_readers),    cmocka_unit_test(test_of_a_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
