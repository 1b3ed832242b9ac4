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
#include "repo/session.h"
#include "store/store.h"

#define FORMAT_VERSION 1
#define KEYS_MAX 65535 /* bytes of a sealed key; none in a plain repository */
#define CHECK_BYTES 16

typedef enum ObjectKind {
    OBJECT_PACK = 1, /* a pack's header */
    OBJECT_MANIFEST = 2,
    OBJECT_TOMBSTONE = 3,
    OBJECT_FRAME_HEADER = 4,
    OBJECT_FRAME_PAYLOAD = 5,
    OBJECT_FOOTER = 6
} ObjectKind;
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
/* The names of all under a prefix. */
Error *note_names(Store *s, const char *prefix, StrList *out) MUST_CHECK;

/* Reads the config again: ERR_DAMAGED where it is not there, broken, or another's. */
Error *repo_check_config(Repo *r) MUST_CHECK;
Error *session_read(Repo *r, const char *name, SessionInfo *out) MUST_CHECK;
/* Facts of one backup, marked or not, by reading the beginning of its manifest; `size` of the
 * object. ERR_NOT_FOUND, ERR_FENCED, ERR_DAMAGED. */
Error *catalog_read_info(Repo *r, const char *id, uint64_t size, BackupInfo *out) MUST_CHECK;
/* The whole manifest, marked or not, and the object's bytes. */
Error *catalog_get(Repo *r, const char *id, Buf *bytes, Manifest **out) MUST_CHECK;
/* What to do about a damaged backup. Takes e over. */
Error *damage_hint(Error *e, const char *id) MUST_CHECK;
/* The backup id of "backups/<id>.manifest" (or another ending); NULL where it is no such name.
 * Caller frees. */
char *catalog_id_of(const char *name, const char *ending);
/* Takes what the name of a proof (behind "proofs/<id>/") says over into `info`: the first one
 * looked at, and of the same second one that found damage. false: an older one, look no further. */
bool proof_read_name(const char *name, bool first, BackupInfo *info);
/* "schema.table", or what else a stream is, for messages. Caller frees. */
char *stream_label(const Stream *s);

/* The facts as a manifest holds them: backup_info_doc without what is known only later. */
Doc *backup_info_facts(const BackupInfo *i);
void backup_metadata_text(Doc *facts, const char *checksum, Buf *out); /* adds to facts */
Error *backup_info_parse(const Doc *d, BackupInfo *out) MUST_CHECK;    /* ERR_DAMAGED */
/* manifest_decode_info for whoever decodes many. */
Error *manifest_decode_info_by(Codec *codec, Hash *hash, const void *p, size_t n, const char *id,
                               BackupInfo *out, size_t *need_more) MUST_CHECK;
/* The other two sections, decoded. ERR_DAMAGED. */
Error *manifest_encode_packs(const Manifest *m, Buf *out) MUST_CHECK;
Error *manifest_encode_streams(const Manifest *m, Buf *out) MUST_CHECK;
Error *manifest_decode_packs(Reader *r, Manifest *m) MUST_CHECK;
Error *manifest_decode_streams(Reader *r, Manifest *m) MUST_CHECK; /* after the packs */
/* The facts' JSON text of a manifest object whose facts are sound. */
Error *manifest_facts(const void *p, size_t n, const char *id, Doc **out) MUST_CHECK;

#endif
