/* The state: what a host remembers of its runs beyond the repository, in <folder>/state.db, an
 * SQLite database: jobs and their logs, tokens, the audit log, when schedules last ran,
 * notifications to be sent. No backup is in it, and no policy: who may do what, when something is
 * due and who is told is decided above. The tables are state_*.h, one group a file.
 *
 * One handle may be used by any number of threads: each call takes the handle's mutex for its
 * length. Any number of processes may have the same state open (the service, the command line);
 * one that finds it locked waits up to wait_ms, then it is ERR_TIMEOUT. A handle is never used
 * across a fork. What a call has returned is owned by the caller and stays valid whatever
 * comes after; what a call says is done is on the disk (WAL, synchronous=FULL): a process that is
 * killed leaves whole transactions only.
 *
 * Errors of all calls: ERR_IO (disk full, folder read-only, a failing disk: the hint says which),
 * ERR_DAMAGED (no database, or one with wrong pages), ERR_TIMEOUT (another process keeps it
 * locked), ERR_MEMORY. Those besides are said where they happen.
 *
 * Texts are UTF-8 as far as they come so, and cut at STATE_TEXT_MAX bytes; NULL is stored as such
 * where a member may be NULL, otherwise as the empty text.
 */
#ifndef PGSTOW_STATE_STATE_H
#define PGSTOW_STATE_STATE_H

#include "base/clock.h"

#define STATE_TEXT_MAX 65536 /* bytes; what is longer is cut, between two characters */
#define STATE_LIST_MAX 1000  /* rows that a list returns at most; its limit of 0 means this */
#define STATE_VERSION 2      /* of the schema that this program makes and understands */

typedef struct State State;

typedef struct StateOptions {
    bool existing;      /* ERR_NOT_FOUND where there is none, instead of making one */
    int64_t wait_ms;    /* for others who have it locked; 0: 10 s */
    uint32_t max_pages; /* of 4 KiB each, beyond which it counts as a full disk; 0: no limit */
} StateOptions;

/* The folder where a setting names none: pgstow in XDG_STATE_HOME; /var/lib/pgstow for the user whom
 * it belongs to, and for root where it is not there; otherwise pgstow in ~/.local/state; NULL for a
 * user without a home. Caller frees. */
char *state_default_folder(void);

/* Opens, and makes or migrates where need be. The folder is made with mode 0700, the file with 0600
 * whatever the umask. Refused (ERR_IO, with the remedy): a folder or file of another user, one that
 * others may write to, a link, a file system that cannot do WAL (network). ERR_REPO_UNSUPPORTED:
 * written by a newer pgstow. folder NULL is the default one (ERR_CONFIG, with `existing`
 * ERR_NOT_FOUND, for a user who has none; ERR_IO, or the same, where nothing is in it and
 * /var/lib/pgstow is another user's). options may be NULL. */
Error *state_open(const char *folder, const StateOptions *options, State **out) MUST_CHECK;
void state_close(State *s);
DEFINE_AUTO(State, state_close)
const char *state_path(const State *s); /* of the database, for messages */

/* Reads every page (SQLite's quick_check and the foreign keys): ERR_DAMAGED with what was found.
 * For the start of the service. Takes the time of reading the file. */
Error *state_check(State *s) MUST_CHECK;

/* Runs `work` as one transaction: all that it does with this handle is done, or, where it returns
 * an error, nothing. Calls nest: an inner one that fails takes back only its own. Other threads
 * wait for the end of it, other processes can only read meanwhile: no slow work within. */
Error *state_together(State *s, Error *(*work)(State *s, void *ctx), void *ctx) MUST_CHECK;

#endif
