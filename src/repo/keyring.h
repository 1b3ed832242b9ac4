/* The keys of one repository that are at hand: its key sets (docs/adr/0006-encryption.md), as a
 * full or a write-only key sees them. Immutable once the repository is open; thread-safe then.
 *
 * Errors: ERR_KEY where the keys at hand do not open something.
 */
#ifndef PGSTOW_REPO_KEYRING_H
#define PGSTOW_REPO_KEYRING_H

#include "base/text.h"
#include "crypto/seal.h"

#define LINEAGE_TAG_BYTES 16
#define KEY_SALT_BYTES 32

typedef struct Keyring Keyring;
Keyring *keyring_new(void);
void keyring_free(Keyring *k);
DEFINE_AUTO(Keyring, keyring_free)

/* -- sets -------------------------------------------------------------------------------------- */

/* A new set under the next epoch number, for a full keyring (or an empty one): its id. It does not
 * count until keyring_set_current. */
uint64_t keyring_make_set(Keyring *k);
size_t keyring_count(const Keyring *k);
uint64_t keyring_set_id(const Keyring *k, size_t i);
uint32_t keyring_set_epoch(const Keyring *k, size_t i);
bool keyring_has(const Keyring *k, uint64_t set);
/* The set that new objects are sealed with: the one with the highest epoch until this says so. */
Error *keyring_set_current(Keyring *k, uint64_t set) MUST_CHECK;
uint64_t keyring_current(const Keyring *k);
/* Whether keys were rotated since these were loaded: asked where something names a set that is not
 * at hand. `ctx` is borrowed. */
typedef bool (*KeyringNewer)(void *ctx, uint32_t epoch);
void keyring_watch(Keyring *k, KeyringNewer newer, void *ctx);
bool keyring_outdated(const Keyring *k);
/* Whether rows can be read back: false for a write-only key. */
bool keyring_full(const Keyring *k);
/* Databases that a write-only keyring may write; empty for a full one. Borrowed. */
const StrList *keyring_databases(const Keyring *k);

/* One set as a slot may see it, to be sealed: all of it where `databases` is NULL, otherwise what
 * writing these needs. Needs a full keyring. */
Error *keyring_write_set(const Keyring *k, uint64_t set, const StrList *databases,
                         Secret **out) MUST_CHECK;
/* Takes a set in that was so written. ERR_DAMAGED. */
Error *keyring_read_set(Keyring *k, const Secret *bytes) MUST_CHECK;

/* HMAC of these bytes by a secret of the set that only full keys have (`full`), or by the notes
 * key: for what is legible but must not be forged. */
Error *keyring_sign(const Keyring *k, uint64_t set, bool full, const char *label, const void *p,
                    size_t n, uint8_t out[KEY_BYTES]) MUST_CHECK;
/* Seals and opens bytes that only full keys may see (a slot's secret), as crypto/salted.h has it.
 */
Error *keyring_close_secret(const Keyring *k, uint64_t set, const Buf *aad, const Secret *s,
                            Buf *out) MUST_CHECK;
Error *keyring_open_secret(const Keyring *k, uint64_t set, const Buf *aad, const void *p, size_t n,
                           Secret **out) MUST_CHECK;

/* -- keys for objects ----------------------------------------------------------------------------
 */

/* The tag of a database; ERR_KEY where a write-only key is not for it. */
Error *keyring_tag(const Keyring *k, const char *database,
                   uint8_t tag[LINEAGE_TAG_BYTES]) MUST_CHECK;
/* How chunks of a database are known: the key of their HMAC. The same in every set. */
Error *keyring_id_key(const Keyring *k, const uint8_t tag[LINEAGE_TAG_BYTES],
                      uint8_t out[KEY_BYTES]) MUST_CHECK;
/* An object's own key by its salt. `label` says what kind of object it is. */
Error *keyring_index_key(const Keyring *k, uint64_t set, const uint8_t tag[LINEAGE_TAG_BYTES],
                         const char *label, const uint8_t salt[KEY_SALT_BYTES],
                         uint8_t out[KEY_BYTES]) MUST_CHECK;
Error *keyring_notes_key(const Keyring *k, uint64_t set, const char *label,
                         const uint8_t salt[KEY_SALT_BYTES], uint8_t out[KEY_BYTES]) MUST_CHECK;
/* A box for whoever holds full keys. */
Error *keyring_box(const Keyring *k, uint64_t set, const void *p, size_t n, Buf *out) MUST_CHECK;
/* ERR_KEY with a write-only key. */
Error *keyring_unbox(const Keyring *k, uint64_t set, const void *p, size_t n, void *out) MUST_CHECK;

#endif
