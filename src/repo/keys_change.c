#include <string.h>

#include "repo/key_chain.h"
#include "repo/keys_held.h"
#include "repo/repo_internal.h"

#define LOOKS_MAX 100 /* at how often others rotate while one slot is added */

static const char *const state_names[] = {"good", "behind", "strange", "unchecked"};

const char *key_slot_state_name(KeySlotState state)
{
    return state_names[state];
}

void key_slot_info_clear(KeySlotInfo *i)
{
    free(i->name);
    strlist_free(&i->databases);
    *i = (KeySlotInfo){0};
}

void key_slot_list_clear(KeySlotList *l)
{
    for (size_t i = 0; i < l->count; i++)
        key_slot_info_clear(&l->items[i]);
    free(l->items);
    *l = (KeySlotList){0};
}

static void tell(const KeySlot *slot, const SlotBody *body, KeySlotState state, const Keys *held,
                 KeySlotInfo *out)
{
    memcpy(out->id, slot->id, sizeof out->id);
    out->kind = slot->kind;
    out->name = mem_strdup(slot->name);
    out->created = slot->created;
    out->state = state;
    out->ours = !strcmp(held->slot, slot->id);
    strlist_copy(&out->databases, &body->databases);
}

static Error *need_keys(Repo *r, bool full, const Keys **out)
{
    *out = repo_held(r);
    if (!*out)
        return error_hint(
            ERROR_NEW(ERR_KEY, "the repository %s is not encrypted: it has no keys", repo_where(r)),
            "pgstow copy --all --to NEW copies it into an encrypted one");
    if (full && !keyring_full((*out)->ring))
        return error_hint(
            ERROR_NEW(ERR_KEY, "a key that may only write backups cannot change keys"),
            "use the repository's passphrase, or a full key file");
    return NULL;
}

/* The sets as they are now: others may have rotated since the repository was opened. */
static Error *load_ring(Repo *r, const Keys *held, Keyring **out)
{
    return key_chain_load(repo_store(r), held->config, held->slot, &held->body, out);
}

/* A slot with what it hides, as far as the last set of the ring tells. */
typedef struct Known {
    KeySlot slot;
    SlotBody body;
    KeySlotState state;
} Known;
typedef struct KnownList {
    Known *items;
    size_t count, cap;
} KnownList;
static void known_list_clear(KnownList *l)
{
    for (size_t i = 0; i < l->count; i++) {
        key_slot_clear(&l->items[i].slot);
        slot_body_clear(&l->items[i].body);
    }
    free(l->items);
    *l = (KnownList){0};
}
DEFINE_AUTO_VALUE(KnownList, known_list_clear)

static int by_created(const void *a, const void *b)
{
    const Known *x = a, *y = b;
    return x->slot.created != y->slot.created ? (x->slot.created > y->slot.created ? 1 : -1)
                                              : strcmp(x->slot.id, y->slot.id);
}

static bool is_foreign(const Error *e)
{
    return error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_REPO_UNSUPPORTED ||
           error_kind(e) == ERR_LIMIT;
}

static Error *look_at(Repo *r, const Keys *held, const Keyring *ring, uint64_t set, const char *id,
                      Known *out)
{
    Error *e = key_slot_get(repo_store(r), id, &out->slot);
    if (e && is_foreign(e)) {
        error_drop(e);
        memcpy(out->slot.id, id, strlen(id) + 1);
        out->slot.name = mem_strdup("");
        out->slot.bound = mem_strdup("");
        out->state = KEY_SLOT_STRANGE;
        return NULL;
    }
    TRY(e);
    if (!keyring_full(ring)) {
        bool ours = !strcmp(id, held->slot);
        out->state = ours ? KEY_SLOT_GOOD : KEY_SLOT_UNCHECKED;
        if (ours)
            strlist_copy(&out->body.databases, &held->body.databases);
        return NULL;
    }
    e = key_set_escrow(repo_store(r), repo_id(r), &out->slot, set, ring, &out->body);
    if (e && !is_foreign(e) && error_kind(e) != ERR_NOT_FOUND)
        return e;
    out->state = !e                               ? KEY_SLOT_GOOD
                 : error_kind(e) == ERR_NOT_FOUND ? KEY_SLOT_BEHIND
                                                  : KEY_SLOT_STRANGE;
    error_drop(e);
    return NULL;
}

