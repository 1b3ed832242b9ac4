/* validate: is what a live database holds consistent? */
#ifndef PGSTOW_OP_VALIDATE_H
#define PGSTOW_OP_VALIDATE_H

#include "op/op.h"
#include "pg/validate.h"

/* The connection, jobs, job and cancel of `options` are filled in from `c`. What is found lies in
 * the report; errors are ERR_INVALID besides. */
Error *op_validate(const OpContext *c, const ValidateOptions *options,
                   ValidateReport *out) MUST_CHECK;

#endif
