/* sync pull, push, resume; and the jobs of a service whose peer has asked for a sync. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_cleanup.h"
#include "cli/cmd_sync.h"
#include "cli/findings.h"
#include "cli/sync_print.h"
#include "op/sync.h"

static char *copy_of(const char *text)
{
    return text && *text ? mem_strdup(text) : NULL;
}

static void options_from(const Run *run, SyncDirection direction, SyncOptions *out)
{
    const Config *c = run->config;
    *out = (SyncOptions){
        .direction = direction,
        .session = copy_of(config_str(c, SETTING_SYNC_SESSION)),
        .entry = copy_of(config_str(c, SETTING_ENTRY)),
        .peer_entry = copy_of(config_str(c, SETTING_SYNC_PEER_ENTRY)),
        .method = (SyncMethod)config_int(c, SETTING_SYNC_METHOD),
        .dry_run = config_bool(c, SETTING_DRY_RUN),
        .cascade = config_bool(c, SETTING_SYNC_CASCADE),
        .compress = config_bool(c, SETTING_SYNC_COMPRESS) && !config_bool(c, SETTING_NO_COMPRESS),
        .max_rate = config_size(c, SETTING_SYNC_MAX_RATE),
        .mode = (MergeMode)config_int(c, SETTING_SYNC_MERGE),
        .on_conflict = copy_of(config_str(c, SETTING_ON_CONFLICT)),
        .taken = (MergeTaken)config_int(c, SETTING_ON_UNIQUE_CONFLICT),
        .keyless = (MergeKeyless)config_int(c, SETTING_KEYLESS),
        .delta = config_bool(c, SETTING_SYNC_DELTA),
        .ignore_extra = config_bool(c, SETTING_SYNC_IGNORE_EXTRA),
        .masked_too = run->yes,
        .safety_backup =
            config_bool(c, SETTING_SYNC_SAFETY_BACKUP) && !config_bool(c, SETTING_NO_SAFETY_BACKUP),
        .verify = config_bool(c, SETTING_SYNC_VERIFY) && !config_bool(c, SETTING_NO_VERIFY),
        .lock_wait_ms = config_duration(c, SETTING_MERGE_LOCK_WAIT),
        .timeout_ms = config_duration(c, SETTING_RESTORE_TIMEOUT),
    };
    strlist_copy(&out->where, config_list(c, SETTING_SYNC_WHERE));
    strlist_copy(&out->exclude_tables, config_list(c, SETTING_PART_EXCLUDE_TABLE));
    strlist_copy(&out->masks, config_list(c, SETTING_SYNC_MASK));
    strlist_copy(&out->keys, config_list(c, SETTING_KEY));
}

/* What becomes of old backups afterwards, as after any backup. */
typedef struct Cleaning {
    CleanupOptions options;
    Zone *zone;
} Cleaning;
static void cleaning_clear(Cleaning *c)
{
    zone_free(c->zone);
}
DEFINE_AUTO_VALUE(Cleaning, cleaning_clear)

static Error *cleaning_from(const Run *run, Cleaning *c, SyncHost *h)
{
    TRY(cleanup_options_from(run->config, &c->zone, &c->options));
    if (!config_bool(run->config, SETTING_NO_CLEANUP))
        h->cleanup = &c->options;
    return NULL;
}

/* -- the side that asks --------------------------------------------------------------------------
 */

