/* doctor: tools, versions, privileges, repository, space: each with a remedy. */
#ifndef PGSTOW_OP_DOCTOR_H
#define PGSTOW_OP_DOCTOR_H

#include "base/finding.h"
#include "op/op.h"

/* Never stops at the first problem: everything that can be asked is asked. */
Error *op_doctor(const OpContext *c, FindingList *out) MUST_CHECK;

#endif
