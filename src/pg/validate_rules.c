#include "pg/validate_rules.h"

#include <string.h>

#include "base/clock.h"
#include "sql.h"

/* Rules that one statement may combine: the parser and the planner must cope with its condition. */
#define COMBINED_MAX 200

static const struct {
    const char *name, *sql;
    bool combined;   /* rules over one table are answered by one reading */
    unsigned weight; /* what a rule costs in readings of its table */
} kinds[VALIDATE_KINDS] = {
    [VALIDATE_CATALOG] = {"catalog", sql_validate_catalog, false, 0},
    [VALIDATE_FOREIGN] = {"foreignKey", sql_validate_foreign, false, 2},
    [VALIDATE_CHECK] = {"check", sql_validate_check, true, 1},
    [VALIDATE_NOT_NULL] = {"notNull", sql_validate_not_null, true, 1},
    [VALIDATE_UNIQUE] = {"unique", sql_validate_unique, false, 4},
    [VALIDATE_SEQUENCE] = {"sequence", sql_validate_sequence, false, 1},
    [VALIDATE_AMCHECK] = {"amcheck", sql_validate_amcheck, false, 1},
};

const char *validate_kind_name(ValidateKind kind)
{
    return kinds[kind].name;
}

void validate_rules_clear(ValidateRules *r)
{
    for (size_t i = 0; i < VALIDATE_KINDS; i++)
        if (r->read[i])
            rows_free(r->read[i]);
    free(r->items);
    free(r->tasks);
    *r = (ValidateRules){0};
}

ValidateFinding *validate_add(ValidateReport *r, const ValidateRule *rule, bool error,
                              int64_t count)
{
    mem_grow(r->findings, r->count, r->cap);
    ValidateFinding *f = &r->findings[r->count++];
    *f = (ValidateFinding){.kind = rule->kind,
                           .error = error,
                           .schema = mem_strdup(rule->schema),
                           .table = mem_strdup(rule->table),
                           .object = mem_strdup(rule->object),
                           .count = count};
    return f;
}

void validate_leave(ValidateReport *r, const ValidateRule *rule, const char *reason,
                    const char *detail)
{
    mem_grow(r->left, r->left_count, r->left_cap);
    r->left[r->left_count++] = (ValidateLeft){.kind = rule->kind,
                                              .schema = mem_strdup(rule->schema),
                                              .table = mem_strdup(rule->table),
                                              .object = mem_strdup(rule->object),
                                              .reason = reason,
                                              .detail = mem_strdup(detail)};
}

Error *validate_step(Conn *c, int64_t deadline)
{
    if (!deadline)
        return conn_exec(c, "ROLLBACK TO SAVEPOINT rule; SET LOCAL statement_timeout = 0");
    int64_t left = deadline - clock_mono_ms();
    if (left <= 0)
        FAIL(ERR_TIMEOUT, "the time for validating is over");
    return conn_execf(c, "ROLLBACK TO SAVEPOINT rule; SET LOCAL statement_timeout = %lld",
                      (long long)left);
}

const char *validate_reason(const Conn *c, const Error *e)
{
    const char *state = conn_last_sqlstate(c);
    if (conn_broken(c) || error_kind(e) == ERR_CANCELLED)
        return NULL;
    if (error_kind(e) == ERR_TIMEOUT)
        return "time";
    if (!strcmp(state, "55P03"))
        return "locked";
    if (error_kind(e) == ERR_DB_PERMISSION)
        return "privilege";
    if (!strcmp(state, "42P01") || !strcmp(state, "3F000") || !strcmp(state, "42704"))
        return "gone";
    return "failed";
}

/* -- reading ---------------------------------------------------------------------------------- */

/* A finding of the catalog itself: nothing is to be read for it. */
static void add_known(ValidateReport *report, const ValidateRule *rule, const char *what)
{
    ValidateFinding *f = validate_add(report, rule, false, -1);
    f->message = !strcmp(what, "index")
                     ? mem_printf("index %s is invalid: %s", rule->object, rule->detail)
                     : mem_printf("the triggers of foreign key %s are disabled, nothing guards it: "
                                  "%s",
                                  rule->object, rule->detail);
}

