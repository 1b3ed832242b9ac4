/* Rows of a sync as JSON (docs/sync.md, "Method http"): those that a peer pushes are kept in the
 * session's spool, those that it pulls are what a child writes. */
#include <string.h>

#include "base/log.h"
#include "op/sync_rows_pack.h"
#include "op/sync_spool.h"
#include "serve/errand.h"
#include "serve/sync_ask.h"
#include "serve/turns.h"
#include "state/state_audit.h"

#define PORTION ((size_t)256 << 10) /* read before there is a reply */

/* -- received ------------------------------------------------------------------------------------
 */

/* What is in the spool, that is durable. */
static void reply_spool(Ask *a, const char *session, SyncSpoolState s)
{
    Doc *d = doc_object();
    doc_set_bool(d, "success", true);
    doc_set_str(d, "sessionId", session);
    doc_set_int(d, "attempt", (int64_t)s.attempt);
    doc_set_int(d, "seq", (int64_t)s.seq);
    doc_set_int(d, "rows", (int64_t)s.rows);
    doc_set_bool(d, "complete", s.complete);
    a->reply->status = 200;
    a->reply->body = d;
}

/* The one that has it is soon done: 429 is what peers repeat after. */
static Error *later(Error *e)
{
    return e && error_kind(e) == ERR_BUSY ? error_rekind(e, ERR_RATE) : e;
}

static Error *not_here(const StateSession *s, SyncDirection direction)
{
    bool live = (SYNC_LIVE & 1u << s->status) != 0;
    if (s->direction != direction)
        FAIL(ERR_PREFLIGHT, "the session %s %s rows", s->id,
             direction == SYNC_PUSH ? "takes no" : "gives no");
    if (!live)
        return error_hint(ERROR_NEW(ERR_FENCED, "the session %s has ended: it is %s", s->id,
                                    state_session_status_name(s->status)),
                          "open another one, or resume it");
    return NULL;
}

/* Batches are a sign of life, and of what the session does. Not each of them: it costs an fsync. */
static Error *show_life(const Ask *a, const StateSession *s)
{
    State *state = a->api->service->state;
    StateSessionRef ref = {s->id, SYNC_REMOTE, s->attempt};
    Instant now = clock_now();
    bool cancel = false;
    if (s->status != SYNC_TRANSFERRING)
        return state_session_step(state, &ref, SYNC_TRANSFERRING, "rows come, by http", now);
    if (now - s->heartbeat >= 0 && now - s->heartbeat < SYNC_BEAT_MS)
        return NULL;
    TRY(state_session_beat(state, &ref, now, &cancel));
    if (cancel)
        FAIL(ERR_CANCELLED, "the session %s was cancelled", s->id);
    return NULL;
}

/* Its reply says no other seq than that of this batch, also where further ones are there. */
static Error *keep(Ask *a, const SyncBatch *b, const void *body, size_t n)
{
    AUTO(SyncSpool) spool = NULL;
    TRY(later(sync_spool_open(a->api->service->state_dir, b->session, true, &spool)));
    TRY(sync_spool_put(spool, b, body, n));
    SyncSpoolState s = sync_spool_state(spool);
    s.seq = b->seq;
    reply_spool(a, b->session, s);
    return NULL;
}

static Error *is_packed(const Ask *a, bool *packed)
{
    const char *how = http_call_header(a->call, "Content-Encoding");
    *packed = how && text_equal_nocase(how, "gzip");
    if (how && !*packed && !text_equal_nocase(how, "identity"))
        FAIL(ERR_USAGE, "a batch comes as it is, or with Content-Encoding: gzip");
    return NULL;
}

Error *api_sync_receive(Ask *a)
{
    AUTO_VALUE(SyncBatch) b = {0};
    AUTO_VALUE(Buf) unpacked = {0};
    AUTO(StateSession) s = NULL;
    const void *body = a->call->body;
    size_t n = a->call->length;
    bool packed;
    TRY(is_packed(a, &packed));
    if (packed) {
        TRY(sync_rows_unpack(body, n, &unpacked));
        body = unpacked.data;
        n = unpacked.len;
    }
    TRY(sync_batch_read(body, n, &b));
    a->body = doc_object();
    doc_set_str(a->body, "sessionId", b.session);
    a->object = mem_strdup(b.session);
    TRY(sync_ask_session(a, &s));
    TRY(not_here(s, SYNC_PUSH));
    if (s->status > SYNC_TRANSFERRING)
        FAIL(ERR_FENCED, "the session %s is %s: its rows are being written already", s->id,
             state_session_status_name(s->status));
    TRY(show_life(a, s));
    TRY(sync_ask_told(a, s, keep(a, &b, body, n)));
    a->audited = !b.last; /* one entry for all */
    return NULL;
}

Error *api_sync_received(Ask *a)
{
    AUTO(StateSession) s = NULL;
    AUTO(SyncSpool) spool = NULL;
    SyncSpoolState none = {0};
    TRY(sync_ask_session(a, &s));
    Error *e = sync_spool_open(a->api->service->state_dir, s->id, false, &spool);
    if (e && error_kind(e) != ERR_NOT_FOUND)
        return later(e);
    error_drop(e);
    reply_spool(a, s->id, spool ? sync_spool_state(spool) : none);
    return NULL;
}

