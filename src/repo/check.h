/* Checking what is stored: quick (sizes, graph: manifests, packs and footers that they name,
 * recipes' places), data (every byte of every pack against its SHA-256, every frame's checks and
 * chunk hashes), rebuild (every stream read as a restore would). */
#ifndef PGSTOW_REPO_CHECK_H
#define PGSTOW_REPO_CHECK_H

#include "flow/job.h"
#include "repo/repo.h"

typedef enum CheckLevel { CHECK_QUICK, CHECK_DATA, CHECK_REBUILD } CheckLevel;
const char *check_level_name(CheckLevel level);

typedef struct CheckProblem {
    char *object;    /* "packs/ab/...", "backups/x.manifest", "config" */
    char *what;      /* "frame 12: check does not match" */
    StrList backups; /* ids that it touches */
    StrList streams; /* "schema.table" of those, where known */
} CheckProblem;
typedef struct CheckReport {
    CheckProblem *problems;
    size_t count, cap;
    uint64_t backups, packs, bytes; /* looked at */
    StrList good, bad;              /* backup ids */
} CheckReport;
void check_report_clear(CheckReport *r);
DEFINE_AUTO_VALUE(CheckReport, check_report_clear)

/* ids NULL or empty: all backups, and what lies in the repository besides (config, sessions,
 * damaged manifests). Damage is no error of this function but lies in the report; damage markers
 * and proofs are left in the repository where it may be written. `jobs` threads. */
Error *check_run(Repo *r, const StrList *ids, CheckLevel level, unsigned jobs, Job *job,
                 CheckReport *out) MUST_CHECK;

#endif
