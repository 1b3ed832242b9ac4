#include "op/consistency.h"

#include "base/log.h"

/* A backup reads about so many bytes of a heap in a millisecond, and this may cost a twentieth of
 * that. */
#define BYTES_A_MS (250e3 * 20)
#define LEAST_MS 250
#define MOST_MS 10000

static Error *default_limit(Conn *c, int64_t *ms)
{
    AUTO(char) pages = NULL;
    TRY(conn_value(c,
                   "SELECT COALESCE(pg_catalog.sum(relpages::pg_catalog.int8), 0) "
                   "FROM pg_catalog.pg_class WHERE relkind IN ('r', 't')",
                   0, NULL, &pages));
    double wanted = strtod(pages, NULL) * 8192 / BYTES_A_MS;
    *ms = wanted < LEAST_MS ? LEAST_MS : wanted > MOST_MS ? MOST_MS : (int64_t)wanted;
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

static Error *check(const OpContext *c, const Consistency *o, Conn *like, Cancel *cancel,
                    bool restored, StrList *warnings)
{
    AUTO_VALUE(ValidateReport) report = {0};
    ValidateOptions options = {.max_ms = o->max_ms,
                               .jobs = op_jobs(c),
                               .job = c->job,
                               .cancel = cancel,
                               .restored = restored};
    if (!options.max_ms)
        TRY(default_limit(like, &options.max_ms));
    TRY(validate_run(like, &options, &report));
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

Error *consistency_check(const OpContext *c, const Consistency *o, Conn *like, Cancel *cancel,
                         bool restored, StrList *warnings)
{
    if (o->mode == VALIDATE_OFF)
        return NULL;
    if (o->mode == VALIDATE_WARN && conn_server_major(like) < VALIDATE_MAJOR) {
        log_info("a server of this version is not looked at for consistency");
        return NULL;
    }
    Error *e = check(c, o, like, cancel, restored, warnings);
    if (!e || error_kind(e) == ERR_INVALID || cancel_requested(cancel))
        return e;
    strlist_own(warnings, mem_printf("the consistency of the database could not be looked at: %s",
                                     error_message(e)));
    error_free(e);
    return NULL;
}
