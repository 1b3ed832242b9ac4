/* The rows of a backup: all tables and large objects by N connections under one snapshot into the
 * writer.
 *
 * Large tables are read in ranges of pages, the largest first. A table on which somebody waits for
 * a stronger lock would make us wait behind him, and him for us: it is read on the connection that
 * holds its lock already.
 */
#ifndef PGSTOW_OP_COPY_ROWS_H
#define PGSTOW_OP_COPY_ROWS_H

#include "pg/filter.h"
#include "repo/writer.h"

typedef struct CopyRows {
    Conn *lock; /* holds locks and snapshot; in nobody else's use meanwhile */
    const char *snapshot;
    const Toc *toc;
    const Rows *asked;       /* of source_ask, or NULL */
    const Filter *filter;    /* or NULL */
    const Toc *columns_like; /* or NULL: see BackupOptions */
    bool utf8;               /* as toc_make_rows has the names; otherwise the database's encoding */
    Writer *writer;
    Job *job;
    Cancel *cancel;
    unsigned jobs;
    uint64_t tables, large_objects; /* set: how many there were */
} CopyRows;
Error *copy_rows(CopyRows *c) MUST_CHECK;

#endif
