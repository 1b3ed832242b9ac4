/* Where the key of an encrypted repository comes from: asked only when one is needed, and never for
 * a plain repository. */
#ifndef PGSTOW_REPO_KEY_SOURCE_H
#define PGSTOW_REPO_KEY_SOURCE_H

#include "repo/key_memo.h"

/* A key as somebody has it: a passphrase, or what is in a key file (repo/key_text.h). */
typedef struct Key {
    bool file;
    Secret *secret; /* the passphrase's bytes; KEY_BYTES of a key file */
    char *from;     /* for messages: "the key file /etc/pgstow/key" */
    KeyMemo *memo;  /* borrowed; NULL: it is stretched each time */
} Key;
void key_clear(Key *k);
DEFINE_AUTO_VALUE(Key, key_clear)

typedef enum KeyUse {
    KEY_TO_OPEN, /* a repository that is there */
    KEY_TO_MAKE  /* a new slot: whoever types a passphrase does so twice; a key file may be made */
} KeyUse;

typedef struct KeySource {
    /* `where` is the repository, for a prompt. ERR_KEY, with how to give one as hint, where there
     * is no key. */
    Error *(*get)(void *ctx, KeyUse use, const char *where, Key *out);
    void *ctx;
} KeySource;

#endif
