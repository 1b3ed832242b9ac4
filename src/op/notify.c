#include "op/notify.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "op/notify_sample.h"
#include "op/notify_work.h"
#include "state/state_condition.h"
#include "state/state_outbox.h"

/* -- into the outbox ------------------------------------------------------------------------------
 */

static Error *put(const Telling *c, const char *cause, Channel channel, NotifyEvent event,
                  const Doc *note)
{
    AUTO(char) payload = doc_print(note, false);
    return state_outbox_put(c->s,
                            &(StateNoteNew){.cause = cause,
                                            .channel = channel_name(channel),
                                            .event = notify_event_name(event),
                                            .payload = payload,
                                            .now = c->now},
                            NULL);
}

Error *notify_tell(const Telling *c, const char *cause, Instant began, const NoteFacts *f,
                   bool *told)
{
    NoteFacts facts = *f;
    facts.now = c->now;
    facts.job = c->job;
    if (c->job) {
        facts.kind = c->job->kind;
        facts.entry = c->job->entry;
        facts.database = c->job->database;
    }
    facts.server = c->t->server;
    AUTO(Doc) note = notify_note(&facts);
    AUTO(char) key = mem_printf("%s@%lld/%s", cause, (long long)began, notify_event_name(f->event));
    *told = false;
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (!c->t->on[i] || i == CHANNEL_PING)
            continue;
        TRY(put(c, key, (Channel)i, facts.event, note));
        *told = true;
    }
    return NULL;
}

Error *notify_begin(const Telling *c, const char *cause, const char *detail, const NoteFacts *f)
{
    bool began, told;
    TRY(state_condition_set(c->s, cause, detail, c->now, &began));
    if (!began || !c->t->on_failure)
        return NULL;
    TRY(notify_tell(c, cause, c->now, f, &told));
    return told ? state_condition_notified(c->s, cause, c->now) : NULL;
}

Error *notify_end(const Telling *c, const char *cause, Instant *since)
{
    AUTO(StateCondition) was = NULL;
    TRY(state_condition_end(c->s, cause, &was));
    if (was && was->notified && (!*since || was->since < *since))
        *since = was->since;
    return NULL;
}

/* -- causes ---------------------------------------------------------------------------------------
 */

/* Kinds of errors that are the repository's, whichever database it was: told once for all. */
static bool is_of_repository(const char *kind)
{
    static const ErrorKind kinds[] = {ERR_REPO_NOT_FOUND, ERR_REPO_PERMISSION,  ERR_REPO_FULL,
                                      ERR_DAMAGED,        ERR_REPO_UNSUPPORTED, ERR_KEY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, error_kind_info(kinds[i])->name))
            return true;
    return false;
}

bool notify_is_kind(const StateJob *j, ErrorKind kind)
{
    return j->error_kind && !strcmp(j->error_kind, error_kind_info(kind)->name);
}

char *notify_cause(const Telling *c)
{
    const StateJob *j = c->job;
    const char *kind = j->status == JOB_INTERRUPTED ? "interrupted" : j->error_kind;
    if (kind && is_of_repository(kind))
        return mem_printf("cause/%s/%s", kind, c->t->repo);
    if (notify_is_kind(j, ERR_CONNECT) && *c->t->server)
        return mem_printf("cause/%s/%s", kind, c->t->server);
    return mem_printf("cause/%s/%s/%s/%s", kind ? kind : "unknown", j->kind, j->entry, j->database);
}

char *notify_thing(const char *what, const char *kind, const char *entry, const char *database)
{
    return mem_printf("%s/%s/%s/%s", what, kind, entry, database);
}

Error *notify_add_cause(const Telling *c, const char *thing, const char *cause)
{
    AUTO(StateCondition) old = NULL;
    bool began;
    TRY(state_condition_get(c->s, thing, &old));
    const char *seen = old && old->detail ? old->detail : "";
    size_t n = strlen(cause);
    bool there = false;
    for (const char *p = seen; (p = strstr(p, cause)) && !there; p += n)
        there = (p == seen || p[-1] == '\n') && (p[n] == '\n' || !p[n]);
    AUTO(char)
    more = there ? mem_strdup(seen) : mem_printf("%s%s%s", seen, *seen ? "\n" : "", cause);
    return state_condition_set(c->s, thing, more, c->now, &began);
}

