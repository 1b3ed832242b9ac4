/* What every operation is given: where the repository and the database are, the tools, how many
 * jobs, and the Job that it reports through. Borrowed for the call. An operation decides
 * everything; the faces only translate.
 */
#ifndef PGSTOW_OP_OP_H
#define PGSTOW_OP_OP_H

#include "flow/job.h"
#include "pg/conn.h"
#include "pg/tools.h"
#include "repo/catalog.h"

typedef struct OpContext {
    const char *repo_dir; /* "./backups" by default */
    /* Where the repository lies in no directory (a peer's: store/peer.h): opens its store, which
     * the caller takes over. Then repo_dir only names it in messages, nothing is ever made there
     * (ERR_REPO_NOT_FOUND), and what this host has seen of it is not asked: its own host does. May
     * be called more than once. NULL: a directory. */
    Error *(*open_store)(void *ctx, Store **out);
    void *open_store_ctx;
    const char *db_url;   /* NULL: libpq's environment */
    const char *db_name;  /* instead of the database that db_url names; NULL: that one */
    int64_t silence_ms;   /* as in ConnOptions */
    ToolsOptions tools;
    unsigned jobs;         /* 0: the number of cores, at most 8 */
    Job *job;              /* may be NULL */
    const KeySource *keys; /* asked where the repository is encrypted; NULL: there is no key */
    bool encrypt;          /* a repository that is made is encrypted; a plain one is refused then */
    bool accept_older;     /* go on where this host has seen more: op/host_memory.h */
    bool key_given;        /* somebody named a key: a new repository is not made without one */
} OpContext;

unsigned op_jobs(const OpContext *c);
/* Opens the repository; `create` on first use. */
Error *op_open_repo(const OpContext *c, bool create, Repo **out) MUST_CHECK;
/* For whoever will write, and has more to ask before anything may be made: as op_open_repo with
 * `create`, also in what it refuses, but where there is none yet nothing is made, and *out stays
 * NULL. */
Error *op_expect_repo(const OpContext *c, Repo **out) MUST_CHECK;
const char *op_repo_dir(const OpContext *c);
/* Connects to --db's database, or another one of the same server. */
Error *op_connect(const OpContext *c, const char *dbname, Conn **out) MUST_CHECK;
/* To another database of the server than `except`, for making and dropping databases; it looks at
 * `calm` and not at the job's cancellation. */
Error *op_connect_admin(const OpContext *c, const char *except, Cancel *calm,
                        Conn **out) MUST_CHECK;
/* The database that --db (or the environment) names, without connecting; caller frees; NULL where
 * none is named. */
char *op_database_name(const OpContext *c);
/* The parent that --parent names in a repository (NULL: there is none yet), for WriterOptions: NULL
 * where it names none, "" for "none". */
Error *op_find_parent(Repo *r, const char *name, const char *database, char **id) MUST_CHECK;

#endif
