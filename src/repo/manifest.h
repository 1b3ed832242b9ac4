/* The manifest: the root of a backup. Its appearance under backups/<id>.manifest is the commit.
 *
 * Three sections, each compressed and checked by itself, so that `list` reads only the first: the
 * facts (a JSON document), the packs used, the streams. A tombstone may stand at the same name
 * instead: the session that owned it was declared dead.
 */
#ifndef PGSTOW_REPO_MANIFEST_H
#define PGSTOW_REPO_MANIFEST_H

#include "base/doc.h"
#include "base/text.h"
#include "repo/recipe.h"

typedef enum StreamKind {
    STREAM_TOC = 1,
    STREAM_TABLE = 2,
    STREAM_LARGE_OBJECTS = 3,
    STREAM_RELATIONS = 4, /* columns and keys of the tables: pg/relation.h */
    STREAM_GLOBALS = 5,   /* what belongs to the server, roles and tablespaces: pg/globals.h */
    STREAM_KINDS          /* one more than the last of them */
} StreamKind;
typedef struct Stream {
    StreamKind kind;
    uint32_t dump_id; /* the archive entry whose data this is; 0 for the TOC */
    uint32_t oid;     /* the relation's OID; 0 for others */
    char *schema, *name;
    uint32_t piece_pages; /* heap pages a piece, 0 where pieces are cut by content */
    uint8_t mean_bits;    /* chunk size, pinned */
    bool rows_framed;     /* rows end with '\n' and cuts follow them */
    uint64_t rows, bytes; /* sums over the pieces */
    uint8_t digest[HASH_BYTES];
    Piece *pieces;
    size_t piece_count, piece_cap;
} Stream;

/* The facts of a backup: what list and show print without reading more. Strings are owned. */
typedef struct BackupInfo {
    char *id, *key;
    char *database;
    uint32_t database_oid;
    char *server;            /* host:port as connected to */
    char *system_identifier; /* pg_control's, where readable; else empty */
    char *database_version;  /* "PostgreSQL 15.3" */
    char *tool_version;      /* pg_dump's */
    char *pgstow_version;
    char *encoding, *collate, *ctype;
    char *filter;           /* canonical text of what was left out; empty for a whole database */
    char *parent;           /* id, or empty */
    char *predecessor_hash; /* hex SHA-256 of the previous manifest of the lineage; empty for the
                               first */
    uint64_t sequence;      /* number within the lineage, from 1 */
    Instant timestamp, started, finished;
    uint64_t logical_size; /* bytes of all streams */
    uint64_t size; /* stored bytes that it refers to: the sizes of its packs in proportion to use,
                      recipes included */
    uint64_t new_bytes; /* stored bytes that it added (packs; the manifest too) */
    uint64_t rewritten; /* logical bytes of chunks written again by the compactor */
    uint64_t tables, rows, large_objects;
    bool compressed, encrypted;
    /* Of a copy: the repository that it came from, its id there, the SHA-256 of its manifest there;
     * otherwise NULL. */
    char *copied_repository, *copied_id, *copied_checksum;
    bool globals, role_passwords; /* it has the server's roles and tablespaces; hashes too */
    StrList tags;                 /* "key=value" */
    StrList warnings;
    StrList masked; /* "schema.table.column" whose values are not those of the database */
    bool proven;    /* filled by the catalog from proofs/, not part of the manifest: last_* too */
    Instant last_proof;
    char *last_proof_level;
    Instant last_drill; /* that went well; 0: none */
    int64_t restore_ms; /* how long the restore in it took */
    bool pinned;        /* filled by the catalog from pins/ */
    char *checksum; /* filled on reading: hex SHA-256 of the whole manifest object (catalog: only
                       when asked) */
    uint64_t manifest_size;
    char repository[33]; /* filled on reading: hex id of the repository that it was made for */
} BackupInfo;
void backup_info_clear(BackupInfo *i);
DEFINE_AUTO_VALUE(BackupInfo, backup_info_clear)
void backup_info_copy(BackupInfo *to, const BackupInfo *from);
/* The fields of DESIGN for metadata.json: id, key, timestamp, size, logicalSize, newBytes,
 * checksum, compressed, encrypted, databaseVersion, toolVersion, tables, rows, duration (ms) and
 * more. */
Doc *backup_info_doc(const BackupInfo *i);
/* The text of backups/<id>.metadata.json: the same without the proof, and of an encrypted backup
 * without what is no count, size or instant. `checksum` must be set. */
void backup_info_metadata(const BackupInfo *i, Buf *out);

typedef struct Manifest {
    BackupInfo info;
    PackInfo *packs; /* sorted by id, each once */
    size_t pack_count, pack_cap;
    Stream *streams; /* the TOC first, then in the order of the TOC */
    size_t stream_count, stream_cap;
    const Stream **by_dump_id; /* by kind and dump id; only in one that was read */
} Manifest;
void manifest_free(Manifest *m);
DEFINE_AUTO(Manifest, manifest_free)
Manifest *manifest_new(void);
Stream *manifest_add_stream(Manifest *m);
const PackInfo *manifest_find_pack(const Manifest *m, PackId id); /* NULL where not there */
/* In a manifest that was read; the first one, NULL where there is none. */
const Stream *manifest_find_stream(const Manifest *m, StreamKind kind, uint32_t dump_id);

/* The object's bytes. `k`, here and below: the repository's keys, NULL in a plain one. */
Error *manifest_encode(const Manifest *m, const char *repository_id, const Keyring *k,
                       Buf *out) MUST_CHECK;
/* ERR_DAMAGED; ERR_KEY; ERR_FENCED for a tombstone. `id`: the name that it was read under, which
 * the manifest must bear itself. */
Error *manifest_decode(const Keyring *k, const void *p, size_t n, const char *id,
                       Manifest **out) MUST_CHECK;
/* Only the facts, from the first bytes of the object (need_more says how many bytes are wanted
 * where n is too few). */
Error *manifest_decode_info(const Keyring *k, const void *p, size_t n, const char *id,
                            BackupInfo *out, size_t *need_more) MUST_CHECK;
/* A tombstone's bytes, naming who put it. */
void manifest_tombstone(const char *id, SessionId by, Buf *out);

#endif
