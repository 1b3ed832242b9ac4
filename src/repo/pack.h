/* Packs: immutable files of frames. See docs/format.md for every byte.
 *
 * A frame is an envelope (header with chunk ids and lengths, payload), each part with its own
 * 16-byte check, which binds it to the pack's name and the frame's number: SHA-256 over (additional
 * data, bytes) in a plain repository, the tag of its sealing in an encrypted one. A frame is
 * decoded and compared before it is handed to the store.
 */
#ifndef PGSTOW_REPO_PACK_H
#define PGSTOW_REPO_PACK_H

#include "codec/codec.h"
#include "repo/chunk.h"
#include "repo/keyring.h"
#include "store/store.h"

#define FRAME_TARGET (256u << 10) /* raw bytes at which a frame is closed */
#define FRAME_LIMIT (2u << 20)    /* no reader accepts more raw bytes */
#define FRAME_CHUNKS_MAX 4096u    /* chunks at which a frame is closed; no reader accepts more */
#define PACK_TARGET (32u << 20)   /* stored bytes at which a pack is closed */
#define PACK_LIMIT (1ull << 32)

typedef enum PackKind { PACK_DATA = 1, PACK_RECIPE = 2 } PackKind;

typedef struct FrameInfo {
    uint32_t number;
    uint64_t offset;      /* of the envelope in the pack */
    uint32_t stored, raw; /* bytes of the envelope; bytes of the decoded payload */
    uint32_t header;      /* bytes of the header within the envelope */
    uint32_t chunks;      /* 0 in recipe frames */
    uint32_t oid,
        piece; /* the table and piece it belongs to; 0, 0: shared by small streams, or a recipe */
} FrameInfo;

/* What a finished pack was; goes into the manifest. */
typedef struct PackInfo {
    PackId id;
    PackKind kind;
    uint64_t size; /* stored bytes of the whole file */
    uint64_t raw;  /* raw bytes of its frames */
    uint8_t sha256[HASH_BYTES];
    uint64_t used; /* raw bytes that a manifest refers to; 0 until somebody counts */
} PackInfo;

/* -- writing: one per session and kind, shared by its threads --------------------------------- */
typedef struct Packer Packer;
/* Called when a pack is finished and visible (from whichever thread finished it, one at a time). */
typedef Error *(*PackDone)(void *ctx, const PackInfo *pack);
/* keys: NULL in a plain repository; `database`: whose rows these will be. Both, and the store, are
 * borrowed. first_n: numbers n given to this packer's packs are first_n, first_n + 2, ... (data
 * packs even, recipe packs odd). */
Error *packer_new(Store *store, const Keyring *keys, const char *database, SessionId session,
                  PackKind kind, uint32_t first_n, PackDone done, void *ctx,
                  Packer **out) MUST_CHECK;
/* Reserves the place of a frame, so that recipes can refer to it before it is full. Frames of a
 * pack may be written in any order; a pack closes when it is large enough and all that was reserved
 * in it was put. */
Error *packer_reserve(Packer *p, PackId *pack, uint32_t *frame) MUST_CHECK;
/* Encodes, verifies and writes a reserved frame. `codec`, `hash` belong to the calling thread. ids
 * and lengths of its chunks. level 0 to 19. *stored: the bytes that it took. n == 0 gives the
 * reservation back. */
typedef struct FrameBody {
    const uint8_t *raw;
    size_t n;
    const ChunkId *ids;
    const uint32_t *lengths;
    size_t chunks;
    uint32_t oid, piece;
    int level;
} FrameBody;
Error *packer_put(Packer *p, PackId pack, uint32_t frame, const FrameBody *body, Codec *codec,
                  Hash *hash, uint64_t *stored) MUST_CHECK;
/* A pack whose frames come with their numbers and are compressed already, as a copy of another
 * repository's has them. One thread each, many at once; beside those that frames are reserved in.
 */
typedef struct OpenPack OpenPack;
Error *packer_begin(Packer *p, Hash *hash, OpenPack **out) MUST_CHECK;
PackId open_pack_id(const OpenPack *o);
/* By rising numbers. `packed` is what body->raw (which is not looked at) is compressed to. */
Error *open_pack_add(OpenPack *o, uint32_t frame, const FrameBody *body, CodecId codec,
                     const Buf *packed, Hash *hash, uint64_t *stored) MUST_CHECK;
/* Makes it visible. One without frames leaves no trace. */
Error *open_pack_finish(Packer *p, OpenPack *o, Hash *hash) MUST_CHECK;
void open_pack_free(OpenPack *o); /* one that was not finished is dropped */
DEFINE_AUTO(OpenPack, open_pack_free)
/* Closes the open packs; nothing may be reserved any more. */
Error *packer_finish(Packer *p) MUST_CHECK;
void packer_free(Packer *p); /* open packs are dropped */
DEFINE_AUTO(Packer, packer_free)

/* -- reading: thread-safe, with a bounded cache of footers ------------------------------------ */
typedef struct PackReader PackReader;
PackReader *pack_reader_new(Store *store,
                            const Keyring *keys); /* both borrowed; keys NULL: plain */
void pack_reader_free(PackReader *r);
DEFINE_AUTO(PackReader, pack_reader_free)
size_t pack_reader_bytes(PackReader *r); /* of memory, for footers: at most 16 MiB */
/* One frame, whole and verified (checks, decoding). raw, ids and lengths are replaced; ids/lengths
 * may be NULL. `codec` and `hash` are the calling thread's. ERR_DAMAGED names pack and frame; a
 * missing pack is ERR_DAMAGED too. */
typedef struct Frame {
    Buf raw;
    ChunkId *ids;
    uint32_t *lengths;
    size_t chunks, cap;
    uint32_t oid, piece;
    uint32_t stored;                /* bytes of the envelope */
    uint8_t tag[LINEAGE_TAG_BYTES]; /* of the database whose it is, zeros in a plain repository */
} Frame;
void frame_clear(Frame *f);
DEFINE_AUTO_VALUE(Frame, frame_clear)
Error *pack_read_frame(PackReader *r, PackId pack, uint32_t frame, Codec *codec, Hash *hash,
                       Frame *out) MUST_CHECK;
/* The same, and its payload as it is stored, compressed by *codec_id (packed is replaced). */
Error *pack_read_packed(PackReader *r, PackId pack, uint32_t frame, Codec *codec, Hash *hash,
                        Frame *out, CodecId *codec_id, Buf *packed) MUST_CHECK;
/* Only header: ids, lengths; raw stays empty. */
Error *pack_read_frame_header(PackReader *r, PackId pack, uint32_t frame, Hash *hash,
                              Frame *out) MUST_CHECK;
/* What the footer says of one frame. */
Error *pack_frame_info(PackReader *r, PackId pack, uint32_t frame, Hash *hash,
                       FrameInfo *out) MUST_CHECK;
/* The footer, verified; caller frees *frames. kind and raw total in info (id, kind, size, raw; no
 * sha256). */
Error *pack_read_footer(PackReader *r, PackId pack, PackInfo *info, FrameInfo **frames,
                        size_t *count) MUST_CHECK;
/* The SHA-256 of the whole file, read once from end to end. */
Error *pack_hash(PackReader *r, PackId pack, uint8_t sha256[HASH_BYTES], uint64_t *size) MUST_CHECK;

#endif
