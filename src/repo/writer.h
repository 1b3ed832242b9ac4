/* The writer: one backup being made. The only path by which backups come into a repository.
 *
 * Order: writer_open (session, parents) - streams and pieces by any number of threads -
 * writer_commit (packs, barrier, recipes, barrier, manifest). Freed without a commit it leaves its
 * packs and its session, fenced, for the next run to continue from.
 */
#ifndef PGSTOW_REPO_WRITER_H
#define PGSTOW_REPO_WRITER_H

#include "flow/job.h"
#include "flow/rate.h"
#include "repo/catalog.h"
#include "repo/session.h"

typedef struct Writer Writer;

/* A copy of a backup of another repository (repo/copy.h) instead of a new one. Its session bears a
 * name of its own: only for the moment of the commit it takes the backup's id, so that a copy that
 * dies does not use the id up, which a tombstone would then stand at. It continues from copies that
 * died, and no backup does; a backup goes before a copy. */
typedef struct WriterCopy {
    const char *repository; /* id of the one that it comes from */
    const Manifest *source; /* of the backup there */
    const struct OriginList *origins;
    bool renumber; /* where another backup has the id it is this one's with a number behind it */
} WriterCopy;

typedef struct WriterOptions {
    const char *database, *server,
        *system_identifier; /* the lineage: server + database (+ filter) */
    uint32_t database_oid;
    const char *filter;
    const char *parent; /* a resolved id to deduplicate against, or NULL: the last good one of the
                           lineage; "" for none */
    int level;          /* zstd level 1 to 19, 0 stores, -1 adaptive */
    Rate *rate;         /* borrowed, may be NULL: limits stored bytes */
    Instant timestamp;  /* the id is made of it, moved on by seconds until it is free */
    const char *id; /* NULL, or the id to have instead (an import that keeps it): ERR_EXISTS where
                       there is such a backup; where it is burnt by a run that died, with -2,
                       -3, ... behind it */
    const WriterCopy *copy; /* NULL: no copy. `id` is then set, and `parent` is not looked at */
} WriterOptions;

/* The caller holds the database's own lock (so that other writers' sessions of this database are
 * dead, unless their process is alive on this host: ERR_BUSY, naming it). `r`, `job` are borrowed.
 */
Error *writer_open(Repo *r, const WriterOptions *options, Job *job, Writer **out) MUST_CHECK;
const char *writer_id(const Writer *w);
/* The parent's piece_pages of this table, so that bounds stay where they are; `otherwise` where it
 * is not known. */
uint32_t writer_piece_pages(const Writer *w, uint32_t oid, const char *schema, const char *name,
                            uint32_t otherwise);

typedef struct StreamSpec {
    StreamKind kind;
    uint32_t dump_id, oid;
    const char *schema, *name;
    uint32_t piece_pages; /* 0: pieces are cut by content, and the stream is written by one thread
                             as piece 0 */
    uint32_t pieces;      /* how many pieces there will be (1 where piece_pages is 0) */
    bool rows_framed;
    uint8_t mean_bits; /* of the chunks' size; 0: the usual one */
} StreamSpec;
/* Thread-safe. *stream is its number; numbers give the order in the manifest. */
Error *writer_add_stream(Writer *w, const StreamSpec *spec, uint32_t *stream) MUST_CHECK;

/* A hand that writes pieces, one per thread. */
typedef struct PieceWriter PieceWriter;
Error *piece_writer_new(Writer *w, PieceWriter **out) MUST_CHECK;
Error *piece_begin(PieceWriter *p, uint32_t stream, uint32_t piece) MUST_CHECK;
Error *piece_write(PieceWriter *p, const void *data, size_t n) MUST_CHECK; /* in any slices */
Error *piece_end(PieceWriter *p, uint64_t rows) MUST_CHECK;
Error *piece_writer_finish(PieceWriter *p) MUST_CHECK; /* writes the frame that is still open */
void piece_writer_free(PieceWriter *p);
DEFINE_AUTO(PieceWriter, piece_writer_free)

/* Every stream must be complete (ERR_INTERNAL otherwise). `facts`: database_version, tool_version,
 * encoding, collate, ctype, tags, warnings, tables, large_objects, started; the writer fills in all
 * else. *out gets the committed facts. */
Error *writer_commit(Writer *w, const BackupInfo *facts, BackupInfo *out) MUST_CHECK;
void writer_free(Writer *w);
DEFINE_AUTO(Writer, writer_free)

#endif
