/* The questions of doctor that concern the server: each answer a finding with its remedy. Nothing
 * is changed, and nothing is locked. */
#ifndef PGSTOW_PG_DOCTOR_H
#define PGSTOW_PG_DOCTOR_H

#include "base/finding.h"
#include "pg/conn.h"

/* Version, size and counts; whether this user may read everything, and the GRANTs for one that is
 * made for backups; row security; poolers; locks; standby. A question that fails is itself a
 * finding; an error is returned only where asking on makes no sense (cancelled, connection lost).
 * database_size: bytes, 0 where it could not be asked. */
Error *doctor_ask_server(Conn *c, FindingList *out, uint64_t *database_size) MUST_CHECK;

#endif
