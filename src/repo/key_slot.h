/* One way to the keys of an encrypted repository, as it lies in the store (docs/format.md, "Keys").
 *
 *   keys/<slot>.slot    what the slot is; and sealed by what opens it: its secret S
 *   keys/<slot>.<set>   a key set as this slot may see it, sealed by S; and S again, sealed by that
 *                       set ("escrow"), so that whoever holds full keys can hand the slot the next
 * one
 *
 * The escrow is also what makes a slot ours: only who held the full keys of a set can have made it.
 * Objects are written once.
 *
 * Errors: ERR_DAMAGED for what was changed, or is not ours.
 */
#ifndef PGSTOW_REPO_KEY_SLOT_H
#define PGSTOW_REPO_KEY_SLOT_H

#include "base/clock.h"
#include "repo/key_source.h"
#include "repo/keys.h"
#include "store/store.h"

#define KEYS_FOLDER "keys/"
#define KEY_NOTE_MAX (1u << 20)

/* What the slot hides. */
typedef struct SlotBody {
    KeyKind kind;
    Secret *secret;    /* S */
    StrList databases; /* of a write-only one */
} SlotBody;
void slot_body_clear(SlotBody *b);
DEFINE_AUTO_VALUE(SlotBody, slot_body_clear)

/* What can be read of it without a key. */
typedef struct KeySlot {
    char id[KEY_SLOT_TEXT];
    KeyKind kind;
    char *name;
    Instant created;
    /* Of a passphrase. */
    uint8_t salt[PASSPHRASE_SALT_BYTES];
    uint64_t ops, memory;
    char *bound; /* all this as text, which is bound to what is sealed */
    Buf sealed;  /* S and databases */
} KeySlot;
void key_slot_clear(KeySlot *s);
DEFINE_AUTO_VALUE(KeySlot, key_slot_clear)

/* What is vouched for by a value at the end of a note's JSON: all before `, "last": `. Caller
 * frees. */
char *key_bound(const Doc *d, const char *last);

/* Whether nothing stands behind this key: only what stands before it is vouched for. */
bool key_is_last(const Doc *d, const char *key);

/* Where in the store; each returns out (KEY_NAME_TEXT bytes). */
#define KEY_NAME_TEXT 64
char *key_slot_name(const char *slot, char *out);
char *key_set_name(const char *slot, uint64_t set, char *out);

/* A new one, with a random id and S, of these facts; not in the store yet. */
void key_slot_new(KeyKind kind, const char *name, const StrList *databases, KeySlot *out,
                  SlotBody *body);
Error *key_slot_put(Store *s, const char *repo_id, const KeySlot *slot, const Key *key,
                    const SlotBody *body) MUST_CHECK;
/* ERR_REPO_UNSUPPORTED for a kind that is unknown here. */
Error *key_slot_get(Store *s, const char *id, KeySlot *out) MUST_CHECK;
/* The ids of all whose slot is there. */
Error *key_slot_ids(Store *s, StrList *out) MUST_CHECK;
/* *opened false where this is not its key. Slow for a passphrase. */
Error *key_slot_open(const KeySlot *slot, const char *repo_id, const Key *key, SlotBody *body,
                     bool *opened) MUST_CHECK;

/* `set` of the ring (which must be full), for this slot; where it is there already it must be as
 * good. */
Error *key_set_put(Store *s, const char *repo_id, const KeySlot *slot, const SlotBody *body,
                   const Keyring *ring, uint64_t set) MUST_CHECK;
/* Takes the set into the ring. ERR_NOT_FOUND. */
Error *key_set_get(Store *s, const char *repo_id, const char *slot, uint64_t set,
                   const SlotBody *body, Keyring *ring) MUST_CHECK;
/* What the slot hides, by the full keys of `set`, which also vouch for what it says of itself.
 * ERR_NOT_FOUND. */
Error *key_set_escrow(Store *s, const char *repo_id, const KeySlot *slot, uint64_t set,
                      const Keyring *ring, SlotBody *body) MUST_CHECK;

#endif
