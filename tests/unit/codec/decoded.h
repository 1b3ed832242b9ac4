/* What encoded bytes must become, and must not. */
#ifndef PGSTOW_TESTS_CODEC_DECODED_H
#define PGSTOW_TESTS_CODEC_DECODED_H

#include "../unit.h"

#include "codec/codec.h"

/* The n bytes at p and nothing else, whatever the buffer held before. */
static inline void comes_back(Codec *c, CodecId id, const Buf *packed, const void *p, size_t n)
{
    AUTO_VALUE(Buf) back = {0};
    buf_add_str(&back, "old contents");
    OK(codec_decode(c, id, packed->data, packed->len, n, &back));
    assert_int_equal(back.len, n);
    if (n)
        assert_memory_equal(back.data, p, n);
}

/* Only raw_len bytes may be asked for. */
static inline void has_one_length(Codec *c, CodecId id, const Buf *packed, size_t raw_len)
{
    AUTO_VALUE(Buf) out = {0};
    const size_t wrong[] = {raw_len - 1, raw_len + 1, 0, SIZE_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        FAILS(ERR_DAMAGED, codec_decode(c, id, packed->data, packed->len, wrong[i], &out));
}

#endif