Error *notify_end_causes(const Telling *c, const char *thing, Instant *since)
{
    AUTO(StateCondition) was = NULL;
    TRY(state_condition_end(c->s, thing, &was));
    for (char *p = was ? was->detail : NULL; p && *p;) {
        size_t n = strcspn(p, "\n");
        AUTO(char) cause = mem_strndup(p, n);
        TRY(notify_end(c, cause, since));
        p += n + (p[n] == '\n');
    }
    return NULL;
}

/* -- a job's end ----------------------------------------------------------------------------------
 */

static bool is_backup(const StateJob *j)
{
    return !strcmp(j->kind, "backup");
}

static Error *ping(const Telling *c, NotifyEvent event)
{
    if (!c->t->on[CHANNEL_PING] || !is_backup(c->job))
        return NULL;
    NoteFacts f = {.event = event,
                   .kind = c->job->kind,
                   .entry = c->job->entry,
                   .database = c->job->database,
                   .server = c->t->server,
                   .job = c->job,
                   .now = c->now};
    AUTO(Doc) note = notify_note(&f);
    AUTO(char) cause = mem_printf("ping/%lld/%s", (long long)c->job->id, notify_event_name(event));
    return put(c, cause, CHANNEL_PING, event, note);
}

static Error *job_failed(const Telling *c)
{
    const StateJob *j = c->job;
    AUTO(char) thing = notify_thing("failing", j->kind, j->entry, j->database);
    AUTO(char) cause = notify_cause(c);
    NoteFacts f = {.event = notify_is_kind(j, ERR_DAMAGED) ? NOTIFY_DAMAGE
                            : !strcmp(j->kind, "drill")    ? NOTIFY_DRILL_FAILED
                                                           : NOTIFY_FAILURE};
    bool told_all = false;
    TRY(ping(c, f.event));
    if (notify_is_of_all(c))
        TRY(notify_parts(c, false, &told_all));
    if (told_all)
        return NULL;
    TRY(notify_add_cause(c, thing, cause));
    return notify_begin(c, cause, j->error_message, &f);
}

static Error *look_for_anomaly(const Telling *c)
{
    const StateJob *j = c->job;
    AUTO_VALUE(StateSamples) samples = {0};
    AUTO_VALUE(StrList) found = {0};
    AUTO(char) cause = notify_thing("anomaly", j->kind, j->entry, j->database);
    Instant since = 0;
    TRY(state_job_samples(c->s, j->kind, j->entry, j->database, NOTIFY_SAMPLES + 1, &samples));
    notify_sample_judge(&samples, j->id, &found);
    if (!found.count)
        return notify_end(c, cause, &since); /* being as usual again is no news */
    NoteFacts f = {.event = NOTIFY_ANOMALY, .subject = found.items[0], .more = &found};
    return notify_begin(c, cause, found.items[0], &f);
}

static Error *job_succeeded(const Telling *c)
{
    const StateJob *j = c->job;
    AUTO(char) thing = notify_thing("failing", j->kind, j->entry, j->database);
    AUTO(char) missed = notify_thing("missed", j->kind, j->entry, j->database);
    AUTO(char) stale = mem_printf("stale/%s", j->entry);
    AUTO(char) success = mem_printf("success/%lld", (long long)j->id);
    Instant since = 0, unused = 0;
    bool told;
    TRY(notify_end_causes(c, thing, &since));
    TRY(notify_end(c, missed, &unused));
    if (is_backup(j))
        TRY(ping(c, NOTIFY_SUCCESS));
    if (notify_is_of_all(c)) {
        TRY(notify_parts(c, false, &told));
    } else if (is_backup(j)) {
        TRY(notify_end(c, stale, &since));
        TRY(look_for_anomaly(c));
    }
    NoteFacts recovered = {.event = NOTIFY_RECOVERED, .since = since};
    NoteFacts made = {.event = NOTIFY_SUCCESS};
    if (since && c->t->on_failure)
        return notify_tell(c, thing, since, &recovered, &told);
    bool worth = is_backup(j) || !strcmp(j->kind, "sync");
    return c->t->on_success && worth ? notify_tell(c, success, j->id, &made, &told) : NULL;
}

