/* Lists of objects that a peer sends: as they are, and with the right hash behind them. What is
 * read of one, written again, is the list. */
#include "fuzz.h"
#include "store/peer_wire.h"

static Error *again(void *ctx, const PeerObject *o)
{
    MUST(o->name && (o->head || !o->head_bytes));
    peer_wire_add(ctx, o);
    return NULL;
}

static void read_list(const Buf *list)
{
    AUTO_VALUE(Buf) written = {0};
    bool more;
    Error *e = peer_wire_read(list, again, &written, &more);
    MUST(!e || error_kind(e) == ERR_NETWORK || error_kind(e) == ERR_DAMAGED);
    if (!succeeded(e))
        return;
    peer_wire_end(&written, more);
    AUTO_VALUE(Buf) twice = {0};
    bool more_again;
    MUST(succeeded(peer_wire_read(&written, again, &twice, &more_again)));
    MUST(more == more_again);
    /* Lengths may have been written in more bytes than they need. */
    MUST(written.len <= list->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) list = {0};
    uint8_t sum[HASH_BYTES];
    buf_add(&list, data, size);
    read_list(&list);
    hash_once(hash, data, size, sum);
    buf_add(&list, sum, sizeof sum);
    read_list(&list);
    return 0;
}
