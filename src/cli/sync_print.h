/* What a sync did, for people. */
#ifndef PGSTOW_CLI_SYNC_PRINT_H
#define PGSTOW_CLI_SYNC_PRINT_H

#include "op/sync.h"

/* On standard output; quiet: the last line alone. Warnings go to standard error. */
void sync_print(const SyncResult *r, bool quiet);

#endif
