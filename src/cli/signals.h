/* Signals: Ctrl-C, SIGTERM and a closed terminal ask the run to stop cleanly; a second Ctrl-C ends
 * it at once. A broken pipe is an error of the write, not a signal. */
#ifndef PGSTOW_CLI_SIGNALS_H
#define PGSTOW_CLI_SIGNALS_H

#include "flow/cancel.h"

/* Once, before threads start; `c` must live until signals_forget. */
Error *signals_watch(Cancel *c) MUST_CHECK;
/* Signals have no one to ask any more; they do nothing from here to the end of the process. */
void signals_forget(void);

#endif
