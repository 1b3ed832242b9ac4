/* The C API of include/pgstow.h: translates, decides nothing. */
#include "pgstow.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "op/backup.h"
#include "op/delete.h"
#include "op/diff.h"
#include "op/list.h"
#include "op/restore.h"
#include "op/validate.h"
#include "op/verify.h"

struct pgstow_error {
    Error *error;
};

struct pgstow {
    char *repo, *database, *tools[TOOL_NAMES];
    unsigned jobs;
    void (*progress)(void *ctx, const pgstow_progress *now);
    int (*cancelled)(void *ctx);
    void *ctx;
    Cancel *cancel;
};

/* An operation that runs: its job, and the thread that reports on it and asks whether to go on. */
typedef struct Call {
    pgstow *p;
    OpContext context;
    Cancel *cancel;
    Job *job;
    pthread_t watcher;
    bool watching, over;
    pthread_mutex_t lock;
    pthread_cond_t ended;
} Call;

static pgstow_error *wrap(Error *e)
{
    if (!e)
        return NULL;
    pgstow_error *wrapped = mem_new(pgstow_error);
    wrapped->error = e;
    return wrapped;
}

const char *pgstow_version(void)
{
    return PGSTOW_VERSION;
}

const char *pgstow_error_kind(const pgstow_error *e)
{
    return error_kind_info(error_kind(e->error))->name;
}

const char *pgstow_error_message(const pgstow_error *e)
{
    return error_message(e->error);
}

const char *pgstow_error_hint(const pgstow_error *e)
{
    return error_hint_text(e->error);
}

int pgstow_error_exit_status(const pgstow_error *e)
{
    return error_kind_info(error_kind(e->error))->exit_status;
}

int pgstow_error_retryable(const pgstow_error *e)
{
    return error_kind_info(error_kind(e->error))->retryable;
}

void pgstow_error_free(pgstow_error *e)
{
    if (e)
        error_free(e->error);
    free(e);
}

void pgstow_free(void *p)
{
    free(p);
}

/* -- the handle ------------------------------------------------------------------------------- */

pgstow_error *pgstow_open(const pgstow_options *given, pgstow **out)
{
    pgstow_options o = PGSTOW_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    Cancel *cancel;
    Error *e = cancel_new(NULL, &cancel);
    if (e)
        return wrap(e);
    pgstow *p = mem_new(pgstow);
    p->repo = mem_strdup(o.repo ? o.repo : "./backups");
    p->database = mem_strdup(o.database);
    p->tools[TOOL_PG_DUMP] = mem_strdup(o.pg_dump);
    p->tools[TOOL_PG_RESTORE] = mem_strdup(o.pg_restore);
    p->tools[TOOL_PSQL] = mem_strdup(o.psql);
    p->jobs = o.jobs;
    p->progress = o.progress;
    p->cancelled = o.cancelled;
    p->ctx = o.ctx;
    p->cancel = cancel;
    *out = p;
    return NULL;
}

void pgstow_close(pgstow *p)
{
    if (!p)
        return;
    free(p->repo);
    free(p->database);
    for (int i = 0; i < TOOL_NAMES; i++)
        free(p->tools[i]);
    cancel_free(p->cancel);
    free(p);
}

void pgstow_cancel(pgstow *p)
{
    cancel_request(p->cancel);
}

static void report(Call *c)
{
    JobProgress now;
    job_snapshot(c->job, &now);
    if (c->p->progress)
        c->p->progress(c->p->ctx, &(pgstow_progress){now.phase, now.object, now.bytes_done,
                                                     now.bytes_total, now.bytes_new});
    if (c->p->cancelled && c->p->cancelled(c->p->ctx))
        cancel_request(c->cancel);
}

