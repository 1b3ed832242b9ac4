/* What a SEQUENCE SET entry of an archive says: SELECT pg_catalog.setval('public.s', 42, true); */
#ifndef PGSTOW_PG_SETVAL_H
#define PGSTOW_PG_SETVAL_H

#include "pg/archive.h"

/* false where it says something else. */
bool setval_read(const TocEntry *e, int64_t *value, bool *called);

#endif
