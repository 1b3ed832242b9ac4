#include "repo/key_slot.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "crypto/hash.h"
#include "crypto/salted.h"
#include "repo/repo_internal.h"

#define SLOT_ENDING ".slot"
#define SEALED "sealed"
#define SEALED_MAX (1u << 20)

_Static_assert(KEY_SALT_BYTES == SALTED_SALT_BYTES, "one kind of salt");

static const char *const kind_names[KEY_KINDS] = {"passphrase", "key-file", "recovery",
                                                  "write-only"};

const char *key_kind_name(KeyKind kind)
{
    return kind_names[kind];
}

void key_clear(Key *k)
{
    secret_free(k->secret);
    free(k->from);
    *k = (Key){0};
}

void slot_body_clear(SlotBody *b)
{
    secret_free(b->secret);
    strlist_free(&b->databases);
    *b = (SlotBody){0};
}

void key_slot_clear(KeySlot *s)
{
    free(s->name);
    free(s->bound);
    buf_free(&s->sealed);
    *s = (KeySlot){0};
}

char *key_slot_name(const char *slot, char *out)
{
    snprintf(out, KEY_NAME_TEXT, KEYS_FOLDER "%s" SLOT_ENDING, slot);
    return out;
}

char *key_set_name(const char *slot, uint64_t set, char *out)
{
    snprintf(out, KEY_NAME_TEXT, KEYS_FOLDER "%s.%016llx", slot, (unsigned long long)set);
    return out;
}

static Error *add_id(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    uint8_t id[KEY_SLOT_TEXT / 2];
    AUTO(char) slot = mem_strndup(name + strlen(KEYS_FOLDER), KEY_SLOT_TEXT - 1);
    if (text_ends(name, SLOT_ENDING) && text_unhex(slot, id, sizeof id) &&
        strlen(name) == strlen(KEYS_FOLDER) + strlen(slot) + strlen(SLOT_ENDING))
        strlist_add(ctx, slot);
    return NULL;
}

Error *key_slot_ids(Store *s, StrList *out)
{
    return store_list(s, KEYS_FOLDER, add_id, out);
}

char *key_bound(const Doc *d, const char *last)
{
    char *text = doc_print(d, false);
    AUTO(char) key = mem_printf(", \"%s\": ", last);
    char *cut = NULL;
    /* In a string the quotes would be escaped, so the last one found is the key. Without it there
     * is nothing to be vouched for, and all of the text is what nobody has signed. */
    for (char *p = text; (p = strstr(p, key)); p++)
        cut = p;
    if (cut)
        *cut = '\0';
    return text;
}

bool key_is_last(const Doc *d, const char *key)
{
    size_t n = doc_count(d);
    return n && !strcmp(doc_key_at(d, n - 1), key);
}

/* -- what is sealed ---------------------------------------------------------------------------- */

/* Additional data: what it is, of which repository. */
static void say_what(Buf *aad, const char *what, const char *repo_id, const char *text)
{
    buf_block_str(aad, what);
    buf_block_str(aad, repo_id);
    buf_block_str(aad, text);
}

static void write_body(const SlotBody *b, Secret **out)
{
    AUTO_VALUE(Buf) head = {0};
    AUTO_VALUE(Buf) tail = {0};
    buf_u8(&head, (uint8_t)b->kind);
    buf_varint(&tail, b->databases.count);
    for (size_t i = 0; i < b->databases.count; i++)
        buf_block_str(&tail, b->databases.items[i]);
    *out = secret_new(head.len + KEY_BYTES + tail.len);
    uint8_t *p = secret_bytes(*out);
    memcpy(p, head.data, head.len);
    memcpy(p + head.len, secret_look(b->secret), KEY_BYTES);
    memcpy(p + head.len + KEY_BYTES, tail.data, tail.len);
}

