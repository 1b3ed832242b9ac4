/* A repository: a store that holds backups. Opening reads and checks its `config`.
 *
 * Thread-safe: one Repo may be shared by the threads of a job.
 */
#ifndef PGSTOW_REPO_REPO_H
#define PGSTOW_REPO_REPO_H

#include "repo/key_source.h"
#include "repo/keyring.h"
#include "repo/manifest.h"
#include "store/store.h"

typedef struct Repo Repo;
typedef struct RepoOptions {
    bool create;    /* writes a config where there is none (two racing creators: the first one's
                       stands, both go on with it); otherwise ERR_REPO_NOT_FOUND */
    bool writes;    /* it will be written to; so it is with `create` */
    bool encrypt;   /* what is made is encrypted; a plain one that is there is refused */
    bool key_given; /* a key was named: nothing plain is made, nor is one written to */
    const KeySource *keys; /* asked where a key is needed; NULL: there is none */
} RepoOptions;
/* Takes the store over, also on failure. A needed feature that is unknown is ERR_REPO_UNSUPPORTED,
 * naming it; ERR_KEY where the repository is encrypted and `keys` does not open it. */
Error *repo_open(Store *store, const RepoOptions *options, Repo **out) MUST_CHECK;
/* What stands against making one in this place, before anything is made: ERR_CONFIG, ERR_KEY. */
Error *repo_check_new(const char *where, const RepoOptions *options) MUST_CHECK;
void repo_free(Repo *r);
DEFINE_AUTO(Repo, repo_free)
Store *repo_store(Repo *r);
const char *repo_id(const Repo *r); /* hex */
const char *repo_where(const Repo *r);
PackReader *repo_packs(Repo *r);
const Keyring *repo_keys(const Repo *r); /* NULL: a plain repository */
/* Whoever writes backups, or deletes, asks first: ERR_REPO_UNSUPPORTED where that needs a feature
 * that this program does not know. */
typedef enum RepoUse { REPO_WRITE, REPO_DELETE } RepoUse;
Error *repo_may(const Repo *r, RepoUse use) MUST_CHECK;

#endif