/* What the run says of its last hook (docs/hooks.md). */
static Error *look_at_hook(const Telling *c)
{
    const StateJob *j = c->job;
    AUTO(Doc) result = NULL;
    AUTO(char) cause = notify_thing("hook", j->kind, j->entry, j->database);
    AUTO_VALUE(StrList) more = {0};
    Instant since = 0;
    bool told;
    if (j->result)
        error_drop(doc_parse(j->result, strlen(j->result), "a result", &result));
    const Doc *failed = doc_get(result, "hookError");
    if (failed) {
        const char *message = doc_str(failed, "message", ""), *hint = doc_str(failed, "hint", NULL);
        strlist_add(&more, message);
        if (hint)
            strlist_add(&more, hint);
        NoteFacts f = {.event = NOTIFY_HOOK_FAILED, .more = &more};
        return notify_begin(c, cause, message, &f);
    }
    if (j->status != JOB_SUCCEEDED)
        return NULL;
    TRY(notify_end(c, cause, &since));
    AUTO(char) subject = mem_printf("the hook after the %s works again", j->kind);
    NoteFacts f = {.event = NOTIFY_RECOVERED, .since = since, .subject = subject};
    return since && c->t->on_failure ? notify_tell(c, cause, since, &f, &told) : NULL;
}

typedef struct JobEnd {
    const Notifier *n;
    int64_t id;
    bool started, again;
    Instant now;
} JobEnd;

static Error *job_ended(State *s, void *ctx)
{
    const JobEnd *e = ctx;
    AUTO(StateJob) j = NULL;
    bool unused;
    TRY(state_job_get(s, e->id, &j));
    Telling c = {.s = s, .n = e->n, .t = notifier_find(e->n, j->entry), .job = j, .now = e->now};
    if (!c.t)
        return NULL;
    if (e->started)
        return ping(&c, NOTIFY_STARTED);
    TRY(look_at_hook(&c));
    if (j->status == JOB_SUCCEEDED)
        return job_succeeded(&c);
    if (e->again)
        return notify_is_of_all(&c) ? notify_parts(&c, true, &unused) : NULL;
    if (j->status == JOB_FAILED || j->status == JOB_INTERRUPTED)
        return job_failed(&c);
    return NULL; /* cancelled: somebody wanted it so */
}

Error *notify_job_started(State *s, const Notifier *n, int64_t job, Instant now)
{
    return state_together(s, job_ended, &(JobEnd){.n = n, .id = job, .started = true, .now = now});
}

Error *notify_job_ended(State *s, const Notifier *n, int64_t job, bool again, Instant now)
{
    return state_together(s, job_ended, &(JobEnd){.n = n, .id = job, .again = again, .now = now});
}

/* -- runs that were missed ------------------------------------------------------------------------
 */

#define OVERLAP_NEXT                                                                               \
    "Look what the run that is not done is at: `pgstow jobs`. Where it only takes so long, "       \
    "schedule "                                                                                    \
    "runs less often; backup.backupTimeout ends one that hangs."

typedef struct MissedRun {
    const Notifier *n;
    const NotifyMissed *missed;
    Instant now;
} MissedRun;

static Error *tell_missed(State *s, void *ctx)
{
    const MissedRun *m = ctx;
    const NotifyMissed *what = m->missed;
    Telling c = {.s = s, .n = m->n, .t = notifier_find(m->n, what->entry), .now = m->now};
    AUTO(StateCondition) old = NULL;
    AUTO_VALUE(StrList) more = {0};
    char due[CLOCK_TEXT], runs[64] = "";
    if (!c.t)
        return NULL;
    AUTO(char) cause = notify_thing("missed", what->kind, what->entry, what->database);
    clock_human(what->due, due);
    TRY(state_condition_get(s, cause, &old));
    if (old && old->detail && !strcmp(old->detail, due))
        return NULL;
    if (what->runs > 1)
        snprintf(runs, sizeof runs, "; %lld runs in all", (long long)what->runs);
    strlist_own(&more, mem_printf("it was due at %s%s", due, runs));
    if (what->running)
        strlist_own(&more, mem_printf("job %lld, begun before, is not done", what->running));
    if (old) { /* another one */
        Instant unused = 0;
        TRY(notify_end(&c, cause, &unused));
    }
    NoteFacts f = {.event = NOTIFY_MISSED,
                   .next = what->running ? OVERLAP_NEXT : NULL,
                   .kind = what->kind,
                   .entry = what->entry,
                   .database = what->database,
                   .more = &more};
    return notify_begin(&c, cause, due, &f);
}

Error *notify_missed(State *s, const Notifier *n, const NotifyMissed *missed, Instant now)
{
    return state_together(s, tell_missed, &(MissedRun){n, missed, now});
}

/* -- what time brings -----------------------------------------------------------------------------
 */

#define RUN_TIME_MS (2 * 3600000ll) /* that a run may take before it counts as not there */

