/* The bytes of a pack: its header, the envelopes of its frames, its footer. docs/format.md says
 * the same for people who write readers.
 *
 * header    "PGSTOWPK", u16 version, u8 kind, u8 hash kind (1: SHA-256), session (12 bytes), u32 n,
 *           u64 key-set id (0: plain), u16 length of the key block (0 in a plain repository) and
 * the key block (repo/object_keys.c); check envelope  u32 length of the frame's header; header;
 * check; payload; check frame's   u8 codec; varints: raw length, stored length of the payload, oid,
 * piece, column-list id header    (0), number of chunks; for every chunk a varint length and its id
 * (20 bytes) footer    varints: number of frames; for every frame, by rising number: number,
 * offset, length of the envelope, length of the header, raw length, number of chunks, oid, piece;
 * check trailer   u32 length of the footer without its check, "PGSTOWPF"
 *
 * A check is over the part before it, or the tag of its sealing (the envelope's length field is not
 * part of one: a wrong one misses the check). Additional data go on with the pack id (session, u32
 * n) and the frame's number (u32, 0 for the pack's header and footer). A footer and the headers of
 * frames are sealed for the index, as is all of a pack of recipes; the payload of data for full
 * keys alone.
 *
 * Decoding opens what is sealed in place.
 */
#ifndef PGSTOW_REPO_FRAME_H
#define PGSTOW_REPO_FRAME_H

#include "repo/pack.h"
#include "repo/repo_internal.h"

#define PACK_HEADER_BYTES (38 + CHECK_BYTES) /* of a plain one: the least */
#define PACK_HEADER_MAX (PACK_HEADER_BYTES + KEY_BLOCK_MAX)
#define TRAILER_BYTES 12
#define FRAMES_MAX 65536u /* in one pack */
#define FRAME_HEADER_MAX                                                                           \
    (64 + FRAME_CHUNKS_MAX * 24) /* bytes: 20 of id and 3 of length a chunk                        \
                                  */
#define FRAME_STORED_MAX (FRAME_LIMIT + FRAME_HEADER_MAX + 4 + 2 * CHECK_BYTES)

/* A pack as its parts are protected. */
typedef struct PackSeal {
    PackId id;
    PackKind kind;
    ObjectKeys *keys; /* NULL: plain */
} PackSeal;

/* Fresh keys for a pack of this database. `k` NULL: none. */
Error *pack_seal_new(const Keyring *k, const char *database, PackId id, PackKind kind,
                     PackSeal *out) MUST_CHECK;
void pack_header_encode(const PackSeal *seal, Hash *hash, Buf *out);
/* p[0..n): at least the header (PACK_HEADER_MAX is enough of any pack). out->keys is the caller's.
 * ERR_DAMAGED; ERR_REPO_UNSUPPORTED for a newer one. *length: of the header. */
Error *pack_header_decode(uint8_t *p, size_t n, PackId id, const Keyring *k, Hash *hash,
                          PackSeal *out, size_t *length) MUST_CHECK;

/* Adds an envelope to out and fills info (all but the offset). */
void frame_encode(const PackSeal *seal, uint32_t number, const FrameBody *body, CodecId codec,
                  const Buf *payload, Hash *hash, Buf *out, FrameInfo *info);
/* p[0..n): length field, header and check, as `info` describes them. Replaces out's ids, lengths
 * and labels. */
typedef struct FrameHead {
    CodecId codec;
    uint32_t raw, stored; /* bytes of the decoded and of the stored payload */
} FrameHead;
Error *frame_decode_head(const PackSeal *seal, const FrameInfo *info, uint8_t *p, size_t n,
                         Hash *hash, FrameHead *head, Frame *out) MUST_CHECK;
/* p[0..n): the whole envelope, in which the payload lies opened afterwards. */
Error *frame_decode(const PackSeal *seal, const FrameInfo *info, uint8_t *p, size_t n, Codec *codec,
                    Hash *hash, FrameHead *head, Frame *out) MUST_CHECK;
uint8_t *frame_payload(const FrameInfo *info, uint8_t *p);

/* Footer and trailer. frames must be sorted by number. */
void footer_encode(const PackSeal *seal, const FrameInfo *frames, size_t count, Hash *hash,
                   Buf *out);
/* p[0..n): footer and check. Frames must lie between `start`, where the header ends, and `end`,
 * where the footer begins. Caller frees *frames. */
Error *footer_decode(const PackSeal *seal, uint8_t *p, size_t n, uint64_t start, uint64_t end,
                     Hash *hash, FrameInfo **frames, size_t *count) MUST_CHECK;
/* The length that a trailer names, check included; ERR_DAMAGED. */
Error *trailer_decode(const uint8_t *p, uint64_t pack_size, size_t *footer_length) MUST_CHECK;

#endif