static void *watch(void *arg)
{
    Call *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->over) {
        pthread_mutex_unlock(&c->lock);
        report(c);
        pthread_mutex_lock(&c->lock);
        Instant until = clock_now() + 250;
        struct timespec t = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        if (!c->over)
            pthread_cond_timedwait(&c->ended, &c->lock, &t);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static Error *call_begin(pgstow *p, Call *c)
{
    *c = (Call){.p = p,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .ended = PTHREAD_COND_INITIALIZER,
                .context = {.repo_dir = p->repo, .db_url = p->database, .jobs = p->jobs}};
    for (int i = 0; i < TOOL_NAMES; i++)
        c->context.tools.setting[i] = p->tools[i];
    TRY(cancel_new(p->cancel, &c->cancel));
    Error *e = job_new(c->cancel, NULL, NULL, &c->job);
    if (e) {
        cancel_free(STEAL(c->cancel));
        return e;
    }
    c->context.job = c->job;
    c->context.tools.cancel = c->cancel;
    c->watching = (p->progress || p->cancelled) && pthread_create(&c->watcher, NULL, watch, c) == 0;
    return NULL;
}

/* Ends what call_begin began, and hands the outcome on. */
static pgstow_error *call_end(Call *c, Error *e)
{
    if (c->watching) {
        pthread_mutex_lock(&c->lock);
        c->over = true;
        pthread_cond_signal(&c->ended);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->watcher, NULL);
    }
    if (c->job)
        job_free(c->job);
    if (c->cancel)
        cancel_free(c->cancel);
    return wrap(e);
}

/* -- backup, delete --------------------------------------------------------------------------- */

static pgstow_backup_info *info_of(const BackupInfo *b)
{
    pgstow_backup_info *info = mem_new(pgstow_backup_info);
    info->id = mem_strdup(b->id);
    info->key = mem_strdup(b->key);
    info->database = mem_strdup(b->database);
    info->timestamp_ms = b->timestamp;
    info->logical_size = b->logical_size;
    info->stored_size = b->size;
    info->new_bytes = b->new_bytes;
    info->tables = b->tables;
    info->rows = b->rows;
    return info;
}

void pgstow_backup_info_free(pgstow_backup_info *info)
{
    if (!info)
        return;
    free(info->id);
    free(info->key);
    free(info->database);
    free(info);
}

static void add_all(StrList *to, const char *const *from)
{
    for (; from && *from; from++)
        strlist_add(to, *from);
}

static Consistency consistency_of(pgstow_consistency c)
{
    return (Consistency){.mode = c == PGSTOW_CONSISTENCY_OFF      ? VALIDATE_OFF
                                 : c == PGSTOW_CONSISTENCY_STRICT ? VALIDATE_STRICT
                                                                  : VALIDATE_WARN};
}

pgstow_error *pgstow_backup(pgstow *p, const pgstow_backup_options *given, pgstow_backup_info **out)
{
    pgstow_backup_options o = PGSTOW_BACKUP_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO_VALUE(BackupInfo) info = {0};
    BackupOptions options = {.level = o.compression == 0  ? -1
                                      : o.compression < 0 ? 0
                                                          : o.compression,
                             .timeout_ms = o.timeout_ms,
                             .consistency = consistency_of(o.consistency)};
    add_all(&options.exclude_tables, o.exclude_tables);
    add_all(&options.exclude_table_data, o.exclude_table_data);
    add_all(&options.schemas, o.schemas);
    add_all(&options.tags, o.tags);
    e = op_backup(&c.context, &options, &info);
    if (!e && out)
        *out = info_of(&info);
    backup_options_clear(&options);
    return call_end(&c, e);
}

pgstow_error *pgstow_delete(pgstow *p, const char *backup, int ignore_missing)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO(char) id = NULL;
    e = op_delete(&c.context, backup, &id);
    if (e && ignore_missing &&
        (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_REPO_NOT_FOUND)) {
        error_free(e);
        e = NULL;
    }
    return call_end(&c, e);
}

/* -- restore, list, verify -------------------------------------------------------------------- */

pgstow_error *pgstow_restore(pgstow *p, const char *backup, const pgstow_restore_options *given)
{
    static const RestoreWay ways[] = {[PGSTOW_CREATE] = RESTORE_CREATE,
                                      [PGSTOW_REPLACE] = RESTORE_REPLACE,
                                      [PGSTOW_IN_PLACE] = RESTORE_IN_PLACE};
    pgstow_restore_options o = PGSTOW_RESTORE_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    if ((unsigned)o.way >= sizeof ways / sizeof *ways)
        return wrap(ERROR_NEW(ERR_USAGE, "%d is no way to restore", (int)o.way));
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO_VALUE(RestoreResult) result = {0};
    e = op_restore(&c.context,
                   &(RestoreOptions){.backup = backup,
                                     .to_db = o.to_db,
                                     .way = ways[o.way],
                                     .no_owner = o.no_owner,
                                     .no_privileges = o.no_privileges,
                                     .role = o.role,
                                     .timeout_ms = o.timeout_ms,
                                     .consistency = consistency_of(o.consistency)},
                   &result);
    return call_end(&c, e);
}