typedef struct Work {
    SyncHost host;
    SyncOptions options;
    SyncResult result;
} Work;
static void work_clear(Work *w)
{
    sync_options_clear(&w->options);
    sync_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_sync(Run *run, void *arg)
{
    Work *w = arg;
    (void)run;
    return op_sync(&w->host, &w->options, &w->result);
}

/* Whether it may go better a second time, with the options that it had. */
static bool would_differ(const Error *e)
{
    ErrorKind kind = error_kind(e);
    return kind != ERR_USAGE && kind != ERR_PREFLIGHT && kind != ERR_CONFIRM;
}

static Error *run_sync(Run *run, Work *w)
{
    AUTO_VALUE(Cleaning) cleaning = {0};
    TRY(cleaning_from(run, &cleaning, &w->host));
    Error *e = run_with_progress(run, work_sync, w);
    const SyncResult *r = &w->result;
    if (r->session && (run->json || !e))
        run_backup(run, r->applied.backup ? r->applied.backup : r->backup);
    if (run->json && r->session) {
        run_result(run, sync_result_doc(r));
    } else if (!e) {
        sync_print(r, run->quiet);
    } else if (r->session && !run->quiet && would_differ(e)) {
        fprintf(stderr, "pgstow sync resume %s%s%s goes on with it\n", r->session,
                w->options.entry ? " --entry " : "", w->options.entry ? w->options.entry : "");
    }
    return e;
}

static Error *run_direction(Run *run, SyncDirection direction)
{
    AUTO_VALUE(Work) w = {.host = sync_host(run)};
    const char *peer;
    TRY(sync_word(run, "peer", &peer));
    TRY(sync_must_name(run));
    options_from(run, direction, &w.options);
    w.options.peer = mem_strdup(peer);
    return run_sync(run, &w);
}

Error *sync_run_pull(Run *run)
{
    return run_direction(run, SYNC_PULL);
}

Error *sync_run_push(Run *run)
{
    return run_direction(run, SYNC_PUSH);
}

/* With the options that it had: what is given now would be another sync. */
Error *sync_run_resume(Run *run)
{
    AUTO_VALUE(Work) w = {.host = sync_host(run)};
    const char *session, *entry = config_str(run->config, SETTING_ENTRY);
    TRY(sync_word(run, "session", &session));
    TRY(sync_resume_options(&w.host, session, &w.options));
    if (strcmp(w.options.entry ? w.options.entry : "", entry ? entry : "") != 0)
        return error_hint(ERROR_NEW(ERR_USAGE, "the session %s is of another database", session),
                          "give --entry %s", w.options.entry ? w.options.entry : "no more");
    return run_sync(run, &w);
}

/* -- tried ---------------------------------------------------------------------------------------
 */

typedef struct Trial {
    SyncHost host;
    SyncOptions options;
    SyncTestPhase until;
    FindingList findings;
} Trial;
static void trial_clear(Trial *t)
{
    sync_options_clear(&t->options);
    finding_list_clear(&t->findings);
}
DEFINE_AUTO_VALUE(Trial, trial_clear)

static Error *work_test(Run *run, void *arg)
{
    Trial *t = arg;
    (void)run;
    return op_sync_test(&t->host, &t->options, t->until, &t->findings);
}

Error *sync_run_test(Run *run)
{
    AUTO_VALUE(Trial) t = {.host = sync_host(run)};
    const char *peer;
    int64_t phase = config_int(run->config, SETTING_SYNC_PHASE);
    TRY(sync_word(run, "peer", &peer));
    bool push = config_bool(run->config, SETTING_SYNC_TEST_PUSH);
    TRY(sync_must_name(run));
    options_from(run, push ? SYNC_PUSH : SYNC_PULL, &t.options);
    t.options.peer = mem_strdup(peer);
    t.options.test = t.options.dry_run = true;
    t.options.method = SYNC_METHOD_BACKUP;
    t.until = phase ? (SyncTestPhase)phase : SYNC_TEST_RESTORE;
    Error *e = run_with_progress(run, work_test, &t);
    if (run->json) {
        Doc *d = doc_object();
        doc_set_bool(d, "good", !e);
        doc_set(d, "findings", findings_doc(&t.findings));
        run_result(run, d);
    } else {
        findings_print(&t.findings);
        if (!e)
            puts("nothing was changed");
    }
    return e;
}

/* -- the other side: a job of the service --------------------------------------------------------
 */

typedef struct Served {
    SyncHost host;
    const char *session;
    BackupInfo info;
    SyncApplied applied;
} Served;
static void served_clear(Served *s)
{
    backup_info_clear(&s->info);
    sync_applied_clear(&s->applied);
}
DEFINE_AUTO_VALUE(Served, served_clear)

static Error *work_backup(Run *run, void *arg)
{
    Served *s = arg;
    (void)run;
    return op_sync_serve_backup(&s->host, s->session, &s->info);
}

static Error *work_apply(Run *run, void *arg)
{
    Served *s = arg;
    (void)run;
    return op_sync_serve_apply(&s->host, s->session, &s->applied);
}

Error *sync_run_backup(Run *run)
{
    AUTO_VALUE(Cleaning) cleaning = {0};
    AUTO_VALUE(Served) s = {.host = sync_host(run)};
    TRY(cleaning_from(run, &cleaning, &s.host));
    TRY(sync_word(run, "session", &s.session));
    TRY(run_with_progress(run, work_backup, &s));
    run_backup(run, s.info.id);
    if (run->json)
        run_result(run, backup_info_doc(&s.info));
    else
        puts(s.info.id);
    return NULL;
}

Error *sync_run_apply(Run *run)
{
    AUTO_VALUE(Cleaning) cleaning = {0};
    AUTO_VALUE(Served) s = {.host = sync_host(run)};
    TRY(cleaning_from(run, &cleaning, &s.host));
    TRY(sync_word(run, "session", &s.session));
    TRY(run_with_progress(run, work_apply, &s));
    run_backup(run, s.applied.backup);
    if (run->json)
        run_result(run, sync_applied_doc(&s.applied));
    else
        printf("applied %s\n", s.applied.backup);
    return NULL;
}