/* Since when there has to be a good backup; 0: none is expected. */
static Instant stale_before(const NotifyTarget *t, Instant now)
{
    if (t->stale_ms)
        return now - t->stale_ms;
    if (!t->schedule)
        return 0;
    Instant last = cron_prev(t->schedule, t->zone, now - RUN_TIME_MS);
    Instant before = last == CRON_NEVER ? last : cron_prev(t->schedule, t->zone, last);
    return before == CRON_NEVER ? 0 : before;
}

/* The newest good backup of an entry: of several databases under one name that of any of them. */
static const StateJob *newest_of(const StateJobs *l, const char *entry)
{
    const StateJob *newest = NULL;
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].entry, entry) && (!newest || l->items[i].ended > newest->ended))
            newest = &l->items[i];
    return newest;
}

static Error *look_for_stale(const Telling *c, const StateJobs *successes)
{
    const StateJob *newest = newest_of(successes, c->t->entry);
    Instant limit = stale_before(c->t, c->now);
    StateJobFilter before = {.kind = "backup", .entry = c->t->entry, .until = limit};
    uint64_t tried = 0;
    if (limit && c->t->all) {
        bool known;
        TRY(notify_stale_parts(c, limit, &known));
        if (known)
            return NULL;
    }
    if (!limit || (newest && newest->ended >= limit))
        return NULL; /* a condition is ended by the backup itself */
    /* Where nothing was tried before, its time has not come. */
    if (!newest)
        TRY(state_job_count(c->s, &before, &tried));
    if (!newest && !tried)
        return NULL;
    AUTO(char) cause = mem_printf("stale/%s", c->t->entry);
    NoteFacts f = {.event = NOTIFY_STALE,
                   .kind = "backup",
                   .entry = c->t->entry,
                   .database = newest ? newest->database : NULL,
                   .since = newest ? newest->ended : 0};
    return notify_begin(c, cause, newest ? newest->backup : NULL, &f);
}

/* The limit, and a tenth more until it counts as over: no mail for each file that comes and goes.
 */
static Error *look_at_disk(const Telling *c, const char *folder)
{
    uint64_t room = 0;
    AUTO(Error) e = file_free_space(folder, &room);
    if (e) /* it is not made yet, or gone: backups will tell */
        return NULL;
    AUTO(char) cause = mem_printf("disk-low/%s", folder);
    AUTO(StateCondition) old = NULL;
    char left[32];
    text_size(room, left);
    TRY(state_condition_get(c->s, cause, &old));
    uint64_t least = c->t->min_free;
    NoteFacts f = {.kind = "disk"};
    if (room < (old ? least + least / 10 : least)) {
        AUTO(char) subject = mem_printf("only %s are left on the disk of %s", left, folder);
        f.event = NOTIFY_DISK_LOW;
        f.subject = subject;
        return notify_begin(c, cause, left, &f);
    }
    if (!old)
        return NULL;
    Instant since = 0;
    bool told;
    TRY(notify_end(c, cause, &since));
    AUTO(char) subject = mem_printf("the disk of %s has room again: %s", folder, left);
    f.event = NOTIFY_RECOVERED;
    f.subject = subject;
    f.since = since;
    return since ? notify_tell(c, cause, since, &f, &told) : NULL;
}

static bool on_same_disk(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

static Error *look_at_disks(const Telling *c, size_t index)
{
    for (size_t i = 0; i < index; i++) /* another entry's look was for this one, too */
        if (on_same_disk(notifier_at(c->n, i)->repo, c->t->repo))
            return NULL;
    TRY(look_at_disk(c, c->t->repo));
    AUTO(char) path = mem_strdup(state_path(c->s));
    char *slash = strrchr(path, '/');
    if (index || !slash)
        return NULL;
    *slash = '\0';
    return on_same_disk(path, c->t->repo) ? NULL : look_at_disk(c, path);
}

typedef struct Tick {
    const Notifier *n;
    Instant now;
} Tick;

static Error *tick(State *s, void *ctx)
{
    const Tick *k = ctx;
    AUTO_VALUE(StateJobs) successes = {0};
    TRY(state_job_last_successes(s, "backup", &successes));
    for (size_t i = 0; i < notifier_count(k->n); i++) {
        Telling c = {.s = s, .n = k->n, .t = notifier_at(k->n, i), .now = k->now};
        TRY(look_for_stale(&c, &successes));
        TRY(look_at_disks(&c, i));
    }
    return notify_dead_syncs(&(Telling){.s = s, .n = k->n, .now = k->now});
}

Error *notify_tick(State *s, const Notifier *n, Instant now)
{
    return state_together(s, tick, &(Tick){n, now});
}
