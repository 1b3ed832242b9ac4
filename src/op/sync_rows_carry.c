/* Batches between two services: to the peer's POST /api/sync/receive, from its GET /api/sync/rows.
 */
#include <string.h>

#include "base/log.h"
#include "codec/unpack.h"
#include "flow/rate.h"
#include "net/link.h"
#include "op/sync_rows.h"
#include "op/sync_rows_pack.h"
#include "op/sync_spool.h"

#define RUNS 4 /* that a pull begins */
#define RUN_WAIT_MS 500

/* -- push -------------------------------------------------------------------------------------- */

typedef struct Push {
    Link *link;
    Cancel *cancel;
    bool compress;
    Rate *rate;
    Buf packed;
} Push;

static void push_clear(Push *p)
{
    if (p->rate)
        rate_free(p->rate);
    buf_free(&p->packed);
}
DEFINE_AUTO_VALUE(Push, push_clear)

/* Repeated as it is: the peer knows one that it has. */
static Error *push_batch(void *ctx, const SyncRowsBatch *batch)
{
    Push *p = ctx;
    AUTO(Doc) answer = NULL;
    AUTO_VALUE(HttpResponse) response = {0};
    static const HttpHeader packed = {"Content-Encoding", "gzip"};
    LinkCall q = {.method = "POST",
                  .target = "/api/sync/receive",
                  .body = batch->json,
                  .body_bytes = batch->n,
                  .repeatable = true};
    if (p->compress) {
        TRY(sync_rows_pack(batch->json, batch->n, false, &p->packed));
        q.headers = &packed;
        q.header_count = 1;
        q.body = p->packed.data;
        q.body_bytes = p->packed.len;
    }
    TRY(rate_take(p->rate, q.body_bytes, p->cancel));
    TRY(link_call(p->link, &q, p->cancel, &response));
    Error *e =
        doc_parse((const char *)response.body.data, response.body.len, "its answer", &answer);
    if (e)
        return error_rekind(error_context(e, "peer %s", link_name(p->link)), ERR_REFUSED);
    bool durable = doc_type(answer) == DOC_OBJECT && doc_bool(answer, "success", false) &&
                   doc_int(answer, "seq", -1) == (int64_t)batch->seq &&
                   (!batch->last || doc_bool(answer, "complete", false));
    if (!durable)
        FAIL(ERR_REFUSED, "peer %s: its answer does not say that batch %llu is kept",
             link_name(p->link), (unsigned long long)batch->seq);
    return NULL;
}

Error *op_sync_rows_push(const OpContext *c, Link *link, const char *session,
                         const BackupOptions *options, const SyncRowsWay *way, SyncRowsSum *out)
{
    AUTO_VALUE(Push)
    p = {.link = link,
         .cancel = job_cancel(c->job),
         .compress = way->compress,
         .rate = rate_new(way->max_rate)};
    AUTO(char) id = link_escape(session);
    AUTO(char) target = mem_printf("/api/sync/receive?sessionId=%s", id);
    AUTO(Doc) there = NULL;
    TRY(link_ask(link, "GET", target, NULL, true, p.cancel, &there));
    int64_t attempt = doc_int(there, "attempt", 0);
    if (attempt < 0 || attempt >= INT64_MAX)
        FAIL(ERR_REFUSED, "peer %s: its answer has an impossible \"attempt\"", link_name(link));
    return op_sync_rows_send(c, options, session, (uint64_t)attempt + 1, push_batch, &p, out);
}

/* -- pull -------------------------------------------------------------------------------------- */

typedef struct Pull {
    const OpContext *c;
    Link *link;
    SyncSpool *spool;
    Rate *rate;
    Cancel *cancel;
    bool compress;
    Unpack *unpack; /* of this run; NULL: nothing of it came yet */
    Buf line;       /* the beginning of one */
    uint64_t batches, bytes;
} Pull;

static void pull_clear(Pull *p)
{
    if (p->spool)
        sync_spool_free(p->spool);
    if (p->rate)
        rate_free(p->rate);
    if (p->unpack)
        unpack_free(p->unpack);
    buf_free(&p->line);
}
DEFINE_AUTO_VALUE(Pull, pull_clear)

/* {"error": {kind, message, hint}}: what broke off there. */
static Error *their_error(const Pull *p, const char *line, size_t n)
{
    AUTO(Doc) d = NULL;
    TRY(doc_parse(line, n, "its last line", &d));
    const Doc *said = doc_get(d, "error");
    AUTO(char) message = text_printable(doc_str(said, "message", ""));
    AUTO(char) hint = text_printable(doc_str(said, "hint", ""));
    Error *e = ERROR_NEW(error_kind_named(doc_str(said, "kind", NULL)), "peer %s: %s",
                         link_name(p->link), message);
    return *hint ? error_hint(e, "%s", hint) : e;
}

