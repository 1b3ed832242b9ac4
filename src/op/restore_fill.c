#include "base/fault.h"
#include "op/restore_within.h"
#include "pg/load.h"

static void show_object(void *ctx, const char *name)
{
    job_object(ctx, name);
}

/* What pg_restore spends on finding the next entry for several jobs grows with the square of their
 * number (measured with 15: 25 s for 60,000 entries). That many jobs are worth it only where there
 * are rows enough to be indexed meanwhile. */
static unsigned pass_jobs(const RestoreWork *w)
{
    double thousands = (double)w->backup.toc->count / 1000;
    double worth_it = thousands * thousands * 500e3;
    return (double)w->bytes < worth_it ? 1 : op_jobs(w->c);
}

Error *restore_pass(RestoreWork *w, const char *dbname, RestorePart part, const Toc *left)
{
    RestorePassOptions o = {
        .tool = w->tool,
        .toc = left ? left : w->backup.toc,
        .server = w->admin,
        .dbname = dbname,
        .role = w->o->role,
        .no_owner = w->o->no_owner,
        .no_privileges = w->o->no_privileges,
        .no_tablespaces = w->o->no_tablespaces,
        .public_there = w->public_there,
        .made = left ? NULL : w->indexed,
        .jobs = pass_jobs(w),
        .cancel = w->cancel,
        .object = show_object,
        .ctx = w->c->job,
    };
    return restore_pass_run(&o, part, &w->warnings);
}

/* A commit that waits for the disk takes along all earlier ones that did not; but only one that has
 * written something waits. */
static Error *make_durable(Conn *c)
{
    return conn_exec(c, conn_server_version(c) >= 90600
                            ? "SET synchronous_commit = on; "
                              "SELECT pg_catalog.pg_logical_emit_message(true, 'pgstow', '')"
                            : "SET synchronous_commit = on; "
                              "CREATE TEMPORARY TABLE pgstow_durable () ON COMMIT DROP");
}

/* An archive of chosen schemas makes the schema public, which a new database has already. That one
 * stays, with the privileges that initdb gives it and the archive takes for granted; only its owner
 * is to be the archive's. */
static Error *keep_public(RestoreWork *w, Conn *c)
{
    const TocEntry *e = restore_public(w->backup.toc);
    AUTO(char) there = NULL;
    AUTO(char) alter = NULL;
    if (!e)
        return NULL;
    TRY(conn_value(c,
                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')",
                   0, NULL, &there));
    w->public_there = there && *there == 't';
    if (!w->public_there || w->o->no_owner || !*e->owner)
        return NULL;
    TRY(conn_value(c, "SELECT pg_catalog.format('ALTER SCHEMA public OWNER TO %I', $1::text)", 1,
                   &e->owner, &alter));
    return conn_exec(c, alter);
}

Error *restore_fill(RestoreWork *w, const char *dbname)
{
    /* Held all the time: a database in which somebody is does not look abandoned. */
    AUTO(Conn) c = NULL;
    job_phase(w->c->job, "pre-data", 0, 0);
    TRY(conn_open_like(w->admin, dbname, w->cancel, &c));
    TRY(load_session(c, w->backup.encoding, w->o->role));
    TRY(load_search_path(c, w->o->search_path));
    TRY(keep_public(w, c));
    TRY(restore_pass(w, dbname, RESTORE_BEFORE, NULL));
    FAULT_POINT("restore.pass1.done");
    TRY(restore_load(w, dbname, c));
    FAULT_POINT("restore.copied");
    job_phase(w->c->job, "indexes and constraints", 0, 0);
    TRY(w->missing_count ? restore_salvage_behind(w, dbname, c)
                         : restore_pass(w, dbname, RESTORE_BEHIND, NULL));
    FAULT_POINT("restore.pass3.done");
    AUTO_VALUE(PartNames) names = {0};
    TRY(restore_rename(w, c, NULL, &names));
    if (!w->o->no_analyze)
        TRY(restore_analyze(w, dbname, c));
    FAULT_POINT("restore.analyzed");
    TRY(consistency_check(w->c, &w->o->consistency, c, w->cancel, true, &w->warnings));
    return make_durable(c);
}
