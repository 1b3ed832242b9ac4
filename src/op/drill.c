#include "op/drill_work.h"

#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "op/restore.h"
#include "op/scratch.h"
#include "pg/validate.h"
#include "repo/check.h"
#include "repo/lineage.h"

void drill_result_clear(DrillResult *r)
{
    char *const texts[] = {r->backup_id,      r->database,     r->server, r->server_version,
                           r->backup_version, r->tool_version, r->filter, r->why};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    for (size_t i = 0; i < r->table_count; i++) {
        free(r->tables[i].name);
        free(r->tables[i].note);
    }
    free(r->tables);
    strlist_free(&r->masked);
    strlist_free(&r->sequences_different);
    strlist_free(&r->findings);
    strlist_free(&r->notes);
    assertion_list_clear(&r->assertions);
    *r = (DrillResult){0};
}

const char *drill_outcome_name(DrillOutcome o)
{
    static const char *const names[] = {"not done", "good", "bad"};
    return names[o];
}

/* -- which backup ------------------------------------------------------------------------------ */

static Error *newest_good(Repo *repo, const char *database, char **id)
{
    AUTO_VALUE(BackupList) l = {0};
    const BackupInfo *best = NULL;
    TRY(catalog_list(repo, database, &l));
    for (size_t i = 0; i < l.count; i++)
        if (lineage_good(&l.items[i]) && (!best || l.items[i].timestamp >= best->timestamp))
            best = &l.items[i];
    if (!best)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no good backup%s%s in %s",
                                    database ? " of database " : "", database ? database : "",
                                    repo_where(repo)),
                          "name a backup; \"pgstow list\" shows which there are");
    *id = mem_strdup(best->id);
    return NULL;
}

static Error *find_backup(const OpContext *c, const char *name, Repo *repo, char **id)
{
    AUTO(char) database = op_database_name(c);
    return name ? catalog_resolve(repo, name, database, id) : newest_good(repo, database, id);
}

static void describe(const BackupInfo *b, DrillResult *r)
{
    r->database = mem_strdup(b->database);
    r->backup_version = mem_strdup(b->database_version);
    r->tool_version = mem_strdup(b->tool_version);
    r->filter = mem_strdup(b->filter);
    r->backup_time = b->timestamp;
    strlist_copy(&r->masked, &b->masked);
}

/* Rows of foreign tables would be written to the server that they are on. */
static Error *refuse_foreign_rows(const BackupRead *b)
{
    for (size_t i = 0; i < b->toc->count; i++) {
        const TocEntry *e = &b->toc->entries[i];
        for (size_t k = 0; toc_is_table_data(e) && k < e->dep_count; k++) {
            const TocEntry *on = toc_find(b->toc, e->deps[k]);
            if (on && toc_is(on, "FOREIGN TABLE"))
                FAIL(ERR_PREFLIGHT,
                     "backup %s has rows of the foreign table %s.%s, which a restore writes to "
                     "another server: a drill does not do that",
                     b->id, e->schema, e->tag);
        }
    }
    return NULL;
}

/* -- its steps --------------------------------------------------------------------------------- */

typedef struct Drill {
    const DrillOptions *o;
    DrillResult *result;
    BackupRead backup;
    Scratch scratch;
    OpContext inner; /* its database is the scratch one */
} Drill;
static void drill_clear(Drill *d)
{
    /* First the database: nothing of it is needed any more. */
    scratch_clear(&d->scratch);
    backup_read_clear(&d->backup);
}
DEFINE_AUTO_VALUE(Drill, drill_clear)

static Error *restore(Drill *d)
{
    AUTO_VALUE(RestoreResult) restored = {0};
    RestoreOptions options = {.backup = d->backup.id,
                              .to_db = d->scratch.name,
                              .way = RESTORE_CREATE,
                              .no_owner = true,
                              .no_privileges = true,
                              .no_tablespaces = true,
                              .temporary = true,
                              .search_path = d->o->search_path};
    TRY(op_restore(&d->inner, &options, &restored));
    d->result->restore_ms = restored.duration_ms;
    d->result->restored_bytes = restored.bytes;
    strlist_copy(&d->result->notes, &restored.warnings);
    return NULL;
}

