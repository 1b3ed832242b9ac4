/* An entry's repository, for operations that read it in this process. */
#ifndef PGSTOW_SERVE_ENTRY_OP_H
#define PGSTOW_SERVE_ENTRY_OP_H

#include "config/config.h"
#include "op/key_input.h"
#include "op/op.h"

typedef struct EntryOp {
    OpContext op; /* borrows from the settings */
    KeyInput *key;
} EntryOp;
/* `c` is borrowed until the end. */
void entry_op_open(const Config *c, EntryOp *out);
void entry_op_clear(EntryOp *e);
DEFINE_AUTO_VALUE(EntryOp, entry_op_clear)

#endif
