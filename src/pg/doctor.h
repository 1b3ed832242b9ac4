/* What a backup needs of the server, asked one by one; each answer is a finding with its remedy. */
#ifndef PGSTOW_PG_DOCTOR_H
#define PGSTOW_PG_DOCTOR_H

#include "base/finding.h"
#include "pg/conn.h"

/* Adds what it finds; an error only where the connection is lost. *database_size in bytes, as the
 * server sees it. */
Error *doctor_ask_server(Conn *c, FindingList *out, uint64_t *database_size) MUST_CHECK;

#endif
