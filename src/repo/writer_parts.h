/* What the files of the writer share: its state, and what its hands need of it. */
#ifndef PGSTOW_REPO_WRITER_PARTS_H
#define PGSTOW_REPO_WRITER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include "repo/chunk_hash.h"
#include "repo/dedup.h"
#include "repo/writer.h"

/* A stream being written. `s` and `done` are changed under the writer's lock, all else stays. */
typedef struct StreamState {
    Stream s;
    bool content_cut; /* no fixed pieces: the hand that writes it ends them */
    uint32_t pieces;  /* that there will be; of a content-cut one, how many there are */
    uint32_t done_count;
    bool *done; /* by piece; NULL where content-cut */
    bool complete;
    DedupStream *dedup;
} StreamState;

/* Raw bytes that the backup refers to in a pack. */
typedef struct PackUse {
    PackId pack;
    uint64_t bytes;
} PackUse;
typedef struct PackUses {
    PackUse *items;
    size_t count, cap;
} PackUses;

/* Of a piece: few packs, so they are not sorted. The first one is a RecipeUse. */
Error *pack_uses_add(void *uses, PackId pack, uint64_t bytes) MUST_CHECK;
void pack_uses_add_refs(PackUses *uses, const ChunkRef *refs, size_t count);

struct Writer {
    Repo *repo;
    Job *job;
    Rate *rate;
    int level;
    char *filter;            /* canonical; never NULL */
    char *system_identifier; /* never NULL */
    char *parent_id;         /* never NULL */
    StrList parents;         /* backups whose packs it may use */
    char *copy_id;           /* of a copy: the id to take at the end; NULL for a backup */
    bool renumber;           /* or one with a further number, where another one has that */
    bool carried;            /* it has taken that: dead[dead_count - 1] is the session before */
    Instant timestamp;
    SessionInfo session; /* its own: id, backup id, database, server, oid */
    bool session_there;
    bool committing, committed; /* the manifest may stand; it does */
    SessionInfo *dead;          /* sessions taken over */
    size_t dead_count, dead_cap;
    uint64_t sequence;
    char *predecessor_hash; /* never NULL */

    Dedup *dedup;
    Packer *data, *recipes;
    atomic_uint_fast64_t rewritten;
    atomic_uint_fast64_t rewrite_left[SPARSE_KINDS]; /* what may still be, by why */

    pthread_mutex_t lock;
    StreamState **streams;
    size_t stream_count, stream_cap;
    PackUses uses; /* sorted by pack */
    PackInfo *own; /* packs that this session finished */
    size_t own_count, own_cap;
};

/* -- sessions and ids (writer_open.c) -- */
/* The id asked for, or with a number behind it where a dead run's tombstone stands at it. */
Error *writer_choose_given_id(Writer *w, const char *id) MUST_CHECK;
/* Number and predecessor in the lineage, as of now. */
Error *writer_find_predecessor(Writer *w, const BackupList *list) MUST_CHECK;
/* ERR_BUSY where somebody else's run of this database may still commit. */
Error *writer_check_alone(Writer *w) MUST_CHECK;

/* -- of a copy (writer_copy.c) -- */
/* The backups that it may use packs of: *out (may become NULL) is the nearest one, with the packs
 * of the others that are wanted added to its own; their ids go to `parents`. */
Error *writer_copy_parents(Repo *r, const WriterCopy *copy, const BackupList *list,
                           const SessionInfo *dead, size_t dead_count, Manifest **out,
                           StrList *parents) MUST_CHECK;
/* A second session, with the backup's id and all packs that it uses, takes over from the first one.
 */
Error *writer_take_name(Writer *w) MUST_CHECK;

/* PackDone of both packers. */
Error *writer_pack_done(void *ctx, const PackInfo *pack) MUST_CHECK;
/* How this backup's chunks are known. */
Error *writer_chunk_hash(const Writer *w, ChunkHash *out) MUST_CHECK;
/* ERR_INTERNAL where there is no such piece, or it was written already. */
Error *writer_find_piece(Writer *w, uint32_t stream, uint32_t piece, StreamState **out) MUST_CHECK;
/* Takes over what `piece` holds, also on failure. `last`: the stream's last one where it is cut by
 * content (its piece numbers rise by one). */
Error *writer_add_piece(Writer *w, StreamState *s, uint32_t number, Piece *piece,
                        const PackUses *uses, bool last) MUST_CHECK;
/* True, and the bytes are counted, while the compactor may still write such chunks again. */
bool writer_may_rewrite(Writer *w, Sparse sparse, uint32_t length);

#endif
