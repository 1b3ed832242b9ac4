#include "codec/columns.h"

static const ColumnsWay any = {columns_encode, columns_decode};

#ifdef COLUMNS_HAVE_WIDE /* see columns_wide.h */
Error *columns_encode_wide(Columns *c, const void *p, size_t n, Buf *form, Buf *text,
                           bool *done) MUST_CHECK;
Error *columns_decode_wide(Columns *c, const void *form, size_t n, const Buf *text, size_t raw_len,
                           Buf *out) MUST_CHECK;

ColumnsWay columns_way(void)
{
    static const ColumnsWay wide = {columns_encode_wide, columns_decode_wide};
    bool is = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    return is ? wide : any;
}
#else
ColumnsWay columns_way(void)
{
    return any;
}
#endif
