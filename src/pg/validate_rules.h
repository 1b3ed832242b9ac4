/* The rules of one database, as src/sql/validate_*.sql give them, and what they are made into. */
#ifndef PGSTOW_PG_VALIDATE_RULES_H
#define PGSTOW_PG_VALIDATE_RULES_H

#include <pthread.h>

#include "pg/validate.h"

/* One statement's worth: `from` and `condition` select what breaks the rule. Names and SQL are
 * borrowed from the rows that were read. */
typedef struct ValidateRule {
    ValidateKind kind;
    const char *schema, *table, *object, *detail;
    uint32_t oid; /* rules over one table that follow each other share it */
    uint64_t bytes;
    const char *from, *condition, *sample;
    bool error;
} ValidateRule;

/* Rules that one reading of a table answers together, or a single one. */
typedef struct ValidateTask {
    const ValidateRule *rules;
    size_t count;
    uint64_t cost; /* about how many bytes are read */
} ValidateTask;

typedef struct ValidateRules {
    ValidateRule *items;
    size_t count, cap;
    ValidateTask *tasks; /* cheapest first */
    size_t task_count, task_cap;
    Rows *read[VALIDATE_KINDS];
} ValidateRules;
void validate_rules_clear(ValidateRules *r);
DEFINE_AUTO_VALUE(ValidateRules, validate_rules_clear)

/* Reads them on a connection that is in the validating transaction (the savepoint "rule" stands).
 * What is known already, or cannot be looked at, goes to the report. `deadline`: by clock_mono_ms,
 * 0 for none. */
Error *validate_rules_read(Conn *c, const ValidateOptions *o, int64_t deadline, ValidateRules *out,
                           ValidateReport *report) MUST_CHECK;
/* Back to the savepoint, with what is left of the time for the next statement. ERR_TIMEOUT where
 * nothing is. */
Error *validate_step(Conn *c, int64_t deadline) MUST_CHECK;
/* Why an error on the way leaves a rule out; NULL where it ends everything. */
const char *validate_reason(const Conn *c, const Error *e);

/* Adding to a report; the strings are copied. */
ValidateFinding *validate_add(ValidateReport *r, const ValidateRule *rule, bool error,
                              int64_t count);
void validate_leave(ValidateReport *r, const ValidateRule *rule, const char *reason,
                    const char *detail);
/* Sorts and counts. */
void validate_report_settle(ValidateReport *r);

#endif
