#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void *check(void *p)
{
    if (!p) {
        fputs("pgstow: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_zalloc(size_t size)
{
    return check(calloc(1, size ? size : 1));
}

void *mem_calloc(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        check(NULL);
    return check(realloc(p, bytes ? bytes : 1));
}

char *mem_strdup(const char *s)
{
    return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = mem_zalloc(len + 1);
    memcpy(copy, s, len);
    return copy;
}

void *mem_dup(const void *p, size_t n)
{
    void *copy = mem_zalloc(n);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&s, fmt, args);
    va_end(args);
    return n < 0 ? check(NULL) : s;
}

void *mem_grow_(void *p, size_t count, size_t *cap, size_t elem)
{
    if (count < *cap)
        return p;
    *cap = *cap ? *cap + *cap / 2 + 1 : 8;
    return mem_realloc(p, *cap, elem);
}
