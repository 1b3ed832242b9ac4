/* The C API of include/pgstow.h, which translates and decides nothing: what its files share. */
#ifndef PGSTOW_LIB_LIB_INTERNAL_H
#define PGSTOW_LIB_LIB_INTERNAL_H

#include <pthread.h>

#include "base/doc.h"
#include "op/consistency.h"
#include "op/key_input.h"
#include "pgstow.h"

/* The key of a repository, kept in memory that is locked. */
typedef struct HandleKey HandleKey;
HandleKey *handle_key_new(const pgstow_key *given); /* all of it is copied */
void handle_key_free(HandleKey *k);
DEFINE_AUTO(HandleKey, handle_key_free)
/* Has an operation open its repository with this key, which must outlive it. */
void handle_key_use(const HandleKey *k, OpContext *c);

struct pgstow {
    char *repo, *database, *tools[TOOL_NAMES];
    unsigned jobs;
    void (*progress)(void *ctx, const pgstow_progress *now);
    int (*cancelled)(void *ctx);
    void *ctx;
    Cancel *cancel;
    HandleKey *key; /* NULL: none was given */
};

/* An operation that runs: its job, and the thread that reports on it and asks whether to go on. */
typedef struct Call {
    pgstow *p;
    OpContext context;
    Cancel *cancel;
    Job *job;
    pthread_t watcher;
    bool watching, over;
    pthread_mutex_t lock;
    pthread_cond_t ended;
} Call;

/* Takes e over; NULL gives NULL. */
pgstow_error *call_fail(Error *e);
/* c->context is what operations are given. Where it fails there is nothing to end. */
Error *call_begin(pgstow *p, Call *c) MUST_CHECK;
/* Ends what call_begin began, and hands the outcome on. */
pgstow_error *call_end(Call *c, Error *e);

/* What comes out as JSON; takes doc over. json may be NULL. */
void json_give(Doc *doc, char **json);

/* Into `to`, which has the defaults and `size` bytes, the fields that the caller's struct has: it
 * begins with its size. given may be NULL. */
void options_take(void *to, size_t size, const void *given);
/* from: NULL-terminated, or NULL. */
void options_add(StrList *to, const char *const *from);
Consistency options_consistency(pgstow_consistency c);

#endif
