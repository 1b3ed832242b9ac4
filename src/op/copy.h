/* copy: backups of one repository into another. */
#ifndef PGSTOW_OP_COPY_H
#define PGSTOW_OP_COPY_H

#include "base/doc.h"
#include "op/op.h"
#include "repo/copy.h"

typedef struct CopyItem {
    char *id;            /* in the source */
    CopyOutcome outcome; /* where it did not fail */
    Error *error;        /* NULL: it is in the target */
} CopyItem;
typedef struct CopyResult {
    CopyItem *items;
    size_t count, cap; /* those that were looked at */
    size_t total;      /* how many there are to copy */
} CopyResult;
void copy_result_clear(CopyResult *r);
DEFINE_AUTO_VALUE(CopyResult, copy_result_clear)

typedef struct CopyOptions {
    const StrList *names; /* as a person writes them; empty: all backups */
    const OpContext *to;  /* repository and keys that are copied into */
    uint64_t max_rate;    /* bytes a second; 0: no limit */
    bool renumber;        /* see CopyEnds */
    /* Asked before rows of an encrypted repository are written into one that is not; ERR_CONFIRM.
     */
    Error *(*ask)(void *ctx, const char *question);
    void (*done)(void *ctx, const CopyItem *item); /* after each one; may be NULL */
    void *ctx;
} CopyOptions;

/* Within a lineage the oldest first. One that fails is in *out, and the others go on; what would
 * end them as well is returned. */
Error *op_copy(const OpContext *c, const CopyOptions *o, CopyResult *out) MUST_CHECK;
Doc *copy_doc(const CopyResult *r);
/* NULL where all went well. One backup's failure as it is (taken out of *r); of several, that some
 * failed: ERR_PARTIAL. */
Error *copy_failures(CopyResult *r) MUST_CHECK;

#endif
