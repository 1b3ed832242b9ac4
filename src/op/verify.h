/* verify: is what is stored whole? */
#ifndef PGSTOW_OP_VERIFY_H
#define PGSTOW_OP_VERIFY_H

#include "op/op.h"
#include "repo/check.h"

/* names: what a person writes; empty: all backups. Damage lies in the report, and is ERR_DAMAGED
 * besides: with names only damage of these backups, not what lies beside it in their packs. */
Error *op_verify(const OpContext *c, const StrList *names, CheckLevel level,
                 CheckReport *out) MUST_CHECK;

#endif
