/* Sessions: running writers, readers and prunes, visible to others through the repository.
 *
 * A session object is written once, before anything that relies on it, and never changed. A
 * writer's names the backup id it will commit, its parents, and every pack that it may reuse. It is
 * dead when its process is gone (same host and boot: pid and start time looked up; another host:
 * only whoever holds the database's lock may say so). A dead writer is fenced by a tombstone at its
 * manifest's name before its packs are taken over.
 */
#ifndef PGSTOW_REPO_SESSION_H
#define PGSTOW_REPO_SESSION_H

#include "repo/repo.h"

typedef enum SessionKind {
    SESSION_WRITER = 1,
    SESSION_READER = 2, /* undelete, too: its session names packs as a writer's does */
    SESSION_PRUNE = 3
} SessionKind;
typedef struct SessionInfo {
    SessionId id;
    SessionKind kind;
    char *backup_id; /* the id that it will have; of a reader: the backup it reads */
    char *database, *server, *host, *boot, *what; /* what: "backup", "restore", "verify", ... */
    char *system_identifier;                      /* the server's own, "" where it is not known */
    uint32_t database_oid;
    int64_t pid, pid_start;
    Instant started;
    StrList parents; /* backup ids */
    PackId *packs;   /* that it may reuse */
    size_t pack_count, pack_cap;
    bool gone; /* it came through a service, which knows that it is over: repo/session_peer.h */
} SessionInfo;
void session_info_clear(SessionInfo *s);
DEFINE_AUTO_VALUE(SessionInfo, session_info_clear)

/* Fills host, boot, pid, pid_start, started and a new id. */
void session_info_here(SessionInfo *s);
Error *session_put(Repo *r, const SessionInfo *s) MUST_CHECK;
Error *session_end(Repo *r,
                   SessionId id) MUST_CHECK; /* removes the object; a missing one is fine */
/* All; unreadable session objects are an error (nobody may conclude from half a list). Caller
 * clears each and frees. */
Error *session_list(Repo *r, SessionInfo **out, size_t *count) MUST_CHECK;
typedef enum SessionState { SESSION_ALIVE, SESSION_DEAD, SESSION_ELSEWHERE } SessionState;
SessionState session_state(const SessionInfo *s);
/* Tombstone at the manifest's name. *committed: the manifest was there first. */
Error *session_fence(Repo *r, const SessionInfo *s, SessionId by, bool *committed) MUST_CHECK;

/* Whether it stands for nobody any more: its process is gone, or, where that cannot be asked, it is
 * older than limit_ms. */
bool session_given_up(const SessionInfo *s, Instant now, int64_t limit_ms);
void session_list_free(SessionInfo *list, size_t count);

typedef struct SweepOptions {
    SessionId own; /* left alone */
    Instant now;
    int64_t limit_ms; /* for sessions of other hosts */
    int64_t keep_ms;  /* so long the packs of a dead writer stay for the next run */
    bool dry_run;
} SweepOptions;
typedef struct SweepResult {
    size_t fenced; /* writers that can commit no more, though they stay */
    size_t ended;  /* sessions that were removed */
} SweepResult;
/* Dead writers are fenced, those older than keep_ms removed, so that their packs are nobody's; one
 * that had committed is ended as it would have ended itself. Dead readers and prunes are removed.
 */
Error *session_sweep(Repo *r, const SweepOptions *o, SweepResult *out) MUST_CHECK;
/* What a session that committed and then died had still to do. It stays where that fails, for the
 * next run to try again. */
Error *session_finish_committed(Repo *r, const SessionInfo *s) MUST_CHECK;

/* A reader's session around restore, verify, export. Opened before the manifest is read. A
 * repository that may not be written is read without one. Dead readers of this host are swept away
 * on the way. */
typedef struct ReadSession ReadSession;
Error *read_session_open(Repo *r, const char *backup_id, const char *what,
                         ReadSession **out) MUST_CHECK;
void read_session_close(ReadSession *s);
DEFINE_AUTO(ReadSession, read_session_close)

#endif
