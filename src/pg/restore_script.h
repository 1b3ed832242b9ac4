/* What pg_restore would run for some of an archive's entries, as SQL, one piece for each: for
 * whoever runs them on a connection of their own, in a transaction of their own. */
#ifndef PGSTOW_PG_RESTORE_SCRIPT_H
#define PGSTOW_PG_RESTORE_SCRIPT_H

#include "pg/restore_pass.h"

typedef struct RestoreStep {
    const TocEntry *entry; /* borrowed from the Toc */
    char *settings;        /* those that change for it and all behind it; or "" */
    char *sql;             /* its statements */
} RestoreStep;
typedef struct RestoreScript {
    RestoreStep *steps; /* in pg_restore's order: definitions, privileges behind all others */
    size_t count, cap;
} RestoreScript;
void restore_script_clear(RestoreScript *s);
DEFINE_AUTO_VALUE(RestoreScript, restore_script_clear)

/* Of the entries that `want` takes, which must be none with rows. Of the options tool, toc, no_*
 * and cancel count. Entries for which pg_restore has no statement are not there. The session is to
 * be prepared by load_session. */
Error *restore_script_make(const RestorePassOptions *o, TocWant want, void *ctx,
                           RestoreScript *out) MUST_CHECK;
/* The same out of what `pg_restore --verbose --file=-` printed; by itself for tests. */
void restore_script_split(const Toc *toc, const char *text, RestoreScript *out);

#endif
