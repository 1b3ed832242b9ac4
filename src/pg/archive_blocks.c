#include "pg/archive_blocks.h"

#include <limits.h>
#include <string.h>

#include "codec/unpack.h"

enum { BLOCK_DATA = 1, BLOCK_OBJECTS = 3 };
#define READ_SIZE ((size_t)256 << 10)
#define MARK "\\.\n\n\n"

/* -- the end mark ----------------------------------------------------------------------------- */

Error *copy_payload_write(CopyPayload *c, const void *data, size_t n)
{
    const char *p = data;
    size_t keep = sizeof c->held;
    /* What is held goes on as far as new bytes push it out. */
    size_t out = c->have + n > keep ? c->have + n - keep : 0;
    size_t of_held = out < c->have ? out : c->have;
    if (of_held)
        TRY(c->bytes(c->ctx, c->held, of_held));
    memmove(c->held, c->held + of_held, c->have - of_held);
    c->have -= of_held;
    if (out > of_held) {
        TRY(c->bytes(c->ctx, p, out - of_held));
        p += out - of_held;
        n -= out - of_held;
    }
    memcpy(c->held + c->have, p, n);
    c->have += n;
    return NULL;
}

Error *copy_payload_end(const CopyPayload *c)
{
    if (c->have != strlen(MARK) || memcmp(c->held, MARK, c->have))
        FAIL(ERR_ARCHIVE, "the rows do not end with the mark that pg_dump writes behind them");
    return NULL;
}

/* -- the blocks ------------------------------------------------------------------------------- */

typedef struct Blocks {
    const Toc *toc;
    TocRead read;
    void *ctx;
    const ArchiveTake *take;
    Buf buf;
    size_t at;     /* in buf */
    uint64_t base; /* where buf begins in the input, for messages */
    bool *met;     /* for each entry of the TOC */
} Blocks;

static Error *broken(const Blocks *b, const char *what) MUST_CHECK;
static Error *broken(const Blocks *b, const char *what)
{
    return ERROR_NEW(ERR_ARCHIVE, "the archive: at byte %llu of its data: %s",
                     (unsigned long long)(b->base + b->at), what);
}

/* At least one byte more, or *end. */
static Error *fill(Blocks *b, bool *end)
{
    *end = false;
    if (b->at < b->buf.len)
        return NULL;
    b->base += b->buf.len;
    b->at = b->buf.len = 0;
    TRY(buf_reserve(&b->buf, READ_SIZE, SIZE_MAX / 2));
    size_t got = 0;
    TRY(b->read(b->ctx, b->buf.data, READ_SIZE, &got));
    b->buf.len = got;
    *end = !got;
    return NULL;
}

static Error *read_byte(Blocks *b, int *out)
{
    bool end;
    TRY(fill(b, &end));
    if (end)
        return broken(b, "it ends too early");
    *out = b->buf.data[b->at++];
    return NULL;
}

/* An Int as it is: large objects' numbers above 2^31 come as negative ones. */
static Error *read_int(Blocks *b, int64_t *out)
{
    int sign, byte;
    uint64_t v = 0;
    TRY(read_byte(b, &sign));
    for (int i = 0; i < b->toc->int_size; i++) {
        TRY(read_byte(b, &byte));
        if (i >= 8 && byte)
            return broken(b, "a number out of range");
        if (i < 8)
            v |= (uint64_t)byte << (8 * i);
    }
    if (sign > 1 || v > UINT32_MAX)
        return broken(b, "a number out of range");
    *out = sign ? -(int64_t)v : (int64_t)v;
    return NULL;
}

static UnpackForm form_of(const Toc *t)
{
    if (t->minor < 15)
        return t->compression ? UNPACK_ZLIB : UNPACK_NONE;
    static const UnpackForm forms[] = {UNPACK_NONE, UNPACK_ZLIB, UNPACK_LZ4, UNPACK_ZSTD};
    return forms[t->compression & 3];
}

/* {length > 0, bytes}*, 0: one compressed stream. A stream of nothing may be no bytes at all. */
static Error *read_pieces(Blocks *b, UnpackTake take, void *ctx)
{
    AUTO(Unpack) u = NULL;
    bool any = false;
    TRY(unpack_open(form_of(b->toc), take, ctx, &u));
    for (;;) {
        int64_t left;
        TRY(read_int(b, &left));
        if (left < 0)
            return broken(b, "a piece of negative length");
        if (!left)
            break;
        any = true;
        while (left) {
            bool end;
            TRY(fill(b, &end));
            if (end)
                return broken(b, "it ends inside a piece");
            size_t n = b->buf.len - b->at;
            if ((int64_t)n > left)
                n = (size_t)left;
            TRY(unpack_write(u, b->buf.data + b->at, n));
            b->at += n;
            left -= (int64_t)n;
        }
    }
    return any ? unpack_finish(u) : NULL;
}

static Error *take_payload(void *ctx, const void *p, size_t n)
{
    return copy_payload_write(ctx, p, n);
}

static Error *read_table(Blocks *b)
{
    CopyPayload payload = {.bytes = b->take->bytes, .ctx = b->take->ctx};
    TRY(read_pieces(b, take_payload, &payload));
    return copy_payload_end(&payload);
}

static Error *read_objects(Blocks *b)
{
    for (;;) {
        int64_t oid;
        TRY(read_int(b, &oid));
        if (!oid)
            return NULL;
        TRY(b->take->object_begin(b->take->ctx, (uint32_t)oid));
        TRY(read_pieces(b, b->take->bytes, b->take->ctx));
        TRY(b->take->object_end(b->take->ctx));
    }
}

static Error *read_block(Blocks *b, int kind)
{
    int64_t id;
    TRY(read_int(b, &id));
    const TocEntry *e = id > 0 && id <= INT_MAX ? toc_find(b->toc, (int)id) : NULL;
    if (!e || !toc_has_block(e) || toc_is_table_data(e) != (kind == BLOCK_DATA))
        return broken(b, "a block belongs to no entry of the table of contents");
    bool *met = &b->met[e - b->toc->entries];
    if (*met)
        return broken(b, "an entry has two blocks");
    *met = true;
    TRY(b->take->begin(b->take->ctx, e));
    TRY_CTX(kind == BLOCK_DATA ? read_table(b) : read_objects(b), "%s %s", e->desc, e->tag);
    return b->take->end(b->take->ctx);
}

static Error *read_all(Blocks *b)
{
    buf_add(&b->buf, b->toc->rest.data, b->toc->rest.len);
    for (;;) {
        bool end;
        int kind;
        TRY(fill(b, &end));
        if (end)
            break;
        TRY(read_byte(b, &kind));
        if (kind != BLOCK_DATA && kind != BLOCK_OBJECTS)
            return broken(b, "an unknown kind of block");
        TRY(read_block(b, kind));
    }
    for (size_t i = 0; i < b->toc->count; i++) {
        const TocEntry *e = &b->toc->entries[i];
        if (toc_has_block(e) && e->offset_flag != TOC_OFFSET_NO_DATA && !b->met[i])
            FAIL(ERR_ARCHIVE, "the archive ends before the data of %s %s", e->desc, e->tag);
    }
    return NULL;
}

Error *archive_blocks_read(const Toc *toc, TocRead read, void *ctx, const ArchiveTake *take)
{
    Blocks b = {.toc = toc, .read = read, .ctx = ctx, .take = take};
    b.met = mem_calloc(toc->count, sizeof *b.met);
    Error *e = read_all(&b);
    free(b.met);
    buf_free(&b.buf);
    return e;
}
