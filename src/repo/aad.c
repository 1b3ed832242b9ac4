#include "repo/repo_internal.h"

#include <string.h>

void aad_begin(Buf *aad, ObjectKind kind)
{
    buf_add_str(aad, "pgstow");
    buf_u16(aad, FORMAT_VERSION);
    buf_u8(aad, (uint8_t)kind);
}

void aad_check(Hash *h, const Buf *aad, const void *p, size_t n, uint8_t out[CHECK_BYTES])
{
    uint8_t whole[HASH_BYTES];
    hash_add(h, aad->data, aad->len);
    hash_add(h, p, n);
    hash_end(h, whole);
    memcpy(out, whole, CHECK_BYTES);
}
