/* Secrets that settings name: a file that holds one, a command that prints it, or the environment.
 * Files and commands are asked each time, so that one that was replaced counts at once. */
#ifndef PGSTOW_OP_SECRET_INPUT_H
#define PGSTOW_OP_SECRET_INPUT_H

#include "config/config.h"
#include "crypto/secret.h"
#include "flow/cancel.h"

#define SECRET_FILE_MAX 65536
#define SECRET_PRINTED_MAX 4096

/* What is read, for messages, and the kind of their errors. */
typedef struct SecretWords {
    const char *what; /* "the passphrase"; of a file "the key file" */
    ErrorKind kind;
} SecretWords;

/* The file's bytes as they are; a warning where others may read it. `path` may be a pipe. */
Error *secret_read_file(const char *path, const SecretWords *w, Secret **out) MUST_CHECK;
/* What the command prints, without line breaks at its end. It is run without a shell. */
Error *secret_read_command(const char *command, const SecretWords *w, const Cancel *c,
                           Secret **out) MUST_CHECK;
/* The text of a setting of type SECRET, once, without line breaks at its end; NULL where it is not
 * set. */
Secret *secret_take(Config *c, SettingId id);
/* Of the settings that are set the one from the strongest source, of several the first; SETTINGS
 * where none is. Those that are SETTINGS are passed over. */
SettingId secret_strongest(const Config *c, const SettingId *ids, size_t count);

/* One that is asked for later. A value of zeros is none. */
typedef struct SecretInput {
    char *file, *command;
    Secret *text;
} SecretInput;
/* Which settings may name it; SETTINGS where there is no such. */
typedef struct SecretSettings {
    SettingId file, command, secret, text; /* secret: of type SECRET; text: any other text */
} SecretSettings;
void secret_input_of(Config *c, const SecretSettings *settings, SecretInput *out);
void secret_input_clear(SecretInput *i);
bool secret_input_given(const SecretInput *i);
/* Without line breaks at its end. Also w->kind where it is empty or has a NUL. */
Error *secret_input_get(const SecretInput *i, const SecretWords *w, const Cancel *c,
                        Secret **out) MUST_CHECK;

#endif
