/* The documents that come from the rows. Each adds one whole document to `out`. */
#ifndef PGSTOW_CLI_GEN_H
#define PGSTOW_CLI_GEN_H

#include "base/buf.h"

void gen_settings(Buf *out);   /* docs/generated/settings.md */
void gen_commands(Buf *out);   /* docs/generated/commands.md */
void gen_errors(Buf *out);     /* docs/generated/errors.md */
void gen_man(Buf *out);        /* docs/man/pgstow.1 */
void gen_completion(Buf *out); /* completion/pgstow.bash */

#endif
