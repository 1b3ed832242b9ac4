/* sync: the rows of one server's database into another's, pull or push, between two hosts of which
 * one runs `pgstow serve`. A composite: a backup on the source, a copy of what the other side's
 * repository lacks, a merge (or, into a database without tables, a restore) on the target.
 *
 * Both sides have a session of the same id in their states (op/sync_session.h). Whatever fails,
 * wherever: the target's database holds all of it or nothing, both sessions say how it ended, and a
 * session that did not end well can be resumed: the backup is not made again where it is still
 * good, and no pack that has arrived is sent again.
 *
 * COMPLETED is said by the target alone, once it has committed: a push that did not hear it asks
 * for it, and asks again; without it a push is not complete.
 */
#ifndef PGSTOW_OP_SYNC_H
#define PGSTOW_OP_SYNC_H

#include "base/doc.h"
#include "base/finding.h"
#include "op/backup.h"
#include "op/cleanup.h"
#include "op/merge.h"
#include "op/peer.h"
#include "op/sync_session.h"
#include "state/state_session.h" /* SyncDirection: SYNC_PULL, SYNC_PUSH */

typedef enum SyncMethod { SYNC_METHOD_AUTO, SYNC_METHOD_BACKUP, SYNC_METHOD_HTTP } SyncMethod;
const char *sync_method_name(SyncMethod m); /* "auto", "backup", "http" */

/* What is wanted. It is kept with the session, and sent to the other side: no secret is in it. All
 * is owned. */
typedef struct SyncOptions {
    SyncDirection direction;
    char *peer;       /* its name, on the side that asks */
    char *session;    /* NULL: made of the time */
    char *entry;      /* of `databases:` here; NULL or "": none */
    char *peer_entry; /* there; NULL: as the peer is set up, or its only one */
    SyncMethod method;
    bool resume;  /* goes on with the session of this id */
    bool test;    /* definitions alone: of a trial, whose backups go again */
    bool dry_run; /* all is done but the commit, and no safety backup is made */
    /* what of the source is sent */
    StrList where, exclude_tables, masks; /* as in BackupOptions */
    bool cascade;
    bool compress;
    uint64_t max_rate; /* bytes a second; 0: no limit */
    /* what becomes of it in the target */
    MergeMode mode;
    char *on_conflict; /* as merge_parse_conflict takes it; NULL: source */
    MergeTaken taken;
    MergeKeyless keyless;
    StrList keys;
    bool delta;
    bool ignore_extra;  /* columns that the target has not are left out */
    bool masked_too;    /* masked values may take the place of real ones */
    bool safety_backup; /* of the target, before it is changed */
    bool verify;
    int64_t lock_wait_ms, timeout_ms; /* 0: no limit; the second of the merge */
} SyncOptions;
void sync_options_clear(SyncOptions *o);
DEFINE_AUTO_VALUE(SyncOptions, sync_options_clear)
Doc *sync_options_doc(const SyncOptions *o);
/* ERR_USAGE for what cannot be meant; unknown members are passed over. */
Error *sync_options_read(const Doc *d, SyncOptions *out) MUST_CHECK;
/* What of the source is sent: the wishes of who asked, and what always counts there. `exclude` (the
 * texts of sync.exclude) may be NULL, and so may left_out: sentences for people. */
Error *sync_filters(const StrList *exclude, const SyncOptions *o, BackupOptions *out,
                    StrList *left_out) MUST_CHECK;
/* What this host's settings say of every sync with it, whoever asks. */
typedef struct SyncTerms {
    const StrList *exclude; /* what never leaves it: sync.exclude; borrowed, may be NULL */
    bool no_definitions;    /* into a database that has nothing comes nothing */
    bool no_peer_filters;   /* a peer's pull has no conditions and masks */
} SyncTerms;
SyncTerms sync_terms(const Config *c);
/* Whether a peer may ask for that here. ERR_PREFLIGHT. */
Error *sync_check_filters(const SyncTerms *terms, const SyncOptions *o) MUST_CHECK;
/* op_sync_schema of the context's database; {"missing": true} where there is none. "filtered":
 * whether some of its rows never leave it; "noDefinitions". */
