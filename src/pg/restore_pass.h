/* Running pg_restore over a part of an archive that has a table of contents and no data: the
 * definitions before the rows, or all the rest behind them.
 *
 * A pg_restore of this machine gets the whole table of contents and a list (-L), so that with
 * several jobs it still knows which entries must not run at once, and where it does not know, this
 * tells it (pg/toc_attach.h). Where the tool is a command it
 * may run elsewhere, without our files: it gets an archive cut to the wanted entries on its
 * standard input, and one job.
 *
 * From version 17 on it begins each session with SET transaction_timeout, which servers before 17
 * do not know. Nothing depends on that setting; so there it may go on after errors, is ended by us
 * at the first other one, and must have counted exactly as many as it had such sessions.
 *
 * Statistics for the planner (pg_dump --statistics, from 18 on) are left out where the server is
 * older: they call functions that it has not.
 */
#ifndef PGSTOW_PG_RESTORE_PASS_H
#define PGSTOW_PG_RESTORE_PASS_H

#include "pg/archive.h"
#include "pg/conn.h"
#include "pg/tools.h"

typedef enum RestorePart {
    RESTORE_BEFORE, /* pre-data without privileges; large objects (empty) */
    RESTORE_BEHIND  /* everything else but the rows and the large objects' contents */
} RestorePart;
bool restore_part_wants(RestorePart part, const TocEntry *e);
/* Whether a server of this major version has what the entry calls: not before 18 for statistics. */
bool restore_server_has(int server_major, const TocEntry *e);
typedef struct RestoreWanted {
    RestorePart part;
    int server_major;
    bool public_there; /* the archive's CREATE SCHEMA public is left out */
    const bool *made;  /* by places in the Toc: entries that are there already; NULL: none */
} RestoreWanted;
/* Header and TOC of an archive that holds only the wanted entries. ERR_ARCHIVE. */
Error *restore_part_cut(const Toc *toc, const RestoreWanted *wanted, Buf *out) MUST_CHECK;
/* The entry that makes the schema public, as an archive of chosen schemas (pg_dump -n) has it; NULL
 * where there is none. */
const TocEntry *restore_public(const Toc *toc);

typedef struct RestorePassOptions { /* all borrowed */
    const Tool *tool;
    const Toc *toc;
    const Conn *server; /* which server, and how to log in */
    const char *dbname;
    const char *role; /* NULL: none */
    bool no_owner, no_privileges, no_tablespaces;
    bool public_there; /* as of RestoreWanted */
    const bool *made;
    unsigned jobs;
    Cancel *cancel;
    void (*object)(void *ctx,
                   const char *name); /* what is being made, from another thread; or NULL */
    void *ctx;
} RestorePassOptions;
/* Stops at the first error that pg_restore reports: ERR_TOOL_FAILED (ERR_DB_FULL, ERR_CONNECT where
 * it says so), naming the archive's entry. ERR_CANCELLED and ERR_TIMEOUT end the child. Warnings
 * that it printed are added to `warnings`. */
Error *restore_pass_run(const RestorePassOptions *o, RestorePart part,
                        StrList *warnings) MUST_CHECK;

/* What pg_restore --verbose says, line by line. The statement that failed is left out: it may hold
 * a password. */
typedef struct RestoreSaid {
    char *entry;                           /* the entry it is at, or failed at: "INDEX public.i" */
    char *error, *detail, *context, *hint; /* of the first error; NULL where none */
    char *last;                            /* line that is none of these */
    StrList warnings;
    bool old_server; /* set before the first line: it does not know transaction_timeout */
    char *refused;   /* the error about that; NULL where it had none */
    int ignored;     /* errors after which it went on, as it says at its end */
} RestoreSaid;
void restore_said_clear(RestoreSaid *s);
DEFINE_AUTO_VALUE(RestoreSaid, restore_said_clear)
void restore_said_line(RestoreSaid *s, const char *line);
/* Whether all errors that it went on after are the old server's about transaction_timeout, of so
 * many sessions. */
bool restore_said_only_refused(const RestoreSaid *s, int sessions);
/* Of one that ended with a status other than 0. */
Error *restore_said_error(const RestoreSaid *s, int status) MUST_CHECK;

#endif
