/* Compressed bytes. The first byte is the codec, two more the length that is claimed; the rest is
 * decoded, and then compressed and decoded again. */
#include "codec/codec.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Codec *codec;
    if (!codec)
        codec = codec_new();
    if (size < 3)
        return 0;
    AUTO_VALUE(Buf) out = {0};
    AUTO_VALUE(Buf) packed = {0};
    size_t claimed = (size_t)data[1] | (size_t)data[2] << 8, n = size - 3;
    if (sound(codec_decode(codec, (CodecId)data[0], data + 3, n, claimed, &out)))
        MUST(out.len == claimed);
    CodecId used;
    MUST(succeeded(codec_encode(codec, data[0] % 4, data + 3, n, &packed, &used)));
    MUST(packed.len <= n);
    MUST(succeeded(codec_decode(codec, used, packed.data, packed.len, n, &out)));
    MUST(out.len == n && (!n || memcmp(out.data, data + 3, n) == 0));
    return 0;
}
