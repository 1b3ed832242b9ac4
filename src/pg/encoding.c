#include "pg/encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define TEXT_MAX ((size_t)1 << 32)

struct Encoding {
    iconv_t from;
    char *name;
};

/* Those that have another name in iconv than here, or none that differs only in case. */
static const char *const names[][2] = {
    {"SQL_ASCII", "ISO-8859-1"},
    {"LATIN1", "ISO-8859-1"},
    {"LATIN2", "ISO-8859-2"},
    {"LATIN3", "ISO-8859-3"},
    {"LATIN4", "ISO-8859-4"},
    {"LATIN5", "ISO-8859-9"},
    {"LATIN6", "ISO-8859-10"},
    {"LATIN7", "ISO-8859-13"},
    {"LATIN8", "ISO-8859-14"},
    {"LATIN9", "ISO-8859-15"},
    {"LATIN10", "ISO-8859-16"},
    {"ISO_8859_5", "ISO-8859-5"},
    {"ISO_8859_6", "ISO-8859-6"},
    {"ISO_8859_7", "ISO-8859-7"},
    {"ISO_8859_8", "ISO-8859-8"},
    {"KOI8R", "KOI8-R"},
    {"KOI8U", "KOI8-U"},
    {"WIN866", "CP866"},
    {"WIN874", "CP874"},
    {"WIN1250", "CP1250"},
    {"WIN1251", "CP1251"},
    {"WIN1252", "CP1252"},
    {"WIN1253", "CP1253"},
    {"WIN1254", "CP1254"},
    {"WIN1255", "CP1255"},
    {"WIN1256", "CP1256"},
    {"WIN1257", "CP1257"},
    {"WIN1258", "CP1258"},
    {"EUC_CN", "EUC-CN"},
    {"EUC_JP", "EUC-JP"},
    {"EUC_KR", "EUC-KR"},
    {"EUC_TW", "EUC-TW"},
    {"EUC_JIS_2004", "EUC-JISX0213"},
    {"SJIS", "CP932"},
    {"SHIFT_JIS_2004", "SHIFT_JISX0213"},
    {"BIG5", "BIG5"},
    {"GBK", "GBK"},
    {"GB18030", "GB18030"},
    {"UHC", "UHC"},
    {"JOHAB", "JOHAB"},
};

Error *encoding_open(const char *name, Encoding **out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!text_equal_nocase(names[i][0], name))
            continue;
        iconv_t from = iconv_open("UTF-8", names[i][1]);
        if (from == (iconv_t)-1)
            break;
        Encoding *e = mem_new(Encoding);
        e->from = from;
        e->name = mem_strdup(name);
        *out = e;
        return NULL;
    }
    FAIL(ERR_PREFLIGHT, "the database's encoding, %s, cannot be turned into UTF-8 here", name);
}

Error *encoding_to_utf8(Encoding *e, const char *p, size_t n, Buf *out)
{
    out->len = 0;
    char *from = (char *)p;
    size_t left = n;
    TRY(buf_reserve(out, n + 16, TEXT_MAX));
    iconv(e->from, NULL, NULL, NULL, NULL);
    while (left) {
        TRY(buf_reserve(out, 16, TEXT_MAX));
        char *to = (char *)out->data + out->len;
        size_t space = out->cap - out->len;
        size_t code = iconv(e->from, &from, &left, &to, &space);
        out->len = out->cap - space;
        if (code == (size_t)-1 && errno == E2BIG)
            TRY(buf_reserve(out, left + 16, TEXT_MAX));
        else if (code == (size_t)-1)
            FAIL(ERR_DAMAGED, "a value is no text in the encoding %s at its byte %zu", e->name,
                 n - left);
    }
    return NULL;
}

Error *encoding_ascii_bytes(const char *p, size_t n, Buf *out)
{
    const uint8_t *s = (const uint8_t *)p, *end = s + n;
    out->len = 0;
    TRY(buf_reserve(out, n + 1, TEXT_MAX));
    while (s < end) {
        bool high = *s >= 0x80;
        if (high && (*s < 0xc2 || *s > 0xc3 || end - s < 2 || (s[1] & 0xc0) != 0x80))
            FAIL(ERR_DAMAGED,
                 "a value has a character that no byte of a SQL_ASCII database became");
        buf_u8(out, high ? (uint8_t)(s[0] << 6 | (s[1] & 0x3f)) : *s);
        s += high ? 2 : 1;
    }
    return NULL;
}

void encoding_free(Encoding *e)
{
    iconv_close(e->from);
    free(e->name);
    free(e);
}

size_t encoding_utf8_length(const char *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    size_t length = !n             ? 0
                    : s[0] < 0x80  ? 1
                    : s[0] < 0xc2  ? 0
                    : s[0] < 0xe0  ? 2
                    : s[0] < 0xf0  ? 3
                    : s[0] <= 0xf4 ? 4
                                   : 0;
    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if (length == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
        return 0;
    if (length == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
        return 0;
    return length;
}
