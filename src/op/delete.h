/* delete: hides a backup (through trash), and the way back; pins against both. */
#ifndef PGSTOW_OP_DELETE_H
#define PGSTOW_OP_DELETE_H

#include "base/doc.h"
#include "op/op.h"
#include "repo/trash.h"

/* *id gets the id that was deleted; caller frees, as in all of these. */
Error *op_delete(const OpContext *c, const char *name, char **id) MUST_CHECK;
/* `name`: an id that is in the trash, or the unique beginning of one. */
Error *op_undelete(const OpContext *c, const char *name, char **id) MUST_CHECK;
/* What is in the trash, of a database or (NULL) of all; one whose facts cannot be read counts as
 * any database's. */
Error *op_list_deleted(const OpContext *c, const char *database, TrashList *out) MUST_CHECK;
/* One of them; trash_ms: how long they are kept. */
Doc *trashed_doc(const Trashed *t, int64_t trash_ms);
Error *op_pin(const OpContext *c, const char *name, char **id) MUST_CHECK;
/* *was: it was pinned. */
Error *op_unpin(const OpContext *c, const char *name, char **id, bool *was) MUST_CHECK;

#endif
