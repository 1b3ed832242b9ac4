/* The table of contents of a scratch database, as that of the database that it stands for: another
 * name, and nothing of what belongs to the database as a whole (its settings, privileges, comment:
 * they are the scratch database's own). */
#ifndef PGSTOW_PG_TOC_AS_H
#define PGSTOW_PG_TOC_AS_H

#include "pg/archive.h"

Error *toc_as(const Toc *t, const char *dbname, Toc **out) MUST_CHECK;

#endif
