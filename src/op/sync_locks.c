#include "op/sync_locks.h"

#include <string.h>

#include "op/job_cancel.h"
#include "op/sync_session.h"

static const char *const verdicts[SYNC_LOCK_VERDICTS] = {"stale", "recent", "elsewhere", "active",
                                                         "live",  "hidden", "prepared"};

const char *sync_lock_verdict_name(SyncLockVerdict verdict)
{
    return verdict < SYNC_LOCK_VERDICTS ? verdicts[verdict] : "";
}

void sync_locks_clear(SyncLocks *l)
{
    for (size_t i = 0; i < l->count; i++) {
        advisory_lock_clear(&l->items[i].lock);
        free(l->items[i].why);
        error_free(l->items[i].error);
    }
    free(l->items);
    free(l->database);
    *l = (SyncLocks){0};
}

/* -- who lives ------------------------------------------------------------------------------------
 */

/* "the sync session X", "job 7"; NULL where nobody of this host works with the database. */
static Error *find_living(Conn *c, State *s, char **out)
{
    AUTO(StateSession) session = NULL;
    AUTO_VALUE(StateJobs) jobs = {0};
    AUTO(char) target = NULL;
    *out = NULL;
    if (!s)
        return NULL;
    TRY(sync_target_of(c, &target));
    TRY(state_session_holder(s, target, NULL, NULL, &session));
    if (session) {
        *out = mem_printf("the sync session %s", session->id);
        return NULL;
    }
    TRY(state_job_list(s, &(StateJobFilter){.statuses = 1u << JOB_RUNNING}, &jobs));
    for (size_t i = 0; !*out && i < jobs.count; i++) {
        const StateJob *j = &jobs.items[i];
        bool same = !*j->database || !strcmp(j->database, conn_dbname(c));
        if (same && op_job_lives(j))
            *out = mem_printf("job %lld (%s)", (long long)j->id, j->kind);
    }
    return NULL;
}

static void judge(SyncLock *l, const char *living, int64_t idle_ms)
{
    const AdvisoryLock *a = &l->lock;
    char text[32];
    if (!a->pid) {
        l->verdict = SYNC_LOCK_PREPARED;
        l->why = mem_printf("held by the prepared transaction %s: COMMIT PREPARED or ROLLBACK "
                            "PREPARED ends it",
                            a->gid ? a->gid : "(whose name is hidden)");
    } else if (!a->state) {
        l->verdict = SYNC_LOCK_HIDDEN;
        l->why = mem_strdup("what it does is hidden from this user: pg_read_all_stats, or a "
                            "superuser, sees it");
    } else if (!advisory_is_idle(a)) {
        l->verdict = SYNC_LOCK_ACTIVE;
        l->why = mem_strdup("it is at work, or waits itself");
    } else if (a->ours && living) {
        l->verdict = SYNC_LOCK_LIVE;
        l->why = mem_printf("%s lives, and works with this database", living);
    } else if (a->ours) {
        l->verdict = SYNC_LOCK_ELSEWHERE;
        l->why = mem_strdup("a pgstow of which this host knows nothing: where it is dead, name its "
                            "process");
    } else if (a->idle_ms < idle_ms) {
        l->verdict = SYNC_LOCK_RECENT;
        l->why = mem_printf("idle for %s only", text_duration(a->idle_ms, text));
    } else {
        l->verdict = SYNC_LOCK_STALE;
        l->why = mem_printf("idle for %s", text_duration(a->idle_ms, text));
    }
}

/* -- their end ------------------------------------------------------------------------------------
 */

static bool may_end(const SyncLock *l, const SyncLocksOptions *o)
{
    return l->verdict == SYNC_LOCK_STALE ||
           (o->pid && l->lock.pid == o->pid &&
            (l->verdict == SYNC_LOCK_RECENT || l->verdict == SYNC_LOCK_ELSEWHERE));
}