static Error *take_line(Pull *p, const char *line, size_t n)
{
    static const char failed[] = "{\"error\":";
    if (n >= sizeof failed - 1 && !memcmp(line, failed, sizeof failed - 1))
        return their_error(p, line, n);
    TRY_CTX(sync_spool_take(p->spool, line, n), "what peer %s sends", link_name(p->link));
    p->batches++;
    p->bytes += n;
    return NULL;
}

static Error *take_lines(void *ctx, const void *data, size_t n)
{
    Pull *p = ctx;
    const char *at = data, *end = at + n;
    job_add_bytes(p->c->job, n);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t part = (size_t)((newline ? newline : end) - at);
        TRY_CTX(buf_reserve(&p->line, part, SYNC_BATCH_MAX), "a line of peer %s",
                link_name(p->link));
        buf_add(&p->line, at, part);
        if (newline) {
            TRY(take_line(p, (const char *)p->line.data, p->line.len));
            p->line.len = 0;
        }
        at += part + (newline != NULL);
    }
    return NULL;
}

/* Compressed or not: it begins as one of the two, whatever was asked for. */
static Error *take_bytes(void *ctx, const void *data, size_t n)
{
    Pull *p = ctx;
    TRY(rate_take(p->rate, n, p->cancel));
    if (n && !p->unpack) {
        bool packed = *(const uint8_t *)data != '{';
        TRY(unpack_open(packed ? UNPACK_GZIP : UNPACK_NONE, take_lines, p, &p->unpack));
    }
    return p->unpack ? unpack_write(p->unpack, data, n) : NULL;
}

/* One run of the peer's: a snapshot, and so an attempt, of its own. */
static Error *pull_once(Pull *p, const char *session)
{
    AUTO_VALUE(HttpResponse) response = {0};
    AUTO(char) id = link_escape(session);
    uint64_t attempt = sync_spool_state(p->spool).attempt + 1;
    AUTO(char)
    target =
        mem_printf("/api/sync/rows?sessionId=%s&attempt=%llu", id, (unsigned long long)attempt);
    p->line.len = 0;
    p->batches = p->bytes = 0;
    job_phase(p->c->job, "receiving rows", 0, 0);
    static const HttpHeader packed = {"Accept-Encoding", "gzip"};
    if (p->unpack)
        unpack_free(STEAL(p->unpack));
    TRY(link_call(p->link,
                  &(LinkCall){.target = target,
                              .headers = &packed,
                              .header_count = p->compress,
                              .write = take_bytes,
                              .write_ctx = p},
                  p->cancel, &response));
    SyncSpoolState s = sync_spool_state(p->spool);
    if (p->line.len || s.attempt != attempt || !s.complete)
        FAIL(ERR_NETWORK, "peer %s: what it sent ends before the last batch", link_name(p->link));
    return NULL;
}

/* Whether another run may go better. */
static bool may_pass(const Error *e)
{
    return error_kind(e) == ERR_NETWORK || error_kind(e) == ERR_TIMEOUT;
}

static Error *pull_runs(Pull *p, const char *session)
{
    for (int run = 1;; run++) {
        bool ready;
        Error *e = pull_once(p, session);
        if (!e || run == RUNS || !may_pass(e) || cancel_requested(p->cancel))
            return e;
        log_info("beginning anew (%d): %s", run, error_message(e));
        error_free(e);
        TRY(cancel_poll(p->cancel, -1, 0, RUN_WAIT_MS * run, &ready));
    }
}

/* What runs that died have left: without a service nobody else does it. */
static void sweep(const char *state_dir)
{
    AUTO(State) state = NULL;
    Error *e = state_open(state_dir, &(StateOptions){.existing = true}, &state);
    e = e ? e : sync_spool_sweep_ended(state_dir, state);
    if (e)
        log_debug("rows of ended syncs were not removed: %s", error_message(e));
    error_drop(e);
}

Error *op_sync_rows_pull(const OpContext *c, Link *link, const char *session, const char *state_dir,
                         const SyncRowsWay *way, SyncRowsSum *out)
{
    AUTO_VALUE(Pull)
    p = {.c = c,
         .link = link,
         .rate = rate_new(way->max_rate),
         .compress = way->compress,
         .cancel = job_cancel(c->job)};
    sweep(state_dir);
    TRY(sync_spool_open(state_dir, session, true, &p.spool));
    TRY(pull_runs(&p, session));
    SyncSpoolState s = sync_spool_state(p.spool);
    sync_rows_sum_clear(out);
    *out =
        (SyncRowsSum){.tables = s.tables, .rows = s.rows, .batches = p.batches, .bytes = p.bytes};
    return NULL;
}
