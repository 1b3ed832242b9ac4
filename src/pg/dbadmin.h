/* Whole databases: what belongs to one besides its contents, creating, renaming, dropping.
 *
 * `c` is a connection to another database of the same server. Nothing here runs inside a
 * transaction of the caller but where that is said.
 */
#ifndef PGSTOW_PG_DBADMIN_H
#define PGSTOW_PG_DBADMIN_H

#include "pg/archive.h"
#include "pg/conn.h"

/* What pg_dump without --create leaves out. Strings are owned. */
typedef struct DbTraits {
    char name[64];
    uint32_t oid;
    char *owner, *encoding, *collate, *ctype;
    char *tablespace;               /* NULL: the default one */
    char *locale_provider, *locale; /* "i" and an ICU locale ...; NULL on old servers, or none */
    bool is_template, allow_connections;
    int connection_limit; /* -1: none */
    char *comment;        /* NULL: none */
    StrList statements;   /* privileges, settings, labels: %s stands for the quoted name */
} DbTraits;
void db_traits_clear(DbTraits *t);
DEFINE_AUTO_VALUE(DbTraits, db_traits_clear)

/* *exists is false, and *out untouched, where there is no such database. */
Error *dbadmin_traits(Conn *c, const char *name, bool *exists, DbTraits *out) MUST_CHECK;

/* The options behind CREATE DATABASE name: the archive's own (toc may be NULL) where this server
 * understands them (encoding, locale and its provider), otherwise of the three words. Caller frees.
 */
char *dbadmin_create_options(const Toc *toc, const char *encoding, const char *collate,
                             const char *ctype, int server_version);
/* The traits of the backed-up database, as far as the archive tells: owner, tablespace, privileges,
 * settings, comment, limit. Adds to *out, which is empty (connection_limit -1). */
char *
dbadmin_archive_tablespace(const TocEntry *database); /* its CREATE DATABASE's; NULL: default */
void dbadmin_archive_traits(const Toc *toc, bool no_owner, bool no_privileges, bool no_tablespaces,
                            DbTraits *out);
/* CREATE DATABASE from template0. owner, tablespace: NULL for the connected user's. */
Error *dbadmin_create(Conn *c, const char *name, const char *options, const char *owner,
                      const char *tablespace) MUST_CHECK;
/* Privileges, settings and labels of another database, on this one. */
Error *dbadmin_dress(Conn *c, const char *name, const DbTraits *traits) MUST_CHECK;
/* Comment, connection limit, whether one may connect and copy it. Also inside a transaction. */
Error *dbadmin_finish(Conn *c, const char *name, const DbTraits *traits) MUST_CHECK;
/* Also inside a transaction. NULL takes the comment away. */
Error *dbadmin_comment(Conn *c, const char *name, const char *text) MUST_CHECK;
/* Also inside a transaction: from then to its end nobody can connect. Waits some seconds until all
 * are gone that are connected, then ERR_DB_IN_USE. */
Error *dbadmin_rename(Conn *c, const char *from, const char *to) MUST_CHECK;
/* One that is not there is fine. ERR_DB_IN_USE. */
Error *dbadmin_drop(Conn *c, const char *name) MUST_CHECK;

/* Ends the sessions in a database again and again, in a thread with a connection of its own, while
 * the caller renames or drops it. */
typedef struct DbCloser DbCloser;
Error *dbadmin_close_begin(const Conn *c, const char *name, DbCloser **out) MUST_CHECK;
/* Errors of the thread do not matter: what they lead to is that the database stays in use. */
void db_closer_free(DbCloser *d);
DEFINE_AUTO(DbCloser, db_closer_free)

/* A name for a database beside `name`: at most 63 bytes, cut between characters. */
void dbadmin_beside(const char *name, char out[64]);
/* The databases whose comment begins so: name and comment, the newest first. */
Error *dbadmin_leftovers(Conn *c, const char *mark, Rows **out) MUST_CHECK;
/* A lock between all that are connected to the same database as `c`, held until `c` ends. */
Error *dbadmin_try_lock(Conn *c, const char *what, const char *name, bool *got) MUST_CHECK;
/* One restore into a database at a time: ERR_DB_IN_USE where another one holds it. Held by `c`
 * until it ends. */
Error *dbadmin_lock(Conn *c, const char *name) MUST_CHECK;

#endif
