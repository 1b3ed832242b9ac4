/* What passphrases were stretched to: that takes a good part of a second and much memory, on
 * purpose, and who opens a repository for each request cannot pay it each time. Only that is kept,
 * by what it was made of; slots, key sets and the config are read and checked at every opening, so
 * a slot that was removed opens nothing any more. Thread-safe; one at a time is stretched.
 */
#ifndef PGSTOW_REPO_KEY_MEMO_H
#define PGSTOW_REPO_KEY_MEMO_H

#include "crypto/seal.h"

#define KEY_MEMO_MAX 16 /* passphrase slots; the one that was made longest ago goes first */

typedef struct KeyMemo KeyMemo;
KeyMemo *key_memo_new(void);
void key_memo_free(KeyMemo *m); /* wipes */
DEFINE_AUTO(KeyMemo, key_memo_free)

/* As passphrase_key. `m` may be NULL. */
Error *key_memo_stretch(KeyMemo *m, const Secret *passphrase,
                        const uint8_t salt[PASSPHRASE_SALT_BYTES], uint64_t ops, uint64_t memory,
                        Secret **out) MUST_CHECK;

#endif
