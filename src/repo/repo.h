/* A repository: a store that holds backups. Opening reads and checks its `config`.
 *
 * Thread-safe: one Repo may be shared by the threads of a job.
 */
#ifndef PGSTOW_REPO_REPO_H
#define PGSTOW_REPO_REPO_H

#include "repo/manifest.h"
#include "store/store.h"

typedef struct Repo Repo;
/* Takes the store over, also on failure. `create`: writes a config where there is none (two racing
 * creators: the first one's stands, both go on with it); otherwise ERR_REPO_NOT_FOUND. A needed
 * feature that is unknown is ERR_REPO_UNSUPPORTED, naming it. */
Error *repo_open(Store *store, bool create, Repo **out) MUST_CHECK;
void repo_free(Repo *r);
DEFINE_AUTO(Repo, repo_free)
Store *repo_store(Repo *r);
const char *repo_id(const Repo *r); /* hex */
const char *repo_where(const Repo *r);
PackReader *repo_packs(Repo *r);
/* Whoever writes backups, or deletes, asks first: ERR_REPO_UNSUPPORTED where that needs a feature
 * that this program does not know. */
typedef enum RepoUse { REPO_WRITE, REPO_DELETE } RepoUse;
Error *repo_may(const Repo *r, RepoUse use) MUST_CHECK;

#endif
