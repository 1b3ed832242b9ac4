/* The stream of large objects, cut in two ways: what comes out must be the same. The first byte is
 * the size of the pieces. */
#include "fuzz.h"
#include "pg/load_objects.h"

typedef struct Heard {
    Buf bytes;
    uint64_t objects;
    bool inside;
} Heard;

static Error *on_begin(void *ctx, uint32_t oid)
{
    Heard *h = ctx;
    MUST(!h->inside);
    h->inside = true;
    buf_printf(&h->bytes, "<%u:", oid);
    return NULL;
}

static Error *on_bytes(void *ctx, const void *p, size_t n)
{
    Heard *h = ctx;
    MUST(h->inside && n);
    buf_add(&h->bytes, p, n);
    return NULL;
}

static Error *on_end(void *ctx)
{
    Heard *h = ctx;
    MUST(h->inside);
    h->inside = false;
    h->objects++;
    buf_add_str(&h->bytes, ">");
    return NULL;
}

static bool hear(const uint8_t *data, size_t size, size_t step, Heard *h)
{
    ObjectRecords r = {.begin = on_begin, .bytes = on_bytes, .end = on_end, .ctx = h};
    for (size_t at = 0; at < size; at += step)
        MUST(succeeded(object_records_feed(&r, data + at, size - at < step ? size - at : step)));
    return sound(object_records_end(&r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    Heard whole = {0}, pieces = {0};
    bool ends = hear(data + 1, size - 1, size, &whole);
    MUST(hear(data + 1, size - 1, (size_t)data[0] + 1, &pieces) == ends);
    MUST(!ends || !whole.inside);
    MUST(whole.objects == pieces.objects && whole.bytes.len == pieces.bytes.len);
    MUST(!whole.bytes.len || !memcmp(whole.bytes.data, pieces.bytes.data, whole.bytes.len));
    buf_free(&whole.bytes);
    buf_free(&pieces.bytes);
    return 0;
}
