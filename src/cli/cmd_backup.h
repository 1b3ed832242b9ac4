/* The options of a backup from the settings: for backup and guard; and backup --all-databases. */
#ifndef PGSTOW_CLI_CMD_BACKUP_H
#define PGSTOW_CLI_CMD_BACKUP_H

#include "cli/command.h"
#include "op/backup.h"

/* All but the filters; and those: what makes a backup less than the whole. */
void backup_options_from(const Config *c, BackupOptions *out);
void backup_filters_from(const Config *c, BackupOptions *out);
/* A line for each database as soon as it is done. */
Error *backup_all(Run *run) MUST_CHECK;

#endif
