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

Error *op_open_repo(const OpContext *c, bool create, Repo **out)
{
    AUTO(Store) store = NULL;
    AUTO(Repo) repo = NULL;
    TRY(store_open_dir(c->repo_dir ? c->repo_dir : "./backups", create, &store));
    if (create)
        TRY(host_memory_before(c, store));
    TRY(repo_open(STEAL(store),
                  &(RepoOptions){.create = create,
                                 .encrypt = create && c->encrypt,
                                 .key_given = c->key_given,
                                 .keys = c->keys},
                  &repo));
    TRY(host_memory_check(c, repo, create));
    *out = STEAL(repo);
    return NULL;
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
    return catalog_resolve(r, name, database, id);
}
