/* What a backup records of the database that it is of, asked before its snapshot; for whoever reads
 * a database as a backup does. */
#ifndef PGSTOW_OP_BACKUP_FACTS_H
#define PGSTOW_OP_BACKUP_FACTS_H

#include "op/backup.h"

/* ERR_PREFLIGHT where a pooler in transaction mode stands before the server. */
Error *backup_refuse_pooler(Conn *c) MUST_CHECK;
/* Name, OID, encoding, server, versions, when it started: `f` is zeros. The connection holds no
 * transaction. */
Error *backup_ask_facts(Conn *c, BackupInfo *f) MUST_CHECK;
/* On a standby the rows of unlogged tables are not there. */
Error *backup_warn_unlogged(Conn *c, StrList *warnings) MUST_CHECK;
/* What is left out, in one canonical text: backups with the same one may be compared. Caller frees.
 */
char *backup_filter_text(const BackupOptions *o, bool rows_only);
/* Whether by such a text some rows of the tables that are in the backup may be left out. */
bool backup_filter_leaves_rows(const char *filter);

#endif