static Error *validate(Drill *d)
{
    AUTO(Conn) like = NULL;
    AUTO_VALUE(ValidateReport) report = {0};
    DrillResult *r = d->result;
    int64_t started = clock_mono_ms();
    if (d->o->validate == VALIDATE_OFF)
        return NULL;
    TRY(op_connect(&d->inner, NULL, &like));
    if (conn_server_major(like) < VALIDATE_MAJOR) {
        strlist_add(&r->notes, "a server of this version is not looked at for consistency");
        return NULL;
    }
    job_phase(d->inner.job, "validating", 0, 0);
    ValidateOptions options = {
        .jobs = op_jobs(&d->inner), .job = d->inner.job, .cancel = job_cancel(d->inner.job)};
    TRY(validate_run(like, &options, &report));
    r->validated = true;
    r->errors = report.errors;
    r->warnings = report.warnings;
    for (size_t i = 0; i < report.count; i++) {
        const ValidateFinding *f = &report.findings[i];
        AUTO(char) line = r->masked.count || *r->filter ? validate_line_bare(f) : validate_line(f);
        strlist_own(&r->findings, mem_printf("%s: %s", f->error ? "error" : "warning", line));
    }
    r->validate_ms = clock_mono_ms() - started;
    return NULL;
}

static Error *assertions(Drill *d)
{
    const StrList *files = d->o->assertions;
    DrillResult *r = d->result;
    AUTO(Conn) c = NULL;
    int64_t started = clock_mono_ms();
    if (!files || !files->count)
        return NULL;
    job_phase(d->inner.job, "assertions", 0, files->count);
    TRY(op_connect(&d->inner, NULL, &c));
    for (size_t i = 0; i < files->count; i++) {
        TRY(assertion_run(c, files->items[i], &r->assertions));
        job_add_items(d->inner.job, 1);
    }
    for (size_t i = 0; i < r->assertions.count; i++)
        r->assertions_failed += !r->assertions.items[i].good;
    r->assert_ms = clock_mono_ms() - started;
    return NULL;
}

static Error *carry_out(Drill *d)
{
    DrillResult *r = d->result;
    DrillWork w = {.c = &d->inner, .backup = &d->backup, .result = r};
    TRY(refuse_foreign_rows(&d->backup));
    job_phase(d->inner.job, "preparing", 0, 0);
    TRY(scratch_create(&d->inner, r->database, d->backup.toc, &d->scratch));
    r->server = mem_printf("%s:%s", conn_host(d->scratch.admin), conn_port(d->scratch.admin));
    r->server_version = mem_strdup(conn_server_version_text(d->scratch.admin));
    FAULT_POINT("drill.created");
    TRY(restore(d));
    FAULT_POINT("drill.restored");
    d->inner.db_name = d->scratch.name;
    int64_t started = clock_mono_ms();
    TRY(drill_compare(&w));
    r->compare_ms = clock_mono_ms() - started;
    FAULT_POINT("drill.compared");
    TRY(validate(d));
    return assertions(d);
}

/* -- what it says ------------------------------------------------------------------------------ */

/* "PostgreSQL 15.3" and "PostgreSQL 15.18" are of one kind; of 9.6 and 9.5 values may look
 * otherwise as text. */
static bool same_major(const DrillResult *r)
{
    size_t a = strcspn(r->backup_version, "0123456789");
    size_t b = strcspn(r->server_version, "0123456789");
    int major = atoi(r->backup_version + a);
    return major == atoi(r->server_version + b) &&
           (major >= 10 || !strcmp(r->backup_version, r->server_version));
}

static Error *mismatch(const DrillResult *r)
{
    AUTO_VALUE(Buf) names = {0};
    size_t shown = 0;
    for (size_t i = 0; i < r->table_count; i++)
        if (!r->tables[i].same && shown++ < 5)
            buf_printf(&names, "%s%s", names.len ? ", " : "", r->tables[i].name);
    if (r->different > 5)
        buf_add_str(&names, ", ...");
    if (!r->objects_same)
        buf_printf(&names, "%slarge objects", names.len ? ", " : "");
    if (r->sequences_different.count)
        buf_printf(&names, "%s%s", names.len ? ", " : "", r->sequences_different.items[0]);
    AUTO(char) list = buf_steal_str(&names);
    Error *e =
        ERROR_NEW(ERR_MISMATCH, "what was restored differs from backup %s: %s", r->backup_id, list);
    if (same_major(r))
        return e;
    return error_hint(e,
                      "the backup is of %s, the drill's server %s, and some values may look "
                      "otherwise as text there: drill on a server of the backup's version; no "
                      "proof was left",
                      r->backup_version, r->server_version);
}

