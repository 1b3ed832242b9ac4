/* delete: hides a backup (through trash); its space comes back by prune later. */
#ifndef PGSTOW_OP_DELETE_H
#define PGSTOW_OP_DELETE_H

#include "op/op.h"

/* *id gets the id that was deleted; caller frees. */
Error *op_delete(const OpContext *c, const char *name, char **id) MUST_CHECK;

#endif
