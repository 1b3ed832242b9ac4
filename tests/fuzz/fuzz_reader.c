/* The readers of numbers and blocks. The first bytes say what is read, the others are read: up to
 * the first byte of 0x80 or more the former, each modulo the number of calls. */
#include "fuzz.h"

static bool read_one(Reader *r, uint8_t call)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    const uint8_t *p;
    size_t n, left = reader_left(r);
    switch (call % 9) {
    case 0:
        return sound(reader_u8(r, &u8));
    case 1:
        return sound(reader_u16(r, &u16));
    case 2:
        return sound(reader_u32(r, &u32));
    case 3:
        return sound(reader_u64(r, &u64));
    case 4:
        return sound(reader_varint(r, &u64));
    case 5:
        if (!sound(reader_varint_max(r, 1000, &u64)))
            return false;
        MUST(u64 <= 1000);
        return true;
    case 6:
        if (!sound(reader_block(r, &p, &n)))
            return false;
        MUST(n < left && p + n == r->at);
        return true;
    case 7: {
        AUTO(char) text = NULL;
        if (!sound(reader_block_str(r, &text)))
            return false;
        MUST(strlen(text) < left);
        return true;
    }
    default:
        return sound(reader_bytes(r, call, &p));
    }
}

static void check_varint(uint64_t v)
{
    AUTO_VALUE(Buf) b = {0};
    uint64_t again;
    buf_varint(&b, v);
    Reader r = reader_over(b.data, b.len, "what was written");
    MUST(sound(reader_varint(&r, &again)) && again == v && reader_left(&r) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t calls = 0;
    while (calls < size && data[calls] < 0x80)
        calls++;
    Reader r = reader_over(data + calls, size - calls, "input");
    for (size_t i = 0; i < calls && read_one(&r, data[i]); i++)
        MUST(r.at <= r.end);
    succeeded(reader_end(&r));
    uint64_t v = 0;
    memcpy(&v, data, size < sizeof v ? size : sizeof v);
    check_varint(v);
    return 0;
}
