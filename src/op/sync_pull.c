/* PULL: the peer's database into the one here. */
#include <string.h>

#include "base/fault.h"
#include "op/sync_rows.h"
#include "op/sync_spool.h"
#include "op/sync_work.h"

/* The peer's backup, fetched: *id in the repository here. */
static Error *by_backup(SyncWork *w, char **id)
{
    AUTO(Doc) answer = NULL;
    AUTO_VALUE(BackupInfo) copy = {0};
    int64_t start = clock_mono_ms();
    sync_at(w, SYNC_BACKING_UP);
    TRY(sync_remote_backup(&w->remote, w->session, w->h->op->job, &answer));
    w->out->backup = mem_strdup(doc_str(answer, "backupId", NULL));
    w->out->backup_ms = clock_mono_ms() - start;
    TRY(sync_session_learn(w->session,
                           &(StateSessionFacts){.method = "backup", .backup = w->out->backup}));
    sync_add_left_out(answer, &w->out->left_out);
    sync_plan_room(w, (uint64_t)doc_int(answer, "size", 0));
    FAULT_POINT("sync.pull.backed-up");
    start = clock_mono_ms();
    TRY(sync_transfer(w, w->out->backup, &copy));
    w->out->transfer_ms = clock_mono_ms() - start;
    w->out->rows = copy.rows;
    w->out->bytes = copy.logical_size;
    w->out->method = SYNC_METHOD_BACKUP;
    *id = mem_strdup(copy.id);
    return NULL;
}

/* The peer's rows, without a backup there: here they become one. */
static Error *by_rows(SyncWork *w, char **id)
{
    AUTO_VALUE(SyncRowsSum) sum = {0};
    SyncRowsWay way = {.compress = w->o->compress, .max_rate = w->o->max_rate};
    AUTO_VALUE(BackupInfo) info = {0};
    AUTO(char) folder = w->h->state_dir ? mem_strdup(w->h->state_dir) : state_default_folder();
    int64_t start = clock_mono_ms();
    TRY(sync_session_learn(w->session, &(StateSessionFacts){.method = "http"}));
    TRY(sync_session_step(w->session, SYNC_TRANSFERRING, "rows, by http"));
    sync_at(w, SYNC_TRANSFERRING);
    TRY(sync_remote_left_out(&w->remote, &w->out->left_out));
    TRY(op_sync_rows_pull(w->h->op, w->peer->link, w->remote.session, folder, &way, &sum));
    w->out->transfer_ms = clock_mono_ms() - start;
    strlist_copy(&w->out->warnings, &sum.warnings);
    SyncRowsApply a = {.state_dir = folder,
                       .session = w->remote.session,
                       .database = w->out->source,
                       .server = w->peer->config.url,
                       .level = w->h->level};
    strlist_own(&a.tags, mem_printf(SYNC_TAG "=%s", w->remote.session));
    Error *e = op_sync_rows_apply(w->h->op, &a, &info);
    strlist_free(&a.tags);
    TRY(e);
    w->out->rows = sum.rows;
    w->out->bytes = sum.bytes;
    w->out->method = SYNC_METHOD_HTTP;
    *id = mem_strdup(info.id);
    return sync_spool_remove(folder, w->remote.session);
}

/* The peer's session has failed for want of a tool: it is opened anew for the other method. */
static Error *turn_to_rows(SyncWork *w)
{
    SyncOptions o = *w->o; /* borrows all of it */
    o.method = SYNC_METHOD_HTTP;
    sync_session_log(w->session, "info", "the peer has no pg_dump that fits: rows, by http");
    TRY(sync_session_step(w->session, SYNC_PREPARING, NULL));
    return sync_remote_open(&w->remote, &o, true);
}

Error *sync_pull(SyncWork *w)
{
    AUTO(char) id = NULL;
    if (w->o->method == SYNC_METHOD_HTTP) {
        TRY(by_rows(w, &id));
    } else {
        Error *e = by_backup(w, &id);
        bool turn = e && sync_wants_rows(w, e);
        if (turn) {
            error_drop(e);
            TRY(turn_to_rows(w));
            e = by_rows(w, &id);
        }
        TRY(e);
    }
    FAULT_POINT("sync.pull.transferred");
    int64_t start = clock_mono_ms();
    sync_at(w, SYNC_RESTORING);
    TRY(sync_apply(w->h, w->session, w->o, id, &w->out->applied));
    w->out->apply_ms = clock_mono_ms() - start;
    FAULT_POINT("sync.pull.applied");
    return sync_compare(w);
}
