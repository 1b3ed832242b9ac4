/* What keys.c opened, for keys_change.c: the ring, and the way to it. */
#ifndef PGSTOW_REPO_KEYS_HELD_H
#define PGSTOW_REPO_KEYS_HELD_H

#include "base/fault.h"
#include "repo/key_slot.h"

#define FEATURE_ENCRYPTION "encryption"

struct Keys {
    Keyring *ring;
    char slot[KEY_SLOT_TEXT];
    SlotBody body; /* of that slot */
    Doc *config;
};

#endif
