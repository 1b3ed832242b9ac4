#include "serve/http_target.h"

#include <string.h>

bool http_is_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)s[i];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < n && (uint8_t)s[i + 1] < 0xa0))
            return false;
    }
    return text_is_utf8(s, n);
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
    if (!http_is_plain(out, length))
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
