/* A plain SQL dump run in a scratch database: statement by statement by our own connection, never
 * by psql, whose commands could reach the shell or another database.
 *
 * What reaches beyond the database is not done: databases, roles, memberships, tablespaces,
 * settings of the server are passed over (and noted); \connect to a second database, COPY from
 * files and programs, and other psql commands are errors.
 */
#ifndef PGSTOW_PG_SQL_LOAD_H
#define PGSTOW_PG_SQL_LOAD_H

#include "pg/conn.h"

typedef struct SqlLoadOptions {
    bool no_owner, no_privileges; /* leave out ALTER ... OWNER TO; GRANT and REVOKE */
} SqlLoadOptions;

typedef struct SqlLoad SqlLoad;
/* `c` is borrowed, and is in nobody else's use until the end. */
Error *sql_load_begin(Conn *c, const SqlLoadOptions *options, SqlLoad **out) MUST_CHECK;
Error *sql_load_write(SqlLoad *l, const void *p, size_t n) MUST_CHECK; /* cut anywhere */
/* Adds to `notes` what was passed over, a line for each kind. ERR_ARCHIVE where nothing was done.
 */
Error *sql_load_end(SqlLoad *l, StrList *notes) MUST_CHECK;
void sql_load_free(SqlLoad *l);
DEFINE_AUTO(SqlLoad, sql_load_free)

#endif
