#include "pg/validate.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "flow/group.h"
#include "pg/validate_rules.h"
#include "sql.h"

#define SAMPLES 5
#define SAMPLE_TEXT 100          /* bytes of a value that are shown */
#define LOCK_WAIT "2s"           /* a table that somebody alters is left out */
#define FASTEST 512              /* KiB that a connection reads in a millisecond, at best */
#define WORTH_A_HAND (16u << 20) /* bytes for which another connection pays */

typedef struct Run {
    const Conn *like;
    const ValidateOptions *o;
    ValidateReport *report; /* under the lock once there are several hands */
    pthread_mutex_t lock;
    ValidateRules rules;
    char *snapshot;
    int64_t deadline; /* by clock_mono_ms; 0: none */
    atomic_size_t next;
    Group *group;
} Run;

/* -- one rule --------------------------------------------------------------------------------- */

static bool is_damage(const Conn *c)
{
    const char *state = conn_last_sqlstate(c);
    return !strcmp(state, "XX001") || !strcmp(state, "XX002");
}

/* Whether the table of a CHECK that named something that is not there is itself still there. */
static bool still_there(Run *r, Conn *c, const ValidateRule *rule)
{
    AUTO(char) gone = NULL;
    AUTO(char) oid = mem_printf("%u", rule->oid);
    const char *params[] = {oid};
    Error *e = validate_step(c, r->deadline);
    if (!e)
        e = conn_value(c, "SELECT pg_catalog.pg_relation_size($1::pg_catalog.regclass) IS NULL", 1,
                       params, &gone);
    bool there = !e && !strcmp(gone, "f");
    error_free(e);
    return there;
}

/* Looking at it failed: a finding by itself, or a rule left out, or the end of everything. */
static Error *failed(Run *r, Conn *c, const ValidateRule *rule, Error *e)
{
    const char *reason = validate_reason(c, e);
    if (!reason)
        return e;
    bool damage = is_damage(c);
    if (rule->kind == VALIDATE_CHECK && !strcmp(reason, "gone") && still_there(r, c, rule))
        reason = "failed";
    pthread_mutex_lock(&r->lock);
    if (damage) {
        ValidateFinding *f = validate_add(r->report, rule, true, -1);
        f->message = mem_printf("%s %s is damaged: %s",
                                rule->kind == VALIDATE_AMCHECK ? "index" : "what is read for",
                                rule->object, error_message(e));
    } else if (rule->kind == VALIDATE_CHECK && !strcmp(reason, "failed")) {
        ValidateFinding *f = validate_add(r->report, rule, false, -1);
        f->message = mem_printf("%s cannot be evaluated as a restore would: %s (%s)", rule->object,
                                error_message(e), rule->detail);
    } else {
        validate_leave(r->report, rule, reason, error_message(e));
    }
    pthread_mutex_unlock(&r->lock);
    error_free(e);
    return NULL;
}

static char *message_of(const ValidateRule *rule, const char *detail, int64_t n)
{
    const char *s = n == 1 ? "" : "s", *one = n == 1 ? "s" : "";
    long long count = (long long)n;
    switch (rule->kind) {
    case VALIDATE_FOREIGN:
        return mem_printf("%lld row%s refer%s to nothing: %s, %s", count, s, one, rule->object,
                          detail);
    case VALIDATE_CHECK:
        return mem_printf("%lld row%s break%s %s, %s", count, s, one, rule->object, detail);
    case VALIDATE_NOT_NULL:
        return mem_printf("%lld row%s with NULL in column %s, which is NOT NULL", count, s,
                          rule->object);
    case VALIDATE_UNIQUE:
        return mem_printf("%lld key%s more than once in the table: %s", count,
                          n == 1 ? " is" : "s are", detail);
    case VALIDATE_SEQUENCE:
        return mem_printf("sequence %s is behind its %s: the next value is used already, or was "
                          "passed",
                          rule->object, detail);
    default:
        return mem_printf("%s: %s", rule->object, detail);
    }
}

/* A value, cut at the end of a character. */
static char *shortened(const char *value)
{
    size_t n = strlen(value);
    if (n <= SAMPLE_TEXT)
        return mem_strdup(value);
    for (n = SAMPLE_TEXT; n && ((unsigned char)value[n] & 0xc0) == 0x80; n--)
        ;
    AUTO(char) head = mem_strndup(value, n);
    return mem_printf("%s...", head);
}

static void take_samples(ValidateFinding *f, const Rows *rows)
{
    size_t columns = rows_columns(rows);
    f->sample_count = rows_count(rows);
    f->samples = mem_calloc(f->sample_count * columns, sizeof *f->samples);
    for (size_t i = 0; i < columns; i++)
        strlist_add(&f->columns, rows_column(rows, i));
    for (size_t i = 0; i < f->sample_count * columns; i++) {
        const char *value = rows_text(rows, i / columns, i % columns);
        f->samples[i] = value ? shortened(value) : NULL;
    }
}

