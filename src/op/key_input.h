/* Where a key may come from, in the order of the fields: a key file, a command that prints a
 * passphrase, a passphrase at hand, or somebody at a terminal. Asked at most once until
 * key_input_forget, and only when a repository turns out to be encrypted; what it was is kept in
 * memory as a secret, and so is what a passphrase was stretched to (repo/key_memo.h). Thread-safe.
 */
#ifndef PGSTOW_OP_KEY_INPUT_H
#define PGSTOW_OP_KEY_INPUT_H

#include "config/config.h"
#include "flow/cancel.h"
#include "repo/key_source.h"

#define PASSPHRASE_SHORT 12 /* characters; below that a warning is due */

typedef struct KeyInputs {
    const char *key_file;
    const char *command;
    Secret *passphrase;          /* taken over */
    const char *passphrase_name; /* what it came in, for messages */
    /* At a terminal; NULL in *out where there is none. NULL: never. */
    Error *(*prompt)(void *ctx, KeyUse use, const char *where, Secret **out);
    void *ctx;
    const Cancel *cancel; /* ends the command */
    const char *how;      /* a hint of how to give it, static; NULL: by the flags of all commands */
    bool first_use; /* KEY_TO_MAKE is for a repository's first key: a key file is made where it is
                       missing, and it is said what must be kept */
} KeyInputs;

typedef struct KeyInput KeyInput;
/* Strings are copied. */
KeyInput *key_input_new(const KeyInputs *inputs);
/* Of the settings ids (a key file, a command, a passphrase, which is taken out of c) the strongest;
 * what else there is to know is in `more`. */
KeyInput *key_input_chosen(Config *c, const SettingId ids[3], const KeyInputs *more);
void key_input_free(KeyInput *k);
DEFINE_AUTO(KeyInput, key_input_free)
/* Whoever opens with it next has the file read, the command run, anew. False where nothing was
 * kept. */
bool key_input_forget(KeyInput *k);
const KeySource *key_input_source(const KeyInput *k); /* borrowed */
/* Whether anything but the terminal was named. */
bool key_input_given(const KeyInput *k);

/* A passphrase's bytes, or the text of a key, as a Key; takes `secret` over. `from` is for
 * messages. ERR_KEY where it is empty, or a key with a slip in it. */
Error *key_from_text(Secret *secret, const char *from, Key *out) MUST_CHECK;
Error *key_file_read(const char *path, Key *out) MUST_CHECK;
/* A new key in a new file (0600), with a line that says what it is. ERR_EXISTS. */
Error *key_file_make(const char *path, const char *what, Key *out) MUST_CHECK;

#endif
