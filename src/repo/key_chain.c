#include "repo/key_chain.h"

#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "repo/repo_internal.h"

#define EPOCH KEYS_FOLDER "epoch-"
#define EPOCHS_MAX 100000
#define SET_TEXT 17

static char *set_text(uint64_t set, char *out)
{
    snprintf(out, SET_TEXT, "%016llx", (unsigned long long)set);
    return out;
}

static bool parse_set(const char *text, uint64_t *out)
{
    uint8_t bytes[8];
    *out = 0;
    if (!text_unhex(text, bytes, sizeof bytes))
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        *out = *out << 8 | bytes[i];
    return *out != 0;
}

/* Signs what stands in `d` before the key `last`. */
static Error *sign(const Keyring *ring, uint64_t set, bool full, const char *label, const Doc *d,
                   const char *last, char out[2 * KEY_BYTES + 1])
{
    uint8_t mac[KEY_BYTES];
    AUTO(char) text = key_bound(d, last);
    TRY(keyring_sign(ring, set, full, label, text, strlen(text), mac));
    text_hex(mac, sizeof mac, out);
    return NULL;
}

static bool same(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && hash_equal(a, b, strlen(a));
}

/* -- config --------------------------------------------------------------------------------------
 */

Error *key_chain_sign_config(Doc *config, const Keyring *ring)
{
    char text[SET_TEXT], mac[2 * KEY_BYTES + 1];
    uint64_t set = keyring_set_id(ring, 0);
    doc_set_str(config, "keySet", set_text(set, text));
    doc_set_str(config, "mac", "");
    TRY(sign(ring, set, false, "pgstow config", config, "mac", mac));
    doc_set_str(config, "mac", mac);
    return NULL;
}

Error *key_chain_check_config(const Doc *config, const Keyring *ring)
{
    char mac[2 * KEY_BYTES + 1];
    TRY(sign(ring, keyring_set_id(ring, 0), false, "pgstow config", config, "mac", mac));
    if (key_is_last(config, "mac") && same(mac, doc_str(config, "mac", "")))
        return NULL;
    return error_hint(
        ERROR_NEW(ERR_DAMAGED, "the config is not what the holder of the repository's keys wrote"),
        "put the file \"config\" back from a copy of this repository");
}

/* -- epochs --------------------------------------------------------------------------------------
 */

static char *epoch_name(uint32_t n, char *out)
{
    snprintf(out, KEY_NAME_TEXT, EPOCH "%u", n);
    return out;
}

Error *key_chain_length(Store *s, uint32_t *out)
{
    *out = 1;
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(s, KEYS_FOLDER, &names));
    for (size_t i = 0; i < names.count; i++)
        if (text_starts(names.items[i], EPOCH)) {
            int64_t n = 0;
            /* What is no number has nothing to say here. */
            error_drop(text_parse_int(names.items[i] + strlen(EPOCH), 2, EPOCHS_MAX, &n));
            *out = n > *out ? (uint32_t)n : *out;
        }
    return NULL;
}

Error *key_chain_extend(Store *s, const char *repo_id, const Keyring *ring)
{
    size_t n = keyring_count(ring);
    uint64_t before = keyring_set_id(ring, n - 2), set = keyring_set_id(ring, n - 1);
    char text[KEY_NAME_TEXT], mac[2 * KEY_BYTES + 1], created[CLOCK_TEXT];
    uint32_t epoch = keyring_set_epoch(ring, n - 1);
    AUTO(Doc) d = doc_object();
    doc_set_str(d, "repository", repo_id);
    doc_set_int(d, "epoch", epoch);
    doc_set_str(d, "set", set_text(set, text));
    doc_set_str(d, "created", clock_iso(clock_now(), created));
    doc_set_str(d, "fullMac", "");
    TRY(sign(ring, before, true, "pgstow epoch", d, "fullMac", mac));
    doc_set_str(d, "fullMac", mac);
    doc_set_str(d, "mac", "");
    TRY(sign(ring, before, false, "pgstow epoch", d, "mac", mac));
    doc_set_str(d, "mac", mac);
    Error *e = note_put_legible(s, epoch_name(epoch, text), d);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    /* A put that was tried again inside the store may have met itself. */
    AUTO(Doc) there = NULL;
    char name[KEY_NAME_TEXT];
    Error *unread = note_get_legible(s, epoch_name(epoch, name), &there);
    if (unread) {
        error_drop(e);
        return unread;
    }
    if (strcmp(doc_str(there, "set", ""), doc_str(d, "set", "")) != 0)
        return e;
    error_drop(e);
    return NULL;
}

