/* Child programs that connect with settings of their own. */
#ifndef PGSTOW_PG_CHILD_H
#define PGSTOW_PG_CHILD_H

#include "pg/conn.h"

/* As conn_child_env; `settings` ("-c a=b -c c=d") are added to the connection's options, where they
 * beat what a database or a role sets. NULL: none. */
Error *child_env(const Conn *c, const char *dbname_or_null, const char *settings, StrList *env,
                 StrList *args) MUST_CHECK;

#endif
