/* What a restore needs of a server, and what the server has: the questions of the preflight. */
#ifndef PGSTOW_PG_PREFLIGHT_H
#define PGSTOW_PG_PREFLIGHT_H

#include "pg/archive.h"
#include "pg/conn.h"

/* What the archive needs. Each name once; added to the lists. */
typedef struct Needs {
    StrList owners; /* roles that get something */
    StrList roles;  /* roles that privileges, policies, user mappings or settings name */
    StrList extensions;
    StrList tablespaces;
    StrList superuser; /* objects that only a superuser can make: "EVENT TRIGGER x" */
} Needs;
void needs_clear(Needs *n);
DEFINE_AUTO_VALUE(Needs, needs_clear)
typedef struct NeedsOptions {
    bool no_owner, no_privileges, no_tablespaces;
    bool new_database; /* what the archive says of the database itself counts too */
} NeedsOptions;
void preflight_needs(const Toc *toc, const NeedsOptions *o, Needs *out);

/* Those of `names` that the server has not. */
Error *preflight_missing_roles(Conn *c, const StrList *names, StrList *out) MUST_CHECK;
Error *preflight_missing_extensions(Conn *c, const StrList *names, StrList *out) MUST_CHECK;
Error *preflight_missing_tablespaces(Conn *c, const StrList *names, StrList *out) MUST_CHECK;
/* Those to which `user` may not give things. */
Error *preflight_foreign_roles(Conn *c, const char *user, const StrList *names,
                               StrList *out) MUST_CHECK;
/* Whether some database or collation of the server has this locale. */
Error *preflight_knows_locale(Conn *c, const char *locale, bool *known) MUST_CHECK;

typedef struct ServerUser {
    bool exists, superuser, createdb;
} ServerUser;
Error *preflight_user(Conn *c, const char *user, ServerUser *out) MUST_CHECK;
Error *preflight_is_member(Conn *c, const char *user, const char *role, bool *member) MUST_CHECK;
Error *preflight_database_exists(Conn *c, const char *name, bool *exists) MUST_CHECK;
/* `inside` is a connection to the database itself. */
Error *preflight_is_empty(Conn *inside, bool *empty) MUST_CHECK;
/* Sessions in the database, and how many of them the user may not end. */
Error *preflight_sessions(Conn *c, const char *name, int64_t *all, int64_t *untouchable) MUST_CHECK;
/* The server's data directory where it may be asked for; else NULL. Caller frees. */
char *preflight_data_directory(Conn *c);
uint64_t preflight_database_size(Conn *c, const char *name); /* 0 where it may not be asked for */

#endif
