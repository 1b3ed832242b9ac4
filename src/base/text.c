#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void text_hex(const void *p, size_t n, char *out)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[b[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[b[i] & 15];
    }
    out[2 * n] = 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_unhex(const char *s, void *out, size_t n)
{
    uint8_t *b = out;
    if (strlen(s) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = nibble(s[2 * i]), lo = nibble(s[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        b[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

char *text_size(uint64_t bytes, char *out)
{
    static const char *units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)bytes;
    size_t u = 0;
    while (v >= 999.5 && u < 6) {
        v /= 1000;
        u++;
    }
    if (u == 0)
        snprintf(out, 32, "%llu B", (unsigned long long)bytes);
    else
        snprintf(out, 32, "%.*f %s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, units[u]);
    return out;
}

char *text_duration(int64_t ms, char *out)
{
    int64_t s = (ms + 500) / 1000;
    if (ms < 1000)
        snprintf(out, 32, "%lld ms", (long long)ms);
    else if (ms < 60000)
        snprintf(out, 32, "%.1f s", (double)ms / 1000);
    else if (s < 3600)
        snprintf(out, 32, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else if (s < 86400)
        snprintf(out, 32, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
    else
        snprintf(out, 32, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
    return out;
}

Error *text_parse_size(const char *s, uint64_t *out)
{
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"K", 1024.},
                 {"KiB", 1024.},
                 {"M", 1048576.},
                 {"MiB", 1048576.},
                 {"G", 1073741824.},
                 {"GiB", 1073741824.},
                 {"T", 1099511627776.},
                 {"TiB", 1099511627776.},
                 {"KB", 1e3},
                 {"MB", 1e6},
                 {"GB", 1e9},
                 {"TB", 1e12}};
    char *end = NULL;
    errno = 0;
    double v = isdigit((unsigned char)*s) ? strtod(s, &end) : -1;
    if (v >= 0 && end != s && !errno) {
        while (*end == ' ')
            end++;
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (!strcasecmp(end, units[i].suffix) && v * units[i].factor < 9e18) {
                *out = (uint64_t)(v * units[i].factor + 0.5);
                return NULL;
            }
    }
    FAIL(ERR_CONFIG, "\"%s\" is not a size (such as 64KiB, 20MB or 1.5G)", s);
}

Error *text_parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (!*s || isspace((unsigned char)*s) || *end || errno || v < min || v > max)
        FAIL(ERR_CONFIG, "\"%s\" is not a whole number from %lld to %lld", s, (long long)min,
             (long long)max);
    *out = v;
    return NULL;
}

Error *text_parse_bool(const char *s, bool *out)
{
    static const char *words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int v = 0; v < 2; v++)
        for (int i = 0; i < 4; i++)
            if (!strcasecmp(s, words[v][i])) {
                *out = v;
                return NULL;
            }
    FAIL(ERR_CONFIG, "\"%s\" is neither true nor false", s);
}

static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    if (n > 127 || strlen(a) > 127)
        return 999;
    size_t row[128];
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t up = row[j];
            size_t change =
                diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            size_t best = up + 1 < row[j - 1] + 1 ? up + 1 : row[j - 1] + 1;
            row[j] = change < best ? change : best;
            diagonal = up;
        }
    }
    return row[n];
}

const char *text_nearest(const char *s, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = strlen(s) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(s, names[i]);
        if (d <= least && (d < least || !best)) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

bool text_starts(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

bool text_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && !strcmp(s + n - m, suffix);
}

bool text_equal_nocase(const char *a, const char *b)
{
    return !strcasecmp(a, b);
}

char *text_escape_name(const char *s)
{
    Buf b = {0};
    for (const char *p = s; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c < 128 && isalnum(c)) || c == '_' || (p > s && (c == '-' || c == '.'));
        if (plain)
            buf_u8(&b, c);
        else
            buf_printf(&b, "%%%02X", c);
    }
    return buf_steal_str(&b);
}

size_t text_kept(const char *s, size_t max)
{
    size_t n = strnlen(s, max + 1);
    if (n <= max)
        return n;
    n = max;
    while (n + 4 > max && n && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

char *text_cut(const char *s, size_t max)
{
    return s ? mem_strndup(s, text_kept(s, max)) : mem_strdup("");
}

bool text_is_utf8(const void *p, size_t n)
{
    const uint8_t *s = p;
    for (size_t i = 0; i < n;) {
        uint8_t c = s[i];
        size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || more >= n - i)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return false;
        if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) ||
            (c == 0xf0 && s[i + 1] < 0x90) || (c == 0xf4 && s[i + 1] > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}

char *text_utf8(const char *s)
{
    Buf b = {0};
    if (text_is_utf8(s, strlen(s)))
        return mem_strdup(s);
    for (; *s; s++) {
        if ((unsigned char)*s < 128)
            buf_u8(&b, (uint8_t)*s);
        else
            buf_printf(&b, "\\x%02x", (unsigned char)*s);
    }
    return buf_steal_str(&b);
}

char *text_printable(const char *s)
{
    Buf b = {0};
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
        bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+009B begins what ESC [ does */
        if (c < 32 || c == 127 || c1)
            buf_printf(&b, "\\x%02x", c1 ? next : c);
        else
            buf_u8(&b, c);
        s += c1;
    }
    return buf_steal_str(&b);
}

static char *quoted(const char *s, char quote, const char *doubled, char escape)
{
    Buf b = {0};
    buf_u8(&b, (uint8_t)quote);
    for (; *s; s++) {
        if (strchr(doubled, *s))
            buf_u8(&b, escape ? (uint8_t)escape : (uint8_t)*s);
        buf_u8(&b, (uint8_t)*s);
    }
    buf_u8(&b, (uint8_t)quote);
    return buf_steal_str(&b);
}

char *text_sql_ident(const char *s)
{
    return quoted(s, '"', "\"", 0);
}

char *text_sql_literal(const char *s)
{
    return quoted(s, '\'', "'", 0);
}

char *text_conninfo_value(const char *s)
{
    return quoted(s, '\'', "'\\", '\\');
}

void strlist_own(StrList *l, char *s)
{
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = s;
}

void strlist_add(StrList *l, const char *s)
{
    strlist_own(l, mem_strdup(s));
}

bool strlist_has(const StrList *l, const char *s)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i], s))
            return true;
    return false;
}

void strlist_copy(StrList *to, const StrList *from)
{
    for (size_t i = 0; i < from->count; i++)
        strlist_add(to, from->items[i]);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(StrList *l)
{
    mem_sort(l->items, l->count, sizeof *l->items, compare_texts);
}

void strlist_free(StrList *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
    *l = (StrList){0};
}
