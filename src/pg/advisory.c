#include "pg/advisory.h"

#include <string.h>

#include "sql.h"

#define GOES_MS 5000 /* until a backend that was told to end is gone */

/* Keys that belong to somebody we know. */
static const struct {
    const char *key, *whose;
    bool ours;
} known[] = {
    {"1885828980, 1835364967", "pgstow: a merge or sync into this database", true},
    {"72707369", "Prisma's migrations", false},
    {"7241865325823964", "node-pg-migrate", false},
};

void advisory_lock_clear(AdvisoryLock *l)
{
    free(l->key);
    free(l->mode);
    free(l->user);
    free(l->app);
    free(l->client);
    free(l->state);
    free(l->since);
    free(l->changed);
    free(l->gid);
    *l = (AdvisoryLock){0};
}

void advisory_locks_clear(AdvisoryLocks *l)
{
    for (size_t i = 0; i < l->count; i++)
        advisory_lock_clear(&l->items[i]);
    free(l->items);
    *l = (AdvisoryLocks){0};
}

static void recognise(AdvisoryLock *l, bool is_restore)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].key, l->key) != 0)
            continue;
        l->known = known[i].whose;
        l->ours = known[i].ours;
    }
    if (is_restore) {
        l->known = "pgstow: a restore of a database";
        l->ours = true;
    }
    if (l->app && text_starts(l->app, "pgstow"))
        l->ours = true;
    if (l->ours && !l->known)
        l->known = "pgstow";
}

Error *advisory_list(Conn *c, AdvisoryLocks *out)
{
    AUTO_VALUE(AdvisoryLocks) l = {0};
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_advisory_locks, 0, NULL, &rows));
    for (size_t r = 0; r < rows_count(rows); r++) {
        mem_grow(l.items, l.count, l.cap);
        AdvisoryLock *one = &l.items[l.count++];
        *one = (AdvisoryLock){.pid = rows_int(rows, r, 0),
                              .key = mem_strdup(rows_text(rows, r, 1)),
                              .mode = mem_strdup(rows_text(rows, r, 2)),
                              .user = mem_strdup(rows_text(rows, r, 3)),
                              .app = mem_strdup(rows_text(rows, r, 4)),
                              .client = mem_strdup(rows_text(rows, r, 5)),
                              .state = mem_strdup(rows_text(rows, r, 6)),
                              .idle_ms = rows_int(rows, r, 7),
                              .connected = rows_int(rows, r, 8),
                              .since = mem_strdup(rows_text(rows, r, 9)),
                              .changed = mem_strdup(rows_text(rows, r, 10)),
                              .waiting = rows_int(rows, r, 11),
                              .gid = mem_strdup(rows_text(rows, r, 12))};
        recognise(one, rows_bool(rows, r, 13));
    }
    *out = l;
    l = (AdvisoryLocks){0};
    return NULL;
}

bool advisory_is_idle(const AdvisoryLock *l)
{
    return l->state && text_starts(l->state, "idle");
}

static Error *wait_gone(Conn *c, const char *pid)
{
    for (int64_t until = clock_mono_ms() + GOES_MS;;) {
        AUTO(char) left = NULL;
        const char *params[] = {pid};
        TRY(conn_value(c,
                       "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE locktype = "
                       "'advisory' AND granted AND pid = $1::pg_catalog.int4",
                       1, params, &left));
        if (left && !strcmp(left, "0"))
            return NULL;
        if (clock_mono_ms() >= until)
            FAIL(ERR_TIMEOUT, "%s: process %s was told to end, and has not yet", conn_describe(c),
                 pid);
        TRY(cancel_check(conn_cancel(c)));
        clock_sleep_ms(20);
    }
}

Error *advisory_end(Conn *c, const AdvisoryLock *l, bool *ended)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) pid = mem_printf("%lld", (long long)l->pid);
    const char *params[] = {pid, l->since, l->changed};
    *ended = false;
    TRY(conn_query(c, sql_advisory_end, 3, params, &rows));
    if (!rows_count(rows) || !rows_bool(rows, 0, 0))
        return NULL;
    *ended = true;
    return wait_gone(c, pid);
}

Error *advisory_holder(Conn *c, const char *key, char **out)
{
    AUTO_VALUE(AdvisoryLocks) l = {0};
    *out = NULL;
    TRY(advisory_list(c, &l));
    for (size_t i = 0; !*out && i < l.count; i++) {
        const AdvisoryLock *one = &l.items[i];
        char when[CLOCK_TEXT];
        if (strcmp(one->key, key) != 0)
            continue;
        *out =
            mem_printf("process %lld of user %s%s%s%s%s%s%s%s%s", (long long)one->pid,
                       one->user ? one->user : "?", one->app && *one->app ? " (" : "",
                       one->app ? one->app : "", one->app && *one->app ? ")" : "",
                       one->client && *one->client ? ", from " : "", one->client ? one->client : "",
                       one->connected ? ", connected since " : "",
                       one->connected ? clock_human(one->connected, when) : "",
                       advisory_is_idle(one) ? ", idle" : "");
    }
    return NULL;
}