/* All slots; `set` is the one whose escrow is asked. */
static Error *find_all(Repo *r, const Keys *held, const Keyring *ring, uint64_t set, KnownList *out)
{
    AUTO_VALUE(StrList) ids = {0};
    TRY(key_slot_ids(repo_store(r), &ids));
    for (size_t i = 0; i < ids.count; i++) {
        mem_grow(out->items, out->count, out->cap);
        Known *one = &out->items[out->count++];
        *one = (Known){0};
        Error *e = look_at(r, held, ring, set, ids.items[i], one);
        if (e && error_kind(e) == ERR_NOT_FOUND) { /* somebody removes it */
            error_drop(e);
            out->count--;
            continue;
        }
        TRY(e);
    }
    mem_sort(out->items, out->count, sizeof *out->items, by_created);
    return NULL;
}

static uint64_t last_set(const Keyring *ring)
{
    return keyring_set_id(ring, keyring_count(ring) - 1);
}

static void list_of(const KnownList *known, const Keys *held, const Keyring *ring, KeySlotList *out)
{
    for (size_t i = 0; i < known->count; i++) {
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count] = (KeySlotInfo){0};
        tell(&known->items[i].slot, &known->items[i].body, known->items[i].state, held,
             &out->items[out->count++]);
    }
    out->epoch = keyring_set_epoch(ring, keyring_count(ring) - 1);
}

Error *keys_list(Repo *r, KeySlotList *out)
{
    const Keys *held;
    AUTO(Keyring) ring = NULL;
    AUTO_VALUE(KnownList) known = {0};
    TRY(need_keys(r, false, &held));
    TRY(load_ring(r, held, &ring));
    TRY(find_all(r, held, ring, last_set(ring), &known));
    list_of(&known, held, ring, out);
    return NULL;
}

/* -- adding --------------------------------------------------------------------------------------
 */

static Error *put_sets(Repo *r, const KeySlot *slot, const SlotBody *body, const Keyring *ring,
                       size_t from)
{
    for (size_t i = from; i < keyring_count(ring); i++)
        TRY(key_set_put(repo_store(r), repo_id(r), slot, body, ring, keyring_set_id(ring, i)));
    return NULL;
}

/* Whoever rotated before the slot was to be seen has left it out. */
static Error *catch_up(Repo *r, const Keys *held, const KeySlot *slot, const SlotBody *body,
                       size_t known)
{
    for (int look = 0; look < LOOKS_MAX; look++) {
        uint32_t epochs;
        TRY(key_chain_length(repo_store(r), &epochs));
        if (epochs <= known)
            return NULL;
        AUTO(Keyring) ring = NULL;
        TRY(load_ring(r, held, &ring));
        TRY(put_sets(r, slot, body, ring, known));
        known = keyring_count(ring);
    }
    FAIL(ERR_BUSY, "keys are rotated all the time");
}

static void delete_all(Repo *r, const char *slot)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO(char) prefix = mem_printf(KEYS_FOLDER "%s.", slot);
    error_drop(note_names(repo_store(r), KEYS_FOLDER, &names));
    for (size_t i = 0; i < names.count; i++)
        if (text_starts(names.items[i], prefix))
            error_drop(store_delete(repo_store(r), names.items[i]));
}

static Error *name_is_free(const KnownList *known, const char *name)
{
    for (size_t i = 0; i < known->count; i++)
        if (!strcmp(known->items[i].slot.name, name))
            return error_hint(ERROR_NEW(ERR_EXISTS, "there is a key slot \"%s\" already", name),
                              "choose another name");
    return NULL;
}

static Error *add_slot(Repo *r, const Keys *held, const KeySlot *slot, const SlotBody *body,
                       const Key *key, const Keyring *ring)
{
    FAULT_POINT("keys.add.begin");
    TRY(put_sets(r, slot, body, ring, 0));
    FAULT_POINT("keys.add.sets");
    TRY(key_slot_put(repo_store(r), repo_id(r), slot, key, body));
    FAULT_POINT("keys.add.slot");
    return catch_up(r, held, slot, body, keyring_count(ring));
}

