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
/* The same before a backup, beside what the caller does meanwhile, which must not wait for it.
 * Where it may take long, or with one job, it is done at once, so that no lock and no snapshot is
 * held for it, and no connection more is needed; *out is NULL then. `like` must stay, and is only
 * asked for its address once this has returned. */
typedef struct ConsistencyBeside ConsistencyBeside;
Error *consistency_start(const OpContext *c, const Consistency *o, Conn *like, Cancel *cancel,
                         ConsistencyBeside **out, StrList *warnings) MUST_CHECK;
/* Waits for it; as consistency_check. NULL: nothing to do. */
Error *consistency_end(ConsistencyBeside *b, StrList *warnings) MUST_CHECK;
void consistency_beside_free(ConsistencyBeside *b); /* ends it where it still works */
DEFINE_AUTO(ConsistencyBeside, consistency_beside_free)
/* Errors of a report as one. */
Error *consistency_error(const ValidateReport *r) MUST_CHECK;

#endif
