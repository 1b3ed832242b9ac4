/* What a connection string names, without connecting. */
#ifndef PGSTOW_PG_TARGET_H
#define PGSTOW_PG_TARGET_H

/* The database's name in a URI, a conninfo string or alone (url), else PGDATABASE; NULL where none
 * is named. Caller frees. */
char *target_database(const char *url);

#endif
