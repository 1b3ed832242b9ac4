/* What protects the parts of one object, a pack, a manifest or a note: in a plain repository a
 * check behind each part (SHA-256 over additional data and bytes), in an encrypted one the tag of
 * an authenticated cipher, with keys of the object's own (docs/adr/0006-encryption.md). Either says
 * which object of which format the bytes belong to, so that a sound part of another object does not
 * pass.
 *
 * Immutable and shared by threads. NULL stands for a plain repository's everywhere here.
 */
#ifndef PGSTOW_REPO_OBJECT_KEYS_H
#define PGSTOW_REPO_OBJECT_KEYS_H

#include "crypto/hash.h"
#include "repo/keyring.h"

#define FORMAT_VERSION 1
#define CHECK_BYTES 16
#define KEY_BLOCK_MAX 256u /* bytes of a key block in a header; 0 in a plain repository */

typedef enum ObjectKind {
    OBJECT_PACK = 1, /* a pack's header */
    OBJECT_MANIFEST = 2,
    OBJECT_TOMBSTONE = 3,
    OBJECT_FRAME_HEADER = 4,
    OBJECT_FRAME_PAYLOAD = 5,
    OBJECT_FOOTER = 6,
    OBJECT_NOTE = 7
} ObjectKind;

/* Who may read a part. */
typedef enum PartUse {
    PART_LEGIBLE, /* everybody: it is checked, not sealed */
    PART_COMMON,  /* every key */
    PART_INDEX,   /* keys for the database: what a writer needs to deduplicate */
    PART_PAYLOAD  /* full keys alone */
} PartUse;

typedef struct ObjectKeys ObjectKeys;
/* Fresh ones for a new object of a database; without `payload` it has no PART_PAYLOAD. `label` says
 * what kind of object it is: "pgstow pack", "pgstow manifest". `k` NULL: *out is NULL. */
Error *object_keys_new(const Keyring *k, const char *database, const char *label, bool payload,
                       ObjectKeys **out) MUST_CHECK;
/* For a note, which belongs to no database: PART_COMMON alone. */
Error *object_keys_new_note(const Keyring *k, ObjectKeys **out) MUST_CHECK;
/* From the key set and key block in an object's header. `k` NULL demands none: ERR_DAMAGED
 * otherwise, and the other way round. Parts that the keys at hand do not open are ERR_KEY later. */
Error *object_keys_open(const Keyring *k, uint64_t set, const void *block, size_t n,
                        const char *label, ObjectKeys **out) MUST_CHECK;
ObjectKeys *object_keys_share(ObjectKeys *k); /* one more owner */
void object_keys_free(ObjectKeys *k);         /* by each owner */
DEFINE_AUTO(ObjectKeys, object_keys_free)
/* The key set's id (u64), then the key block behind its length (u16), as headers have them. */
void object_keys_write(const ObjectKeys *k, Buf *out);
/* The database's tag; zeros in a plain repository and in a note. */
void object_keys_tag(const ObjectKeys *k, uint8_t tag[LINEAGE_TAG_BYTES]);

/* A part: which it is. No two parts of one object that are written have the same kind and number.
 */
typedef struct Part {
    PartUse use;
    ObjectKind kind;
    uint32_t number;
    const Buf
        *name; /* what the additional data go on with: the object's name and the part's number */
} Part;
/* Seals p[0..n) in place; `hash` is the calling thread's own, without a key. */
void part_close(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                uint8_t check[CHECK_BYTES]);
/* Opens it in place. ERR_DAMAGED, naming `what`; ERR_KEY. */
Error *part_open(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                 const uint8_t check[CHECK_BYTES], const char *what) MUST_CHECK;

#endif
