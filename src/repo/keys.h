/* The keys of an encrypted repository as they lie in its store: slots, each a way to the key sets;
 * and epochs, which say what set counts (docs/adr/0006-encryption.md).
 *
 * Errors: ERR_KEY where the key at hand opens nothing or may not do it; ERR_DAMAGED where what lies
 * in the store was changed by somebody without keys.
 */
#ifndef PGSTOW_REPO_KEYS_H
#define PGSTOW_REPO_KEYS_H

#include "base/clock.h"
#include "base/doc.h"
#include "repo/key_source.h"
#include "repo/keyring.h"
#include "store/store.h"

typedef struct Repo Repo;

#define KEY_SLOT_TEXT 25 /* 24 hexadecimal digits */
#define KEY_DATABASES_MAX 1000u

typedef enum KeyKind {
    KEY_PASSPHRASE,
    KEY_FILE,
    KEY_RECOVERY,   /* as a key file, on paper */
    KEY_WRITE_ONLY, /* a key file that may only write backups of certain databases */
    KEY_KINDS
} KeyKind;
const char *key_kind_name(KeyKind kind); /* "passphrase", "key-file", "recovery", "write-only" */

/* -- opening ------------------------------------------------------------------------------------
 */

/* A repository's keys, opened by one slot. */
typedef struct Keys Keys;
void keys_free(Keys *k);
DEFINE_AUTO(Keys, keys_free)
const Keyring *keys_ring(const Keys *k);

/* Makes the first key set and its slot. `config` (with its id) is then ready to be put, which makes
 * them count: it names the set, and is signed by it. */
Error *keys_create(Store *s, Doc *config, const Key *key, Keys **out) MUST_CHECK;
/* What keys_create put, where another one's config came first. */
void keys_discard(Store *s, const Keys *k);
/* Whether a config is that of an encrypted repository. */
bool keys_needed(const Doc *config);
/* By any slot that the key opens. ERR_KEY. `config` is checked as well. */
Error *keys_open(Store *s, const Doc *config, const Key *key, Keys **out) MUST_CHECK;
/* Whether the config is what the keys' holder wrote. ERR_DAMAGED. */
Error *keys_check_config(const Keys *k, const Doc *config) MUST_CHECK;

/* -- changing (each needs an encrypted repository) ----------------------------------------------
 */

typedef enum KeySlotState {
    KEY_SLOT_GOOD,
    KEY_SLOT_BEHIND,   /* lacks the newest key set: whoever added it did not come to the end */
    KEY_SLOT_STRANGE,  /* was not made by who held the keys, or was changed */
    KEY_SLOT_UNCHECKED /* the key at hand is write-only and cannot tell */
} KeySlotState;
const char *key_slot_state_name(KeySlotState state); /* "good", "behind", "strange", "unchecked" */

typedef struct KeySlotInfo {
    char id[KEY_SLOT_TEXT];
    KeyKind kind;
    char *name;
    Instant created;
    StrList databases; /* of a write-only one, where the key at hand may know */
    KeySlotState state;
    bool ours; /* the repository was opened by it */
} KeySlotInfo;
typedef struct KeySlotList {
    KeySlotInfo *items;
    size_t count, cap;
    uint32_t epoch; /* of the key set that counts */
} KeySlotList;
void key_slot_info_clear(KeySlotInfo *i);
DEFINE_AUTO_VALUE(KeySlotInfo, key_slot_info_clear)
void key_slot_list_clear(KeySlotList *l);
DEFINE_AUTO_VALUE(KeySlotList, key_slot_list_clear)

/* By the time at which they were made. */
Error *keys_list(Repo *r, KeySlotList *out) MUST_CHECK;
/* A new slot that `key` opens; `databases` for a write-only one. ERR_EXISTS where the name is
 * taken. */
Error *keys_add(Repo *r, KeyKind kind, const char *name, const StrList *databases, const Key *key,
                KeySlotInfo *out) MUST_CHECK;
/* By id, the unique beginning of one, or name. Refuses the last one that gives full keys
 * (ERR_CONFLICT). ERR_NOT_FOUND. */
Error *keys_remove(Repo *r, const char *which, KeySlotInfo *out) MUST_CHECK;
/* From here on what is written is sealed by a new key set, which every slot gets. *out is as
 * keys_list tells afterwards. Refuses where a slot is not good: it must be removed first.
 * ERR_BUSY where another one rotated at the same time. */
Error *keys_rotate(Repo *r, KeySlotList *out) MUST_CHECK;

#endif
