/* An option that a pg_dump older than the server's minor release takes for a user's.
 *
 * Servers from the releases of November 2026 on (15.20, 17.12) keep a column's version number among
 * the column's options, as pg_attver; their own pg_dump leaves it out. An older one, of any major,
 * writes it into the table's definition: ALTER TABLE ONLY t ALTER COLUMN c SET
 * (pg_attver=28821600). Servers that do not know it refuse that and with it the whole table; those
 * that do ignore it.
 */
#ifndef PGSTOW_PG_TOC_STRAY_H
#define PGSTOW_PG_TOC_STRAY_H

#include "pg/archive.h"

/* Puts something of the same length that does nothing in its place, also in raw. How often. */
size_t toc_drop_stray(Toc *t);

#endif
