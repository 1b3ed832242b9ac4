/* A pull's remote: its session says which rows, and hears how many have gone. */
#include <string.h>

#include "op/sync_rows.h"
#include "op/sync_work.h"

#define TELL_MS 2000 /* an fsync each */

typedef struct Serve {
    State *state;
    StateSessionRef ref;
    SyncRowsTake take;
    void *ctx;
    uint64_t rows, bytes;
    int64_t told; /* by clock_mono_ms */
} Serve;

static Error *tell(Serve *s)
{
    bool cancel = false;
    s->told = clock_mono_ms();
    TRY(state_session_progress(s->state, &s->ref,
                               &(StateSessionProgress){.rows_done = s->rows,
                                                       .bytes_done = s->bytes,
                                                       .wire_bytes = s->bytes},
                               clock_now(), &cancel));
    if (cancel)
        FAIL(ERR_CANCELLED, "the session %s was cancelled", s->ref.id);
    return NULL;
}

static Error *pass_on(void *ctx, const SyncRowsBatch *batch)
{
    Serve *s = ctx;
    TRY(s->take(s->ctx, batch));
    s->rows += batch->rows;
    s->bytes += batch->n;
    return clock_mono_ms() - s->told < TELL_MS ? NULL : tell(s);
}

static Error *read_options(State *state, const char *session, SyncOptions *out)
{
    AUTO(StateSession) row = NULL;
    AUTO(Doc) d = NULL;
    TRY(state_session_get(state, session, SYNC_REMOTE, &row));
    if (row->direction != SYNC_PULL)
        FAIL(ERR_USAGE, "the session %s brings rows here, and takes none away", session);
    const char *text = row->options ? row->options : "{}";
    TRY(doc_parse(text, strlen(text), "the session's options", &d));
    return sync_options_read(d, out);
}

Error *op_sync_rows_serve(const SyncHost *h, const char *session, uint64_t attempt,
                          SyncRowsTake take, void *ctx, SyncRowsSum *out)
{
    AUTO(State) state = NULL;
    AUTO_VALUE(SyncOptions) o = {0};
    AUTO_VALUE(BackupOptions) filters = {0};
    Serve s = {.ref = {.id = session, .role = SYNC_REMOTE}, .take = take, .ctx = ctx};
    TRY(state_open(h->state_dir, &(StateOptions){.existing = true}, &state));
    TRY(read_options(state, session, &o));
    TRY(sync_check_filters(&h->terms, &o));
    TRY(sync_filters(h->terms.exclude, &o, &filters, NULL));
    s.state = state;
    TRY(state_session_learn(state, &s.ref, &(StateSessionFacts){.method = "http"}, clock_now()));
    TRY(state_session_step(state, &s.ref, SYNC_TRANSFERRING, "the peer fetches rows", clock_now()));
    s.told = clock_mono_ms();
    TRY(op_sync_rows_send(h->op, &filters, session, attempt, pass_on, &s, out));
    return tell(&s);
}
