/* Writing large objects: a stream of records {u32 LE oid, blocks {u32 LE n > 0, n bytes}*, u32 0},
 * which may be cut anywhere. The objects themselves exist already (pass 1 made them). */
#ifndef PGSTOW_PG_LOAD_OBJECTS_H
#define PGSTOW_PG_LOAD_OBJECTS_H

#include "pg/conn.h"

typedef struct LoadObjects LoadObjects;
/* `c` is borrowed, and its transactions with it. */
LoadObjects *load_objects_new(Conn *c);
/* In the caller's transaction, which is then the caller's to end. */
LoadObjects *load_objects_within(Conn *c);
Error *load_objects_feed(LoadObjects *lo, const void *p, size_t n) MUST_CHECK;
/* ERR_DAMAGED where the stream ends inside a record. Commits. *count: objects written. */
Error *load_objects_end(LoadObjects *lo, uint64_t *count) MUST_CHECK;
void load_objects_free(LoadObjects *lo); /* rolls back what is not committed */
DEFINE_AUTO(LoadObjects, load_objects_free)

/* The state machine by itself, for whoever wants the records elsewhere (an export). */
typedef struct ObjectRecords {
    Error *(*begin)(void *ctx, uint32_t oid);
    Error *(*bytes)(void *ctx, const void *p, size_t n); /* a piece of a block */
    Error *(*end)(void *ctx);
    void *ctx;
    int state;       /* 0 between records, 1 before a block */
    uint8_t word[4]; /* a number that is cut */
    size_t have;     /* of word */
    uint32_t left;   /* bytes of the block still to come */
} ObjectRecords;
Error *object_records_feed(ObjectRecords *r, const void *p, size_t n) MUST_CHECK;
Error *object_records_end(const ObjectRecords *r) MUST_CHECK; /* ERR_DAMAGED inside a record */

#endif
