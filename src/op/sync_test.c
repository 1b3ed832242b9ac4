/* A sync tried phase by phase: the definitions without a row are backed up, sent, and merged, which
 * is rolled back. What it leaves in the repositories is deleted again, here and by the peer. */
#include <string.h>

#include "op/delete.h"
#include "op/sync_work.h"

#define CLOCK_MS (5 * 60 * INT64_C(1000)) /* beyond which signed requests are refused */

static void good(FindingList *f, const char *phase, int64_t since, const char *what)
{
    char took[32];
    AUTO(char)
    text = mem_printf("%s (%s)", what, text_duration(clock_mono_ms() - since, took));
    finding_add(f, FINDING_OK, phase, text, NULL);
}

static Error *try_ping(SyncWork *w)
{
    AUTO_VALUE(PeerPing) ping = {0};
    int64_t start = clock_mono_ms();
    char apart[32];
    TRY(op_peer_ping(w->peer, &ping));
    TRY(STEAL(ping.error));
    AUTO(char)
    what =
        mem_printf("peer %s answers, pgstow %s", w->o->peer, doc_str(ping.answer, "version", "?"));
    good(w->findings, "connection", start, what);
    int64_t ms = ping.clock_ms < 0 ? -ping.clock_ms : ping.clock_ms;
    if (ms < CLOCK_MS / 5)
        return NULL;
    AUTO(char)
    detail = mem_printf("its clock is %s %s ours", text_duration(ms, apart),
                        ping.clock_ms < 0 ? "behind" : "ahead of");
    finding_add(w->findings, FINDING_WARNING, "clock", detail,
                "signed requests are refused beyond five minutes: set both by NTP");
    return NULL;
}

static Error *try_schemas(SyncWork *w)
{
    int64_t start = clock_mono_ms();
    TRY(sync_open_there(w, false));
    TRY(sync_compare_schemas(w));
    size_t n = doc_count(w->out->differences);
    AUTO(char)
    what = w->plan.restore ? mem_strdup("the target has no tables: the whole would be restored")
           : n             ? mem_printf("they fit, with %zu harmless differences", n)
                           : mem_strdup("they fit");
    good(w->findings, "schemas", start, what);
    return NULL;
}

static Error *try_backup(SyncWork *w)
{
    int64_t start = clock_mono_ms();
    sync_at(w, SYNC_BACKING_UP);
    if (w->o->direction == SYNC_PUSH) {
        AUTO_VALUE(BackupInfo) made = {0};
        TRY(sync_make_backup(w->h, w->session, w->o, NULL, &made));
        w->out->backup = mem_strdup(made.id);
        w->out->rows = made.rows;
        good(w->findings, "backup", start, "the database here can be backed up");
        return NULL;
    }
    AUTO(Doc) answer = NULL;
    TRY(sync_remote_backup(&w->remote, w->session, w->h->op->job, &answer));
    w->out->backup = mem_strdup(doc_str(answer, "backupId", NULL));
    AUTO(char) what = mem_printf("peer %s can back its database up", w->o->peer);
    good(w->findings, "backup", start, what);
    return NULL;
}

static Error *try_transfer(SyncWork *w, char **id)
{
    AUTO_VALUE(BackupInfo) copy = {0};
    bool pull = w->o->direction == SYNC_PULL;
    int64_t start = clock_mono_ms();
    TRY(sync_transfer(w, w->out->backup, &copy));
    *id = STEAL(copy.id);
    if (!pull)
        w->remote.trial = mem_strdup(*id);
    good(w->findings, "transfer", start,
         pull ? "a backup comes from there to here" : "a backup goes from here to there");
    return NULL;
}

static Error *try_restore(SyncWork *w, const char *id)
{
    bool pull = w->o->direction == SYNC_PULL;
    int64_t start = clock_mono_ms();
    sync_at(w, SYNC_RESTORING);
    if (pull)
        TRY(sync_apply(w->h, w->session, w->o, id, &w->out->applied));
    else
        TRY(sync_remote_apply(&w->remote, w->session, w->h->op->job, id, &w->out->applied));
    AUTO(char)
    what = mem_printf(w->plan.restore ? "a restore could be made %s"
                                      : "a merge could be made %s; it was rolled back",
                      pull ? "here" : "there");
    good(w->findings, "restore", start, what);
    return NULL;
}

static Error *try_phases(SyncWork *w, char **copy)
{
    TRY(try_ping(w));
    TRY(try_schemas(w));
    TRY(try_backup(w));
    if (w->until >= SYNC_TEST_TRANSFER)
        TRY(try_transfer(w, copy));
    return w->until >= SYNC_TEST_RESTORE ? try_restore(w, *copy) : NULL;
}

/* What is left of it there goes when the peer hears of the end. */
static Error *try_all(SyncWork *w)
{
    AUTO(char) copy = NULL;
    AUTO(char) gone = NULL;
    Error *e = try_phases(w, &copy);
    const char *here = w->o->direction == SYNC_PULL ? copy : w->out->backup;
    return here ? error_first(e, op_delete(w->h->op, here, &gone)) : e;
}

Error *op_sync_test(const SyncHost *h, const SyncOptions *o, SyncTestPhase until, FindingList *out)
{
    AUTO_VALUE(SyncResult) result = {0};
    Error *e = sync_run(h, o, &result, try_all, until, out);
    if (e) {
        AUTO(char) advice = mem_strdup(error_hint_text(e));
        finding_add(out, FINDING_PROBLEM, "failed", error_message(e), advice);
    }
    return e;
}
