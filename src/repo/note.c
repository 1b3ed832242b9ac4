#include "repo/repo_internal.h"

#include <string.h>

#include "base/text.h"

#define NOTE_MAX (64u << 20) /* a session that names a million packs */
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

Error *note_put(Store *s, const char *name, const Doc *d)
{
    AUTO_VALUE(Buf) b = {0};
    note_encode(d, &b);
    return store_put(s, name, b.data, b.len);
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

Error *note_get(Store *s, const char *name, Doc **out)
{
    AUTO_VALUE(Buf) b = {0};
    TRY(store_get_all(s, name, NOTE_MAX, &b));
    return note_decode(b.data, b.len, name, out);
}
