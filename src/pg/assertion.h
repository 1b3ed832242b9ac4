/* Assertions: a person's own SQL about a restored database.
 *
 * A file is split into statements as psql would; each is run by itself, in one transaction that is
 * rolled back at the end of the file. A statement passes when it runs and no row of what it returns
 * has anything but true in its first column: NULL is not true, no row at all passes. Statements
 * that return nothing (SET, CREATE TEMP TABLE, DO) pass by running. Names without a schema are
 * looked for in the user's own schema and public.
 */
#ifndef PGSTOW_PG_ASSERTION_H
#define PGSTOW_PG_ASSERTION_H

#include "pg/conn.h"

typedef struct Assertion {
    char *file;
    size_t number; /* of the statement in it, from 1 */
    char *sql;     /* cut */
    bool good;
    char *detail; /* why not: the first row that is not true, or the server's error; else NULL */
} Assertion;
typedef struct AssertionList {
    Assertion *items;
    size_t count, cap;
} AssertionList;
void assertion_list_clear(AssertionList *l);
DEFINE_AUTO_VALUE(AssertionList, assertion_list_clear)

/* Whether the files can be read and have statements at all: to be asked before the long work.
 * ERR_NOT_FOUND, ERR_USAGE. */
Error *assertion_check_files(const StrList *files) MUST_CHECK;
/* Adds what came of each statement. An error only where that cannot be told: a statement that is no
 * SQL, or whose first column is no boolean, or that ends the transaction (ERR_USAGE); the server is
 * gone, has no room, ... */
Error *assertion_run(Conn *c, const char *file, AssertionList *out) MUST_CHECK;

#endif
