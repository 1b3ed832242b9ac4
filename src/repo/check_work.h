/* What the files of the checking share: the work at hand, and how findings are noted in its report.
 *
 * check.c goes through the small objects and leads the whole; check_packs.c reads packs;
 * check_recipes.c follows manifests to the chunks that they name.
 */
#ifndef PGSTOW_REPO_CHECK_WORK_H
#define PGSTOW_REPO_CHECK_WORK_H

#include <pthread.h>

#include "flow/group.h"
#include "repo/catalog.h"
#include "repo/check.h"
#include "repo/repo_internal.h"

#define NO_PROBLEM SIZE_MAX

/* A frame as the pack's footer lists it: eight bytes, since a backup of 1 TB has five million. */
typedef struct PlaceInfo {
    uint32_t number;
    uint32_t size; /* of a frame of rows: its chunks; of a recipe's: its raw bytes */
} PlaceInfo;

typedef struct BadFrame {
    uint32_t number;
    size_t problem; /* its place in the report */
} BadFrame;

/* A pack that manifests name. */
typedef struct PackEntry {
    PackInfo info; /* as they say */
    PlaceInfo *frames;
    size_t frame_count;
    size_t problem;  /* of the whole pack, or NO_PROBLEM */
    Instant made;    /* not after: the oldest backup that names it */
    Instant checked; /* found whole, as the ledger says; 0: never */
    bool passed;     /* over: only its footer is looked at */
    BadFrame *bad;   /* by rising number */
    size_t bad_count, bad_cap;
} PackEntry;

/* With a choice: what is known of a backup's packs. */
typedef struct CheckScope {
    uint64_t packs, unread;
    bool proven;    /* at this level, since choice->since */
    Instant oldest; /* when that of its packs was checked that was checked longest ago */
} CheckScope;

typedef struct Check {
    Repo *repo;
    Job *job;
    CheckLevel level;
    unsigned jobs;
    CheckReport *report;
    pthread_mutex_t lock;      /* of the report and of what the threads take turns at */
    const CheckChoice *choice; /* NULL: everything */
    Instant started;           /* what this run finds is known as of then */
    PackId *whole;             /* read and found whole, not yet in the ledger */
    size_t whole_count, whole_cap;
    StrList readable;   /* the backups to look at whose manifest could be read */
    CheckScope *scopes; /* one for each of `readable`, with a choice; else NULL */
    StrList others;     /* backups that were not asked for */
    StrList bad;        /* those that cannot be restored whole */
    PackEntry *packs;
    size_t pack_count, pack_cap;
    size_t *table; /* places in packs by hash of the id, SIZE_MAX where empty */
    size_t table_size;
    bool pack_problems;
    bool read_only; /* marks and proofs cannot be left */
} Check;

/* -- findings: thread-safe -- */
size_t check_problem(Check *c, const char *object, const char *what);
/* backup: is touched, and bad. stream may be NULL. */
void check_touch(Check *c, size_t problem, const char *backup, const char *stream);
bool check_touched(Check *c, const char *backup, const char *stream);
/* A manifest again that could be read before. One that went away since is left out (*out stays
 * NULL): the next run will tell. */
Error *check_load(Check *c, const char *id, Manifest **out) MUST_CHECK;
/* Whether an error means that an object is damaged, and not that the work must end. */
bool check_is_damage(const Error *e);
/* Takes the failure of writing a mark or a proof over: a repository that cannot be written is still
 * checked. */
Error *check_left(Check *c, Error *e) MUST_CHECK;

/* -- packs -- */
/* What a manifest says of its packs; two that disagree are a problem of `object`. */
void check_add_packs(Check *c, const Manifest *m, const char *object);
PackEntry *check_find_pack(const Check *c, PackId id); /* NULL where no manifest names it */
Error *check_packs(Check *c) MUST_CHECK;

/* -- a part of them: check_choice.c -- */
/* Which packs are passed over. */
Error *check_choose(Check *c) MUST_CHECK;
/* After the packs: c->scopes. */
Error *check_scopes(Check *c) MUST_CHECK;
/* Whether the backup readable.items[i] is to be proven by this run: all of its packs are covered,
 * and it has no such proof yet. */
bool check_proves(const Check *c, size_t i);
/* Remembers a pack as read and whole; now and then, and at the end, they go into the ledger.
 * Thread- safe. */
Error *check_whole(Check *c, PackId pack) MUST_CHECK;
Error *check_put_ledger(Check *c) MUST_CHECK;
/* Writes the ledger anew where it has become long. */
Error *check_tidy_ledger(Check *c) MUST_CHECK;

/* -- what is lost: check_loss.c -- */
void check_lose(Check *c, const char *backup, const char *stream_or_null); /* with the lock held */
Error *check_sum_losses(Check *c) MUST_CHECK;

/* -- recipes and streams -- */
Error *check_recipes(Check *c) MUST_CHECK;
Error *check_streams(Check *c) MUST_CHECK;

/* Runs `work` in c->jobs threads, each with the same CheckTurns as its argument; they share what
 * there is to do by check_next. */
typedef struct CheckTurns {
    Check *check;
    const void *ctx; /* whatever the work needs besides */
    Cancel *cancel;
    size_t next, count;
} CheckTurns;
Error *check_parallel(Check *c, size_t count, GroupWork work, const void *ctx) MUST_CHECK;
/* The next number below count; *got false at the end. ERR_CANCELLED. */
Error *check_next(CheckTurns *t, size_t *i, bool *got) MUST_CHECK;

#endif
