/* What this host has seen of repositories: so that an older state of one, or another one, that is
 * put in its place is noticed. A small JSON file, seen.json in state_default_folder, written
 * atomically under a lock.
 *
 * It never fails a run that it cannot be read or written: that is a warning.
 */
#ifndef PGSTOW_OP_HOST_MEMORY_H
#define PGSTOW_OP_HOST_MEMORY_H

#include "op/op.h"

/* Before a repository is made where there is none: whether one was seen in this place. ERR_CONFIRM,
 * unless c->accept_older. */
Error *host_memory_before(const OpContext *c) MUST_CHECK;
/* Whether it is what was seen, or more. What writes is refused otherwise (ERR_CONFIRM, unless
 * c->accept_older), all else is warned. What is newer, or accepted, is noted. */
Error *host_memory_check(const OpContext *c, Repo *r, bool writes) MUST_CHECK;
/* That this backup is there. */
void host_memory_note(const OpContext *c, Repo *r, const BackupInfo *info);

#endif
