/* The live database as something to be compared with a backup: locked, under a snapshot, with
 * pg_dump's table of contents, as a backup of it would begin. */
#ifndef PGSTOW_OP_LIVE_READ_H
#define PGSTOW_OP_LIVE_READ_H

#include "op/op.h"
#include "pg/dump.h"
#include "pg/relation.h"
#include "pg/snapshot.h"
#include "pg/source.h"

typedef struct LiveRead {
    const OpContext *c;
    Conn *list, *lock; /* lock: holds locks and snapshot */
    Tool *tool;
    Snapshot *snapshot;
    Dump *dump;
    char *encoding; /* of the database */
    RelationList relations;
    SourceList sources; /* one for each TABLE DATA entry, in order */
    StrList warnings;
} LiveRead;
void live_read_clear(LiveRead *l);
DEFINE_AUTO_VALUE(LiveRead, live_read_clear)

Error *live_read_open(const OpContext *c, LiveRead *out) MUST_CHECK;
const Toc *live_read_toc(const LiveRead *l);
/* One more connection under the snapshot, which gives rows in this encoding. A table on which
 * somebody waits for a stronger lock is ERR_DB_IN_USE after 10 s. */
Error *live_read_join(const LiveRead *l, const char *encoding, Cancel *cancel,
                      Conn **out) MUST_CHECK;

#endif
