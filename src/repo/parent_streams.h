/* The streams of a parent's manifest, found by OID or by name, however many there are. */
#ifndef PGSTOW_REPO_PARENT_STREAMS_H
#define PGSTOW_REPO_PARENT_STREAMS_H

#include "repo/manifest.h"

typedef struct ParentStreams ParentStreams;
/* `m` is borrowed, NULL for none; same_database: its OIDs mean the same tables. */
ParentStreams *parent_streams_new(const Manifest *m, bool same_database);
void parent_streams_free(ParentStreams *p);
DEFINE_AUTO(ParentStreams, parent_streams_free)
/* A table's rows: by OID, then by name; NULL where there are none. */
const Stream *parent_streams_table(const ParentStreams *p, uint32_t oid, const char *schema,
                                   const char *name);
/* The nth (from 0) of a kind whose streams have no names of their own: the table of contents, and
 * the groups of large objects. NULL where there are fewer. */
const Stream *parent_streams_nth(const ParentStreams *p, StreamKind kind, size_t nth);

#endif
