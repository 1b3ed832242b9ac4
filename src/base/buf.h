/* A growing run of bytes, and the little-endian coding of numbers in it.
 *
 * buf_* that add abort when memory is gone: they are for things whose size we decide. Where a file
 * or a peer decides, call buf_reserve (an error, and a stated limit) first; adding within what is
 * reserved never allocates. A Buf of zeros is an empty one.
 */
#ifndef PGSTOW_BASE_BUF_H
#define PGSTOW_BASE_BUF_H

#include <stdint.h>
#include "base/error.h"

typedef struct Buf {
    uint8_t *data;
    size_t len, cap;
} Buf;

void buf_free(Buf *b);
DEFINE_AUTO_VALUE(Buf, buf_free)
/* Room for n more bytes; ERR_LIMIT where len + n would pass max, ERR_MEMORY where memory is gone.
 */
Error *buf_reserve(Buf *b, size_t n, size_t max) MUST_CHECK;
void buf_add(Buf *b, const void *p, size_t n);
void buf_add_str(Buf *b, const char *s);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_u8(Buf *b, uint8_t v);
void buf_u16(Buf *b, uint16_t v);
void buf_u32(Buf *b, uint32_t v);
void buf_u64(Buf *b, uint64_t v);
void buf_varint(Buf *b, uint64_t v);             /* LEB128, 1 to 10 bytes */
void buf_block(Buf *b, const void *p, size_t n); /* varint length, then the bytes */
void buf_block_str(Buf *b, const char *s);       /* NULL is written as the empty string */
/* The bytes as a NUL-terminated string, which the caller frees; the buffer becomes empty. */
char *buf_steal_str(Buf *b);

/* Reads what the above wrote. Every call checks what is left: ERR_DAMAGED, naming `what`, when
 * short. Borrowed pointers point into the input. */
typedef struct Reader {
    const uint8_t *at, *end;
    const char *what; /* what is being read, for messages */
} Reader;
Reader reader_over(const void *p, size_t n, const char *what);
size_t reader_left(const Reader *r);
Error *reader_u8(Reader *r, uint8_t *out) MUST_CHECK;
Error *reader_u16(Reader *r, uint16_t *out) MUST_CHECK;
Error *reader_u32(Reader *r, uint32_t *out) MUST_CHECK;
Error *reader_u64(Reader *r, uint64_t *out) MUST_CHECK;
Error *reader_varint(Reader *r, uint64_t *out) MUST_CHECK;
/* A varint that must not pass max. */
Error *reader_varint_max(Reader *r, uint64_t max, uint64_t *out) MUST_CHECK;
Error *reader_bytes(Reader *r, size_t n, const uint8_t **out) MUST_CHECK;
Error *reader_block(Reader *r, const uint8_t **out, size_t *n) MUST_CHECK;
Error *reader_block_str(Reader *r, char **out) MUST_CHECK; /* caller frees; refuses embedded NULs */
Error *reader_end(const Reader *r) MUST_CHECK; /* ERR_DAMAGED where bytes are left over */

#endif
