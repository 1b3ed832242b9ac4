/* Loading tables: which way each goes in, the session for it, and the statements around its COPY.
 *
 * A table that pass 1 has just made is truncated and frozen in one transaction (its rows then need
 * no later VACUUM, and no WAL where wal_level is minimal). Not so: rows that go in through a
 * partitioned root, extension configuration tables (CREATE EXTENSION has put rows there: they are
 * only added to, one table after another in the archive's order), foreign tables.
 */
#ifndef PGSTOW_PG_LOAD_H
#define PGSTOW_PG_LOAD_H

#include "pg/archive.h"
#include "pg/copy.h"

typedef struct LoadTable {
    const TocEntry *entry; /* borrowed from the Toc */
    char *name;            /* schema.table for messages */
    char *truncate;        /* statement, or NULL */
    char *copy;            /* COPY ... FROM STDIN */
    bool serial;           /* after all others, in the archive's order, on one connection */
} LoadTable;
typedef struct LoadPlan {
    LoadTable *tables; /* in the archive's order */
    size_t count, cap;
} LoadPlan;
void load_plan_clear(LoadPlan *p);
DEFINE_AUTO_VALUE(LoadPlan, load_plan_clear)

/* One LoadTable for each TABLE DATA entry. Asks the target (after pass 1) which tables belong to
 * extensions. `c` is prepared (load_session). */
Error *load_plan_make(Conn *c, const Toc *toc, LoadPlan *out) MUST_CHECK;
const LoadTable *load_plan_find(const LoadPlan *p, int dump_id); /* NULL where there is none */

/* Session settings as pg_restore's, and rows not waiting for the disk at each commit. encoding: of
 * the archive; role: NULL or whom to become. */
Error *load_session(Conn *c, const char *encoding_or_null, const char *role_or_null) MUST_CHECK;

/* BEGIN and COPY; then copy_in_write the rows; then load_table_end (COMMIT), which compares with
 * the rows expected (ERR_MISMATCH, nothing committed), or load_table_abort (after any failure;
 * keeps silent). */
Error *load_table_begin(Conn *c, const LoadTable *t) MUST_CHECK;
Error *load_table_end(Conn *c, const LoadTable *t, uint64_t expected_rows) MUST_CHECK;
void load_table_abort(Conn *c);

#endif
