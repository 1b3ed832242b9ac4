#include "serve/http_range.h"

#include <string.h>
#include <strings.h>

/* Digits, at least one; *at is then behind them. */
static bool number(const char **at, uint64_t *out)
{
    const char *s = *at;
    uint64_t n = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        unsigned digit = (unsigned)(*s - '0');
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    if (s == *at)
        return false;
    *at = s;
    *out = n;
    return true;
}

bool http_range_parse(const char *s, HttpRange *out)
{
    *out = (HttpRange){.last = UINT64_MAX};
    if (strncasecmp(s, "bytes=", 6) != 0)
        return false;
    s += 6;
    s += strspn(s, " \t");
    out->suffix = *s == '-';
    if (out->suffix)
        s++;
    if (!number(&s, &out->first))
        return false;
    if (!out->suffix) {
        if (*s++ != '-')
            return false;
        if (*s >= '0' && *s <= '9' && (!number(&s, &out->last) || out->last < out->first))
            return false;
    }
    s += strspn(s, " \t");
    return !*s;
}

bool http_range_within(const HttpRange *r, uint64_t total, uint64_t *from, uint64_t *to)
{
    if (r->suffix) {
        *from = r->first < total ? total - r->first : 0;
        *to = total;
        return r->first && total;
    }
    *from = r->first;
    *to = r->last < total ? r->last + 1 : total;
    return r->first < total;
}
