/* A scratch database: made for one operation on the server that --db names, and dropped at its end.
 *
 * Its comment says what it is for; those that a killed run left behind are dropped by the next.
 */
#ifndef PGSTOW_OP_SCRATCH_H
#define PGSTOW_OP_SCRATCH_H

#include "op/op.h"
#include "pg/archive.h"

/* How the comment of every scratch database begins. */
#define SCRATCH_MARK "pgstow scratch held from "

typedef struct Scratch {
    Conn *admin; /* to another database of the server; not cancelled with the job */
    Cancel *calm;
    char name[64]; /* an operation works in it when given a context with this db_name */
} Scratch;
void scratch_clear(Scratch *s); /* drops it; silent */
DEFINE_AUTO_VALUE(Scratch, scratch_clear)

/* beside: the name that it is made like. toc: encoding and locale are the archive's where it says
 * them (NULL: those of the database that --db names). */
Error *scratch_create(const OpContext *c, const char *beside, const Toc *toc_or_null,
                      Scratch *out) MUST_CHECK;
/* Drops it, and says where that did not work. */
Error *scratch_drop(Scratch *s) MUST_CHECK;

#endif
