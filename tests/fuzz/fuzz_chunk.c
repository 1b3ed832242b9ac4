/* Where a stream is cut. The first byte is the chunks' mean size, the second whether there are
 * rows; the third repeats the rest, so that small input makes several chunks. */
#include "fuzz.h"
#include "repo/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    unsigned bits = 8 + data[0] % 6;
    bool rows = data[1] % 2;
    size_t times = (size_t)data[2] + 1, least = (size_t)1 << (bits - 2), greatest = least << 4;
    AUTO_VALUE(Buf) all = {0};
    for (size_t i = 0; i < times && all.len < 8 * greatest; i++) {
        buf_add(&all, data + 3, size - 3);
        buf_printf(&all, "%zu", i * 7919);
    }
    for (size_t at = 0; at < all.len;) {
        size_t left = all.len - at, seen = left < greatest ? left : greatest;
        size_t cut = chunk_cut(all.data + at, left, bits, rows, true);
        MUST(cut > 0 && cut <= seen);
        /* What follows beyond the greatest size must not matter. */
        MUST(chunk_cut(all.data + at, seen, bits, rows, seen == left) == cut);
        if (rows && cut < left && all.data[at + cut - 1] != '\n')
            MUST(!memchr(all.data + at, '\n', cut));
        at += cut;
    }
    return 0;
}
