/* What the database that a part of a backup goes into has of it. Names are in the connection's
 * encoding. */
#ifndef PGSTOW_PG_PART_TARGET_H
#define PGSTOW_PG_PART_TARGET_H

#include "pg/conn.h"

/* The relations (schemas[i].names[i]) that are there, or those that are not: "schema.name", in the
 * given order. */
Error *part_target_relations(Conn *c, const StrList *schemas, const StrList *names, bool there,
                             StrList *out) MUST_CHECK;
Error *part_target_has_schema(Conn *c, const char *schema, bool *there) MUST_CHECK;
Error *part_target_has_extension(Conn *c, const char *name, bool *there) MUST_CHECK;
Error *part_target_has_language(Conn *c, const char *name, bool *there) MUST_CHECK;
/* Whether a table that is there has a row of its own; of an extension's, one that a backup would
 * take. */
Error *part_target_filled(Conn *c, const char *schema, const char *name, bool *filled) MUST_CHECK;
/* The same, and to the end of the transaction nobody else brings rows in. */
Error *part_target_hold(Conn *c, const char *schema, const char *name, bool *filled) MUST_CHECK;
/* No server takes a setval back; within the transaction in which the sequence got a new file it
 * does. */
Error *part_target_own_sequence(Conn *c, const char *schema, const char *name) MUST_CHECK;

/* While rows come into tables that are there (schemas[i].names[i]): their users' triggers are off,
 * and foreign keys between them are looked at when all have theirs. Inside of the caller's
 * transaction; `before` gives the statements that part_target_as_before runs, ready to be kept. */
Error *part_target_open_tables(Conn *c, const StrList *schemas, const StrList *names,
                               StrList *before) MUST_CHECK;
Error *part_target_as_before(Conn *c, const StrList *before) MUST_CHECK;

#endif
