/* A table of contents written anew: only some of its entries, in another version of the archive, or
 * as the toc.dat of pg_dump's directory format.
 *
 * What stays is copied byte by byte, so that nothing that pg_dump knows is lost. An archive of
 * version 1.16 becomes an older one by what changed there: the kind of relation is left out; a
 * group of large objects (BLOB METADATA) becomes one BLOB entry per object, its privileges one
 * entry per object, and all BLOBS entries become the first of them, whose block then holds the
 * objects of all. Statements stay as they are, also where they are of a newer PostgreSQL.
 */
#ifndef PGSTOW_PG_TOC_WRITE_H
#define PGSTOW_PG_TOC_WRITE_H

#include "pg/archive.h"

#define TOC_MINOR_LEAST 14 /* what is written at least */

typedef struct TocShape {
    TocWant want; /* the entries to keep; NULL: all */
    void *ctx;
    int minor; /* 14 to 16; 0: as it is */
} TocShape;
Error *toc_rewrite(const Toc *t, const TocShape *shape, Toc **out) MUST_CHECK;
/* The newest version that a pg_restore of this major reads: 14 for 12 to 15, 15 for 16, ... */
int toc_minor_for(int restore_major);
/* Whether large objects come in groups: several BLOBS entries, each with its objects. */
bool toc_groups_objects(const Toc *t);

/* Where the directory format keeps an entry's data: "1234.dat", "blobs.toc"; without the ending of
 * compressed files. Caller frees; NULL where it has none. */
char *toc_file_name(const Toc *t, const TocEntry *e);
/* The bytes of toc.dat. gzip: whether the files are compressed. */
Error *toc_directory(const Toc *t, bool gzip, Buf *out) MUST_CHECK;

#endif
