/* Where this run's keys come from, by its settings. */
#ifndef PGSTOW_CLI_KEYS_FROM_H
#define PGSTOW_CLI_KEYS_FROM_H

#include "config/config.h"
#include "op/key_input.h"

/* The key that opens the repository: of a key file, a command and a passphrase the one that was
 * named by the stronger source (a flag beats the environment), else what is typed. */
KeyInput *keys_from_settings(Config *c, const Cancel *cancel);
/* The same of the repository that is copied into. */
KeyInput *keys_of_target(Config *c, const Cancel *cancel);
/* The passphrase to add. */
KeyInput *keys_new_passphrase(Config *c, const Cancel *cancel);

#endif
