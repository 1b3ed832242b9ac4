/* Doctor's questions on privileges: may this user read everything that a backup reads? */
#ifndef PGSTOW_PG_DOCTOR_ACCESS_H
#define PGSTOW_PG_DOCTOR_ACCESS_H

#include "base/finding.h"
#include "pg/conn.h"

Error *doctor_ask_access(Conn *c, FindingList *out) MUST_CHECK;

#endif
