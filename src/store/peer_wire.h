/* What a peer's store and the service there say to each other about objects: the addresses, the
 * bounds, and the form of lists. */
#ifndef PGSTOW_STORE_PEER_WIRE_H
#define PGSTOW_STORE_PEER_WIRE_H

#include "base/buf.h"
#include "crypto/hash.h"

#define PEER_GET "/api/sync/download-backup"
#define PEER_PUT "/api/sync/receive-backup"
/* Of an answer that is bytes of an object: their SHA-256, and the object's whole length. */
#define PEER_HASH_HEADER "X-Pgstow-Sha256"
#define PEER_SIZE_HEADER "X-Pgstow-Size"

#define PEER_PIECE (4u << 20)        /* bytes of an object in one request, each with its SHA-256 */
#define PEER_LIST_BYTES (4u << 20)   /* of an answer that is a list; more come with the next */
#define PEER_HEAD_MAX (64u << 10)    /* of an object, that come with a list */
#define PEER_NAMES_BYTES (60u << 10) /* of names that are asked about at once */
#define PEER_UPLOAD_TEXT 33          /* what tells one writing of an object from another: hex */
#define PEER_WAIT_MAX_MS 10000       /* so long a request for how far it is may be left open */
#define PEER_ABSENT UINT64_MAX       /* the size of what is not there */

/* An object in a list; `name` and `head` are borrowed. */
typedef struct PeerObject {
    const char *name;
    uint64_t size, stamp;
    const uint8_t *head; /* its first bytes, where they were asked for */
    size_t head_bytes;
} PeerObject;
void peer_wire_add(Buf *b, const PeerObject *o);
/* `more`: the list goes on behind the last one. */
void peer_wire_end(Buf *b, bool more);

typedef Error *(*PeerEach)(void *ctx, const PeerObject *o);
/* ERR_NETWORK where it is not what was sent. */
Error *peer_wire_read(const Buf *b, PeerEach each, void *ctx, bool *more) MUST_CHECK;

#endif
