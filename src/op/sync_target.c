/* The target's side of a sync: what has arrived goes into the database, all of it or nothing. */
#include <string.h>

#include "base/fault.h"
#include "op/restore.h"
#include "op/sync_work.h"
#include "pg/preflight.h"

void sync_applied_clear(SyncApplied *a)
{
    free(a->backup);
    free(a->database);
    free(a->safety_backup);
    doc_free(a->outcome);
    strlist_free(&a->warnings);
    *a = (SyncApplied){0};
}

Doc *sync_applied_doc(const SyncApplied *a)
{
    Doc *d = doc_object();
    doc_set_str(d, "backupId", a->backup);
    doc_set_str(d, "database", a->database);
    doc_set_str(d, "safetyBackup", a->safety_backup);
    doc_set_bool(d, "restored", a->restored);
    doc_set_int(d, "rows", (int64_t)a->rows);
    if (a->outcome)
        doc_set(d, "outcome", doc_copy(a->outcome));
    doc_set(d, "warnings", doc_texts(&a->warnings));
    return d;
}

Doc *sync_applied_kept(const SyncApplied *a)
{
    Doc *d = sync_applied_doc(a);
    AUTO(char) text = doc_print(d, false);
    if (!a->outcome || strlen(text) <= SYNC_RESULT_MAX / 2)
        return d;
    Doc *outcome = doc_copy(a->outcome);
    doc_remove(outcome, "tables");
    doc_set(d, "outcome", outcome);
    return d;
}

static char *text_of(const Doc *d, const char *name)
{
    const char *text = doc_str(d, name, NULL);
    return text ? mem_strdup(text) : NULL;
}

/* A peer says so: nothing in it is taken for granted but what is compared. */
Error *sync_applied_read(const Doc *d, SyncApplied *out)
{
    const Doc *outcome = doc_get(d, "outcome"), *warnings = doc_get(d, "warnings");
    if (doc_type(d) != DOC_OBJECT || !doc_str(d, "backupId", NULL) ||
        doc_type(doc_get(d, "rows")) != DOC_INTEGER || !outcome || doc_type(outcome) != DOC_OBJECT)
        FAIL(ERR_REFUSED, "the peer does not say what it has written");
    out->backup = text_of(d, "backupId");
    out->database = text_of(d, "database");
    out->safety_backup = text_of(d, "safetyBackup");
    out->restored = doc_bool(d, "restored", false);
    out->rows = (uint64_t)doc_int(d, "rows", 0);
    out->outcome = doc_copy(outcome);
    for (size_t i = 0; i < doc_count(warnings); i++)
        if (doc_text(doc_at(warnings, i)))
            strlist_add(&out->warnings, doc_text(doc_at(warnings, i)));
    return NULL;
}

/* -- what is there ----------------------------------------------------------------------------- */

Error *sync_look_at_target(const SyncHost *h, SyncSession *s, bool *exists, bool *empty)
{
    AUTO(Conn) c = NULL;
    AUTO(char) target = NULL;
    *exists = *empty = false;
    Error *e = op_connect(h->op, NULL, &c);
    if (e && error_kind(e) == ERR_DB_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    *exists = true;
    TRY(preflight_is_empty(c, empty));
    TRY(sync_target_of(c, &target));
    return sync_session_learn(s, &(StateSessionFacts){.target = target});
}

/* -- into it ----------------------------------------------------------------------------------- */

static Doc *restored_doc(const RestoreResult *r)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", r->backup_id);
    doc_set_str(d, "database", r->database);
    doc_set_int(d, "rows", (int64_t)r->rows);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set_int(d, "duration", r->duration_ms);
    return d;
}

