/* The peer's side of a sync, asked for over HTTP. */
#include <string.h>

#include "op/sync_work.h"

#define REPORT_MS 5000
#define THERE "peer: "
#define WORDS_MAX 8000 /* bytes of an error that the peer is told */

void sync_remote_clear(SyncRemote *r)
{
    doc_free(STEAL(r->opened));
    free(STEAL(r->trial));
}

static Error *ask(const SyncRemote *r, const char *method, const char *target, const Doc *body,
                  bool repeatable, Doc **answer)
{
    return link_ask(r->peer->link, method, target, body, repeatable, r->cancel, answer);
}

static Error *get(const SyncRemote *r, const char *path, Doc **answer)
{
    AUTO(char) target = mem_printf("/api/sync/%s?sessionId=%s", path, r->session);
    return ask(r, "GET", target, NULL, true, answer);
}

static Doc *body_of(const SyncRemote *r)
{
    Doc *d = doc_object();
    doc_set_str(d, "sessionId", r->session);
    return d;
}

Error *sync_remote_open(SyncRemote *r, const SyncOptions *o, bool resume)
{
    AUTO(Doc) body = body_of(r);
    Doc *options = sync_options_doc(o);
    /* What each side calls the other one is its own matter. */
    doc_remove(options, "peer");
    doc_remove(options, "entry");
    doc_remove(options, "peerEntry");
    doc_set(body, "options", options);
    doc_set_str(body, "entry", o->peer_entry ? o->peer_entry : r->peer->config.entry);
    if (!doc_str(body, "entry", NULL))
        doc_remove(body, "entry");
    doc_set_bool(body, "resume", resume);
    doc_set_int(body, "protocol", PEER_PROTOCOL);
    sync_remote_clear(r);
    /* Said twice it finds what the first one has made: the peer knows whose session it is. */
    TRY(ask(r, "POST", "/api/sync/session", body, true, &r->opened));
    AUTO(char) who = mem_printf("peer %s", r->peer->config.name);
    return peer_check_protocol(who, doc_int(r->opened, "protocol", 0));
}

const Doc *sync_remote_result(const SyncRemote *r)
{
    return !strcmp(doc_str(r->opened, "status", ""), "COMPLETED") ? doc_get(r->opened, "result")
                                                                  : NULL;
}

Error *sync_remote_schema(const SyncRemote *r, Doc **out)
{
    AUTO(Doc) answer = NULL;
    TRY(get(r, "schema", &answer));
    const Doc *schema = doc_get(answer, "schema");
    if (!schema)
        FAIL(ERR_REFUSED, "peer %s does not say what its tables are like", r->peer->config.name);
    *out = doc_copy(schema);
    return NULL;
}

/* -- how far it is ----------------------------------------------------------------------------- */

static bool status_of(const Doc *answer, SyncStatus *out)
{
    return state_session_status_of(doc_str(answer, "status", ""), out);
}

/* Its session's end as an error here. */
static Error *ended(const SyncRemote *r, const Doc *answer, SyncStatus status)
{
    const char *name = r->peer->config.name, *text = doc_str(answer, "error", NULL);
    const char *hint = doc_str(answer, "hint", NULL);
    if (status == SYNC_CANCELLED)
        FAIL(ERR_CANCELLED, "peer %s: the session was cancelled there", name);
    ErrorKind kind = error_kind_named(doc_str(answer, "kind", NULL));
    AUTO(char) shown = text_printable(text ? text : "it does not say why");
    Error *e = ERROR_NEW(kind == ERR_CANCELLED ? ERR_FENCED : kind, "peer %s: %s", name, shown);
    if (!hint)
        return e;
    AUTO(char) advice = text_printable(hint);
    return error_hint(e, "%s", advice);
}

typedef struct Follow {
    SyncSession *session;
    Job *job;
    uint64_t told; /* bytes, to the job */
    char phase[32];
    uint64_t total;
    bool told_end; /* the peer has said how it ended */
} Follow;

