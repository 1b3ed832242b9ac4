/* The source's side of a sync: the backup that is sent. */
#include <string.h>

#include "op/sync_work.h"

#define BUSY_LEAST_MS 100
#define BUSY_MOST_MS 2000
#define BUSY_ALL_MS (30 * 60 * INT64_C(1000)) /* so long another backup is waited for */

/* One that an earlier attempt of the session made, where nothing has become of it since. */
static Error *find_earlier(const SyncHost *h, const char *id, BackupInfo *out, bool *good)
{
    AUTO(Repo) repo = NULL;
    AUTO(Manifest) m = NULL;
    *good = false;
    TRY(op_open_repo(h->op, false, &repo));
    Error *e = catalog_load(repo, id, &m);
    if (e && (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_DAMAGED)) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    TRY(catalog_add_proof(repo, &m->info));
    *good = !m->info.last_proof_level || m->info.proven;
    if (*good)
        backup_info_copy(out, &m->info);
    return NULL;
}

/* As op_backup; where another one of the same database is under way its end is waited for. */
static Error *backup_in_turn(const SyncHost *h, SyncSession *s, const BackupOptions *o,
                             BackupInfo *out)
{
    int64_t wait = BUSY_LEAST_MS, until = clock_mono_ms() + BUSY_ALL_MS;
    for (bool told = false;;) {
        bool ready;
        Error *e = op_backup(h->op, o, out);
        if (!e || error_kind(e) != ERR_BUSY || clock_mono_ms() >= until)
            return e;
        if (!told)
            sync_session_log(s, "info", "it waits: %s", error_message(e));
        told = true;
        error_drop(e);
        TRY(cancel_poll(job_cancel(h->op->job), -1, 0, wait, &ready));
        wait = 2 * wait < BUSY_MOST_MS ? 2 * wait : BUSY_MOST_MS;
    }
}

static void log_backup(SyncSession *s, const char *what, const BackupInfo *b)
{
    char rows[32], fresh[32];
    sync_session_log(s, "info", "%s %s: %llu rows, %s, new %s%s%s", what, b->id,
                     (unsigned long long)b->rows, text_size(b->logical_size, rows),
                     text_size(b->new_bytes, fresh), *b->filter ? "; not whole: " : "", b->filter);
}

Error *sync_make_backup(const SyncHost *h, SyncSession *s, const SyncOptions *o, const char *have,
                        BackupInfo *out)
{
    AUTO_VALUE(BackupOptions) b = {.level = o->compress ? h->level : 0};
    bool good = false;
    TRY(sync_session_step(s, SYNC_BACKING_UP, NULL));
    if (have && *have)
        TRY(find_earlier(h, have, out, &good));
    if (good) {
        log_backup(s, "the backup is still good:", out);
        return NULL;
    }
    if (o->test)
        strlist_add(&b.exclude_table_data, SYNC_TRIAL);
    else
        TRY(sync_filters(h->terms.exclude, o, &b, NULL));
    strlist_own(&b.tags, mem_printf(SYNC_TAG "=%s", sync_session_id(s)));
    TRY(backup_in_turn(h, s, &b, out));
    log_backup(s, "backup", out);
    return sync_session_learn(
        s, &(StateSessionFacts){.backup = out->id, .database = out->database, .method = "backup"});
}

Error *sync_make_safety(const SyncHost *h, SyncSession *s, char **id, StrList *warnings)
{
    AUTO_VALUE(BackupOptions) b = {.level = h->level, .fallback_rows = true};
    AUTO_VALUE(BackupInfo) info = {0};
    strlist_own(&b.tags, mem_printf("before-" SYNC_TAG "=%s", sync_session_id(s)));
    TRY_CTX(backup_in_turn(h, s, &b, &info), "the backup of the target before it is changed");
    log_backup(s, "safety backup of the target", &info);
    strlist_copy(warnings, &info.warnings);
    *id = STEAL(info.id);
    return NULL;
}

void sync_clean_up(const SyncHost *h, const char *database, StrList *warnings)
{
    AUTO_VALUE(CleanupResult) result = {0};
    if (!h->cleanup || !database)
        return;
    CleanupOptions o = *h->cleanup;
    o.database = database;
    Error *e = op_cleanup(h->op, &o, &result);
    if (e)
        strlist_own(warnings, mem_printf("old backups of %s could not be cleaned up: %s", database,
                                         error_message(e)));
    error_drop(e);
}
