#include "op/restore.h"

#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "op/restore_work.h"
#include "pg/preflight.h"
#include "repo/check.h"

void restore_plan_clear(RestorePlan *p)
{
    free(p->backup_id);
    free(p->database);
    free(p->server);
    strlist_free(&p->chosen);
    strlist_free(&p->needed);
    finding_list_clear(&p->findings);
    *p = (RestorePlan){0};
}

void restore_missing_free(RestoreMissing *missing, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(missing[i].name);
        free(missing[i].why);
    }
    free(missing);
}

void restore_result_clear(RestoreResult *r)
{
    free(r->backup_id);
    free(r->database);
    free(r->kept_old);
    strlist_free(&r->made);
    strlist_free(&r->warnings);
    restore_missing_free(r->missing, r->missing_count);
    strlist_free(&r->loosened);
    *r = (RestoreResult){0};
}

static Error *check_options(const RestoreOptions *o)
{
    if (!o->backup && !o->at_given)
        FAIL(ERR_USAGE, "which backup is to be restored?");
    if (o->keep_old && o->way != RESTORE_REPLACE)
        FAIL(ERR_USAGE, "only a restore with --replace can keep the old database");
    if (o->salvage && (o->way != RESTORE_CREATE || selection_wanted(&o->part)))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "--salvage restores all that is whole of a backup into "
                                 "a new or empty database"),
            "name one with --to-db, and leave out what replaces or chooses; parts can "
            "be taken over from there");
    for (size_t i = 0; o->part.data_only && o->part.tables && i < o->part.tables->count; i++)
        if (pattern_equals(o->part.tables->items[i]))
            FAIL(ERR_USAGE,
                 "--data-only puts rows into the table that they are of: --table %s names "
                 "another one",
                 o->part.tables->items[i]);
    if (selection_wanted(&o->part) && (o->way == RESTORE_REPLACE || o->way == RESTORE_IN_PLACE))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "a part of a backup cannot replace a whole database: all else in "
                                 "it would be lost"),
            "without --replace it is restored into the database beside what is there; --merge "
            "mirror makes tables that are there what they were, and --table a.b=a.b_old restores "
            "one beside them");
    return NULL;
}

static Error *open_and_ask(RestoreWork *w, FindingList *findings)
{
    TRY(check_options(w->o));
    job_phase(w->c->job, "preflight", 0, 0);
    TRY(restore_work_open_backup(w, "restore"));
    return restore_work_preflight(w, findings);
}

Error *op_restore_plan(const OpContext *c, const RestoreOptions *o, RestorePlan *out)
{
    AUTO_VALUE(RestoreWork) w = {.c = c, .o = o};
    AUTO_VALUE(RestorePlan) p = {.way = o->way};
    TRY(open_and_ask(&w, &p.findings));
    const BackupInfo *info = &w.backup.manifest->info;
    p.backup_id = mem_strdup(w.backup.id);
    p.database = mem_strdup(w.database);
    p.server = mem_printf("%s:%s", conn_host(w.admin), conn_port(w.admin));
    p.database_exists = w.exists;
    p.database_empty = w.empty;
    bool part = p.part = w.part.whole != NULL;
    p.logical_size = part ? w.part.bytes : info->logical_size;
    p.rows = part ? w.part.rows : info->rows;
    p.tables = part ? w.part.tables : info->tables;
    part_list(&w.part, &w.backup, SELECTION_CHOSEN, &p.chosen);
    part_list(&w.part, &w.backup, SELECTION_NEEDED, &p.needed);
    p.possible = !finding_has_problem(&p.findings);
    *out = p;
    p = (RestorePlan){0};
    return NULL;
}

/* All problems as one error. */
static Error *refusal(const RestoreWork *w, const FindingList *findings)
{
    AUTO_VALUE(Buf) what = {0};
    AUTO_VALUE(Buf) remedy = {0};
    size_t problems = 0;
    bool contents = false;
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *f = &findings->items[i];
        if (f->level != FINDING_PROBLEM)
            continue;
        contents = contents || !strcmp(f->title, "contents");
        buf_printf(&what, "%s%s", problems++ ? "; " : "", f->detail);
        if (f->remedy)
            buf_printf(&remedy, "%s%s", remedy.len ? "\n" : "", f->remedy);
    }
    AUTO(char) details = buf_steal_str(&what);
    AUTO(char) hints = remedy.len ? buf_steal_str(&remedy) : NULL;
    /* Two problems have an exit status of their own. */
    ErrorKind kind = !w->tool                    ? w->tool_kind
                     : problems == 1 && contents ? ERR_DB_EXISTS
                                                 : ERR_PREFLIGHT;
    Error *e = ERROR_NEW(kind, "backup %s cannot be restored into database \"%s\": %s",
                         w->backup.id, w->database, details);
    return hints ? error_hint(e, "%s", hints) : e;
}

/* The old one goes before the new one is there: so the backup must be known to be good. */
static Error *prove(RestoreWork *w)
{
    AUTO_VALUE(CheckReport) report = {0};
    AUTO_VALUE(StrList) ids = {0};
    strlist_add(&ids, w->backup.id);
    TRY(check_run(w->backup.repo, &ids, CHECK_REBUILD, op_jobs(w->c), w->c->job, &report));
    /* A pack may have damage that this backup, healed, refers to no more. */
    if (!report.bad.count)
        return NULL;
    const CheckProblem *p = report.problems;
    for (size_t i = 0; i < report.count; i++)
        if (strlist_has(&report.problems[i].backups, w->backup.id)) {
            p = &report.problems[i];
            break;
        }
    return error_hint(ERROR_NEW(ERR_DAMAGED,
                                "backup %s is damaged: %s: %s; database \"%s\" was not touched",
                                w->backup.id, p->object, p->what, w->database),
                      "pgstow verify tells more; another backup may be whole (pgstow list)");
}