/* What it is at; where that is only what it was told of us, that. */
static const char *phase_of(const Doc *answer)
{
    const char *phase = doc_str(answer, "phase", NULL);
    while (phase && !strncmp(phase, THERE, sizeof THERE - 1))
        phase += sizeof THERE - 1;
    return phase && *phase ? phase : doc_str(answer, "status", "");
}

/* The job and the session here show what is done there. */
static void show(Follow *f, const Doc *answer)
{
    StateSessionProgress p = {.bytes_done = (uint64_t)doc_int(answer, "bytesDone", 0),
                              .bytes_total = (uint64_t)doc_int(answer, "bytesTotal", 0),
                              .rows_done = (uint64_t)doc_int(answer, "rowsDone", 0),
                              .rows_total = (uint64_t)doc_int(answer, "rowsTotal", 0)};
    AUTO(char) said = text_printable(phase_of(answer));
    AUTO(char) there = mem_printf(THERE "%s", said);
    AUTO(char) phase = text_cut(there, sizeof f->phase - 1);
    if (strcmp(phase, f->phase) != 0 || p.bytes_total != f->total || p.bytes_done < f->told) {
        job_phase(f->job, phase, p.bytes_total, 0);
        memcpy(f->phase, phase, strlen(phase) + 1);
        f->total = p.bytes_total;
        f->told = 0;
    }
    job_add_bytes(f->job, p.bytes_done - f->told);
    f->told = p.bytes_done;
    p.phase = phase;
    sync_session_report(f->session, &p);
}

/* Until the peer's session is at `until` or has ended: then *answer is its. The peer answers when
 * that is so, or after the time that it is given; it may also do so at once. */
static Error *follow(const SyncRemote *r, Follow *f, const char *path, SyncStatus until,
                     Doc **answer)
{
    AUTO(char)
    target = mem_printf("/api/sync/%s?sessionId=%s&wait=%d", path, r->session, SYNC_FOLLOW_MS);
    for (;;) {
        AUTO(Doc) now = NULL;
        SyncStatus status;
        bool ready;
        int64_t next = clock_mono_ms() + SYNC_FOLLOW_MS;
        TRY(ask(r, "GET", target, NULL, true, &now));
        if (!status_of(now, &status))
            FAIL(ERR_REFUSED, "peer %s does not say how far it is", r->peer->config.name);
        f->told_end = status == SYNC_FAILED || status == SYNC_CANCELLED;
        if (f->told_end)
            return ended(r, now, status);
        if (status >= until) {
            *answer = STEAL(now);
            return NULL;
        }
        show(f, now);
        int64_t left = next - clock_mono_ms();
        TRY(cancel_poll(r->cancel, -1, 0, left > 0 ? left : 0, &ready));
    }
}

Error *sync_remote_backup(const SyncRemote *r, SyncSession *s, Job *job, Doc **answer)
{
    AUTO(Doc) body = body_of(r);
    AUTO(Doc) begun = NULL;
    Follow f = {.session = s, .job = job};
    doc_set_bool(body, "wait", false);
    TRY(sync_session_step(s, SYNC_BACKING_UP, "the peer backs its database up"));
    TRY(ask(r, "POST", "/api/sync/initiate-backup", body, true, &begun));
    TRY(follow(r, &f, "backup-progress", SYNC_TRANSFERRING, answer));
    if (!doc_str(*answer, "backupId", NULL))
        FAIL(ERR_REFUSED, "peer %s says that its backup is done, but not which",
             r->peer->config.name);
    return NULL;
}

void sync_add_left_out(const Doc *answer, StrList *out)
{
    const Doc *list = doc_get(answer, "leftOut");
    for (size_t i = 0; i < doc_count(list); i++)
        if (doc_text(doc_at(list, i)))
            strlist_add(out, doc_text(doc_at(list, i)));
}

Error *sync_remote_left_out(const SyncRemote *r, StrList *out)
{
    AUTO(Doc) answer = NULL;
    TRY(get(r, "backup-progress", &answer));
    sync_add_left_out(answer, out);
    return NULL;
}

