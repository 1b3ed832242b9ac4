#include "op/op.h"

#include <string.h>
#include <unistd.h>

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
    Store *store;
    TRY(store_open_dir(c->repo_dir ? c->repo_dir : "./backups", create, &store));
    return repo_open(store, create, out);
}

Error *op_connect(const OpContext *c, const char *dbname, Conn **out)
{
    return conn_open(&(ConnOptions){.url = c->db_url,
                                    .dbname = dbname ? dbname : c->db_name,
                                    .cancel = job_cancel(c->job)},
                     out);
}

char *op_database_name(const OpContext *c)
{
    return c->db_name ? mem_strdup(c->db_name) : target_database(c->db_url);
}
