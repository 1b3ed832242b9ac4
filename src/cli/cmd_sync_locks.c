/* sync clear-locks: who holds advisory locks, and the end of those that are stale. */
#include <stdio.h>

#include "cli/cmd_sync.h"
#include "op/sync_locks.h"

typedef struct Work {
    SyncLocksOptions options;
    SyncLocks locks;
} Work;
static void work_clear(Work *w)
{
    sync_locks_clear(&w->locks);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_locks(Run *run, void *arg)
{
    Work *w = arg;
    return op_sync_locks(&run->op, &w->options, &w->locks);
}

static void print_table(const SyncLocks *l)
{
    static const char *const headings[] = {">PID",     "USER",   "APPLICATION", "FROM",
                                           "STATE",    ">SINCE", "CONNECTED",   "LOCK",
                                           ">WAITING", "WHAT"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < l->count; i++) {
        const SyncLock *one = &l->items[i];
        const AdvisoryLock *a = &one->lock;
        char when[CLOCK_TEXT], since[32];
        table_own(&t, a->pid ? mem_printf("%lld", (long long)a->pid) : mem_strdup("-"));
        table_add(&t, a->user ? a->user : "-");
        table_add(&t, a->app && *a->app ? a->app : "-");
        table_add(&t, !a->client ? "?" : *a->client ? a->client : "local");
        table_add(&t, a->state ? a->state : "?");
        table_add(&t, a->state ? text_duration(a->idle_ms, since) : "?");
        table_add(&t, a->connected ? clock_human(a->connected, when) : "?");
        table_own(&t, mem_printf("%s%s%s%s", a->key, a->known ? " (" : "", a->known ? a->known : "",
                                 a->known ? ")" : ""));
        table_own(&t, mem_printf("%lld", (long long)a->waiting));
        table_own(&t, one->ended ? mem_strdup("ended")
                      : one->error
                          ? mem_printf("not ended: %s", error_message(one->error))
                          : mem_printf("%s: %s", sync_lock_verdict_name(one->verdict), one->why));
    }
    table_print(&t);
}

static void print_sum(const Run *run, const Work *w)
{
    const SyncLocks *l = &w->locks;
    size_t counts[SYNC_LOCK_VERDICTS] = {0};
    for (size_t i = 0; i < l->count; i++)
        counts[l->items[i].verdict]++;
    if (!l->count) {
        AUTO(char) name = text_printable(l->database);
        printf("nobody holds an advisory lock in %s\n", name);
        return;
    }
    if (run->quiet)
        return;
    if (w->options.end)
        printf("%llu session%s ended, %llu could not be\n", (unsigned long long)l->ended,
               l->ended == 1 ? "" : "s", (unsigned long long)l->failed);
    else if (counts[SYNC_LOCK_STALE])
        printf("stale: %zu; --yes ends them\n", counts[SYNC_LOCK_STALE]);
    else
        puts("none is stale");
    if (!w->options.pid && counts[SYNC_LOCK_RECENT] + counts[SYNC_LOCK_ELSEWHERE])
        puts(
            "one that is idle but not called stale is ended by its number: pgstow sync clear-locks "
            "PID --yes");
}

Error *sync_clear_locks(Run *run)
{
    AUTO(State) state = NULL;
    AUTO_VALUE(Work) w = {0};
    const char *word = run_word(run, 1);
    TRY(sync_must_name(run));
    if (word) {
        Error *e = text_parse_int(word, 1, INT32_MAX, &w.options.pid);
        if (e)
            return error_rekind(error_hint(e, "name a process of the server by its number"),
                                ERR_USAGE);
    }
    TRY(run_state(run, NULL, &state));
    w.options.state = state;
    w.options.idle_ms = config_duration(run->config, SETTING_SYNC_IDLE);
    w.options.end = run->yes;
    TRY(run_with_progress(run, work_locks, &w));
    if (run->json)
        run_result(run, sync_locks_doc(&w.locks));
    else {
        if (w.locks.count)
            print_table(&w.locks);
        print_sum(run, &w);
    }
    if (w.locks.failed)
        FAIL(ERR_PARTIAL, "%llu of %llu sessions could not be ended",
             (unsigned long long)w.locks.failed,
             (unsigned long long)(w.locks.failed + w.locks.ended));
    return NULL;
}
