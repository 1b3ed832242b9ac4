/* For the tests of the state: folders of their own, and states in them. */
#ifndef PGSTOW_TESTS_STATE_KIT_H
#define PGSTOW_TESTS_STATE_KIT_H

#include "../unit.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "state/state_internal.h"
#include "state/state_job.h"

#define DAY 86400000ll
#define KIT_NOW 1700000000000ll

/* A new folder, and the one in it that the state is to be made in. */
static char *kit_root, *kit_folder;

static inline int kit_set_up(void **state)
{
    (void)state;
    OK(file_temp_dir(&kit_root));
    kit_folder = file_join(kit_root, "state");
    return 0;
}

static inline int kit_tear_down(void **state)
{
    (void)state;
    OK(file_remove_tree(kit_root));
    free(kit_root);
    free(kit_folder);
    return 0;
}

#define KIT_TEST(test) cmocka_unit_test_setup_teardown(test, kit_set_up, kit_tear_down)

static inline State *kit_state(void)
{
    State *s = NULL;
    OK(state_open(kit_folder, NULL, &s));
    return s;
}

static inline char *kit_path(const char *name)
{
    return file_join(kit_folder, name);
}

/* As somebody else who knows SQLite, past our functions; its result code. */
static inline int kit_sql(const char *sql)
{
    AUTO(char) path = kit_path("state.db");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return rc;
}

static inline int64_t kit_number(State *s, const char *sql)
{
    int64_t n = -1;
    OK(state_number(s, sql, &n));
    return n;
}

/* A job of this kind and database, created at `now`. */
static inline int64_t kit_job(State *s, const char *kind, const char *database, Instant now)
{
    int64_t id = 0;
    OK(state_job_create(s,
                        &(StateJobNew){.kind = kind,
                                       .entry = "",
                                       .database = database,
                                       .trigger = "cli",
                                       .actor = "root",
                                       .arguments = "[]",
                                       .now = now},
                        &id));
    return id;
}

/* One that took `took` ms and ended so. */
static inline int64_t kit_ended(State *s, const char *kind, const char *database, Instant now,
                                int64_t took, StateJobStatus status)
{
    bool done = false;
    int64_t id = kit_job(s, kind, database, now);
    OK(state_job_start(s, id, getpid(), now, &done));
    assert_true(done);
    OK(state_job_finish(
        s, id, &(StateJobEnd){.status = status, .exit_status = 0, .now = now + took}, &done));
    assert_true(done);
    return id;
}

#endif
