/* Asks for a passphrase on the terminal, without showing what is typed. */
#ifndef PGSTOW_CLI_KEY_PROMPT_H
#define PGSTOW_CLI_KEY_PROMPT_H

#include "flow/cancel.h"
#include "repo/key_source.h"

/* *out stays NULL where nobody sits at a terminal: standard input is none. What is to be made is
 * asked for twice. Asks on /dev/tty, so that redirected output stays clean. ERR_KEY where the two
 * differ; ERR_CANCELLED. */
Error *key_prompt_ask(const char *question, KeyUse use, const Cancel *cancel,
                      Secret **out) MUST_CHECK;

#endif
