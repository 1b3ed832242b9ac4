/* The consistency check that goes along with others: before a backup, after a restore. Bounded in
 * time; what it finds becomes warnings, or with strict the end of the whole.
 */
#ifndef PGSTOW_OP_CONSISTENCY_H
#define PGSTOW_OP_CONSISTENCY_H

#include "op/op.h"
#include "pg/validate.h"

typedef enum ValidateMode { VALIDATE_OFF, VALIDATE_WARN, VALIDATE_STRICT } ValidateMode;
typedef struct Consistency {
    ValidateMode mode;
    int64_t max_ms;    /* 0: about 5 % of what a backup of the database takes, 0.25 to 10 s */
    bool without_keys; /* warnings name no values: they go with rows that are filtered or masked */
} Consistency;

/* `like`: connected to the database. restored: it has just been filled, so that what the server
 * itself has proven on the way is not looked at again. ERR_INVALID with strict where there are
 * errors; that it could not be looked at is a warning. */
Error *consistency_check(const OpContext *c, const Consistency *o, Conn *like, Cancel *cancel,
                         bool restored, StrList *warnings) MUST_CHECK;
/* Errors of a report as one. */
Error *consistency_error(const ValidateReport *r) MUST_CHECK;

#endif
