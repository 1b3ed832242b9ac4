#include "op/consistency.h"

#include "base/log.h"
#include "flow/group.h"

/* A backup reads about so many bytes of a heap in a millisecond, and this may cost a twentieth of
 * that. */
#define BYTES_A_MS (250e3 * 20)
#define LEAST_MS 250
#define TABLES_A_MS 20 /* whose rules are listed; pg_dump's own reading takes longer */
#define MOST_MS 10000

static Error *default_limit(Conn *c, int64_t *ms)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(
        c,
        "SELECT COALESCE(pg_catalog.sum(relpages::pg_catalog.int8), 0)::pg_catalog.int8, "
        "pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 't')",
        0, NULL, &rows));
    double wanted = (double)rows_int(rows, 0, 0) * 8192 / BYTES_A_MS;
    double least = LEAST_MS + (double)rows_int(rows, 0, 1) / TABLES_A_MS;
    wanted = wanted < least ? least : wanted;
    *ms = wanted > MOST_MS ? MOST_MS : (int64_t)wanted;
    return NULL;
}

Error *consistency_error(const ValidateReport *r)
{
    for (size_t i = 0; i < r->count && r->findings[i].error; i++) {
        AUTO(char) line = validate_line(&r->findings[i]);
        return error_hint(ERROR_NEW(ERR_INVALID,
                                    "database \"%s\" is not consistent: %llu error%s, "
                                    "the first one: %s",
                                    r->database, (unsigned long long)r->errors,
                                    r->errors == 1 ? "" : "s", line),
                          "pgstow validate shows all; put the rows right, or drop the rule that "
                          "they break");
    }
    return NULL;
}

static Error *check(const Consistency *o, const ValidateOptions *options, const Conn *like,
                    StrList *warnings)
{
    AUTO_VALUE(ValidateReport) report = {0};
    TRY(validate_run(like, options, &report));
    for (size_t i = 0; i < report.count; i++) {
        AUTO(char)
        line = o->without_keys ? validate_line_bare(&report.findings[i])
                               : validate_line(&report.findings[i]);
        strlist_own(warnings, mem_printf("consistency: %s", line));
    }
    if (report.left_count)
        log_info("%zu of the rules of database \"%s\" were not looked at: pgstow validate does",
                 report.left_count, report.database);
    return o->mode == VALIDATE_STRICT ? consistency_error(&report) : NULL;
}

static bool is_wanted(const Consistency *o, const Conn *like)
{
    if (o->mode == VALIDATE_OFF)
        return false;
    if (o->mode == VALIDATE_WARN && conn_server_major(like) < VALIDATE_MAJOR) {
        log_info("a server of this version is not looked at for consistency");
        return false;
    }
    return true;
}

/* That it could not be looked at. */
static Error *only_a_warning(Error *e, const Cancel *cancel, StrList *warnings)
{
    if (!e || error_kind(e) == ERR_INVALID || cancel_requested(cancel))
        return e;
    strlist_own(warnings, mem_printf("the consistency of the database could not be looked at: %s",
                                     error_message(e)));
    error_free(e);
    return NULL;
}

Error *consistency_check(const OpContext *c, const Consistency *o, Conn *like, Cancel *cancel,
                         bool restored, StrList *warnings)
{
    ValidateOptions options = {.max_ms = o->max_ms,
                               .jobs = op_jobs(c),
                               .job = c->job,
                               .cancel = cancel,
                               .restored = restored};
    if (!is_wanted(o, like))
        return NULL;
    Error *e = o->max_ms ? NULL : default_limit(like, &options.max_ms);
    return only_a_warning(e ? e : check(o, &options, like, warnings), cancel, warnings);
}

struct ConsistencyBeside {
    Consistency o;
    ValidateOptions options;
    const Conn *like;
    StrList warnings;
    Group *group;
};

static Error *look_beside(void *arg)
{
    ConsistencyBeside *b = arg;
    Error *e = check(&b->o, &b->options, b->like, &b->warnings);
    return only_a_warning(e, group_cancel(b->group), &b->warnings);
}

Error *consistency_start(const OpContext *c, const Consistency *o, Conn *like, Cancel *cancel,
                         ConsistencyBeside **out, StrList *warnings)
{
    *out = NULL;
    if (op_jobs(c) == 1 || o->max_ms > MOST_MS)
        return consistency_check(c, o, like, cancel, false, warnings);
    if (!is_wanted(o, like))
        return NULL;
    AUTO(ConsistencyBeside) b = mem_new(ConsistencyBeside);
    b->o = *o;
    b->like = like;
    TRY(group_new(cancel, &b->group));
    /* Without the job: progress tells of what the caller does. */
    b->options = (ValidateOptions){
        .max_ms = o->max_ms, .jobs = op_jobs(c), .cancel = group_cancel(b->group)};
    Error *e = o->max_ms ? NULL : default_limit(like, &b->options.max_ms);
    if (e)
        return only_a_warning(e, cancel, warnings);
    TRY(group_start(b->group, look_beside, b));
    *out = STEAL(b);
    return NULL;
}

Error *consistency_end(ConsistencyBeside *b, StrList *warnings)
{
    if (!b)
        return NULL;
    TRY(group_join(b->group));
    for (size_t i = 0; i < b->warnings.count; i++)
        strlist_add(warnings, b->warnings.items[i]);
    return NULL;
}

void consistency_beside_free(ConsistencyBeside *b)
{
    if (b->group)
        group_free(b->group);
    strlist_free(&b->warnings);
    free(b);
}
