/* Fault points: named places at which a test can make the program die, fail or wait.
 *
 * In the program that people install they do nothing (fault_off.c). The tests' build links
 * fault_on.c, which obeys PGSTOW_FAULT=NAME:ACTION[:N] (at the N-th passing, the first by default;
 * several are separated by commas) with the actions kill (SIGKILL), error (ERR_IO is returned),
 * stop (SIGSTOP, until SIGCONT), and appends each name that is reached to the file
 * PGSTOW_FAULT_LIST. Names are room or verb first: "backup.start.locked", "writer.commit.manifest".
 */
#ifndef PGSTOW_BASE_FAULT_H
#define PGSTOW_BASE_FAULT_H

#include "base/error.h"

Error *fault_reach(const char *name) MUST_CHECK;
/* What a test says by an environment variable; always NULL in the program that people install. */
const char *fault_setting(const char *name);
#define FAULT_POINT(name) TRY(fault_reach(name))

#endif
