/* What the files of this room share: statements with bound parameters. Only this header and the
 * room's .c files know SQLite.
 *
 * A statement is run like this; errors of binding are kept until the first step:
 *   AUTO_VALUE(Query) q = {0};
 *   TRY(query_open(s, "SELECT a, b FROM t WHERE c = ? AND d = ?", &q));
 *   query_text(&q, c);
 *   query_int(&q, d);
 *   for (bool more;;) { TRY(query_row(&q, &more)); if (!more) break; ... query_get_int(&q) ... }
 * Parameters are bound and columns taken in their order. An open Query holds the handle's mutex:
 * query_close, at the end of its scope, gives it back.
 */
#ifndef PGSTOW_STATE_STATE_INTERNAL_H
#define PGSTOW_STATE_STATE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "state/state.h"
#include "state/state_log.h"

struct State {
    sqlite3 *db;
    pthread_mutex_t *mutex; /* recursive */
    char *folder, *path;
    int64_t wait_ms;
    unsigned depth; /* of transactions; under the mutex */
};

typedef struct Query {
    State *s;
    sqlite3_stmt *stmt;
    int bound, taken, rc;
} Query;

Error *query_open(State *s, const char *sql, Query *q) MUST_CHECK;
void query_close(Query *q);
DEFINE_AUTO_VALUE(Query, query_close)
void query_int(Query *q, int64_t v);
void query_maybe_int(Query *q, int64_t v);      /* 0 is stored as NULL */
void query_text(Query *q, const char *v);       /* NULL as the empty text */
void query_maybe_text(Query *q, const char *v); /* NULL as NULL */
void query_whole_text(Query *q, const char *v); /* uncut: the caller bounds it; NULL as NULL */
/* The names of the bits that are set, for instr(?, ' ' || name || ' '); NULL where none is. */
void query_names(Query *q, unsigned bits, const char *const *names, unsigned count);
void query_blob(Query *q, const void *p, int n); /* must live until the statement has run */
Error *query_row(Query *q, bool *more) MUST_CHECK;
/* The next row of a page of `limit`, of which `have` are taken already. *got is false at its end;
 * then *more is set where the statement has a further row (ask it for limit + 1). */
Error *query_page(Query *q, size_t have, uint32_t limit, bool *more, bool *got) MUST_CHECK;
/* For statements without rows: runs it; `changed`, how many rows it touched, may be NULL. */
Error *query_run(Query *q, int64_t *changed) MUST_CHECK;
int64_t query_get_int(Query *q);       /* 0 for NULL */
char *query_get_text(Query *q);        /* NULL for NULL; caller frees */
int64_t query_last_id(const Query *q); /* of the row that it has inserted */

/* The lines that a statement of n, at, level, line gives for those behind `after` (from 0 on),
 * asked for limit + 1. */
Error *state_log_take(Query *q, int64_t after, uint32_t limit, StateLog *out) MUST_CHECK;

/* Statements without parameters, as many as there are. */
Error *state_exec(State *s, const char *sql) MUST_CHECK;
/* A pragma's or another statement's one number. */
Error *state_number(State *s, const char *sql, int64_t *out) MUST_CHECK;
/* From 1 to STATE_LIST_MAX. */
uint32_t state_limit(uint32_t wanted);
/* What SQLite's result code means to people. */
Error *state_failure(State *s, int rc, const char *doing) MUST_CHECK;
/* migrate.c. Whether the database is ours and not too new; and brings it to STATE_VERSION. */
Error *state_check_version(State *s) MUST_CHECK;
Error *state_migrate(State *s) MUST_CHECK;

#endif
