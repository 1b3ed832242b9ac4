/* What several workers of pg_restore must not do at once: attach the partitions of an index.
 *
 * ALTER INDEX ... ATTACH PARTITION locks an index of the partition, and then, where the partitioned
 * index so becomes complete, the tables and indexes above it. Whatever else works on these tables
 * (another ATTACH, a foreign key that refers to them, statistics that are imported) takes the same
 * locks in another order, and the server ends one of the two as a deadlock. pg_restore does not
 * know: an INDEX ATTACH names only indexes as what it depends on, and those it takes no lock for.
 *
 * So the table of contents that pg_restore gets has some dependencies more: each INDEX ATTACH
 * depends on the one before it, the first on everything that does not wait for one anyway, and
 * what waits for one waits for the last.
 */
#ifndef PGSTOW_PG_TOC_ATTACH_H
#define PGSTOW_PG_TOC_ATTACH_H

#include "pg/archive.h"

/* Header and TOC with these dependencies; left empty where nothing is attached. ERR_ARCHIVE,
 * ERR_LIMIT. */
Error *toc_attach_alone(const Toc *t, Buf *raw) MUST_CHECK;

#endif
