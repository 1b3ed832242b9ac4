/* The flags of serve and schedule: what they hand on to the runs that they start. */
#ifndef PGSTOW_CLI_SERVICE_FLAGS_H
#define PGSTOW_CLI_SERVICE_FLAGS_H

#include "cli/command.h"

/* As flags in front of a command: "--repo", "/srv". ERR_USAGE for those that no run may get. */
Error *service_flags(const Run *run, StrList *words) MUST_CHECK;
/* Where the settings of this run come from; borrowed from it. */
ConfigInputs service_inputs(const Run *run);

#endif
