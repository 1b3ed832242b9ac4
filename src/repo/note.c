#include "repo/repo_internal.h"

#include <string.h>

#include "base/text.h"

#define NOTE_MAX (64u << 20)   /* a session that names a million packs */
#define LEGIBLE_MAX (1u << 20) /* config, keys: anybody may have written them */
#define LINE_HASH (2 * HASH_BYTES)

static void line_hash(const void *p, size_t n, char out[LINE_HASH + 1])
{
    AUTO(Hash) h = hash_new();
    uint8_t whole[HASH_BYTES];
    hash_once(h, p, n, whole);
    text_hex(whole, HASH_BYTES, out);
}

void note_encode(const Doc *d, Buf *out)
{
    AUTO(char) json = doc_print(d, false);
    char hash[LINE_HASH + 1];
    line_hash(json, strlen(json), hash);
    buf_printf(out, "%s\n%s\n", json, hash);
}

Error *note_decode(const void *p, size_t n, const char *what, Doc **out)
{
    const char *text = p;
    const char *newline = n ? memchr(text, '\n', n) : NULL;
    size_t line = newline ? (size_t)(newline - text) : 0;
    char hash[LINE_HASH + 1];
    if (!newline || n != line + 1 + LINE_HASH + 1 || text[n - 1] != '\n')
        FAIL(ERR_DAMAGED, "%s is damaged: it is not a line and its hash", what);
    line_hash(text, line, hash);
    if (memcmp(hash, newline + 1, LINE_HASH) != 0)
        FAIL(ERR_DAMAGED, "%s is damaged: its hash does not match", what);
    return doc_parse(text, line, what, out);
}

/* -- sealed ---------------------------------------------------------------------------------- */

static const uint8_t magic[8] = {'P', 'G', 'S', 'T', 'O', 'W', 'N', 'T'};

static Part note_part(const Buf *name)
{
    return (Part){PART_COMMON, OBJECT_NOTE, 0, name};
}

Error *note_seal(const Keyring *k, const char *name, const Doc *d, Buf *out)
{
    if (!k) {
        note_encode(d, out);
        return NULL;
    }
    AUTO(ObjectKeys) keys = NULL;
    AUTO(Hash) hash = hash_new();
    AUTO(char) json = doc_print(d, false);
    AUTO_VALUE(Buf) aad = {0};
    uint8_t check[CHECK_BYTES];
    TRY(object_keys_new_note(k, &keys));
    buf_block_str(&aad, name);
    Part part = note_part(&aad);
    buf_add(out, magic, sizeof magic);
    buf_u16(out, FORMAT_VERSION);
    object_keys_write(keys, out);
    size_t at = out->len, n = strlen(json);
    buf_add(out, json, n);
    part_close(keys, &part, hash, out->data + at, n, check);
    buf_add(out, check, sizeof check);
    return NULL;
}

static Error *open_sealed(const Keyring *k, const char *name, const void *p, size_t n, Doc **out)
{
    Reader r = reader_over(p, n, name);
    const uint8_t *at, *block;
    uint16_t version, length;
    uint64_t set;
    TRY(reader_bytes(&r, sizeof magic, &at));
    TRY(reader_u16(&r, &version));
    TRY(reader_u64(&r, &set));
    TRY(reader_u16(&r, &length));
    TRY(reader_bytes(&r, length, &block));
    size_t left = reader_left(&r);
    if (memcmp(at, magic, sizeof magic) != 0 || version != FORMAT_VERSION || left < CHECK_BYTES)
        FAIL(ERR_DAMAGED, "it is no sealed note");
    AUTO(ObjectKeys) keys = NULL;
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) aad = {0};
    TRY(object_keys_open(k, set, block, length, "pgstow note", &keys));
    buf_add(&text, r.at, left - CHECK_BYTES);
    buf_block_str(&aad, name);
    Part part = note_part(&aad);
    TRY(part_open(keys, &part, hash, text.data, text.len, r.at + text.len, "its"));
    return doc_parse((const char *)text.data, text.len, name, out);
}

Error *note_open(const Keyring *k, const char *name, const void *p, size_t n, Doc **out)
{
    if (!k)
        return note_decode(p, n, name, out);
    return error_context(open_sealed(k, name, p, n, out), "%s", name);
}

/* -- in the store ---------------------------------------------------------------------------- */

Error *note_put_legible(Store *s, const char *name, const Doc *d)
{
    AUTO_VALUE(Buf) b = {0};
    note_encode(d, &b);
    return store_put(s, name, b.data, b.len);
}

Error *note_put(Repo *r, const char *name, const Doc *d)
{
    AUTO_VALUE(Buf) b = {0};
    TRY(note_seal(repo_keys(r), name, d, &b));
    return store_put(repo_store(r), name, b.data, b.len);
}

static Error *add_name(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    strlist_add(ctx, name);
    return NULL;
}

Error *note_names(Store *s, const char *prefix, StrList *out)
{
    return store_list(s, prefix, add_name, out);
}

Error *note_get_legible(Store *s, const char *name, Doc **out)
{
    AUTO_VALUE(Buf) b = {0};
    TRY(store_get_all(s, name, LEGIBLE_MAX, &b));
    return note_decode(b.data, b.len, name, out);
}

Error *note_get(Repo *r, const char *name, Doc **out)
{
    AUTO_VALUE(Buf) b = {0};
    TRY(store_get_all(repo_store(r), name, NOTE_MAX, &b));
    return note_open(repo_keys(r), name, b.data, b.len, out);
}