static void add_rule(const Rows *rows, size_t i, ValidateKind kind, const ValidateOptions *o,
                     ValidateRules *out, ValidateReport *report)
{
    ValidateRule rule = {.kind = kind,
                         .schema = rows_text(rows, i, 0),
                         .table = rows_text(rows, i, 1),
                         .object = rows_text(rows, i, 2),
                         .detail = rows_text(rows, i, 3),
                         .oid = rows_oid(rows, i, 4),
                         .bytes = (uint64_t)rows_int(rows, i, 5),
                         .from = rows_text(rows, i, 6),
                         .condition = rows_text(rows, i, 7),
                         .sample = rows_text(rows, i, 8),
                         .error = !strcmp(rows_text(rows, i, 10), "error")};
    const char *reason = rows_text(rows, i, 11), *detail = rows_text(rows, i, 12);
    if (o->restored && rows_bool(rows, i, 9))
        return;
    report->sums[kind].rules++;
    if (reason && !strcmp(reason, "function") && o->run_functions)
        reason = NULL;
    if (reason) {
        bool function = !strcmp(reason, "function");
        AUTO(char)
        text = function ? mem_printf("it uses %s, which belongs to another user", detail)
                        : mem_strdup(detail);
        validate_leave(report, &rule, function ? "function" : "unsupported", text);
        return;
    }
    if (!rule.from) {
        report->sums[kind].done++;
        add_known(report, &rule, detail);
        return;
    }
    mem_grow(out->items, out->count, out->cap);
    out->items[out->count++] = rule;
}

/* All rules of a kind that could not even be listed. */
static void leave_kind(ValidateReport *report, ValidateKind kind, const char *reason,
                       const Error *e)
{
    ValidateRule all = {.kind = kind, .schema = "", .table = "", .object = ""};
    report->sums[kind].rules++;
    validate_leave(report, &all, reason, error_message(e));
}

static Error *read_kind(Conn *c, ValidateKind kind, const ValidateOptions *o, ValidateRules *out)
{
    AUTO(char) sql = mem_printf("%s%s", sql_validate_tables, kinds[kind].sql);
    const char *params[] = {o->heap_all_indexed ? "true" : "false"};
    return conn_query(c, sql, kind == VALIDATE_AMCHECK, params, &out->read[kind]);
}

/* What there is, and the tables that nobody can read now. */
static Error *read_tables(Conn *c, ValidateReport *report)
{
    AUTO(char)
    sql = mem_printf("%sSELECT w.schema, w.name, w.oid IN (SELECT relation FROM held), EXISTS "
                     "(SELECT 1 FROM pg_catalog.pg_extension e WHERE e.extname = 'amcheck') "
                     "FROM wanted w WHERE w.relkind = 'r'",
                     sql_validate_tables);
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql, 0, NULL, &rows));
    report->tables = rows_count(rows);
    report->sums[VALIDATE_AMCHECK].missing = report->tables && !rows_bool(rows, 0, 3);
    for (size_t i = 0; i < rows_count(rows); i++) {
        ValidateRule all = {.kind = VALIDATE_CATALOG,
                            .schema = rows_text(rows, i, 0),
                            .table = rows_text(rows, i, 1),
                            .object = "(all)"};
        if (!rows_bool(rows, i, 2))
            continue;
        report->sums[VALIDATE_CATALOG].rules++;
        validate_leave(report, &all, "locked", "somebody holds it exclusively, or waits to");
    }
    return NULL;
}

/* -- tasks ------------------------------------------------------------------------------------ */

static int cheaper_first(const void *a, const void *b)
{
    const ValidateTask *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return x->rules < y->rules ? -1 : x->rules > y->rules;
}

static void make_tasks(ValidateRules *r)
{
    for (size_t i = 0, end; i < r->count; i = end) {
        const ValidateRule *first = &r->items[i];
        for (end = i + 1; end < r->count && kinds[first->kind].combined && end - i < COMBINED_MAX &&
                          r->items[end].kind == first->kind && r->items[end].oid == first->oid;)
            end++;
        mem_grow(r->tasks, r->task_count, r->task_cap);
        r->tasks[r->task_count++] = (ValidateTask){
            .rules = first, .count = end - i, .cost = first->bytes * kinds[first->kind].weight};
    }
    mem_sort(r->tasks, r->task_count, sizeof *r->tasks, cheaper_first);
}

Error *validate_rules_read(Conn *c, const ValidateOptions *o, int64_t deadline, ValidateRules *out,
                           ValidateReport *report)
{
    for (int kind = -1; kind < VALIDATE_KINDS; kind++) {
        int64_t start = clock_mono_ms();
        Error *e = validate_step(c, deadline);
        if (!e)
            e = kind < 0 ? read_tables(c, report) : read_kind(c, (ValidateKind)kind, o, out);
        if (kind >= 0)
            report->sums[kind].ms += clock_mono_ms() - start;
        if (!e)
            continue;
        const char *reason = validate_reason(c, e);
        if (!reason)
            return e;
        if (kind >= 0)
            leave_kind(report, (ValidateKind)kind, reason, e);
        error_free(e);
    }
    for (int kind = 0; kind < VALIDATE_KINDS; kind++)
        for (size_t i = 0; out->read[kind] && i < rows_count(out->read[kind]); i++)
            add_rule(out->read[kind], i, (ValidateKind)kind, o, out, report);
    make_tasks(out);
    return NULL;
}
