/* The help texts, made from the rows. */
#ifndef PGSTOW_CLI_HELP_H
#define PGSTOW_CLI_HELP_H

#include "base/buf.h"
#include "cli/commands.h"

/* `pgstow --help`. */
void help_overview(Buf *out);
/* `pgstow COMMAND --help`. */
void help_command(Buf *out, const CommandInfo *command);

/* Pieces that the generated documents share. */
/* "-r, --repo DIR". Caller frees. */
char *help_flag(const SettingInfo *s);
/* "Default: x. In the environment: y. In the file: z." or "". Caller frees. */
char *help_sources(SettingId id);
/* Whether the flag takes part in the command's own options, in the order of the rows. */
bool help_has(const SettingId *set, SettingId id);
/* `text` (paragraphs separated by empty lines) in lines of at most 80 columns. */
void help_wrap(Buf *out, const char *text, size_t indent);

#endif
