/* Commands that change something are in the history, with how they ended (op/history.h). Flags are
 * not: secrets may be in them. */
#ifndef PGSTOW_CLI_RECORDED_H
#define PGSTOW_CLI_RECORDED_H

#include "cli/command.h"
#include "op/history.h"

/* What kind of job the command is: "backup", "drill", ...; NULL where it changes nothing. */
const char *recorded_kind(const Run *run);
/* NULL where nothing is recorded. */
History *recorded_begin(const Run *run);
/* h may be NULL. */
void recorded_end(History *h, const Run *run, const Error *e);

#endif
