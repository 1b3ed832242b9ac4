/* list, show, stats, check: what is in the repository. */
#ifndef PGSTOW_OP_LIST_H
#define PGSTOW_OP_LIST_H

#include "base/doc.h"
#include "op/op.h"
#include "repo/catalog_cache.h"

Error *op_list(const OpContext *c, const char *database_or_null, BackupList *out) MUST_CHECK;
/* The same, of all databases, for who asks again and again: repo/catalog_cache.h. */
Error *op_look(const OpContext *c, CatalogCache *cache, CatalogView **out) MUST_CHECK;
/* The manifest with its streams. */
Error *op_show(const OpContext *c, const char *name, Manifest **out) MUST_CHECK;

typedef struct DatabaseStats {
    char *database;
    uint64_t backups;
    uint64_t logical; /* sum of the logical sizes */
    uint64_t stored;  /* stored bytes that its backups refer to, each pack once */
    uint64_t shared;  /* of these, what more than one backup refers to */
    uint64_t latest_logical, first_logical; /* growth */
    uint64_t new_bytes_mean;                /* new stored bytes a backup, without the first */
    Instant first, latest;
} DatabaseStats;
typedef struct RepoStats {
    DatabaseStats *items;
    size_t count, cap;
    uint64_t stored_total; /* bytes of all objects under packs/ and backups/ */
    uint64_t unreferenced; /* bytes of packs that no backup refers to */
} RepoStats;
void repo_stats_clear(RepoStats *s);
DEFINE_AUTO_VALUE(RepoStats, repo_stats_clear)
Error *op_stats(const OpContext *c, RepoStats *out) MUST_CHECK;
Doc *repo_stats_doc(const RepoStats *s);

/* ERR_STALE where the newest good backup of the database (or of any database: the worst) is older
 * than max_age_ms, or dated more than an hour ahead of this host's clock. `line` is the one line
 * for the monitor, also on ERR_STALE; caller frees. */
Error *op_check(const OpContext *c, const char *database_or_null, int64_t max_age_ms,
                char **line) MUST_CHECK;
Doc *check_doc(const char *line, bool fresh);

#endif