Error *sync_schema_here(const OpContext *c, const SyncTerms *terms, Doc **out) MUST_CHECK;

/* -- one side -----------------------------------------------------------------------------------
 */

/* What this host brings along; all borrowed. */
typedef struct SyncHost {
    const OpContext *op;   /* its repository and database, tools, job (not NULL) */
    Config *config;        /* for peers; their secrets are taken out of it */
    const char *state_dir; /* NULL: the default */
    const char *entry;     /* which of `databases:` that is; NULL: none */
    SyncTerms terms;
    int level;                     /* of compression, as in BackupOptions */
    const CleanupOptions *cleanup; /* of the databases concerned, afterwards; NULL: none */
    /* Asked before rows of an encrypted repository are written into one that is not; ERR_CONFIRM.
     */
    Error *(*ask)(void *ctx, const char *question);
    void *ctx;
} SyncHost;

/* What the target has to say. */
typedef struct SyncApplied {
    char *backup;        /* its id in the target's repository */
    char *database;      /* that it went into */
    char *safety_backup; /* of the target as it was; NULL: none was made */
    bool restored;       /* there was nothing: the whole was restored, not merged */
    uint64_t rows;       /* of the backup, as it lies in the target's repository */
    Doc *outcome;        /* as `restore --json` has it; NULL: nothing was done */
    StrList warnings;
} SyncApplied;
void sync_applied_clear(SyncApplied *a);
DEFINE_AUTO_VALUE(SyncApplied, sync_applied_clear)
Doc *sync_applied_doc(const SyncApplied *a);
/* As a session keeps it, and the peer is told: where it is long (thousands of tables) without what
 * was done to each table. */
Doc *sync_applied_kept(const SyncApplied *a);

typedef struct SyncResult {
    char *session, *peer;
    SyncDirection direction;
    SyncMethod method; /* that it came to be */
    bool dry_run;
    char *source;  /* database there or here */
    char *backup;  /* its id on the source; NULL with the method http */
    uint64_t rows; /* of it */
    uint64_t bytes;
    uint64_t packs, reused;  /* that were sent; that the target had */
    uint64_t sent, received; /* bytes of requests and answers, seen from here */
    StrList left_out;        /* what was: "demo: shop.orders: demo", filters */
    Doc *differences;        /* of the schemas, those that are harmless; an array */
    SyncApplied applied;
    int64_t backup_ms, transfer_ms, apply_ms, duration_ms;
    StrList warnings;
} SyncResult;
void sync_result_clear(SyncResult *r);
DEFINE_AUTO_VALUE(SyncResult, sync_result_clear)
Doc *sync_result_doc(const SyncResult *r);

/* The side that asks. Errors: those of a backup, a copy, a merge; the peer's own, "peer NAME: ...";
 * ERR_BUSY with the other session's id; ERR_PREFLIGHT with the differences of the schemas; *out is
 * filled as far as it went. Any error but one case: the target is as it was. That case is a push
 * whose peer did not answer to the end: the message says so. */
Error *op_sync(const SyncHost *h, const SyncOptions *o, SyncResult *out) MUST_CHECK;
/* The options of a session of this host that can go on. ERR_NOT_FOUND, ERR_EXISTS (it is
 * COMPLETED). */
Error *sync_resume_options(const SyncHost *h, const char *session, SyncOptions *out) MUST_CHECK;

/* Each phase, tried harmlessly, up to `until`; *out says how it went. The error is the first that a
 * phase ended with. o: dry_run and test. */
typedef enum SyncTestPhase {
    SYNC_TEST_BACKUP = 1,
    SYNC_TEST_TRANSFER,
    SYNC_TEST_RESTORE
} SyncTestPhase;
Error *op_sync_test(const SyncHost *h, const SyncOptions *o, SyncTestPhase until,
                    FindingList *out) MUST_CHECK;

/* The other side, as a job of its service, for a session that the service has opened: the backup
 * that a peer pulls; what a peer has pushed into the database. */
Error *op_sync_serve_backup(const SyncHost *h, const char *session, BackupInfo *out) MUST_CHECK;
Error *op_sync_serve_apply(const SyncHost *h, const char *session, SyncApplied *out) MUST_CHECK;

#endif
