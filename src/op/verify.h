/* verify: is what is stored whole? */
#ifndef PGSTOW_OP_VERIFY_H
#define PGSTOW_OP_VERIFY_H

#include "base/doc.h"
#include "op/op.h"
#include "repo/check.h"

typedef struct VerifyOptions {
    const StrList *names; /* what a person writes; empty: all backups */
    CheckLevel level;
    int64_t older_than_ms; /* only what was not checked for so long; 0: all */
    const char *sample; /* "5%": only so much of the packs, those checked longest ago; NULL: all */
} VerifyOptions;
/* Damage lies in the report, and is ERR_DAMAGED besides: with names only damage of these backups,
 * not what lies beside it in their packs. */
Error *op_verify(const OpContext *c, const VerifyOptions *o, CheckReport *out) MUST_CHECK;
/* That it is no ERR_DAMAGED. */
bool verify_is_whole(const VerifyOptions *o, const CheckReport *r);
Doc *verify_doc(const VerifyOptions *o, const CheckReport *r);

#endif
