/* key: who can open an encrypted repository. */
#ifndef PGSTOW_OP_KEY_H
#define PGSTOW_OP_KEY_H

#include "op/key_input.h"
#include "op/op.h"
#include "repo/keys.h"

Error *op_key_list(const OpContext *c, KeySlotList *out) MUST_CHECK;

typedef struct KeyAddOptions {
    const char *name;         /* NULL: "key-file", "passphrase 2" and the like */
    const char *new_key_file; /* a key file is made there; NULL: a passphrase from `source` */
    const StrList *databases; /* a write-only key file for these; NULL or none: a full one */
    bool write_only;
    const KeySource *source; /* of the new passphrase */
} KeyAddOptions;
/* The file is made before the slot, and taken away again where the slot cannot be made. */
Error *op_key_add(const OpContext *c, const KeyAddOptions *o, KeySlotInfo *out) MUST_CHECK;
Error *op_key_remove(const OpContext *c, const char *which, KeySlotInfo *out) MUST_CHECK;
Error *op_key_rotate(const OpContext *c, KeySlotList *out) MUST_CHECK;

/* What a recovery sheet says. */
typedef struct RecoveryKey {
    KeySlotInfo slot;
    char repo_id[64];
    char *where;
    char *text; /* four lines, behind one with the mark */
} RecoveryKey;
void recovery_key_clear(RecoveryKey *k); /* wipes */
DEFINE_AUTO_VALUE(RecoveryKey, recovery_key_clear)
/* A fresh key that only the sheet has, as a slot of its own. `keep` gets it to write it down; where
 * that fails the slot is removed again. */
Error *op_key_export(const OpContext *c, const char *name,
                     Error *(*keep)(void *ctx, const RecoveryKey *k), void *ctx,
                     RecoveryKey *out) MUST_CHECK;

Doc *key_slot_doc(const KeySlotInfo *i);
Doc *key_slots_doc(const KeySlotList *l); /* and the epoch */

#endif