static Error *read_body(const Secret *from, SlotBody *out)
{
    AUTO_VALUE(SlotBody) b = {0};
    Reader r = reader_over(secret_look(from), secret_length(from), "a key slot");
    uint8_t kind;
    uint64_t count;
    const uint8_t *p;
    TRY(reader_u8(&r, &kind));
    TRY(reader_bytes(&r, KEY_BYTES, &p));
    TRY(reader_varint_max(&r, KEY_DATABASES_MAX, &count));
    if (kind >= KEY_KINDS || (kind == KEY_WRITE_ONLY) != (count > 0))
        FAIL(ERR_DAMAGED, "a key slot of an unknown kind");
    b.kind = (KeyKind)kind;
    b.secret = secret_copy(p, KEY_BYTES);
    for (uint64_t i = 0; i < count; i++) {
        AUTO(char) name = NULL;
        TRY(reader_block_str(&r, &name));
        strlist_own(&b.databases, STEAL(name));
    }
    TRY(reader_end(&r));
    *out = b;
    b = (SlotBody){0};
    return NULL;
}

static Error *unhex_buf(const Doc *d, const char *key, Buf *out)
{
    const char *hex = doc_str(d, key, "");
    size_t n = strlen(hex) / 2;
    TRY(buf_reserve(out, n + 1, SEALED_MAX));
    if (!n || !text_unhex(hex, out->data, n))
        FAIL(ERR_DAMAGED, "it has no \"%s\"", key);
    out->len = n;
    return NULL;
}

static void set_hex(Doc *d, const char *key, const void *p, size_t n)
{
    AUTO(char) hex = mem_calloc(1, 2 * n + 1);
    text_hex(p, n, hex);
    doc_set_str(d, key, hex);
}

/* -- a slot --------------------------------------------------------------------------------------
 */

/* The tests' twin may make passphrases cheap; the program that people install has no such door. */
static void slot_cost(uint64_t *ops, uint64_t *memory)
{
    const char *cheap = fault_setting("PGSTOW_CHEAP_PASSPHRASES");
    *ops = cheap ? 1 : PASSPHRASE_OPS;
    *memory = cheap ? 8192 : PASSPHRASE_MEMORY;
}

static Doc *slot_doc(const KeySlot *slot)
{
    char created[CLOCK_TEXT];
    Doc *d = doc_object();
    doc_set_str(d, "slot", slot->id);
    doc_set_str(d, "kind", key_kind_name(slot->kind));
    doc_set_str(d, "name", slot->name);
    doc_set_str(d, "created", clock_iso(slot->created, created));
    if (slot->kind == KEY_PASSPHRASE) {
        Doc *kdf = doc_object();
        set_hex(kdf, "salt", slot->salt, sizeof slot->salt);
        doc_set_int(kdf, "ops", (int64_t)slot->ops);
        doc_set_int(kdf, "memory", (int64_t)slot->memory);
        doc_set(d, "kdf", kdf);
    }
    return d;
}

void key_slot_new(KeyKind kind, const char *name, const StrList *databases, KeySlot *out,
                  SlotBody *body)
{
    uint8_t id[KEY_SLOT_TEXT / 2];
    random_bytes(id, sizeof id);
    text_hex(id, sizeof id, out->id);
    out->kind = body->kind = kind;
    out->name = mem_strdup(name);
    out->created = clock_now();
    if (kind == KEY_PASSPHRASE) {
        random_bytes(out->salt, sizeof out->salt);
        slot_cost(&out->ops, &out->memory);
    }
    body->secret = secret_random(KEY_BYTES);
    if (databases)
        strlist_copy(&body->databases, databases);
    AUTO(Doc) d = slot_doc(out);
    doc_set_str(d, SEALED, "");
    out->bound = key_bound(d, SEALED);
}

