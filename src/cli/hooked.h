/* The user's hooks around a command (op/hook.h): hooks.before and hooks.after of the settings. They
 * are part of the run itself, so that the service's jobs have them exactly as one by hand. */
#ifndef PGSTOW_CLI_HOOKED_H
#define PGSTOW_CLI_HOOKED_H

#include "cli/command.h"

/* The command between its hooks; only the command where it has none, or is run by a hook. ERR_HOOK:
 * the first one failed, and the command was not run. What goes wrong with the last one is a warning
 * of the result, as "hookError" in it. */
Error *hooked_run(Run *run, Error *(*command)(Run *)) MUST_CHECK;

#endif
