/* Text of a database that is not in UTF-8, into UTF-8. PostgreSQL's names of encodings; UTF8 is
 * none of them (iconv takes what is no UTF-8 for it). */
#ifndef PGSTOW_PG_ENCODING_H
#define PGSTOW_PG_ENCODING_H

#include "base/buf.h"

typedef struct Encoding Encoding; /* one thread */
/* SQL_ASCII has no characters beyond ASCII: there each byte from 128 on becomes the character of
 * its number (U+0080 to U+00FF), which can be turned back. ERR_PREFLIGHT where this system does not
 * know the encoding. */
Error *encoding_open(const char *name, Encoding **out) MUST_CHECK;
/* Replaces the contents of out. ERR_DAMAGED for what is no text in this encoding. */
Error *encoding_to_utf8(Encoding *e, const char *p, size_t n, Buf *out) MUST_CHECK;
/* The way back of what SQL_ASCII became; replaces the contents of out. ERR_DAMAGED for a character
 * that no byte became. */
Error *encoding_ascii_bytes(const char *p, size_t n, Buf *out) MUST_CHECK;
void encoding_free(Encoding *e);
DEFINE_AUTO(Encoding, encoding_free)

/* The length of the character at p, 1 to 4; 0 where it is no UTF-8 (as PostgreSQL sees it). */
size_t encoding_utf8_length(const char *p, size_t n);

#endif
