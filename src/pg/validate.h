/* Consistency: does what is stored in a live database keep the rules that it declares?
 *
 * An error is stored data that contradicts a declared rule (a row that refers to nothing, breaks a
 * CHECK, is NULL where it must not be, has a key that is there already; an index that contradicts
 * its table). A warning is what will go wrong or is guarded by nobody (an invalid index, a sequence
 * behind its column, foreign key triggers that are off). The rules are src/sql/validate_*.sql.
 *
 * Only read, by several connections under one snapshot, the smallest tables first, so that most of
 * the rules are looked at when there is a time limit. Functions that belong to somebody else than
 * the connected user or a superuser are not run unless asked for: they would run with our rights.
 */
#ifndef PGSTOW_PG_VALIDATE_H
#define PGSTOW_PG_VALIDATE_H

#include "base/doc.h"
#include "flow/job.h"
#include "pg/conn.h"

#define VALIDATE_MAJOR 12 /* the oldest server whose catalog the rules can read */

typedef enum ValidateKind {
    VALIDATE_CATALOG,
    VALIDATE_FOREIGN,
    VALIDATE_CHECK,
    VALIDATE_NOT_NULL,
    VALIDATE_UNIQUE,
    VALIDATE_SEQUENCE,
    VALIDATE_AMCHECK,
    VALIDATE_KINDS
} ValidateKind;
const char *validate_kind_name(ValidateKind kind); /* "foreignKey", as JSON has it */

typedef struct ValidateOptions {
    int64_t max_ms; /* 0: no limit */
    unsigned jobs;  /* connections */
    Job *job;
    Cancel *cancel;
    bool heap_all_indexed; /* amcheck also looks for rows that an index lacks */
    bool run_functions;    /* also those that belong to others */
    bool restored; /* the server has just built every index and proven every constraint that it
                      calls valid: only the others are looked at */
} ValidateOptions;

typedef struct ValidateFinding {
    ValidateKind kind;
    bool error; /* else a warning */
    char *schema, *table, *object;
    char *message;       /* without the name of the table */
    int64_t count;       /* rows, or keys; -1 where it is not known */
    StrList columns;     /* of the samples */
    char **samples;      /* row by row; NULL for SQL NULL; long values are cut */
    size_t sample_count; /* rows */
} ValidateFinding;

typedef struct ValidateLeft { /* a rule that was not looked at */
    ValidateKind kind;
    char *schema, *table, *object;
    const char *reason; /* "time", "locked", "privilege", "function", "unsupported", "gone",
                           "failed" */
    char *detail;       /* or NULL */
} ValidateLeft;

typedef struct ValidateSum {
    uint64_t rules, done; /* of this kind; those looked at */
    int64_t ms;           /* all connections together */
    bool missing;         /* amcheck: the extension is not installed */
} ValidateSum;

typedef struct ValidateReport {
    char *database, *server;
    ValidateFinding *findings; /* errors first, then by table and object */
    size_t count, cap;
    ValidateLeft *left;
    size_t left_count, left_cap;
    ValidateSum sums[VALIDATE_KINDS];
    uint64_t errors, warnings, tables;
    int64_t ms;
} ValidateReport;
void validate_report_clear(ValidateReport *r);
DEFINE_AUTO_VALUE(ValidateReport, validate_report_clear)

/* `like`: the server and database; it is only asked for its address. What a rule meets (no
 * privilege, a lock, the time limit, a function that fails) lies in the report; an error only where
 * the database cannot be asked at all, or on cancellation. */
Error *validate_run(const Conn *like, const ValidateOptions *options,
                    ValidateReport *out) MUST_CHECK;

/* "app.item: 3 rows refer to nothing: ... (id = 1, customer = 99; ...)"; caller frees. */
char *validate_line(const ValidateFinding *f);
char *validate_line_bare(const ValidateFinding *f); /* without samples */
/* What `validate --json` prints. */
Doc *validate_doc(const ValidateReport *r);

#endif