/* What the message says of the rule, and what is shown of a row: of an index its definition, of
 * columns their names, which the rule itself does not bring along. */
static Error *put_into_words(Conn *c, const ValidateRule *rule, char **detail, char **sample)
{
    AUTO(char) oid = mem_printf("%u", rule->oid);
    const char *params[] = {oid, rule->sample, rule->kind == VALIDATE_FOREIGN ? "f." : ""};
    if (rule->detail)
        *detail = mem_strdup(rule->detail);
    else
        TRY(conn_value(c, "SELECT pg_catalog.pg_get_indexdef($1::pg_catalog.oid)", 1, params,
                       detail));
    if (rule->sample[0] == '{' || rule->sample[0] == '[') /* an array, perhaps with its bounds */
        return conn_value(c, sql_validate_sample, 3, params, sample);
    *sample = mem_strdup(rule->sample);
    return NULL;
}

/* How many, and the first of them. The count stands although the samples could not be had. */
static Error *look_closely(Run *r, Conn *c, const ValidateRule *rule)
{
    AUTO(Rows) counted = NULL;
    AUTO(Rows) samples = NULL;
    AUTO(char) detail = NULL;
    AUTO(char) sample = NULL;
    AUTO(char)
    count = mem_printf("SELECT pg_catalog.count(*) %s WHERE %s", rule->from, rule->condition);
    TRY(conn_query(c, count, 0, NULL, &counted));
    int64_t n = rows_int(counted, 0, 0);
    if (!n)
        return NULL;
    Error *e = put_into_words(c, rule, &detail, &sample);
    AUTO(char)
    first = mem_printf("SELECT %s %s WHERE %s LIMIT %d", sample ? sample : "", rule->from,
                       rule->condition, SAMPLES);
    if (!e)
        e = conn_query(c, first, 0, NULL, &samples);
    if (e && !validate_reason(c, e))
        return e;
    error_free(e);
    pthread_mutex_lock(&r->lock);
    ValidateFinding *f = validate_add(r->report, rule, rule->error, n);
    f->message = message_of(rule, detail ? detail : rule->object, n);
    if (samples)
        take_samples(f, samples);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static Error *look_at_rule(Run *r, Conn *c, const ValidateRule *rule)
{
    Error *e = validate_step(c, r->deadline);
    /* An index must not be asked about itself; and the planner, who takes num_nulls for a filter
     * that lets few rows through, must not choose a hash table for many. */
    if (!e && rule->kind == VALIDATE_UNIQUE)
        e = conn_exec(c, "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; "
                         "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashagg = off; "
                         "SET LOCAL work_mem = '32MB'");
    if (!e)
        e = look_closely(r, c, rule);
    if (e)
        return failed(r, c, rule, e);
    pthread_mutex_lock(&r->lock);
    r->report->sums[rule->kind].done++;
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* -- one task --------------------------------------------------------------------------------- */

/* Whether one reading finds nothing that breaks any of the rules. An error says nothing of which
 * one it belongs to. */
static Error *all_kept(Run *r, Conn *c, const ValidateTask *t, bool *kept)
{
    AUTO_VALUE(Buf) sql = {0};
    AUTO(Rows) rows = NULL;
    *kept = false;
    buf_printf(&sql, "SELECT EXISTS (SELECT 1 %s WHERE ", t->rules[0].from);
    for (size_t i = 0; i < t->count; i++)
        buf_printf(&sql, "%s(%s)", i ? " OR " : "", t->rules[i].condition);
    buf_add_str(&sql, ")");
    buf_u8(&sql, 0);
    TRY(validate_step(c, r->deadline));
    TRY(conn_query(c, (const char *)sql.data, 0, NULL, &rows));
    *kept = !rows_bool(rows, 0, 0);
    return NULL;
}

static Error *leave_all(Run *r, const ValidateTask *t, const char *detail)
{
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < t->count; i++)
        validate_leave(r->report, &t->rules[i], "time", detail);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static Error *do_task(Run *r, Conn *c, const ValidateTask *t)
{
    /* What cannot be read in the time that is left is not begun. */
    int64_t left = r->deadline ? r->deadline - clock_mono_ms() : INT64_MAX;
    if (left <= 0 || t->cost / 1024 / FASTEST > (uint64_t)left)
        return leave_all(r, t, NULL);
    if (t->count > 1) {
        bool kept;
        Error *e = all_kept(r, c, t, &kept);
        if (e && !validate_reason(c, e))
            return e;
        bool timeout = e && error_kind(e) == ERR_TIMEOUT;
        error_free(e);
        if (timeout)
            return leave_all(r, t, NULL);
        if (kept) {
            pthread_mutex_lock(&r->lock);
            r->report->sums[t->rules[0].kind].done += t->count;
            pthread_mutex_unlock(&r->lock);
            return NULL;
        }
    }
    for (size_t i = 0; i < t->count; i++)
        TRY(look_at_rule(r, c, &t->rules[i]));
    return NULL;
}

/* -- the hands -------------------------------------------------------------------------------- */

/* Read only, with nobody's settings but ours; the savepoint is what every rule starts from, so that
 * one that fails ends nothing, and no table stays locked. */
static Error *begin(Conn *c, const char *snapshot)
{
    AUTO(char) literal = snapshot ? text_sql_literal(snapshot) : NULL;
    AUTO(char)
    join = snapshot ? mem_printf("; SET TRANSACTION SNAPSHOT %s", literal) : mem_strdup("");
    TRY(conn_use_utf8(c));
    TRY(conn_execf(
        c,
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY%s; SET LOCAL row_security = off; "
        "SET LOCAL lock_timeout = '" LOCK_WAIT "'; SET LOCAL search_path = ''; "
        "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL DateStyle = ISO",
        join));
    /* A table that is put out of the way for a view meanwhile must not make us run its functions;
     * not every minor version knows the setting. */
    AUTO(Rows) rows = NULL;
    return conn_query(c,
                      "SELECT pg_catalog.set_config(name, 'view, foreign-table', true) FROM "
                      "pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
                      0, NULL, &rows);
}

static Error *hand_loop(Run *r, Conn *c)
{
    for (size_t i; (i = atomic_fetch_add(&r->next, 1)) < r->rules.task_count;) {
        const ValidateTask *t = &r->rules.tasks[i];
        TRY(cancel_check(group_cancel(r->group)));
        AUTO(char) name = mem_printf("%s.%s", t->rules[0].schema, t->rules[0].table);
        job_object(r->o->job, name);
        int64_t start = clock_mono_ms();
        TRY(do_task(r, c, t));
        pthread_mutex_lock(&r->lock);
        r->report->sums[t->rules[0].kind].ms += clock_mono_ms() - start;
        pthread_mutex_unlock(&r->lock);
        job_add_items(r->o->job, 1);
    }
    return NULL;
}

static Error *hand(void *arg)
{
    Run *r = arg;
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(r->like, NULL, group_cancel(r->group), &c));
    TRY(begin(c, r->snapshot));
    TRY(conn_exec(c, "SAVEPOINT rule"));
    return hand_loop(r, c);
}

static unsigned more_hands(const Run *r)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < r->rules.task_count; i++)
        bytes += r->rules.tasks[i].cost;
    uint64_t most = bytes / WORTH_A_HAND, wanted = r->o->jobs > 1 ? r->o->jobs - 1 : 0;
    return (unsigned)(wanted < most ? wanted : most);
}