/* The key that seals S. */
static Error *slot_key(const KeySlot *slot, const Key *key, Secret **out)
{
    if (slot->kind == KEY_PASSPHRASE)
        return key_memo_stretch(key->memo, key->secret, slot->salt, slot->ops, slot->memory, out);
    *out = secret_copy(secret_look(key->secret), secret_length(key->secret));
    return NULL;
}

Error *key_slot_put(Store *s, const char *repo_id, const KeySlot *slot, const Key *key,
                    const SlotBody *body)
{
    AUTO_VALUE(Buf) sealed = {0};
    AUTO(Secret) opener = NULL;
    AUTO(Secret) hidden = NULL;
    AUTO_VALUE(Buf) aad = {0};
    AUTO(Doc) d = slot_doc(slot);
    char name[KEY_NAME_TEXT];
    TRY(slot_key(slot, key, &opener));
    say_what(&aad, "slot", repo_id, slot->bound);
    write_body(body, &hidden);
    salted_close(secret_look(opener), "pgstow slot", &aad, hidden, &sealed);
    set_hex(d, SEALED, sealed.data, sealed.len);
    return note_put_legible(s, key_slot_name(slot->id, name), d);
}

static Error *parse_slot(const Doc *d, const char *id, KeySlot *out)
{
    const char *kind = doc_str(d, "kind", "");
    int which = 0;
    while (which < KEY_KINDS && strcmp(kind, kind_names[which]) != 0)
        which++;
    if (which == KEY_KINDS)
        FAIL(ERR_REPO_UNSUPPORTED, "it is of a kind that this pgstow does not know");
    if (strcmp(doc_str(d, "slot", ""), id) != 0 || !key_is_last(d, SEALED))
        FAIL(ERR_DAMAGED, "it is another slot's");
    memcpy(out->id, id, sizeof out->id);
    out->kind = (KeyKind)which;
    out->name = mem_strdup(doc_str(d, "name", ""));
    Error *e = clock_parse(doc_str(d, "created", ""), &out->created);
    if (e)
        return error_rekind(e, ERR_DAMAGED);
    const Doc *kdf = doc_get(d, "kdf");
    if (out->kind == KEY_PASSPHRASE) {
        int64_t ops = doc_int(kdf, "ops", 0), memory = doc_int(kdf, "memory", 0);
        if (!text_unhex(doc_str(kdf, "salt", ""), out->salt, sizeof out->salt) || ops < 1 ||
            memory < 1)
            FAIL(ERR_DAMAGED, "it does not say how its passphrase is hashed");
        out->ops = (uint64_t)ops;
        out->memory = (uint64_t)memory;
    }
    out->bound = key_bound(d, SEALED);
    return unhex_buf(d, SEALED, &out->sealed);
}

Error *key_slot_get(Store *s, const char *id, KeySlot *out)
{
    AUTO(Doc) d = NULL;
    AUTO_VALUE(KeySlot) slot = {0};
    char name[KEY_NAME_TEXT];
    TRY(note_get_legible(s, key_slot_name(id, name), &d));
    TRY_CTX(parse_slot(d, id, &slot), "%s", name);
    *out = slot;
    slot = (KeySlot){0};
    return NULL;
}

Error *key_slot_open(const KeySlot *slot, const char *repo_id, const Key *key, SlotBody *body,
                     bool *opened)
{
    AUTO(Secret) opener = NULL;
    AUTO(Secret) hidden = NULL;
    AUTO_VALUE(Buf) aad = {0};
    *opened = false;
    if (key->file == (slot->kind == KEY_PASSPHRASE))
        return NULL;
    TRY(slot_key(slot, key, &opener));
    say_what(&aad, "slot", repo_id, slot->bound);
    if (!salted_open(secret_look(opener), "pgstow slot", &aad, slot->sealed.data, slot->sealed.len,
                     &hidden))
        return NULL;
    TRY(read_body(hidden, body));
    if (body->kind != slot->kind)
        FAIL(ERR_DAMAGED, "key slot %s is not of the kind that it says", slot->id);
    *opened = true;
    return NULL;
}