/* All locks of a backend go with it. */
static Error *end_one(Conn *c, SyncLocks *l, SyncLock *one)
{
    bool ended;
    Error *e = advisory_end(c, &one->lock, &ended);
    if (e && conn_broken(c))
        return e;
    if (!e && !ended)
        e = ERROR_NEW(ERR_DB_CHANGED, "process %lld has done something since it was looked at",
                      (long long)one->lock.pid);
    l->ended += !e;
    l->failed += e != NULL;
    for (size_t i = 0; !e && i < l->count; i++)
        l->items[i].ended = l->items[i].ended || l->items[i].lock.pid == one->lock.pid;
    one->error = e;
    return NULL;
}

static bool was_tried(const SyncLocks *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (l->items[i].lock.pid == l->items[n].lock.pid &&
            (l->items[i].ended || l->items[i].error))
            return true;
    return false;
}

Error *op_sync_locks(const OpContext *c, const SyncLocksOptions *o, SyncLocks *out)
{
    AUTO_VALUE(SyncLocks) l = {0};
    AUTO_VALUE(AdvisoryLocks) all = {0};
    AUTO(Conn) conn = NULL;
    AUTO(char) living = NULL;
    TRY(op_connect(c, NULL, &conn));
    TRY(find_living(conn, o->state, &living));
    TRY(advisory_list(conn, &all));
    l.database = mem_strdup(conn_dbname(conn));
    for (size_t i = 0; i < all.count; i++) {
        if (o->pid && all.items[i].pid != o->pid)
            continue;
        mem_grow(l.items, l.count, l.cap);
        SyncLock *one = &l.items[l.count++];
        *one = (SyncLock){.lock = all.items[i]};
        all.items[i] = (AdvisoryLock){0};
        judge(one, living, o->idle_ms);
    }
    if (o->pid && !l.count)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "%s: process %lld holds no advisory lock in it",
                                    conn_describe(conn), (long long)o->pid),
                          "pgstow sync clear-locks shows those that do");
    for (size_t i = 0; o->end && i < l.count; i++)
        if (may_end(&l.items[i], o) && !was_tried(&l, i))
            TRY(end_one(conn, &l, &l.items[i]));
    *out = l;
    l = (SyncLocks){0};
    return NULL;
}

/* -- as JSON --------------------------------------------------------------------------------------
 */

static Doc *lock_doc(const SyncLock *l)
{
    const AdvisoryLock *a = &l->lock;
    Doc *d = doc_object();
    if (a->pid)
        doc_set_int(d, "pid", a->pid);
    else
        doc_set_null(d, "pid");
    doc_set_str(d, "key", a->key);
    doc_set_str(d, "mode", a->mode);
    doc_set_str(d, "known", a->known);
    doc_set_str(d, "user", a->user);
    doc_set_str(d, "application", a->app);
    doc_set_str(d, "client", a->client);
    doc_set_str(d, "state", a->state);
    doc_set_int(d, "stateMs", a->idle_ms);
    doc_set_time(d, "connected", a->connected);
    doc_set_int(d, "waiting", a->waiting);
    doc_set_str(d, "prepared", a->gid);
    doc_set_str(d, "verdict", sync_lock_verdict_name(l->verdict));
    doc_set_str(d, "why", l->why);
    doc_set_bool(d, "ended", l->ended);
    if (l->error)
        doc_set(d, "error", doc_error(l->error));
    return d;
}

Doc *sync_locks_doc(const SyncLocks *l)
{
    Doc *d = doc_object(), *all = doc_array();
    doc_set_str(d, "database", l->database);
    for (size_t i = 0; i < l->count; i++)
        doc_push(all, lock_doc(&l->items[i]));
    doc_set(d, "locks", all);
    doc_set_int(d, "ended", (int64_t)l->ended);
    doc_set_int(d, "failed", (int64_t)l->failed);
    return d;
}
