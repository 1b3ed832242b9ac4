/* Reading streams back: every frame checked, every chunk hashed again, the piece's and the stream's
 * digest compared at the end. Nothing that fails a check is ever handed out as the end of a stream:
 * the error comes instead.
 */
#ifndef PGSTOW_REPO_READER_H
#define PGSTOW_REPO_READER_H

#include "repo/repo.h"

typedef struct StreamReader StreamReader;
/* One thread. `m` and `s` are borrowed. Frames decoded lately are kept (up to 32, so that scattered
 * recipes do not decode twice). */
Error *stream_reader_open(Repo *r, const Manifest *m, const Stream *s,
                          StreamReader **out) MUST_CHECK;
/* The next run of bytes, borrowed until the next call; *n = 0 at the end, after all digests, sums
 * and row counts were found right. ERR_DAMAGED, naming backup and stream, otherwise. */
Error *stream_reader_next(StreamReader *sr, const uint8_t **p, size_t *n) MUST_CHECK;
uint64_t
stream_reader_fetched(const StreamReader *sr); /* stored bytes read of the repository so far */
void stream_reader_free(StreamReader *sr);
DEFINE_AUTO(StreamReader, stream_reader_free)
/* A whole small stream (the TOC) at once, at most max bytes. */
Error *stream_read_all(Repo *r, const Manifest *m, const Stream *s, size_t max,
                       Buf *out) MUST_CHECK;

#endif
