/* The names of things in a repository, and the identities behind them. See docs/format.md. */
#ifndef PGSTOW_REPO_NAMES_H
#define PGSTOW_REPO_NAMES_H

#include <stdint.h>
#include "base/buf.h"
#include "base/clock.h"

#define SESSION_BYTES 12
#define SESSION_TEXT (2 * SESSION_BYTES + 1)
typedef struct SessionId {
    uint8_t b[SESSION_BYTES]; /* random: never used twice */
} SessionId;
SessionId session_id_new(void);

/* A pack is named by the session that wrote it and a number, never by content. */
typedef struct PackId {
    SessionId session;
    uint32_t n;
} PackId;
bool pack_id_equal(PackId a, PackId b);
int pack_id_compare(PackId a, PackId b); /* for sorting */
void pack_id_write(Buf *b, PackId id);   /* 16 bytes: session, n */
Error *pack_id_read(Reader *r, PackId *out) MUST_CHECK;
#define NAME_TEXT 512
/* packs/<n mod 256 as two hex digits>/<session>-<n>; returns `out` (NAME_TEXT bytes), as all of
 * these. */
char *name_pack(PackId id, char *out);
bool name_parse_pack(const char *name, PackId *out);
/* The same without its folders: <session>-<n>. */
char *name_pack_text(PackId id, char *out);
bool name_parse_pack_text(const char *text, PackId *out);
char *name_manifest(const char *backup_id, char *out); /* backups/<id>.manifest */
char *name_metadata(const char *backup_id, char *out); /* backups/<id>.metadata.json */
char *name_session(SessionId id, char *out);           /* sessions/<session> */
char *name_trash(const char *backup_id, char *out);    /* trash/<id> */
char *name_pin(const char *backup_id, char *out);      /* pins/<id> */
char *name_decision(const char *by, char *out); /* purges/<what tells the marker from others> */
char *name_damage(PackId id, uint32_t frame, char *out); /* proofs/damage/<session>-<n>-<frame> */
bool name_parse_damage(const char *name, PackId *id, uint32_t *frame);
/* proofs/<id>/<compact instant>-<level>-<good|bad>-<16 random hex digits>: list reads names only */
char *name_proof(const char *backup_id, Instant when, const char *level, bool good, char *out);
/* origins/<repository>/<session>-<n>.<session>-<n>: which pack of that repository (its id, 32
 * hexadecimal digits) was copied, and to which one here */
char *name_origin(const char *repository, PackId source, PackId target, char *out);
bool name_parse_origin(const char *name, PackId *source, PackId *target);
/* The same with ".part" behind it: only some of its frames were copied. */
char *name_origin_part(const char *repository, PackId source, PackId target, char *out);
bool name_parse_origin_part(const char *name, PackId *source, PackId *target);

/* {database, odd characters escaped}-{yyyymmddThhmmssZ} */
char *backup_id_make(const char *database, Instant t); /* caller frees */

#endif
