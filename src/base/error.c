#include "base/error.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct Error {
    ErrorKind kind;
    char *message;
    char *hint;
    char *place;
    Error *cause;
};

static const ErrorKindInfo kinds[ERROR_KINDS] = {
#define ERROR(name_, status, http, retry, meaning_)                                                \
    [ERR_##name_] = {#name_, status, http, retry, meaning_},
#include "spec/errors.def"
#undef ERROR
};

const ErrorKindInfo *error_kind_info(ErrorKind kind)
{
    return &kinds[kind < ERROR_KINDS ? kind : ERR_INTERNAL];
}

ErrorKind error_kind_named(const char *name)
{
    for (ErrorKind k = 0; name && k < ERROR_KINDS; k++)
        if (!strcmp(kinds[k].name, name))
            return k;
    return ERR_INTERNAL;
}

static char *format(const char *fmt, va_list args)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, args) < 0)
        return mem_strdup("(no memory for the message)");
    return s;
}

Error *error_make(ErrorKind kind, const char *file, int line, const char *fmt, ...)
{
    Error *e = mem_new(Error);
    va_list args;
    va_start(args, fmt);
    e->kind = kind;
    e->message = format(fmt, args);
    e->place = mem_printf("%s:%d", file, line);
    va_end(args);
    return e;
}

Error *error_context(Error *e, const char *fmt, ...)
{
    if (!e)
        return NULL;
    va_list args;
    va_start(args, fmt);
    AUTO(char) before = format(fmt, args);
    va_end(args);
    char *joined = mem_printf("%s: %s", before, e->message);
    free(e->message);
    e->message = joined;
    return e;
}

Error *error_hint(Error *e, const char *fmt, ...)
{
    if (!e || e->hint)
        return e;
    va_list args;
    va_start(args, fmt);
    e->hint = format(fmt, args);
    va_end(args);
    return e;
}

Error *error_cause(Error *e, Error *cause)
{
    if (!e)
        return cause;
    Error *last = e;
    while (last->cause)
        last = last->cause;
    last->cause = cause;
    return e;
}

Error *error_rekind(Error *e, ErrorKind kind)
{
    if (e)
        e->kind = kind;
    return e;
}

ErrorKind error_kind(const Error *e)
{
    return e->kind;
}

const char *error_message(const Error *e)
{
    return e->message;
}

const char *error_hint_text(const Error *e)
{
    for (; e; e = e->cause)
        if (e->hint)
            return e->hint;
    return NULL;
}

const Error *error_cause_of(const Error *e)
{
    return e->cause;
}

const char *error_place(const Error *e)
{
    return e->place;
}

Error *error_errno(ErrorKind full, ErrorKind denied, const char *fmt, ...)
{
    int code = errno;
    va_list args;
    va_start(args, fmt);
    AUTO(char) what = format(fmt, args);
    va_end(args);
    ErrorKind kind = ERR_IO;
    if (code == ENOSPC || code == EDQUOT)
        kind = full;
    else if (code == EACCES || code == EPERM || code == EROFS)
        kind = denied;
    else if (code == ENOMEM)
        kind = ERR_MEMORY;
    return ERROR_NEW(kind, "%s: %s", what, strerror_l(code, uselocale((locale_t)0)));
}

void error_free(Error *e)
{
    while (e) {
        Error *cause = e->cause;
        free(e->message);
        free(e->hint);
        free(e->place);
        free(e);
        e = cause;
    }
}

Error *error_first(Error *first, Error *second)
{
    if (!first)
        return second;
    error_free(second);
    return first;
}
