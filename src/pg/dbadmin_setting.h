/* A setting as pg_db_role_setting keeps it, as a SET clause. */
#ifndef PGSTOW_PG_DBADMIN_SETTING_H
#define PGSTOW_PG_DBADMIN_SETTING_H

#include "base/text.h"

/* "work_mem=7MB" to "work_mem TO '7MB'". Settings that are lists of names are kept as quoted
 * identifiers and have to be written one by one, or the whole would become one name. The value is
 * for standard_conforming_strings. Caller frees. */
char *db_setting_clause(const char *setting);

#endif
