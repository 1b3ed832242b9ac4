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
#include "op/backup.h"
#include "op/cleanup.h"
#include "op/merge.h"
#include "state/state_session.h" /* SyncDirection: SYNC_PULL, SYNC_PUSH */

const char *sync_direction_name(SyncDirection d); /* "pull", "push" */
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
/* What never leaves this source, whoever asks: the texts of the setting sync.exclude ("NAME: TABLE:
 * CONDITION"), made into conditions of a backup. `names` (may be NULL) gets a sentence for each,
 * for people. ERR_CONFIG. */
Error *sync_exclude_add(const StrList *excludes, StrList *where, StrList *names) MUST_CHECK;

#endif
