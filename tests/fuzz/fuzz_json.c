/* Values of every type as JSON, text of other encodings, and what is JSON. */
#include "fuzz.h"
#include "pg/encoding.h"
#include "pg/json_value.h"

static Error *collect(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}

/* The first byte says which type; whatever is written is JSON, on one line. */
static void write_value(uint8_t which, const char *p, size_t n)
{
    static const char *const bases[] = {"bool",     "int4",       "numeric", "timestamptz",
                                        "jsonb",    "text",       "_bool",   "_int4",
                                        "_numeric", "_timestamp", "_text",   "_bytea"};
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(TextOut) out = {.take = collect, .ctx = &b};
    JsonType type = json_value_type(bases[which % (sizeof bases / sizeof *bases)]);
    if (!sound(json_value(&out, type, p, n)))
        return;
    MUST(succeeded(text_out_flush(&out)));
    MUST(json_value_is_document((const char *)b.data, b.len));
    MUST(!memchr(b.data, '\n', b.len) && !memchr(b.data, '\r', b.len));
}

static void convert(uint8_t which, const char *p, size_t n)
{
    static const char *const names[] = {"LATIN1", "EUC_JP", "GB18030", "SQL_ASCII", "UHC", "BIG5"};
    AUTO(Encoding) e = NULL;
    AUTO_VALUE(Buf) b = {0};
    if (!succeeded(encoding_open(names[which % (sizeof names / sizeof *names)], &e)) ||
        !sound(encoding_to_utf8(e, p, n, &b)))
        return;
    size_t at = 0, length;
    while (at < b.len && (length = encoding_utf8_length((const char *)b.data + at, b.len - at)))
        at += length;
    MUST(at == b.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const char *p = (const char *)data + 1;
    write_value(data[0], p, size - 1);
    convert(data[0], p, size - 1);
    return 0;
}