pgstow_error *pgstow_list(pgstow *p, const char *database, pgstow_backup_info ***out, size_t *count)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO_VALUE(BackupList) list = {0};
    e = op_list(&c.context, database, &list);
    if (!e) {
        *out = mem_calloc(list.count, sizeof **out);
        *count = list.count;
        for (size_t i = 0; i < list.count; i++)
            (*out)[i] = info_of(&list.items[i]);
    }
    return call_end(&c, e);
}

void pgstow_list_free(pgstow_backup_info **list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        pgstow_backup_info_free(list[i]);
    free(list);
}

pgstow_error *pgstow_verify(pgstow *p, const char *backup, pgstow_level level)
{
    static const CheckLevel levels[] = {
        [PGSTOW_QUICK] = CHECK_QUICK, [PGSTOW_DATA] = CHECK_DATA, [PGSTOW_REBUILD] = CHECK_REBUILD};
    if ((unsigned)level >= sizeof levels / sizeof *levels)
        return wrap(ERROR_NEW(ERR_USAGE, "%d is no level of verify", (int)level));
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(CheckReport) checked = {0};
    if (backup)
        strlist_add(&names, backup);
    e = op_verify(&c.context, &(VerifyOptions){.names = &names, .level = levels[level]}, &checked);
    return call_end(&c, e);
}

/* -- validate, diff --------------------------------------------------------------------------- */

pgstow_error *pgstow_validate(pgstow *p, const pgstow_validate_options *given, char **json)
{
    pgstow_validate_options o = PGSTOW_VALIDATE_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO_VALUE(ValidateReport) report = {0};
    e = op_validate(&c.context,
                    &(ValidateOptions){.max_ms = o.max_ms,
                                       .heap_all_indexed = o.heap_all_indexed != 0,
                                       .run_functions = o.run_functions != 0},
                    &report);
    if (!e || error_kind(e) == ERR_INVALID) {
        AUTO(Doc) d = validate_doc(&report);
        *json = doc_print(d, false);
    }
    return call_end(&c, e);
}

pgstow_error *pgstow_diff(pgstow *p, const char *a, const char *b, const pgstow_diff_options *given,
                          char **json)
{
    pgstow_diff_options o = PGSTOW_DIFF_OPTIONS_INIT;
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO_VALUE(DiffResult) result = {0};
    DiffOptions options = {.a = a, .b = b, .rows = o.rows != 0, .limit = o.limit};
    add_all(&options.tables, o.tables);
    add_all(&options.schemas, o.schemas);
    e = op_diff(&c.context, &options, &result);
    if (!e) {
        AUTO(Doc) d = diff_doc(&result, options.rows);
        *json = doc_print(d, false);
    }
    diff_options_clear(&options);
    return call_end(&c, e);
}

/* -- the doctor's questions ------------------------------------------------------------------- */

pgstow_error *pgstow_find_tool(pgstow *p, pgstow_tool tool, char **version)
{
    static const ToolName names[] = {[PGSTOW_PG_DUMP] = TOOL_PG_DUMP,
                                     [PGSTOW_PG_RESTORE] = TOOL_PG_RESTORE,
                                     [PGSTOW_PSQL] = TOOL_PSQL};
    if ((unsigned)tool >= sizeof names / sizeof *names)
        return wrap(ERROR_NEW(ERR_USAGE, "%d is no tool", (int)tool));
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return wrap(e);
    AUTO(Conn) conn = NULL;
    AUTO(Tool) found = NULL;
    error_drop(op_connect(&c.context, NULL, &conn));
    e = tools_find(&c.context.tools, names[tool], conn ? conn_server_version(conn) : 0, 0, &found);
    if (!e && version)
        *version = mem_strdup(found->text);
    return call_end(&c, e);
}

char *pgstow_install_hint(int major)
{
    return tools_install_hint(NULL, major);
}
