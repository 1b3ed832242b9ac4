/* What the files of a drill share. */
#ifndef PGSTOW_OP_DRILL_WORK_H
#define PGSTOW_OP_DRILL_WORK_H

#include "op/backup_read.h"
#include "op/drill.h"

typedef struct DrillWork {
    const OpContext *c; /* its database is the scratch one */
    BackupRead *backup;
    DrillResult *result;
} DrillWork;

/* All tables, large objects and sequences; what differs lies in the result. */
Error *drill_compare(DrillWork *w) MUST_CHECK;
Error *drill_compare_objects(DrillWork *w, Conn *c) MUST_CHECK;
Error *drill_compare_sequences(DrillWork *w, Conn *c) MUST_CHECK;

#endif