/* The set of an epoch that the last set of the ring signed. Who has a write-only key cannot tell
 * whether full keys did, but what he reads next is sealed for his slot by them. */
static Error *read_epoch(Store *s, const char *repo_id, uint32_t epoch, const Keyring *ring,
                         uint64_t *set)
{
    AUTO(Doc) d = NULL;
    char name[KEY_NAME_TEXT], mac[2 * KEY_BYTES + 1];
    uint64_t before = keyring_set_id(ring, keyring_count(ring) - 1);
    Error *e = note_get_legible(s, epoch_name(epoch, name), &d);
    if (e && error_kind(e) == ERR_NOT_FOUND)
        return error_rekind(e, ERR_DAMAGED);
    TRY(e);
    TRY(sign(ring, before, false, "pgstow epoch", d, "mac", mac));
    bool good = key_is_last(d, "mac") && same(mac, doc_str(d, "mac", "")) &&
                !strcmp(doc_str(d, "repository", ""), repo_id) && doc_int(d, "epoch", 0) == epoch &&
                parse_set(doc_str(d, "set", ""), set);
    if (good && keyring_full(ring)) {
        TRY(sign(ring, before, true, "pgstow epoch", d, "fullMac", mac));
        good = same(mac, doc_str(d, "fullMac", ""));
    }
    if (!good)
        FAIL(ERR_DAMAGED, "%s was not written by who held the keys before it", name);
    return NULL;
}

static Error *load_set(Store *s, const char *repo_id, const char *slot, const SlotBody *body,
                       uint64_t set, uint32_t epoch, Keyring *ring)
{
    Error *e = key_set_get(s, repo_id, slot, set, body, ring);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return error_hint(
            ERROR_NEW(ERR_KEY, "key slot %s was left out when keys were rotated", slot),
            "use another key, and with it remove this one and add it anew "
            "(\"pgstow key\")");
    }
    TRY(e);
    size_t last = keyring_count(ring) - 1;
    if (keyring_set_id(ring, last) != set || keyring_set_epoch(ring, last) != epoch ||
        keyring_full(ring) != (body->kind != KEY_WRITE_ONLY))
        FAIL(ERR_DAMAGED, "the key set of epoch %u in slot %s is another one", epoch, slot);
    return NULL;
}

Error *key_chain_load(Store *s, const Doc *config, const char *slot, const SlotBody *body,
                      Keyring **out)
{
    AUTO(Keyring) ring = keyring_new();
    const char *repo_id = doc_str(config, "id", "");
    uint64_t set;
    uint32_t epochs;
    if (!parse_set(doc_str(config, "keySet", ""), &set))
        FAIL(ERR_DAMAGED, "the config names no key set");
    TRY(key_chain_length(s, &epochs));
    TRY(load_set(s, repo_id, slot, body, set, 1, ring));
    TRY(key_chain_check_config(config, ring));
    for (uint32_t epoch = 2; epoch <= epochs; epoch++) {
        TRY(read_epoch(s, repo_id, epoch, ring, &set));
        TRY(load_set(s, repo_id, slot, body, set, epoch, ring));
    }
    TRY(keyring_set_current(ring, set));
    *out = STEAL(ring);
    return NULL;
}
