#include "store/peer_wire.h"

#include <string.h>

/* Each object: 1, its name (block), size, stamp, the first bytes (block). Then 0, or 2 where the
 * list goes on, and the SHA-256 of all that. */
enum { WIRE_END, WIRE_OBJECT, WIRE_MORE };

void peer_wire_add(Buf *b, const PeerObject *o)
{
    buf_u8(b, WIRE_OBJECT);
    buf_block_str(b, o->name);
    buf_u64(b, o->size);
    buf_u64(b, o->stamp);
    buf_block(b, o->head, o->head_bytes);
}

void peer_wire_end(Buf *b, bool more)
{
    AUTO(Hash) hash = hash_new();
    uint8_t sum[HASH_BYTES];
    buf_u8(b, more ? WIRE_MORE : WIRE_END);
    hash_once(hash, b->data, b->len, sum);
    buf_add(b, sum, sizeof sum);
}

static Error *read_object(Reader *r, PeerEach each, void *ctx)
{
    AUTO(char) name = NULL;
    PeerObject o = {0};
    TRY(reader_block_str(r, &name));
    TRY(reader_u64(r, &o.size));
    TRY(reader_u64(r, &o.stamp));
    TRY(reader_block(r, &o.head, &o.head_bytes));
    o.name = name;
    return each(ctx, &o);
}

static Error *read_all(Reader *r, PeerEach each, void *ctx, bool *more)
{
    uint8_t what;
    TRY(reader_u8(r, &what));
    while (what == WIRE_OBJECT) {
        TRY(read_object(r, each, ctx));
        TRY(reader_u8(r, &what));
    }
    *more = what == WIRE_MORE;
    return reader_end(r);
}

Error *peer_wire_read(const Buf *b, PeerEach each, void *ctx, bool *more)
{
    AUTO(Hash) hash = hash_new();
    uint8_t sum[HASH_BYTES];
    size_t n = b->len > HASH_BYTES ? b->len - HASH_BYTES : 0;
    hash_once(hash, b->data, n, sum);
    if (!n || memcmp(sum, b->data + n, HASH_BYTES) != 0)
        FAIL(ERR_NETWORK, "a list of objects arrived otherwise than it was sent");
    Reader r = reader_over(b->data, n, "a list of objects");
    return read_all(&r, each, ctx, more);
}
