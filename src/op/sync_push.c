/* PUSH: the database here into the peer's. */
#include <string.h>

#include "base/fault.h"
#include "op/sync_rows.h"
#include "op/sync_work.h"

/* The backup here, sent: *id in the peer's repository. */
static Error *by_backup(SyncWork *w, char **id)
{
    AUTO_VALUE(BackupInfo) made = {0};
    AUTO_VALUE(BackupInfo) copy = {0};
    int64_t start = clock_mono_ms();
    sync_at(w, SYNC_BACKING_UP);
    TRY(sync_make_backup(w->h, w->session, w->o, sync_session_backup(w->session), &made));
    w->out->backup_ms = clock_mono_ms() - start;
    w->out->backup = mem_strdup(made.id);
    strlist_copy(&w->out->warnings, &made.warnings);
    sync_plan_room(w, made.size);
    FAULT_POINT("sync.push.backed-up");
    start = clock_mono_ms();
    TRY(sync_transfer(w, made.id, &copy));
    w->out->transfer_ms = clock_mono_ms() - start;
    w->out->rows = made.rows;
    w->out->bytes = made.logical_size;
    w->out->method = SYNC_METHOD_BACKUP;
    *id = mem_strdup(copy.id);
    return NULL;
}

/* Rows, without a backup here: there they become one. */
static Error *by_rows(SyncWork *w)
{
    AUTO_VALUE(BackupOptions) filters = {0};
    SyncRowsWay way = {.compress = w->o->compress, .max_rate = w->o->max_rate};
    AUTO_VALUE(SyncRowsSum) sum = {0};
    int64_t start = clock_mono_ms();
    TRY(sync_filters(w->h->terms.exclude, w->o, &filters, NULL));
    TRY(sync_session_learn(w->session, &(StateSessionFacts){.method = "http"}));
    TRY(sync_session_step(w->session, SYNC_TRANSFERRING, "rows, by http"));
    sync_at(w, SYNC_TRANSFERRING);
    TRY(op_sync_rows_push(w->h->op, w->peer->link, w->remote.session, &filters, &way, &sum));
    w->out->transfer_ms = clock_mono_ms() - start;
    w->out->rows = sum.rows;
    w->out->bytes = sum.bytes;
    w->out->method = SYNC_METHOD_HTTP;
    strlist_copy(&w->out->warnings, &sum.warnings);
    return NULL;
}

Error *sync_push(SyncWork *w)
{
    AUTO(char) id = NULL;
    AUTO_VALUE(BackupOptions) unused = {0};
    TRY(sync_filters(w->h->terms.exclude, w->o, &unused, &w->out->left_out));
    Error *e = w->o->method == SYNC_METHOD_HTTP ? by_rows(w) : by_backup(w, &id);
    if (e && w->o->method != SYNC_METHOD_HTTP && sync_wants_rows(w, e)) {
        error_drop(e);
        sync_session_log(w->session, "info", "there is no pg_dump here that fits: rows, by http");
        TRY(sync_session_step(w->session, SYNC_PREPARING, NULL));
        e = by_rows(w);
    }
    TRY(e);
    FAULT_POINT("sync.push.transferred");
    int64_t start = clock_mono_ms();
    sync_at(w, SYNC_RESTORING);
    TRY(sync_remote_apply(&w->remote, w->session, w->h->op->job, id, &w->out->applied));
    w->out->apply_ms = clock_mono_ms() - start;
    FAULT_POINT("sync.push.applied");
    return sync_compare(w);
}
