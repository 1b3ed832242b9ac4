/* A stream read by a thread of its own, ahead of whoever takes the bytes: reading, opening,
 * decoding and hashing go on while the taker waits for a server or a disk. What is handed out was
 * checked as by repo/reader.h, and the end comes only after all of it was found right. Memory: some
 * 4 MiB beside the reader's own. */
#ifndef PGSTOW_REPO_READER_AHEAD_H
#define PGSTOW_REPO_READER_AHEAD_H

#include "flow/cancel.h"
#include "repo/reader.h"

typedef struct ReaderAhead ReaderAhead;
/* Used by one thread; `m` and `s` are borrowed. */
Error *reader_ahead_open(Repo *r, const Manifest *m, const Stream *s, Cancel *cancel_or_null,
                         ReaderAhead **out) MUST_CHECK;
/* As stream_reader_next. */
Error *reader_ahead_next(ReaderAhead *ra, const uint8_t **p, size_t *n) MUST_CHECK;
uint64_t reader_ahead_fetched(const ReaderAhead *ra); /* once the end was reached */
/* Also in the middle: the thread is ended. */
void reader_ahead_free(ReaderAhead *ra);
DEFINE_AUTO(ReaderAhead, reader_ahead_free)

#endif
