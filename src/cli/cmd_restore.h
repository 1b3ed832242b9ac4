/* restore --merge, which is another operation than the other ways. */
#ifndef PGSTOW_CLI_CMD_RESTORE_H
#define PGSTOW_CLI_CMD_RESTORE_H

#include "cli/command.h"

Error *restore_merge(Run *run) MUST_CHECK;

#endif
