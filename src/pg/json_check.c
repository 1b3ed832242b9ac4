/* Is it JSON? (RFC 8259) */
#include "pg/json_value.h"

#include <string.h>

#include "pg/encoding.h"

static size_t digits(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - start);
}

/* How long the number at p is; 0 where there is none. */
static size_t number_length(const char *p, const char *end)
{
    const char *start = p;
    p += p < end && *p == '-';
    size_t n = digits(p, end);
    if (!n || (n > 1 && *p == '0'))
        return 0;
    p += n;
    if (p < end && *p == '.') {
        n = digits(p + 1, end);
        if (!n)
            return 0;
        p += 1 + n;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        n = digits(p, end);
        if (!n)
            return 0;
        p += n;
    }
    return (size_t)(p - start);
}

bool json_value_is_number(const char *p, size_t n)
{
    return n && number_length(p, p + n) == n;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* With its quotes; 0 where there is none. */
static size_t string_length(const char *p, const char *end)
{
    const char *start = p++;
    while (p < end && *p != '"') {
        size_t n = encoding_utf8_length(p, (size_t)(end - p));
        if (!n || (unsigned char)*p < 0x20)
            return 0;
        if (*p == '\\') {
            if (end - p < 2 || !strchr("\"\\/bfnrtu", p[1]) || !p[1])
                return 0;
            n = 2;
            if (p[1] == 'u') {
                n = 6;
                if (end - p < 6)
                    return 0;
                for (int i = 2; i < 6; i++)
                    if (!is_hex(p[i]))
                        return 0;
            }
        }
        p += n;
    }
    return p < end ? (size_t)(p + 1 - start) : 0;
}

static size_t scalar_length(const char *p, const char *end)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*p == '"')
        return string_length(p, end);
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(end - p) >= n && !memcmp(p, words[i], n))
            return n;
    }
    return number_length(p, end);
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* "name": in front of a member's value. */
static bool take_name(const char **at, const char *end)
{
    const char *p = skip_space(*at, end);
    size_t n = p < end && *p == '"' ? string_length(p, end) : 0;
    p = skip_space(p + n, end);
    if (!n || p == end || *p != ':')
        return false;
    *at = p + 1;
    return true;
}

/* Documents may be nested as deeply as the server took them: what is open stands in a list. */
static bool check(const char *p, const char *end, Buf *open)
{
    bool first = false; /* right behind an opening bracket */
    for (;;) {
        p = skip_space(p, end);
        if (p == end)
            return false;
        if (first && *p == open->data[open->len - 1] + 2) { /* ']' and '}' are two behind */
            p++;
            open->len--;
            first = false;
        } else {
            if (open->len && open->data[open->len - 1] == '{' && !take_name(&p, end))
                return false;
            p = skip_space(p, end);
            if (p == end)
                return false;
            first = *p == '{' || *p == '[';
            if (first) {
                buf_u8(open, (uint8_t)*p++);
                continue;
            }
            size_t n = scalar_length(p, end);
            if (!n)
                return false;
            p += n;
        }
        /* Behind a value: what closes, then what separates. */
        for (p = skip_space(p, end); open->len && p < end && *p == open->data[open->len - 1] + 2;
             p = skip_space(p + 1, end))
            open->len--;
        if (!open->len)
            return p == end;
        if (p == end || *p != ',')
            return false;
        p++;
    }
}

bool json_value_is_document(const char *p, size_t n)
{
    AUTO_VALUE(Buf) open = {0};
    return check(p, p + n, &open);
}