static Error *judge(const Drill *d)
{
    const DrillResult *r = d->result;
    if (r->different || !r->objects_same || r->sequences_different.count)
        return mismatch(r);
    for (size_t i = 0; i < r->assertions.count; i++) {
        const Assertion *a = &r->assertions.items[i];
        if (!a->good)
            FAIL(ERR_ASSERTION,
                 "%llu of %zu assertions do not hold; the first: %s, statement %zu: %s",
                 (unsigned long long)r->assertions_failed, r->assertions.count, a->file, a->number,
                 a->detail);
    }
    if (d->o->validate == VALIDATE_STRICT && r->errors)
        FAIL(ERR_INVALID, "the restored database contradicts its own rules: %s",
             r->findings.items[0]);
    return NULL;
}

/* Whether an error says something of the backup. */
static bool is_fault_of_backup(const DrillResult *r, const Error *e)
{
    switch (error_kind(e)) {
    case ERR_DAMAGED:
    case ERR_ARCHIVE:
    case ERR_ASSERTION:
        return true;
    case ERR_INVALID:
        return r->validated;
    case ERR_MISMATCH:
        return r->server_version && same_major(r);
    default:
        return false;
    }
}

/* A repository that cannot be written is drilled too. */
static Error *leave_proof(Repo *repo, DrillResult *r)
{
    Proof proof = {.level = "drill",
                   .good = r->outcome == DRILL_GOOD,
                   .detail = r->why,
                   .duration_ms = r->duration_ms,
                   .restore_ms = r->restore_ms};
    Error *e = proof_put_whole(repo, r->backup_id, &proof);
    if (e && error_kind(e) != ERR_REPO_PERMISSION && error_kind(e) != ERR_REPO_FULL)
        return e;
    if (e)
        log_warning("the result of the drill cannot be noted in the repository: %s",
                    error_message(e));
    r->proof_left = !e;
    error_free(e);
    return NULL;
}

/* What was met on the way is looked at closely, so that it is marked and nothing builds on it. */
static Error *mark_damage(const OpContext *c, Repo *repo, const char *id)
{
    AUTO_VALUE(StrList) ids = {0};
    AUTO_VALUE(CheckReport) report = {0};
    strlist_add(&ids, id);
    return check_run(repo, &ids, CHECK_DATA, op_jobs(c), c->job, &report);
}

static Error *conclude(const OpContext *c, Repo *repo, DrillResult *r, Error *e)
{
    AUTO(Error) failure = e;
    if (failure)
        r->why = mem_strdup(error_message(failure));
    r->outcome = !failure                         ? DRILL_GOOD
                 : is_fault_of_backup(r, failure) ? DRILL_BAD
                                                  : DRILL_NOT_DONE;
    if (r->outcome != DRILL_NOT_DONE) {
        Error *left = leave_proof(repo, r);
        if (!left && failure && error_kind(failure) == ERR_DAMAGED)
            left = mark_damage(c, repo, r->backup_id);
        failure = error_first(STEAL(failure), left);
    }
    return STEAL(failure);
}

static Error *run(const OpContext *c, const DrillOptions *o, Repo *of_backup, DrillResult *r)
{
    AUTO_VALUE(Drill) d = {.o = o, .result = r, .inner = *c};
    if (o->db_url)
        d.inner.db_url = o->db_url;
    d.inner.db_name = NULL;
    TRY(backup_read_open_id(c, of_backup, r->backup_id, "drill", &d.backup));
    describe(&d.backup.manifest->info, r);
    TRY(carry_out(&d));
    return judge(&d);
}

Error *op_drill_find(const OpContext *c, const StrList *names, StrList *ids)
{
    AUTO(Repo) repo = NULL;
    size_t i = 0;
    TRY(op_open_repo(c, false, &repo));
    do {
        char *id = NULL;
        TRY(find_backup(c, i < names->count ? names->items[i] : NULL, repo, &id));
        strlist_own(ids, id);
    } while (++i < names->count);
    return NULL;
}

Error *op_drill(const OpContext *c, const DrillOptions *o, DrillResult *out)
{
    AUTO(Repo) repo = NULL;
    AUTO(Repo) of_backup = NULL;
    int64_t started = clock_mono_ms();
    out->started = clock_now();
    TRY(assertion_check_files(o->assertions));
    if (o->timeout_ms)
        cancel_deadline(job_cancel(c->job), o->timeout_ms);
    TRY(op_open_repo(c, false, &repo));
    TRY(find_backup(c, o->backup, repo, &out->backup_id));
    TRY(op_open_repo(c, false, &of_backup));
    Error *e = run(c, o, STEAL(of_backup), out);
    out->duration_ms = clock_mono_ms() - started;
    return conclude(c, repo, out, e);
}