Error *keys_add(Repo *r, KeyKind kind, const char *name, const StrList *databases, const Key *key,
                KeySlotInfo *out)
{
    const Keys *held;
    AUTO(Keyring) ring = NULL;
    AUTO_VALUE(KnownList) known = {0};
    AUTO_VALUE(KeySlot) slot = {0};
    AUTO_VALUE(SlotBody) body = {0};
    TRY(repo_may(r, REPO_WRITE));
    TRY(need_keys(r, true, &held));
    if ((kind == KEY_PASSPHRASE) == key->file ||
        (kind == KEY_WRITE_ONLY) != (databases && databases->count > 0) ||
        (databases && databases->count > KEY_DATABASES_MAX))
        FAIL(ERR_INTERNAL, "a slot of kind %s with such a key", key_kind_name(kind));
    TRY(load_ring(r, held, &ring));
    TRY(find_all(r, held, ring, last_set(ring), &known));
    TRY(name_is_free(&known, name));
    key_slot_new(kind, name, databases, &slot, &body);
    Error *e = add_slot(r, held, &slot, &body, key, ring);
    if (e) {
        /* What stands behind would be a way in that nobody was told of. */
        delete_all(r, slot.id);
        return error_context(e, "adding a key slot");
    }
    tell(&slot, &body, KEY_SLOT_GOOD, held, out);
    return NULL;
}

/* -- removing -------------------------------------------------------------------------------------
 */

/* A name may look like the beginning of another's id, and somebody without keys can call a slot of
 * his as he likes: then it means several. */
static Error *choose(const KnownList *known, const char *which, const Known **out)
{
    size_t found = 0;
    for (size_t i = 0; i < known->count; i++) {
        const KeySlot *slot = &known->items[i].slot;
        bool whole = !strcmp(slot->id, which);
        if (!whole && strcmp(slot->name, which) != 0 && !(*which && text_starts(slot->id, which)))
            continue;
        *out = &known->items[i];
        found++;
        if (whole) { /* nobody's name takes that from it */
            found = 1;
            break;
        }
    }
    AUTO(char) shown = text_printable(which);
    if (found > 1)
        return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" means several key slots", shown),
                          "write more of the id: \"pgstow key list\"");
    if (!found)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no key slot \"%s\"", shown),
                          "\"pgstow key list\" shows them");
    return NULL;
}

static size_t count_full(const KnownList *known, const char *without)
{
    size_t n = 0;
    for (size_t i = 0; i < known->count; i++)
        n += known->items[i].state == KEY_SLOT_GOOD &&
             known->items[i].body.kind != KEY_WRITE_ONLY &&
             strcmp(known->items[i].slot.id, without) != 0;
    return n;
}

static Error *last_one(void)
{
    return error_hint(
        ERROR_NEW(ERR_CONFLICT, "this is the last key that can read the repository; it stays"),
        "add another one first: pgstow key add");
}

Error *keys_remove(Repo *r, const char *which, KeySlotInfo *out)
{
    const Keys *held;
    const Known *one = NULL;
    AUTO(Keyring) ring = NULL;
    AUTO_VALUE(KnownList) known = {0};
    AUTO_VALUE(KnownList) after = {0};
    AUTO_VALUE(Buf) bytes = {0};
    char name[KEY_NAME_TEXT];
    Store *s = repo_store(r);
    TRY(repo_may(r, REPO_DELETE));
    TRY(need_keys(r, true, &held));
    TRY(load_ring(r, held, &ring));
    TRY(find_all(r, held, ring, last_set(ring), &known));
    TRY(choose(&known, which, &one));
    if (!count_full(&known, one->slot.id))
        return last_one();
    /* The slot first: without it its sets open to nobody, and the other way round it would be a
     * slot that opens nothing. */
    key_slot_name(one->slot.id, name);
    bool strange = one->state == KEY_SLOT_STRANGE; /* any size; nobody will want it back */
    if (!strange)
        TRY(store_get_all(s, name, KEY_NOTE_MAX, &bytes));
    FAULT_POINT("keys.remove.begin");
    TRY(store_delete(s, name));
    FAULT_POINT("keys.remove.slot");
    /* Two who each remove one of the last two find out here; both take it back. */
    Error *e = find_all(r, held, ring, last_set(ring), &after);
    if (!e && !count_full(&after, one->slot.id))
        e = last_one();
    if (e) {
        Error *back = strange ? NULL : store_put(s, name, bytes.data, bytes.len);
        return back ? error_cause(error_context(back, "putting back what was removed"), e) : e;
    }
    delete_all(r, one->slot.id);
    FAULT_POINT("keys.remove.sets");
    tell(&one->slot, &one->body, one->state, held, out);
    return NULL;
}

