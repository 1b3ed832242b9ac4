#include "op/notify_note.h"

#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool bad;
    const char *next;
} events[NOTIFY_EVENTS] = {
    [NOTIFY_FAILURE] = {"failure", true,
                        "Run `pgstow doctor` with the same settings: it looks at what the run "
                        "needs, and names remedies. You are told again when it works, or when it "
                        "fails for another reason."},
    [NOTIFY_SUCCESS] = {"success", false, NULL},
    [NOTIFY_RECOVERED] = {"recovered", false, NULL},
    [NOTIFY_MISSED] = {"missed", true,
                       "One run makes up for what was missed. Look why the service or this host "
                       "was not running."},
    [NOTIFY_STALE] = {"stale", true,
                      "Look at the last runs (`pgstow jobs`), and make a backup by hand: `pgstow "
                      "backup`."},
    [NOTIFY_ANOMALY] = {"anomaly", true,
                        "The backup itself is good. Look whether the database is as it should be: "
                        "`pgstow diff` compares it with the one before."},
    [NOTIFY_DAMAGE] = {"damage", true,
                       "`pgstow verify` names what is damaged, and what still restores. Look at "
                       "the disk. The next backup writes anew what it still can; `pgstow restore "
                       "--salvage` gets what is whole."},
    [NOTIFY_DISK_LOW] = {"disk-low", true,
                         "Make room: `pgstow cleanup --dry-run` shows what the rules of retention "
                         "would free. A full disk ends backups with an error, and harms none that "
                         "is there."},
    [NOTIFY_DRILL_FAILED] = {"drill-failed", true,
                             "Until this is understood, do not count on this backup. `pgstow "
                             "verify --level drill --report FILE` shows what differed; an older "
                             "backup may restore."},
    [NOTIFY_HOOK_FAILED] =
        {"hook-failed", true,
         "The run itself is what it says it is. Look at what the hook printed, in "
         "the job's log."},
    [NOTIFY_TEST] = {"test", false, "Nothing: what you read shows that this channel works."},
    [NOTIFY_STARTED] = {"started", false, NULL},
};

const char *notify_event_name(NotifyEvent event)
{
    return event < NOTIFY_EVENTS ? events[event].name : "";
}

bool notify_event_of(const char *name, NotifyEvent *out)
{
    for (unsigned i = 0; i < NOTIFY_EVENTS; i++)
        if (!strcmp(name, events[i].name)) {
            *out = (NotifyEvent)i;
            return true;
        }
    return false;
}

bool notify_event_is_bad(NotifyEvent event)
{
    return events[event].bad;
}

static const char *meaning_of(const char *kind)
{
    for (unsigned i = 0; kind && i < ERROR_KINDS; i++)
        if (!strcmp(kind, error_kind_info((ErrorKind)i)->name))
            return error_kind_info((ErrorKind)i)->meaning;
    return NULL;
}

static bool has(const char *text)
{
    return text && *text;
}

/* "backup of shop", "backup of the entry all", "backup" */
static char *what_of(const NoteFacts *f)
{
    const char *kind = has(f->kind) ? f->kind : "run";
    if (has(f->database))
        return mem_printf("%s of %s", kind, f->database);
    return has(f->entry) ? mem_printf("%s of the entry %s", kind, f->entry) : mem_strdup(kind);
}

static char *title_of(const NoteFacts *f, const char *host)
{
    AUTO(char) what = what_of(f);
    char since[CLOCK_TEXT] = "";
    const char *why = f->job ? meaning_of(f->job->error_kind) : NULL;
    if (f->since)
        clock_human(f->since, since);
    switch (f->event) {
    case NOTIFY_FAILURE:
    case NOTIFY_DRILL_FAILED:
        if (f->subject)
            return mem_strdup(f->subject);
        if (f->job && f->job->status == JOB_INTERRUPTED)
            return mem_printf("%s was interrupted", what);
        return mem_printf("%s failed%s%s", what, why ? ": " : "", why ? why : "");
    case NOTIFY_SUCCESS:
        return mem_printf("%s was made", what);
    case NOTIFY_RECOVERED:
        return f->subject ? mem_strdup(f->subject) : mem_printf("%s works again", what);
    case NOTIFY_MISSED:
        return mem_printf("%s was missed", what);
    case NOTIFY_STALE:
        if (f->subject)
            return mem_strdup(f->subject);
        return f->since ? mem_printf("no good %s since %s", what, since)
                        : mem_printf("there is no good %s yet", what);
    case NOTIFY_ANOMALY:
        return mem_printf("%s is unlike the last ones: %s", what, f->subject ? f->subject : "");
    case NOTIFY_DAMAGE:
        return mem_printf("stored backups are damaged: %s found it", what);
    case NOTIFY_HOOK_FAILED:
        return mem_printf("the hook after the %s failed", what);
    case NOTIFY_DISK_LOW:
        return mem_strdup(f->subject ? f->subject : "the disk is nearly full");
    case NOTIFY_TEST:
        return mem_printf("a test from %s", host);
    case NOTIFY_STARTED:
        return mem_printf("%s has begun", what);
    case NOTIFY_EVENTS:
        break;
    }
    return mem_strdup(what);
}

static void set_time(Doc *d, const char *key, Instant t)
{
    if (t)
        doc_set_time(d, key, t);
}

#define TEXT_MAX 4000 /* bytes: what a server says can be long */

static void set_text(Doc *d, const char *key, const char *text)
{
    AUTO(char) cut = text_cut(text, TEXT_MAX);
    if (has(cut))
        doc_set_str(d, key, cut);
}

static void add_job(Doc *d, const StateJob *j)
{
    Doc *job = doc_object();
    doc_set_int(job, "id", j->id);
    set_text(job, "kind", j->kind);
    doc_set_str(job, "status", state_job_status_name(j->status));
    set_text(job, "trigger", j->trigger);
    doc_set_int(job, "attempt", j->attempt);
    set_time(job, "startedAt", j->started ? j->started : j->created);
    set_time(job, "endedAt", j->ended);
    if (j->ended)
        doc_set_int(job, "duration", j->ended - (j->started ? j->started : j->created));
    doc_set(d, "job", job);
    set_text(d, "backup", j->backup);
    if (!has(j->error_message))
        return;
    Doc *error = doc_object();
    set_text(error, "kind", j->error_kind);
    set_text(error, "message", j->error_message);
    set_text(error, "hint", j->error_hint);
    doc_set(d, "error", error);
}

Doc *notify_note(const NoteFacts *f)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0)
        *host = '\0';
    AUTO(char) title = title_of(f, host);
    Doc *d = doc_object();
    doc_set_str(d, "event", notify_event_name(f->event));
    doc_set_bool(d, "bad", notify_event_is_bad(f->event));
    set_text(d, "title", title);
    set_time(d, "at", f->now);
    doc_set_str(d, "host", host);
    doc_set_str(d, "version", PGSTOW_VERSION);
    set_text(d, "entry", f->entry);
    set_text(d, "database", f->database);
    set_text(d, "server", f->server);
    set_time(d, "since", f->since);
    if (f->job)
        add_job(d, f->job);
    if (f->more && f->more->count)
        doc_set(d, "more", doc_texts(f->more));
    set_text(d, "next", f->next ? f->next : events[f->event].next);
    if (f->job && notify_event_is_bad(f->event)) {
        AUTO(char)
        look =
            mem_printf("`pgstow jobs` on %s: job %lld, with its log", host, (long long)f->job->id);
        doc_set_str(d, "look", look);
    }
    return d;
}
