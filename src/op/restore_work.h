/* What one restore holds, from the repository to the server; and its steps, which restore.c puts in
 * order. */
#ifndef PGSTOW_OP_RESTORE_WORK_H
#define PGSTOW_OP_RESTORE_WORK_H

#include "op/backup_read.h"
#include "op/part.h"
#include "op/restore.h"
#include "pg/dbadmin.h"
#include "pg/restore_pass.h"

typedef struct RestoreWork {
    const OpContext *c;
    const RestoreOptions *o;
    Cancel *cancel; /* the job's, with the time limit */
    Cancel *calm;   /* never set: for what must be put in order after a cancellation too */

    BackupRead backup;
    Part part; /* of it, that is wanted; where it is the whole, part.whole is NULL */

    Conn *admin;         /* to another database of the server than the one to be restored; calm */
    Tool *tool;          /* NULL where none was found: */
    ErrorKind tool_kind; /* why */
    char *database;      /* to be restored */
    bool exists, empty;  /* it; empty: nothing of a user's in it */
    DbTraits old;        /* its traits, where it exists */

    uint64_t rows, bytes, fetched; /* of the load */
    Globals globals;               /* of the backup, where they are to be made first */
    StrList made;                  /* of them: "role x" */
    bool *indexed; /* by places in backup.toc: what was made while loading; NULL: nothing */
    RestoreMissing *missing;       /* with salvage */
    size_t missing_count, missing_cap;
    StrList loosened;
    bool public_there; /* the database being filled has a schema public from the start */
    StrList warnings;
} RestoreWork;
void restore_work_clear(RestoreWork *w);
DEFINE_AUTO_VALUE(RestoreWork, restore_work_clear)

/* Finds the backup, reads its manifest and table of contents. */
Error *restore_work_open_backup(RestoreWork *w, const char *what) MUST_CHECK;
/* Settles the target, connects, finds pg_restore, and asks everything that could stand against it.
 * Only what makes further questions impossible is an error. */
Error *restore_work_preflight(RestoreWork *w, FindingList *findings) MUST_CHECK;
/* The part that looks at the archive and the server only. */
Error *restore_check_archive(RestoreWork *w, FindingList *findings) MUST_CHECK;
/* The part that looks at the database that is there. */
Error *restore_check_existing(RestoreWork *w, FindingList *findings) MUST_CHECK;

/* Reads the backup's globals, where they are wanted. ERR_NOT_FOUND where it has none. */
Error *restore_globals_open(RestoreWork *w) MUST_CHECK;
/* Takes those out of a list of missing names that will be made: kind "role", "tablespace". */
Error *restore_globals_cover(const RestoreWork *w, const char *kind, StrList *missing) MUST_CHECK;
/* What would be made. */
Error *restore_globals_check(RestoreWork *w, FindingList *findings) MUST_CHECK;
/* Makes them. ERR_PREFLIGHT where a tablespace that is needed could not be made. */
Error *restore_globals_make(RestoreWork *w) MUST_CHECK;

/* One finding about a list of names; none where it is empty. */
void restore_add_names(FindingList *f, FindingLevel level, const char *title, const char *what,
                       const StrList *names, const char *remedy);
/* Of a part: what of it the database `inside` must have, or must not have. */
Error *restore_check_part(RestoreWork *w, Conn *inside, FindingList *findings) MUST_CHECK;
/* Of a part that is to be restored into a database that does not exist. */
void restore_check_part_alone(const RestoreWork *w, FindingList *findings);
/* A part into the database that is there, in one transaction: with its definitions, or (rows alone)
 * into empty tables. On any failure it is as it was. */
Error *restore_within(RestoreWork *w) MUST_CHECK;

/* One of pg_restore's two passes, over all of the archive or (not NULL) what is left of it. */
Error *restore_pass(RestoreWork *w, const char *dbname, RestorePart part,
                    const Toc *left) MUST_CHECK;
/* Fills an empty database: definitions, rows, the rest, statistics; and makes it durable. */
Error *restore_fill(RestoreWork *w, const char *dbname) MUST_CHECK;
/* Rows and large objects of all streams, in parallel; between the two runs of pg_restore. */
Error *restore_load(RestoreWork *w, const char *dbname, Conn *prepared) MUST_CHECK;
/* -- with salvage: restore_salvage.c -- */
/* An error that says the backup is damaged, and not that the work must end. */
bool restore_is_damage(const Error *e);
/* Notes what is left out; takes `why` over. By one thread at a time. */
void restore_miss(RestoreWork *w, const Stream *s, const char *name, Error *why);
/* The second pass where rows are missing: foreign keys that refer to them are made NOT VALID. */
Error *restore_salvage_behind(RestoreWork *w, const char *dbname, Conn *prepared) MUST_CHECK;
/* That not even the definitions could be read, with what there is instead. Takes e over. */
Error *restore_beyond_salvage(RestoreWork *w, Error *e) MUST_CHECK;

/* Statistics for the planner. Tables that cannot be analyzed become warnings. */
Error *restore_analyze(RestoreWork *w, const char *dbname, Conn *prepared) MUST_CHECK;

/* The database that is built beside and becomes the restored one when it is complete. Its comment
 * says what it is, and (for the case that the old one is dropped before it is complete) what
 * belonged to the old one. */
typedef struct RestoreShadow {
    char name[64];
    DbTraits traits; /* what the finished database will have */
} RestoreShadow;
void restore_shadow_clear(RestoreShadow *s);
DEFINE_AUTO_VALUE(RestoreShadow, restore_shadow_clear)
/* Also drops what earlier restores of this database left behind; where they had taken the old one
 * away, its traits are taken over from them. */
Error *restore_shadow_create(RestoreWork *w, RestoreShadow *s) MUST_CHECK;
/* Gives it its name, where no database has it. */
Error *restore_shadow_rename(RestoreWork *w, const RestoreShadow *s) MUST_CHECK;
/* Puts it in the old one's place, in one transaction, and drops that (or keeps it). */
Error *restore_shadow_swap(RestoreWork *w, const RestoreShadow *s) MUST_CHECK;
/* Drops the old one before the shadow is filled. */
Error *restore_shadow_drop_old(RestoreWork *w) MUST_CHECK;
/* After a failure; silent. */
void restore_shadow_drop(RestoreWork *w, const RestoreShadow *s);

#endif