/* -- rotating -------------------------------------------------------------------------------------
 */

static Error *refuse_not_good(const KnownList *known)
{
    for (size_t i = 0; i < known->count; i++) {
        const Known *k = &known->items[i];
        AUTO(char) name = text_printable(k->slot.name);
        if (k->state == KEY_SLOT_STRANGE)
            return error_hint(ERROR_NEW(ERR_DAMAGED,
                                        "key slot %s (\"%s\") was changed, or made by somebody "
                                        "without the repository's keys: it gets no new keys",
                                        k->slot.id, name),
                              "pgstow key remove %s, then rotate again", k->slot.id);
        if (k->state == KEY_SLOT_BEHIND)
            return error_hint(ERROR_NEW(ERR_CONFLICT,
                                        "key slot %s (\"%s\") lacks the newest key set: adding it "
                                        "did not come to its end",
                                        k->slot.id, name),
                              "pgstow key remove %s, then add it anew", k->slot.id);
    }
    return NULL;
}

/* The new set to all slots that have not got it; `known` by the escrow of the set before. */
static Error *hand_out(Repo *r, const KnownList *known, const Keyring *ring)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->items[i].state == KEY_SLOT_GOOD)
            TRY(key_set_put(repo_store(r), repo_id(r), &known->items[i].slot, &known->items[i].body,
                            ring, last_set(ring)));
    return NULL;
}

static void take_back(Repo *r, const KnownList *known, uint64_t set)
{
    char name[KEY_NAME_TEXT];
    for (size_t i = 0; i < known->count; i++)
        error_drop(store_delete(repo_store(r), key_set_name(known->items[i].slot.id, set, name)));
}

static Error *begin_epoch(Repo *r, const KnownList *known, const Keyring *ring)
{
    FAULT_POINT("keys.rotate.begin");
    TRY(hand_out(r, known, ring));
    FAULT_POINT("keys.rotate.sets");
    return key_chain_extend(repo_store(r), repo_id(r), ring);
}

Error *keys_rotate(Repo *r, KeySlotList *out)
{
    const Keys *held;
    AUTO(Keyring) ring = NULL;
    AUTO_VALUE(KnownList) before = {0};
    AUTO_VALUE(KnownList) again = {0};
    AUTO_VALUE(KnownList) after = {0};
    TRY(repo_may(r, REPO_WRITE));
    TRY(need_keys(r, true, &held));
    TRY(load_ring(r, held, &ring));
    uint64_t old = last_set(ring);
    TRY(find_all(r, held, ring, old, &before));
    TRY(refuse_not_good(&before));
    uint64_t set = keyring_make_set(ring);
    Error *e = begin_epoch(r, &before, ring);
    if (e) {
        bool exists = error_kind(e) == ERR_EXISTS;
        if (exists)
            take_back(r, &before, set);
        return exists ? error_hint(error_rekind(e, ERR_BUSY), "keys were rotated by another run")
                      : error_context(e, "rotating keys");
    }
    FAULT_POINT("keys.rotate.epoch");
    /* Slots that were added meanwhile; who added them may have looked too early. */
    TRY(find_all(r, held, ring, old, &again));
    TRY(hand_out(r, &again, ring));
    TRY(find_all(r, held, ring, set, &after));
    list_of(&after, held, ring, out);
    return NULL;
}
