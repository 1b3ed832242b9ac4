/* What cleanup is told by the settings, and what it says: for cleanup and backup. */
#ifndef PGSTOW_CLI_CMD_CLEANUP_H
#define PGSTOW_CLI_CMD_CLEANUP_H

#include "cli/command.h"
#include "op/cleanup.h"

/* options.policy.zone is borrowed from *zone, which the caller frees. */
Error *cleanup_options_from(const Config *c, Zone **zone, CleanupOptions *out) MUST_CHECK;
/* One line; nothing where nothing was done. */
void cleanup_print_line(const CleanupResult *r);

#endif
