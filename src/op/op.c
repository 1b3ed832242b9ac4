#include "op/op.h"

#include <string.h>
#include <unistd.h>

#include "op/host_memory.h"
#include "pg/target.h"
#include "store/store.h"

unsigned op_jobs(const OpContext *c)
{
    if (c->jobs)
        return c->jobs;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > 8 ? 8 : (unsigned)cores;
}

typedef enum Opening { TO_READ, TO_WRITE, TO_MAKE } Opening;

static Error *open_repo(const OpContext *c, Opening how, Repo **out)
{
    AUTO(Store) store = NULL;
    AUTO(Repo) repo = NULL;
    if (c->open_store)
        TRY(c->open_store(c->open_store_ctx, &store));
    else
        TRY(store_open_dir(op_repo_dir(c), how == TO_MAKE, &store));
    TRY(repo_open(STEAL(store),
                  &(RepoOptions){.create = how == TO_MAKE && !c->open_store,
                                 .writes = how != TO_READ,
                                 .encrypt = how != TO_READ && c->encrypt,
                                 .key_given = c->key_given,
                                 .keys = c->keys},
                  &repo));
    if (!c->open_store)
        TRY(host_memory_check(c, repo, how != TO_READ));
    *out = STEAL(repo);
    return NULL;
}

const char *op_repo_dir(const OpContext *c)
{
    return c->repo_dir ? c->repo_dir : "./backups";
}

Error *op_expect_repo(const OpContext *c, Repo **out)
{
    Error *e = open_repo(c, TO_WRITE, out);
    if (!e || error_kind(e) != ERR_REPO_NOT_FOUND || c->open_store)
        return e;
    error_drop(e);
    TRY(host_memory_before(c));
    return repo_check_new(
        op_repo_dir(c),
        &(RepoOptions){.encrypt = c->encrypt, .key_given = c->key_given, .keys = c->keys});
}

Error *op_open_repo(const OpContext *c, bool create, Repo **out)
{
    if (!create)
        return open_repo(c, TO_READ, out);
    TRY(op_expect_repo(c, out)); /* where it is refused no folder is left behind */
    return *out ? NULL : open_repo(c, TO_MAKE, out);
}

Error *op_connect(const OpContext *c, const char *dbname, Conn **out)
{
    return conn_open(&(ConnOptions){.url = c->db_url,
                                    .dbname = dbname ? dbname : c->db_name,
                                    .cancel = job_cancel(c->job),
                                    .silence_ms = c->silence_ms},
                     out);
}

Error *op_connect_admin(const OpContext *c, const char *except, Cancel *calm, Conn **out)
{
    AUTO(char) named = op_database_name(c);
    AUTO(Conn) admin = NULL;
    /* template1 last: while somebody is in it nobody can copy it. */
    const char *candidates[] = {"postgres", named, "template1"};
    Error *first = NULL;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates && !admin; i++) {
        if (!candidates[i] || !strcmp(candidates[i], except))
            continue;
        AUTO(Conn) cancellable = NULL;
        Error *e = op_connect(c, candidates[i], &cancellable);
        if (!e)
            e = conn_open_like(cancellable, NULL, calm, &admin);
        bool fatal = e && (error_kind(e) == ERR_CONNECT || error_kind(e) == ERR_CANCELLED ||
                           error_kind(e) == ERR_TIMEOUT);
        first = error_first(first, e);
        if (fatal)
            break;
    }
    if (!admin)
        return first;
    error_free(first);
    TRY(conn_exec(admin, "SET standard_conforming_strings = on; SET statement_timeout = 0; "
                         "SET lock_timeout = 0; SET default_transaction_read_only = off"));
    *out = STEAL(admin);
    return NULL;
}

char *op_database_name(const OpContext *c)
{
    return c->db_name ? mem_strdup(c->db_name) : target_database(c->db_url);
}

Error *op_find_parent(Repo *r, const char *name, const char *database, char **id)
{
    *id = NULL;
    if (!name)
        return NULL;
    if (!strcmp(name, "none")) {
        *id = mem_strdup("");
        return NULL;
    }
    if (!r)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND,
                                    "the backup \"%s\" was not found: there is no repository yet",
                                    name),
                          "leave --parent away, or name the repository with --repo");
    return catalog_resolve(r, name, database, id);
}
