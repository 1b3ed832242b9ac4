#include "serve/http_target.h"

#include <string.h>

/* No overlong forms, no surrogates, nothing beyond U+10FFFF (RFC 3629), no control characters. */
static bool is_plain_utf8(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t c = s[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : 3;
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4 || more >= n - i)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return false;
        if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) ||
            (c == 0xf0 && s[i + 1] < 0x90) || (c == 0xf4 && s[i + 1] > 0x8f) ||
            (c == 0xc2 && s[i + 1] < 0xa0))
            return false;
        i += more + 1;
    }
    return true;
}

/* Caller frees; NULL where it is no such text. */
static char *decode(const char *s, size_t n, bool plus_is_blank)
{
    AUTO(char) out = mem_zalloc(n + 1);
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '+' && plus_is_blank)
            c = ' ';
        if (c == '%') {
            char digits[3] = {0};
            if (n - i < 3)
                return NULL;
            memcpy(digits, s + i + 1, 2);
            if (!text_unhex(digits, &c, 1))
                return NULL;
            i += 2;
        }
        out[length++] = c;
    }
    if (!is_plain_utf8((const uint8_t *)out, length))
        return NULL;
    return STEAL(out);
}

static bool add_decoded(StrList *l, const char *s, size_t n, bool plus_is_blank)
{
    char *text = decode(s, n, plus_is_blank);
    if (text)
        strlist_own(l, text);
    return text != NULL;
}

static bool parse_path(const char *s, size_t n, StrList *segments)
{
    if (!n || *s != '/')
        return false;
    if (n == 1)
        return true;
    for (const char *at = s + 1, *end = s + n; at <= end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t length = (size_t)((slash ? slash : end) - at);
        if (!length || !add_decoded(segments, at, length, false))
            return false;
        const char *last = segments->items[segments->count - 1];
        if (!strcmp(last, ".") || !strcmp(last, ".."))
            return false;
        at += length + 1;
    }
    return true;
}

static bool parse_query(const char *s, StrList *names, StrList *values)
{
    while (*s) {
        size_t n = strcspn(s, "&"), name = strcspn(s, "=&");
        size_t from = name < n ? name + 1 : n;
        if (n &&
            (!add_decoded(names, s, name, true) || !add_decoded(values, s + from, n - from, true)))
            return false;
        s += n + (s[n] == '&');
    }
    return true;
}

bool http_target_parse(const char *target, StrList *segments, StrList *names, StrList *values)
{
    size_t path = strcspn(target, "?");
    return parse_path(target, path, segments) &&
           (!target[path] || parse_query(target + path + 1, names, values));
}
