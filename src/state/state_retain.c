#include "state/state_retain.h"

#include "state/session_rows.h"

#define DAY_MS 86400000ll
#define BATCH 500      /* rows in one transaction */
#define FREE_PAGES 256 /* stay for what comes; and so many go back in one transaction */

/* Which rows go next: ?1 is the time before which they are old, ?2 how many stay, ?3 BATCH, ?4 the
 * time now. Where fewer rows than ?2 are there, the comparison with the one behind them is NULL,
 * and so no reason to go. */
static const char old_jobs[] =
    "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE ended <= ?4"
    " AND (ended < ?1 OR id <= (SELECT id FROM job ORDER BY id DESC LIMIT 1 OFFSET ?2))"
    " AND id NOT IN (SELECT id FROM (SELECT id, max(ended) FROM job WHERE status = 'succeeded'"
    " GROUP BY kind, entry, database)) ORDER BY id LIMIT ?3)";
static const char old_outbox[] =
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE ended <= ?4"
    " AND (ended < ?1 OR id <= (SELECT id FROM outbox ORDER BY id DESC LIMIT 1 OFFSET ?2))"
    " ORDER BY id LIMIT ?3)";
static const char old_tokens[] =
    "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE ifnull(revoked, expires) <= ?4"
    " AND (ifnull(revoked, expires) < ?1"
    " OR id <= (SELECT id FROM token ORDER BY id DESC LIMIT 1 OFFSET ?2)) ORDER BY id LIMIT ?3)";
static const char old_events[] =
    "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at <= ?4 AND (at < ?1"
    " OR id <= (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?2)) ORDER BY id LIMIT ?3)";
static const char old_sessions[] =
    "DELETE FROM full_sync_sessions WHERE n IN (SELECT n FROM full_sync_sessions WHERE ended <= ?4"
    " AND (ended < ?1 OR n <= (SELECT n FROM full_sync_sessions ORDER BY n DESC LIMIT 1 OFFSET ?2))"
    " AND n NOT IN (SELECT n FROM (SELECT n, max(ended) FROM full_sync_sessions"
    " WHERE " SESSION_SYNCED " GROUP BY peer, entry, database, direction, role))"
    " ORDER BY n LIMIT ?3)";
/* The audit log goes from its beginning on, to in front of the first entry that stays. */
static const char audit_until[] =
    "SELECT min(ifnull((SELECT min(id) FROM audit WHERE NOT (at <= ?4 AND (at < ?1 OR"
    " ifnull(id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?2), 0)))) - 1,"
    " (SELECT max(id) FROM audit)), (SELECT min(id) FROM audit) + ?3 - 1)";

typedef struct Batch {
    const char *sql;
    Instant before, now;
    int64_t rows, gone;
} Batch;

static void bind_batch(Query *q, const Batch *b)
{
    query_int(q, b->before);
    query_int(q, b->rows);
    query_int(q, BATCH);
    query_int(q, b->now);
}

static Error *delete_batch(State *s, Batch *b)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, b->sql, &q));
    bind_batch(&q, b);
    return query_run(&q, &b->gone);
}

static Error *by_id(State *s, const char *sql, int64_t id, int64_t *changed)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, sql, &q));
    query_int(&q, id);
    return query_run(&q, changed);
}

static Error *find_horizon(State *s, const Batch *b, int64_t *id)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, audit_until, &q));
    bind_batch(&q, b);
    TRY(query_row(&q, &more));
    *id = query_get_int(&q);
    return NULL;
}

static Error *audit_batch(State *s, void *ctx)
{
    Batch *b = ctx;
    int64_t id;
    TRY(find_horizon(s, b, &id));
    TRY(by_id(s, "UPDATE audit_horizon SET id = ?1 WHERE id < ?1", id, NULL));
    return by_id(s, "DELETE FROM audit WHERE id <= ?", id, &b->gone);
}

/* sql NULL: the audit log. */
static Error *retain(State *s, const char *sql, StateKeep keep, Instant now, uint64_t *gone)
{
    Batch b = {.sql = sql,
               .before = keep.days ? now - keep.days * DAY_MS : INT64_MIN,
               .now = now,
               .rows = keep.rows && keep.rows < INT64_MAX ? (int64_t)keep.rows : INT64_MAX,
               .gone = BATCH};
    while ((keep.days || keep.rows) && b.gone > 0) {
        TRY(sql ? delete_batch(s, &b) : state_together(s, audit_batch, &b));
        *gone += (uint64_t)b.gone;
    }
    return NULL;
}

static Error *give_back(State *s)
{
    int64_t before = INT64_MAX, count;
    for (;;) {
        TRY(state_number(s, "PRAGMA freelist_count", &count));
        if (count <= FREE_PAGES || count >= before)
            return NULL;
        before = count;
        AUTO(char)
        sql = mem_printf("PRAGMA incremental_vacuum(%d)",
                         count < 2 * FREE_PAGES ? (int)(count - FREE_PAGES) : FREE_PAGES);
        TRY(state_exec(s, sql));
    }
}

Error *state_retain(State *s, const StateRetention *keep, Instant now, StateRetained *gone)
{
    StateRetained unused, *g = gone ? gone : &unused;
    *g = (StateRetained){0};
    TRY(retain(s, old_jobs, keep->jobs, now, &g->jobs));
    TRY(retain(s, NULL, keep->audit, now, &g->audit));
    TRY(retain(s, old_outbox, keep->outbox, now, &g->outbox));
    TRY(retain(s, old_tokens, keep->tokens, now, &g->tokens));
    TRY(retain(s, old_events, keep->events, now, &g->events));
    TRY(retain(s, old_sessions, keep->sessions, now, &g->sessions));
    return give_back(s);
}
