/* Single chunks by their place: frames checked and decoded, those used lately kept, every chunk
 * hashed again when it is handed out. What all readers of streams stand on. One thread.
 */
#ifndef PGSTOW_REPO_CHUNK_READER_H
#define PGSTOW_REPO_CHUNK_READER_H

#include "repo/repo.h"

typedef struct ChunkReader ChunkReader;
ChunkReader *chunk_reader_new(Repo *r); /* borrowed */
void chunk_reader_free(ChunkReader *cr);
DEFINE_AUTO(ChunkReader, chunk_reader_free)
/* The chunk's bytes, borrowed until 32 other frames were asked for; `whole` (may be NULL) gets
 * their SHA-256. Chunks that lie one behind the other in a frame are one behind the other in
 * memory. ERR_DAMAGED where recipe, frame and bytes are not of one mind. */
Error *chunk_reader_get(ChunkReader *cr, const ChunkRef *c, const uint8_t **p,
                        uint8_t whole[HASH_BYTES]) MUST_CHECK;
/* All chunks of a piece, added to `out`; as many as the piece says. */
Error *chunk_reader_recipe(ChunkReader *cr, const Piece *piece, Page *out) MUST_CHECK;
uint64_t chunk_reader_fetched(const ChunkReader *cr); /* stored bytes of the frames read so far */

#endif
