/* What one diff holds: its two sides, and the tables that they have. */
#ifndef PGSTOW_OP_DIFF_WORK_H
#define PGSTOW_OP_DIFF_WORK_H

#include "op/backup_read.h"
#include "op/diff.h"
#include "op/live_read.h"
#include "pg/selection.h"

typedef struct DiffSide {
    BackupRead backup;
    LiveRead live;
    bool is_live;
    Selection chosen;
    bool choosing; /* `chosen` counts */
    bool none;     /* nothing of this side was chosen */
} DiffSide;
void diff_side_clear(DiffSide *s);

/* A table whose rows one side has, or both. */
typedef struct DiffPair {
    const char *schema, *name;   /* borrowed */
    const TocEntry *entry[2];    /* TABLE DATA; NULL where it has none */
    const Stream *stream[2];     /* NULL: none, or live */
    const Source *source;        /* of the live side */
    const Relation *relation[2]; /* NULL where it is not known */
    bool defined[2];             /* the table itself is there */
} DiffPair;

typedef struct DiffWork {
    const OpContext *c;
    const DiffOptions *o;
    DiffSide sides[2];
    DiffPair *pairs;
    size_t count, cap;
    DiffResult *result;
} DiffWork;
void diff_work_clear(DiffWork *w);
DEFINE_AUTO_VALUE(DiffWork, diff_work_clear)

const Toc *diff_side_toc(const DiffSide *s);
/* Fills in pairs, by schema and name. */
Error *diff_pairs(DiffWork *w) MUST_CHECK;
/* The rows of all pairs, several at a time: tables and counts of the result. */
Error *diff_tables(DiffWork *w) MUST_CHECK;
/* Large objects, by OID. */
Error *diff_large_objects(DiffWork *w) MUST_CHECK;

#endif
