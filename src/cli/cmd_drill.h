/* verify --level drill. */
#ifndef PGSTOW_CLI_CMD_DRILL_H
#define PGSTOW_CLI_CMD_DRILL_H

#include "cli/command.h"

/* The place of "drill" among the values of --level. */
#define LEVEL_DRILL 3

Error *drill_run(Run *run) MUST_CHECK;
/* What only a drill does, asked of another level, is an error and not passed over. */
Error *drill_refuse_flags(const Run *run) MUST_CHECK;

#endif