/* -- a set in a slot -----------------------------------------------------------------------------
 */

static Error *set_of(Store *s, const char *slot, uint64_t set, const char *part, Buf *out)
{
    AUTO(Doc) d = NULL;
    char name[KEY_NAME_TEXT];
    TRY(note_get_legible(s, key_set_name(slot, set, name), &d));
    TRY_CTX(unhex_buf(d, part, out), "%s", name);
    return NULL;
}

Error *key_set_put(Store *s, const char *repo_id, const KeySlot *slot, const SlotBody *body,
                   const Keyring *ring, uint64_t set)
{
    AUTO(Secret) keys = NULL;
    AUTO(Secret) hidden = NULL;
    AUTO_VALUE(Buf) aad = {0};
    AUTO_VALUE(Buf) escrow_aad = {0};
    AUTO_VALUE(Buf) sealed = {0};
    AUTO_VALUE(Buf) escrow = {0};
    AUTO(Doc) d = doc_object();
    char name[KEY_NAME_TEXT];
    key_set_name(slot->id, set, name);
    TRY(keyring_write_set(ring, set, body->kind == KEY_WRITE_ONLY ? &body->databases : NULL,
                          &keys));
    say_what(&aad, "set", repo_id, name);
    salted_close(secret_look(body->secret), "pgstow set", &aad, keys, &sealed);
    say_what(&escrow_aad, "escrow", repo_id, name);
    buf_block_str(&escrow_aad, slot->bound);
    write_body(body, &hidden);
    TRY(keyring_close_secret(ring, set, &escrow_aad, hidden, &escrow));
    set_hex(d, SEALED, sealed.data, sealed.len);
    set_hex(d, "escrow", escrow.data, escrow.len);
    Error *e = note_put_legible(s, name, d);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    /* Who adds a slot and who rotates may both have seen to it. */
    AUTO_VALUE(SlotBody) there = {0};
    error_drop(e);
    TRY(key_set_escrow(s, repo_id, slot, set, ring, &there));
    if (!hash_equal(secret_look(there.secret), secret_look(body->secret), KEY_BYTES))
        FAIL(ERR_DAMAGED, "%s is there already, and another's", name);
    return NULL;
}

Error *key_set_get(Store *s, const char *repo_id, const char *slot, uint64_t set,
                   const SlotBody *body, Keyring *ring)
{
    AUTO(Secret) keys = NULL;
    AUTO_VALUE(Buf) aad = {0};
    AUTO_VALUE(Buf) sealed = {0};
    char name[KEY_NAME_TEXT];
    TRY(set_of(s, slot, set, SEALED, &sealed));
    say_what(&aad, "set", repo_id, key_set_name(slot, set, name));
    if (!salted_open(secret_look(body->secret), "pgstow set", &aad, sealed.data, sealed.len, &keys))
        FAIL(ERR_DAMAGED, "%s was changed, or is another slot's", name);
    return keyring_read_set(ring, keys);
}

Error *key_set_escrow(Store *s, const char *repo_id, const KeySlot *slot, uint64_t set,
                      const Keyring *ring, SlotBody *body)
{
    AUTO(Secret) hidden = NULL;
    AUTO_VALUE(Buf) aad = {0};
    AUTO_VALUE(Buf) sealed = {0};
    char name[KEY_NAME_TEXT];
    TRY(set_of(s, slot->id, set, "escrow", &sealed));
    say_what(&aad, "escrow", repo_id, key_set_name(slot->id, set, name));
    buf_block_str(&aad, slot->bound);
    TRY_CTX(keyring_open_secret(ring, set, &aad, sealed.data, sealed.len, &hidden), "%s", name);
    TRY(read_body(hidden, body));
    if (body->kind != slot->kind)
        FAIL(ERR_DAMAGED, "key slot %s is not of the kind that it says", slot->id);
    return NULL;
}