/* As pg_dump --data-only means it: owners and privileges are the target's own. */
static Error *restore(const SyncHost *h, SyncSession *s, const SyncOptions *o, const char *backup,
                      SyncApplied *out)
{
    AUTO(char) database = op_database_name(h->op);
    RestoreOptions r = {.backup = backup,
                        .to_db = database,
                        .way = RESTORE_REPLACE, /* beside, then swapped: never half of it */
                        .only_empty = true,
                        .no_owner = true,
                        .no_privileges = true,
                        .no_tablespaces = true,
                        .timeout_ms = o->timeout_ms};
    if (o->dry_run) {
        AUTO_VALUE(RestorePlan) plan = {0};
        TRY(op_restore_plan(h->op, &r, &plan));
        for (size_t i = 0; i < plan.findings.count; i++)
            if (plan.findings.items[i].level == FINDING_PROBLEM)
                return error_hint(ERROR_NEW(ERR_PREFLIGHT, "%s", plan.findings.items[i].detail),
                                  "%s",
                                  plan.findings.items[i].remedy ? plan.findings.items[i].remedy
                                                                : "nothing was touched");
        out->database = mem_strdup(plan.database);
        out->outcome = doc_object();
        doc_set_int(out->outcome, "rows", (int64_t)plan.rows);
        return NULL;
    }
    AUTO_VALUE(RestoreResult) result = {0};
    TRY(sync_session_step(s, SYNC_RESTORING, "restoring the whole: the target had nothing"));
    TRY(op_restore(h->op, &r, &result));
    out->database = mem_strdup(result.database);
    out->outcome = restored_doc(&result);
    strlist_copy(&out->warnings, &result.warnings);
    if (result.rows != out->rows)
        FAIL(ERR_MISMATCH, "%llu rows were restored, and the backup has %llu",
             (unsigned long long)result.rows, (unsigned long long)out->rows);
    /* That the next one can be a difference is a convenience: without it that one is a whole one.
     */
    Error *e = op_merge_keep_base(h->op, backup, database, sync_session_id(s));
    if (e)
        strlist_own(&out->warnings,
                    mem_printf("the target does not know its base: %s", error_message(e)));
    error_drop(e);
    return NULL;
}

static const char *mode_name(MergeMode mode)
{
    static const char *const names[] = {"upsert", "mirror", "insert"};
    return names[mode];
}

static void log_counts(SyncSession *s, const Doc *outcome)
{
    static const char *const names[] = {"inserted", "updated", "deleted", "unchanged", "conflicts"};
    AUTO_VALUE(Buf) all = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        buf_printf(&all, "%s%s %lld", i ? ", " : "", names[i],
                   (long long)doc_int(outcome, names[i], 0));
    AUTO(char) text = buf_steal_str(&all);
    sync_session_log(s, "info", "merged: %s", text);
}

static Error *merge(const SyncHost *h, SyncSession *s, const SyncOptions *o, const char *backup,
                    SyncApplied *out)
{
    AUTO_VALUE(MergeResult) result = {0};
    MergeOptions m = {.backup = backup,
                      .rules = {.mode = o->mode, .taken = o->taken},
                      .keys = &o->keys,
                      .keyless = o->keyless,
                      .dry_run = o->dry_run,
                      .delta = o->delta,
                      .verify = o->verify,
                      .ignore_extra_columns = o->ignore_extra,
                      .keep_base = true,
                      .session = sync_session_id(s),
                      .masked_too = o->masked_too,
                      .lock_wait_ms = o->lock_wait_ms,
                      .timeout_ms = o->timeout_ms};
    TRY(merge_parse_conflict(o->on_conflict ? o->on_conflict : "source", &m.rules));
    m.rules.mode = o->mode;
    TRY(sync_session_step(s, SYNC_RESTORING, o->dry_run ? "merging, to be rolled back" : NULL));
    TRY(op_merge(h->op, &m, &result));
    out->database = mem_strdup(result.database);
    out->outcome = merge_doc(&result, mode_name(o->mode));
    log_counts(s, out->outcome);
    strlist_copy(&out->warnings, &result.warnings);
    return NULL;
}

/* Only what was made for this very sync: a peer may name whatever it likes. */
static Error *look_at_backup(const SyncHost *h, const SyncSession *s, const char *backup,
                             uint64_t *rows)
{
    AUTO(Repo) repo = NULL;
    AUTO(Manifest) m = NULL;
    AUTO(char) tag = mem_printf(SYNC_TAG "=%s", sync_session_id(s));
    TRY(op_open_repo(h->op, false, &repo));
    TRY(catalog_load(repo, backup, &m));
    if (!strlist_has(&m->info.tags, tag))
        FAIL(ERR_REFUSED, "the backup %s was not made for the sync session %s", backup,
             sync_session_id(s));
    *rows = m->info.rows;
    return NULL;
}

Error *sync_apply(const SyncHost *h, SyncSession *s, const SyncOptions *o, const char *backup,
                  SyncApplied *out)
{
    bool exists, empty;
    out->backup = mem_strdup(backup);
    TRY(look_at_backup(h, s, backup, &out->rows));
    TRY(sync_look_at_target(h, s, &exists, &empty));
    out->restored = !exists || empty;
    if (out->restored && h->terms.no_definitions)
        return sync_no_definitions();
    if (out->restored)
        return restore(h, s, o, backup, out);
    if (o->safety_backup && !o->dry_run) {
        TRY(sync_session_step(s, SYNC_RESTORING, "backup of the target before it is changed"));
        TRY(sync_make_safety(h, s, &out->safety_backup, &out->warnings));
        FAULT_POINT("sync.target.safe");
    }
    return merge(h, s, o, backup, out);
}