/* What somebody has put into it while the other one was filled must not be lost. */
static Error *still_empty(RestoreWork *w)
{
    AUTO(Conn) inside = NULL;
    bool empty;
    TRY(conn_open_like(w->admin, w->database, w->cancel, &inside));
    TRY(preflight_is_empty(inside, &empty));
    if (!empty)
        return error_hint(ERROR_NEW(ERR_DB_EXISTS,
                                    "database \"%s\" was empty when the restore began, and has "
                                    "contents now",
                                    w->database),
                          "it was not touched; see who works in it, then try again");
    return NULL;
}

/* Builds it beside, then renames it, so that the name never stands for half a database. */
static Error *through_shadow(RestoreWork *w)
{
    AUTO_VALUE(RestoreShadow) s = {0};
    bool in_place = w->exists && w->o->way == RESTORE_IN_PLACE, gone = false;
    TRY(restore_shadow_create(w, &s));
    Error *e = in_place ? restore_shadow_drop_old(w) : NULL;
    gone = in_place && !e;
    if (!e && gone)
        e = fault_reach("restore.dropped");
    if (!e)
        e = restore_fill(w, s.name);
    if (!e && w->exists && w->o->only_empty)
        e = still_empty(w);
    if (!e)
        e = w->exists && !in_place ? restore_shadow_swap(w, &s) : restore_shadow_rename(w, &s);
    if (!e)
        return NULL;
    if (!gone) {
        restore_shadow_drop(w, &s);
        return e;
    }
    /* The shadow bears the old one's owner, privileges and settings: a second try takes them over.
     */
    e = error_context(
        e,
        "database \"%s\" was dropped to make room, and the restore then failed: it is "
        "now missing",
        w->database);
    return error_hint(
        e,
        "remove the cause and run the same restore again; what the database itself had "
        "(owner, privileges, settings) is kept in database \"%s\" until then",
        s.name);
}

static Error *into_empty(RestoreWork *w)
{
    Error *e = restore_fill(w, w->database);
    if (!e || w->o->temporary)
        return e;
    return error_context(e, "database \"%s\" was empty and is now filled in part", w->database);
}

static void keep_finding_warnings(const FindingList *findings, StrList *out)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].level == FINDING_WARNING)
            strlist_own(out,
                        mem_printf("%s: %s", findings->items[i].title, findings->items[i].detail));
}

/* With what is missing the restore is no whole one, and says so. */
static Error *salvage_result(RestoreWork *w, RestoreResult *out)
{
    const Manifest *m = w->backup.manifest;
    out->missing_count = w->missing_count;
    out->missing = STEAL(w->missing);
    w->missing_count = w->missing_cap = 0;
    strlist_copy(&out->loosened, &w->loosened);
    for (size_t i = 0; i < m->stream_count; i++)
        out->tables += m->streams[i].kind == STREAM_TABLE;
    uint64_t rows = 0;
    for (size_t i = 0; i < out->missing_count; i++) {
        out->tables -= out->missing[i].table;
        rows += out->missing[i].rows;
    }
    if (!out->missing_count)
        return NULL;
    return error_hint(ERROR_NEW(ERR_PARTIAL,
                                "backup %s is damaged: database \"%s\" has its definitions and the "
                                "rows of %llu tables; missing are %zu with %llu rows",
                                out->backup_id, out->database, (unsigned long long)out->tables,
                                out->missing_count, (unsigned long long)rows),
                      "another backup may have what is missing: pgstow list, pgstow restore ID "
                      "--table NAME");
}

Error *op_restore(const OpContext *c, const RestoreOptions *o, RestoreResult *out)
{
    int64_t started = clock_mono_ms();
    AUTO_VALUE(RestoreWork) w = {.c = c, .o = o};
    AUTO_VALUE(FindingList) findings = {0};
    TRY(open_and_ask(&w, &findings));
    if (finding_has_problem(&findings))
        return refusal(&w, &findings);
    keep_finding_warnings(&findings, &w.warnings);
    TRY(dbadmin_lock(w.admin, w.database));
    FAULT_POINT("restore.planned");
    if (w.exists && o->way == RESTORE_IN_PLACE)
        TRY(prove(&w));
    TRY(restore_globals_make(&w));
    Error *e = w.exists && w.part.whole && o->way == RESTORE_CREATE ? restore_within(&w)
               : w.exists && o->way == RESTORE_CREATE               ? into_empty(&w)
                                                                    : through_shadow(&w);
    if (!e)
        e = fault_reach("restore.end");
    /* There is no result that could carry them. */
    for (size_t i = 0; e && i < w.made.count; i++)
        log_warning("%s was made and stays", w.made.items[i]);
    for (size_t i = 0; e && i < w.warnings.count; i++)
        log_warning("%s", w.warnings.items[i]);
    TRY(e);
    *out = (RestoreResult){
        .backup_id = mem_strdup(w.backup.id),
        .database = mem_strdup(w.database),
        .kept_old = w.exists ? mem_strdup(o->keep_old) : NULL,
        .rows = w.rows,
        .bytes = w.bytes,
        .fetched = store_fetched(repo_store(w.backup.repo)),
        .duration_ms = clock_mono_ms() - started,
    };
    strlist_copy(&out->made, &w.made);
    strlist_copy(&out->warnings, &w.warnings);
    return salvage_result(&w, out);
}
