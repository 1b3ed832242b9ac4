/* What the files of this room share and nobody else needs.
 *
 * The check: the 16 bytes that stand behind every part of a binary object. In a plain repository it
 * is the beginning of SHA-256 over (additional data, bytes); the additional data say which object
 * of which format this is, so that a sound part of another object does not pass in its place.
 */
#ifndef PGSTOW_REPO_REPO_INTERNAL_H
#define PGSTOW_REPO_REPO_INTERNAL_H

#include "base/doc.h"
#include "crypto/hash.h"
#include "repo/names.h"
#include "store/store.h"

#define FORMAT_VERSION 1
#define KEYS_MAX 65535 /* bytes of a sealed key; none in a plain repository */
#define CHECK_BYTES 16

typedef enum ObjectKind { OBJECT_PACK = 1, OBJECT_MANIFEST = 2, OBJECT_TOMBSTONE = 3 } ObjectKind;
/* Begins additional data: "pgstow", u16 format, u8 kind. The caller adds the object's name. */
void aad_begin(Buf *aad, ObjectKind kind);
void aad_check(Hash *h, const Buf *aad, const void *p, size_t n, uint8_t out[CHECK_BYTES]);

/* A note: a small object of two lines, JSON and the hex SHA-256 of the first line. config,
 * sessions, trash markers, damage markers and proofs are notes. */
void note_encode(const Doc *d, Buf *out);
/* ERR_DAMAGED, naming `what`. */
Error *note_decode(const void *p, size_t n, const char *what, Doc **out) MUST_CHECK;
Error *note_put(Store *s, const char *name, const Doc *d) MUST_CHECK;
Error *note_get(Store *s, const char *name, Doc **out) MUST_CHECK;

#endif
