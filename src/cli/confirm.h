/* Asking before something is replaced. */
#ifndef PGSTOW_CLI_CONFIRM_H
#define PGSTOW_CLI_CONFIRM_H

#include "flow/cancel.h"

/* NULL where `yes` (--yes) is set or a person at the terminal typed "yes". ERR_CONFIRM otherwise,
 * also where standard input or standard error is no terminal: nobody is there to ask.
 * can_look: the command has --dry-run. */
Error *confirm_ask(const char *question, bool yes, bool can_look, const Cancel *cancel) MUST_CHECK;

#endif
