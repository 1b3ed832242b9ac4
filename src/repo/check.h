/* Checking what is stored: quick (sizes, graph: manifests, packs and footers that they name,
 * recipes' places), data (every byte of every pack against its SHA-256, every frame's checks and
 * chunk hashes), rebuild (every stream read as a restore would). */
#ifndef PGSTOW_REPO_CHECK_H
#define PGSTOW_REPO_CHECK_H

#include "flow/job.h"
#include "repo/repo.h"

typedef enum CheckLevel { CHECK_QUICK, CHECK_DATA, CHECK_REBUILD } CheckLevel;
const char *check_level_name(CheckLevel level);

/* What of the data is to be read: all, where there is none. */
typedef struct CheckChoice {
    Instant since; /* packs that the ledger says were found whole since then are passed over, and so
                      are backups proven at this level since then; 0: what this run finds counts */
    double share;  /* of the packs' bytes, more than 0 and at most 1: those checked longest ago */
} CheckChoice;
/* What a damaged backup has lost. */
typedef struct CheckLoss {
    char *backup;
    StrList streams;  /* "schema.table", "the table of contents" ... */
    bool readable;    /* its manifest is: otherwise nothing of it can be restored */
    bool definitions; /* its table of contents is lost: then nothing can be restored either */
    uint64_t tables, tables_lost;
} CheckLoss;
/* A backup in which nothing is known to be damaged, but not all was read. */
typedef struct CheckPartly {
    char *backup;
    uint64_t packs, unread; /* unread: not since choice->since */
} CheckPartly;

typedef struct CheckProblem {
    char *object;    /* "packs/ab/...", "backups/x.manifest", "config" */
    char *what;      /* "frame 12: check does not match" */
    StrList backups; /* ids that it touches */
    StrList streams; /* "schema.table" of those, where known */
} CheckProblem;
typedef struct CheckReport {
    CheckProblem *problems;
    size_t count, cap;
    uint64_t backups, packs, bytes; /* looked at; of packs that were read the bytes */
    uint64_t packs_read;            /* from end to end */
    StrList good, bad;              /* backup ids */
    CheckPartly *partly;            /* with a choice only: neither good nor bad can be said */
    size_t partly_count, partly_cap;
    CheckLoss *losses; /* one for each backup that a problem touches, asked for or not */
    size_t loss_count, loss_cap;
} CheckReport;
void check_report_clear(CheckReport *r);
DEFINE_AUTO_VALUE(CheckReport, check_report_clear)

/* ids NULL or empty: all backups, and what lies in the repository besides (config, sessions,
 * damaged manifests). Damage is no error of this function but lies in the report; damage markers
 * and proofs are left in the repository where it may be written. `jobs` threads. */
Error *check_run(Repo *r, const StrList *ids, CheckLevel level, unsigned jobs, Job *job,
                 CheckReport *out) MUST_CHECK;
/* The same of a part: with a choice (levels data and rebuild) every footer is looked at, and packs
 * that bear a damage marker are always read. A backup counts as good, and gets a proof, only where
 * all its packs were found whole since choice->since (by whatever run, as the ledger says), and its
 * recipes were followed (at rebuild: its streams read) since then too.
 *
 * Those checked longest ago come first, and those never checked count as checked when they were
 * made. So no pack can be overtaken: N runs with a share of 1/N read everything that was there
 * before the first of them, whatever has come since. */
Error *check_run_part(Repo *r, const StrList *ids, CheckLevel level, const CheckChoice *choice,
                      unsigned jobs, Job *job, CheckReport *out) MUST_CHECK;

#endif
