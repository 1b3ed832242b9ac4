/* What the files of this room share and nobody else needs. */
#ifndef PGSTOW_REPO_REPO_INTERNAL_H
#define PGSTOW_REPO_REPO_INTERNAL_H

#include "base/doc.h"
#include "repo/keys.h"
#include "repo/object_keys.h"
#include "repo/session.h"
#include "store/store.h"

/* A note: a small object. Legible it is two lines, JSON and the hex SHA-256 of the first line; so
 * are config and key slots, which are read before there is a key. In an encrypted repository all
 * other notes (sessions, markers, proofs) are sealed instead. */
void note_encode(const Doc *d, Buf *out);
/* ERR_DAMAGED, naming `what`. */
Error *note_decode(const void *p, size_t n, const char *what, Doc **out) MUST_CHECK;
/* Sealed for the name that it will have; legible where `k` is NULL. */
Error *note_seal(const Keyring *k, const char *name, const Doc *d, Buf *out) MUST_CHECK;
Error *note_open(const Keyring *k, const char *name, const void *p, size_t n, Doc **out) MUST_CHECK;
Error *note_put_legible(Store *s, const char *name, const Doc *d) MUST_CHECK;
Error *note_get_legible(Store *s, const char *name, Doc **out) MUST_CHECK;
Error *note_put(Repo *r, const char *name, const Doc *d) MUST_CHECK;
Error *note_get(Repo *r, const char *name, Doc **out) MUST_CHECK;
/* The names of all under a prefix. */
Error *note_names(Store *s, const char *prefix, StrList *out) MUST_CHECK;

/* How an encrypted repository was opened; NULL: a plain one. */
const Keys *repo_held(const Repo *r);
/* Reads the config again: ERR_DAMAGED where it is not there, broken, or another's. */
Error *repo_check_config(Repo *r) MUST_CHECK;
Error *session_read(Repo *r, const char *name, SessionInfo *out) MUST_CHECK;
/* Facts of one backup, marked or not, by reading the beginning of its manifest; `size` of the
 * object. ERR_NOT_FOUND, ERR_FENCED, ERR_DAMAGED. */
Error *catalog_read_info(Repo *r, const char *id, uint64_t size, BackupInfo *out) MUST_CHECK;
/* ERR_NOT_FOUND where there is no such backup, or it is marked. One that cannot be read is there.
 */
Error *catalog_must_exist(Repo *r, const char *id) MUST_CHECK;
Error *catalog_deleted_one(const char *id) MUST_CHECK; /* the error of a marked one */
/* The packs that a manifest names, marked or not, without its streams; `size` of the object.
 * ERR_NOT_FOUND, ERR_FENCED, ERR_DAMAGED. */
Error *catalog_read_packs(Repo *r, const char *id, uint64_t size, Manifest **out) MUST_CHECK;
/* The whole manifest, marked or not, and the object's bytes. */
Error *catalog_get(Repo *r, const char *id, Buf *bytes, Manifest **out) MUST_CHECK;
/* What to do about a damaged backup. Takes e over. */
Error *damage_hint(Error *e, const char *id) MUST_CHECK;
/* The backup id of "backups/<id>.manifest" (or another ending); NULL where it is no such name.
 * Caller frees. */
char *catalog_id_of(const char *name, const char *ending);
/* Takes over into `info` what its proofs say (`names`: all of proofs/, sorted): the newest; but
 * where damage was found, that, until something that looks as closely finds it good. And the time
 * that a restore took in the newest drill that went well. */
Error *proof_apply(Repo *r, const StrList *names, BackupInfo *info) MUST_CHECK;
/* "schema.table", or what else a stream is, for messages. Caller frees. */
char *stream_label(const Stream *s);

/* The facts as a manifest holds them: backup_info_doc without what is known only later. */
Doc *backup_info_facts(const BackupInfo *i);
void backup_metadata_text(Doc *facts, const char *checksum, Buf *out); /* adds to facts */
Error *backup_info_parse(const Doc *d, BackupInfo *out) MUST_CHECK;    /* ERR_DAMAGED */
/* manifest_decode_info for whoever decodes many. */
Error *manifest_decode_info_by(const Keyring *k, Codec *codec, Hash *hash, const void *p, size_t n,
                               const char *id, BackupInfo *out, size_t *need_more) MUST_CHECK;
/* The packs alone (and info.repository), from the object's first bytes; *need_more as in
 * manifest_decode_info. Any key can do it, also one that may not know the facts. */
Error *manifest_decode_roots(const Keyring *k, const void *p, size_t n, const char *id,
                             Manifest **out, size_t *need_more) MUST_CHECK;
/* The other two sections, decoded. ERR_DAMAGED. */
Error *manifest_encode_packs(const Manifest *m, Buf *out) MUST_CHECK;
Error *manifest_encode_streams(const Manifest *m, Buf *out) MUST_CHECK;
Error *manifest_decode_packs(Reader *r, Manifest *m) MUST_CHECK;
Error *manifest_decode_streams(Reader *r, Manifest *m) MUST_CHECK; /* after the packs */
/* The facts' JSON text of a manifest object whose facts are sound. */
Error *manifest_facts(const Keyring *k, const void *p, size_t n, const char *id,
                      Doc **out) MUST_CHECK;

#endif