/* Asked again after a lost answer, and after a cut, it is the same job's end: the peer does it once
 * for a session. */
Error *sync_remote_apply(const SyncRemote *r, SyncSession *s, Job *job, const char *backup,
                         SyncApplied *out)
{
    AUTO(Doc) body = body_of(r);
    AUTO(Doc) begun = NULL;
    AUTO(Doc) answer = NULL;
    Follow f = {.session = s, .job = job};
    if (backup)
        doc_set_str(body, "backupId", backup);
    TRY(sync_session_step(s, SYNC_RESTORING, "the peer writes it into its database"));
    Error *e = ask(r, "POST", "/api/sync/restore-backup", body, true, &begun);
    bool unknown = e && (error_kind(e) == ERR_NETWORK || error_kind(e) == ERR_TIMEOUT);
    if (!e) {
        e = follow(r, &f, "session", SYNC_COMPLETED, &answer);
        unknown = e && !f.told_end && error_kind(e) != ERR_CANCELLED;
    }
    if (unknown)
        e = error_hint(error_context(e, "what the peer has written is not known yet"),
                       "pgstow sync resume %s asks it for the end, and goes on from there",
                       r->session);
    TRY(e);
    const Doc *result = doc_get(answer, "result");
    if (!result)
        FAIL(ERR_REFUSED, "peer %s does not say what it has written", r->peer->config.name);
    return sync_applied_read(result, out);
}

/* Within a time: whoever waits for it has something else to do. */
static Error *tell(const SyncRemote *r, const Doc *body, Cancel *parent, int64_t ms, Doc **answer)
{
    AUTO(Cancel) limited = NULL;
    TRY(cancel_new(parent, &limited));
    cancel_deadline(limited, ms);
    return link_ask(r->peer->link, "POST", "/api/sync/report", body, true, limited, answer);
}

/* -- this side ----------------------------------------------------------------------------------
 */

/* One line of it, as a request takes it. Caller frees. */
static char *one_line(const char *text)
{
    char *line = text_cut(text, WORDS_MAX);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    return line;
}

static void set_line(Doc *d, const char *name, const char *text)
{
    if (!text)
        return;
    AUTO(char) utf8 = text_utf8(text);
    AUTO(char) line = one_line(utf8);
    doc_set_str(d, name, line);
}

Error *sync_remote_report(const SyncRemote *r, SyncStatus status, const JobProgress *p,
                          Error **gone)
{
    AUTO(Doc) body = body_of(r);
    AUTO(Doc) answer = NULL;
    SyncStatus there;
    doc_set_str(body, "status", state_session_status_name(status));
    set_line(body, "phase", p->phase);
    doc_set_int(body, "bytesDone", (int64_t)p->bytes_done);
    doc_set_int(body, "bytesTotal", (int64_t)p->bytes_total);
    TRY(tell(r, body, r->cancel, REPORT_MS, &answer));
    if (gone && status_of(answer, &there) && (there == SYNC_FAILED || there == SYNC_CANCELLED))
        *gone = ended(r, answer, there);
    return NULL;
}

Error *sync_remote_end(const SyncRemote *r, const Error *e, const Doc *result, Doc **answer)
{
    AUTO(Doc) body = body_of(r);
    SyncStatus status = !e                               ? SYNC_COMPLETED
                        : error_kind(e) == ERR_CANCELLED ? SYNC_CANCELLED
                                                         : SYNC_FAILED;
    doc_set_str(body, "status", state_session_status_name(status));
    if (r->trial)
        doc_set_str(body, "backupId", r->trial);
    if (e) {
        doc_set_str(body, "kind", error_kind_info(error_kind(e))->name);
        set_line(body, "error", error_message(e));
        set_line(body, "hint", error_hint_text(e));
    }
    if (result)
        doc_set(body, "result", doc_copy(result));
    /* The job may be cancelled: this is said all the same. */
    return tell(r, body, NULL, e ? REPORT_MS : LINK_RETRY_MS, answer);
}
