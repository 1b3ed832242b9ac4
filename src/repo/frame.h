/* The bytes of a pack: its header, the envelopes of its frames, its footer. docs/format.md says
 * the same for people who write readers.
 *
 * header    "PGSTOWPK", u16 version, u8 kind, u8 hash kind (1: SHA-256), session (12 bytes), u32 n,
 *           u64 key-set id (0: plain), u16 length of the sealed pack key (0 in a plain repository)
 *           and the key; check
 * envelope  u32 length of the frame's header; header; check; payload; check
 * frame's   u8 codec; varints: raw length, stored length of the payload, oid, piece, column-list id
 * header    (0), number of chunks; for every chunk a varint length and its id (20 bytes)
 * footer    varints: number of frames; for every frame, by rising number: number, offset, length of
 *           the envelope, length of the header, raw length, number of chunks, oid, piece; check
 * trailer   u32 length of the footer without its check, "PGSTOWPF"
 *
 * A check is aad_check over the part before it (the envelope's length field is not part of one: a
 * wrong one misses the check). Additional data: aad_begin (kind of part), pack id (session, u32 n),
 * u32 frame number (0 for the pack's header and footer).
 */
#ifndef PGSTOW_REPO_FRAME_H
#define PGSTOW_REPO_FRAME_H

#include "repo/pack.h"
#include "repo/repo_internal.h"

#define PACK_HEADER_BYTES (38 + CHECK_BYTES) /* of a plain one */
#define TRAILER_BYTES 12
#define FRAMES_MAX 65536u                             /* in one pack */
#define FRAME_HEADER_MAX (64 + FRAME_CHUNKS_MAX * 24) /* bytes: 20 of id and 3 of length a chunk   \
                                                       */
#define FRAME_STORED_MAX (FRAME_LIMIT + FRAME_HEADER_MAX + 4 + 2 * CHECK_BYTES)

void pack_header_encode(PackId id, PackKind kind, Hash *hash, Buf *out);
/* p: PACK_HEADER_BYTES of it. ERR_DAMAGED; ERR_REPO_UNSUPPORTED for a newer or encrypted one. */
Error *pack_header_decode(const uint8_t *p, PackId id, Hash *hash, PackKind *kind) MUST_CHECK;

/* Adds an envelope to out and fills info (all but the offset). */
void frame_encode(PackId pack, uint32_t number, const FrameBody *body, CodecId codec,
                  const Buf *payload, Hash *hash, Buf *out, FrameInfo *info);
/* p[0..n): length field, header and check, as `info` describes them. Replaces out's ids, lengths
 * and labels. */
typedef struct FrameHead {
    CodecId codec;
    uint32_t raw, stored; /* bytes of the decoded and of the stored payload */
} FrameHead;
Error *frame_decode_head(PackId pack, const FrameInfo *info, const uint8_t *p, size_t n, Hash *hash,
                         FrameHead *head, Frame *out) MUST_CHECK;
/* p[0..n): the whole envelope. */
Error *frame_decode(PackId pack, const FrameInfo *info, const uint8_t *p, size_t n, Codec *codec,
                    Hash *hash, Frame *out) MUST_CHECK;

/* Footer and trailer. frames must be sorted by number. */
void footer_encode(PackId pack, const FrameInfo *frames, size_t count, Hash *hash, Buf *out);
/* p[0..n): footer and check. `end`: where the footer begins in the pack, which frames must not
 * pass. Caller frees *frames. */
Error *footer_decode(PackId pack, const uint8_t *p, size_t n, uint64_t end, Hash *hash,
                     FrameInfo **frames, size_t *count) MUST_CHECK;
/* The length that a trailer names, check included; ERR_DAMAGED. */
Error *trailer_decode(const uint8_t *p, uint64_t pack_size, size_t *footer_length) MUST_CHECK;

#endif