void sync_rows_tick(Api *api)
{
    AUTO(Error) e = sync_spool_sweep_ended(api->service->state_dir, api->service->state);
    if (e)
        log_warning("rows of ended syncs were not removed: %s", error_message(e));
}

/* -- sent ----------------------------------------------------------------------------------------
 */

typedef struct Sending {
    Api *api;
    Errand *errand;
    StrList words;
    char *entry;
    Buf first;   /* read before there was a reply */
    size_t used; /* of that */
    uint64_t sent;
    char *failure;
    char *actor, *origin, *session;
} Sending;

static void sending_free(Sending *x)
{
    errand_free(x->errand);
    turns_give(x->api->row_turns);
    strlist_free(&x->words);
    buf_free(&x->first);
    free(x->entry);
    free(x->failure);
    free(x->actor);
    free(x->origin);
    free(x->session);
    free(x);
}
DEFINE_AUTO(Sending, sending_free)

static Error *next(Sending *x, void *p, size_t n, size_t *got)
{
    size_t there = x->first.len - x->used;
    if (!there)
        return errand_read(x->errand, p, n, got);
    *got = there < n ? there : n;
    memcpy(p, x->first.data + x->used, *got);
    x->used += *got;
    return NULL;
}

static Error *stream_read(void *ctx, void *p, size_t n, size_t *got)
{
    Sending *x = ctx;
    Error *e = next(x, p, n, got);
    if (e && !x->failure)
        x->failure = mem_strdup(error_message(e));
    if (!e)
        x->sent += *got;
    return e;
}

static void stream_end(void *ctx, bool whole)
{
    AUTO(Sending) x = ctx;
    AUTO(Doc) d = doc_object();
    const char *failure = x->failure ? x->failure : "the peer has gone, or took nothing";
    doc_set_int(d, "bytes", (int64_t)x->sent);
    if (!whole)
        doc_set_str(d, "error", failure);
    AUTO(char) detail = doc_print(d, false);
    if (!whole)
        log_warning("the rows of sync %s were broken off: %s", x->session, failure);
    AUTO(Error)
    e = state_audit_add(x->api->service->state,
                        &(StateAuditNew){.actor = x->actor,
                                         .role = "peer",
                                         .origin = x->origin,
                                         .action = "sync.rows",
                                         .object = x->session,
                                         .outcome = whole ? "done" : "failed",
                                         .detail = detail,
                                         .now = clock_now()},
                        NULL);
    if (e)
        log_warning("sync %s: %s", x->session, error_message(e));
}

/* Has a turn. */
static Sending *sending_new(Ask *a, const StateSession *s, const ServiceEntry *entry, bool packed)
{
    Sending *x = mem_new(Sending);
    x->api = a->api;
    x->entry = mem_strdup(entry->name);
    x->actor = mem_strdup(a->actor);
    x->origin = mem_strdup(a->call->remote);
    x->session = mem_strdup(s->id);
    strlist_add(&x->words, "sync");
    strlist_add(&x->words, "rows");
    strlist_add(&x->words, "--");
    strlist_own(&x->words, mem_printf("%s/%lld%s", s->id, (long long)api_int(a, "attempt", 1),
                                      packed ? "/gzip" : ""));
    return x;
}

static Error *crowded(void)
{
    return error_hint(ERROR_NEW(ERR_RATE, "too many syncs read rows already"), "try again later");
}

Error *api_sync_rows(Ask *a)
{
    AUTO(StateSession) s = NULL;
    const ServiceEntry *entry;
    bool full;
    int client = http_call_socket(a->call);
    TRY(sync_ask_session(a, &s));
    TRY(not_here(s, SYNC_PULL));
    TRY(sync_ask_entry(a, s, &entry));
    a->object = mem_strdup(s->id);
    TRY(turns_take(a->api->row_turns, client, a->api->stop, &full));
    if (full)
        return crowded();
    const char *takes = http_call_header(a->call, "Accept-Encoding");
    bool packed = takes && strstr(takes, "gzip");
    AUTO(Sending) x = sending_new(a, s, entry, packed);
    TRY(buf_reserve(&x->first, PORTION, PORTION));
    TRY(errand_start(&(ErrandOptions){.runner = a->api->service->runner,
                                      .entry = x->entry,
                                      .words = &x->words,
                                      .output = true,
                                      .socket = client,
                                      .stop = a->api->stop},
                     &x->errand));
    TRY(errand_read(x->errand, x->first.data, PORTION, &x->first.len));
    HttpStream stream = {.read = stream_read, .end = stream_end, .length = -1};
    stream.ctx = STEAL(x);
    http_reply_header(a->reply, "Content-Type", "application/x-ndjson");
    if (packed)
        http_reply_header(a->reply, "Content-Encoding", "gzip");
    http_reply_stream(a->reply, 200, &stream);
    return NULL;
}
