/* The options of a backup from the settings: for backup and guard. */
#ifndef PGSTOW_CLI_CMD_BACKUP_H
#define PGSTOW_CLI_CMD_BACKUP_H

#include "config/config.h"
#include "op/backup.h"

/* ERR_CONFIG where encryption is asked for. */
Error *backup_options_from(const Config *c, BackupOptions *out) MUST_CHECK;

#endif