/* The connection that lists the rules holds the snapshot for all, and works too. */
static Error *run(Run *r)
{
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(r->like, NULL, r->o->cancel, &c));
    r->report->database = mem_strdup(conn_dbname(c));
    r->report->server = mem_printf("%s:%s", conn_host(c), conn_port(c));
    TRY(begin(c, NULL));
    TRY(conn_value(c, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL, &r->snapshot));
    TRY(conn_exec(c, "SAVEPOINT rule"));
    TRY(validate_rules_read(c, r->o, r->deadline, &r->rules, r->report));
    job_phase(r->o->job, "validating", 0, r->rules.task_count);
    TRY(group_new(r->o->cancel, &r->group));
    unsigned more = more_hands(r);
    for (unsigned i = 0; i < more; i++)
        TRY(group_start(r->group, hand, r));
    group_fail(r->group, hand_loop(r, c));
    return group_join(r->group);
}

Error *validate_run(const Conn *like, const ValidateOptions *o, ValidateReport *out)
{
    int64_t started = clock_mono_ms();
    Run r = {.like = like,
             .o = o,
             .report = out,
             .lock = PTHREAD_MUTEX_INITIALIZER,
             .deadline = o->max_ms ? started + o->max_ms : 0};
    if (conn_server_major(like) < VALIDATE_MAJOR)
        FAIL(ERR_DB, "%s: only PostgreSQL %d or newer can be validated", conn_describe(like),
             VALIDATE_MAJOR);
    Error *e = run(&r);
    if (r.group)
        group_free(r.group);
    validate_rules_clear(&r.rules);
    free(r.snapshot);
    out->ms = clock_mono_ms() - started;
    validate_report_settle(out);
    return e;
}
