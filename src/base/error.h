/* An error is a value that is returned. NULL is success.
 *
 * Every function that can fail returns `Error *`; whoever gets one either passes it up (TRY),
 * handles and frees it (error_free), or drops it on purpose (error_drop). Only the faces print
 * errors. A kind is one row of spec/errors.def. Thread-safe as long as one error has one owner.
 */
#ifndef PGSTOW_BASE_ERROR_H
#define PGSTOW_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/mem.h"

typedef enum ErrorKind {
#define ERROR(name, status, http, retry, meaning) ERR_##name,
#include "spec/errors.def"
#undef ERROR
    ERROR_KINDS
} ErrorKind;

typedef uint64_t KindSet; /* of error kinds */
#define KIND(name) (UINT64_C(1) << ERR_##name)
_Static_assert(ERROR_KINDS <= 64, "KindSet has 64 bits");
/* Whoever opens a repository may meet these. */
#define KINDS_REPO                                                                                 \
    (KIND(REPO_NOT_FOUND) | KIND(REPO_PERMISSION) | KIND(REPO_UNSUPPORTED) | KIND(DAMAGED) |       \
     KIND(KEY))
#define KINDS_TOOLS (KIND(TOOL_MISSING) | KIND(TOOL_VERSION) | KIND(TOOL_FAILED))
#define KINDS_DATABASE                                                                             \
    (KIND(CONNECT) | KIND(AUTH) | KIND(DB_NOT_FOUND) | KIND(DB_PERMISSION) | KIND(DB_FULL) |       \
     KIND(DB))

typedef struct Error Error;
#define MUST_CHECK __attribute__((warn_unused_result))

/* What a kind means, from spec/errors.def; `name` is the word that --json prints. */
typedef struct ErrorKindInfo {
    const char *name;
    int exit_status;
    int http_status;
    bool retryable;
    const char *meaning;
} ErrorKindInfo;
const ErrorKindInfo *error_kind_info(ErrorKind kind);
/* The kind of this name; ERR_INTERNAL where there is none, or it is NULL. */
ErrorKind error_kind_named(const char *name);

/* Makes an error (never NULL). Use FAIL() to return one, ERROR_NEW() to get one. */
Error *error_make(ErrorKind kind, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), returns_nonnull)) MUST_CHECK;
#define ERROR_NEW(kind, ...) error_make((kind), __FILE__, __LINE__, __VA_ARGS__)
#define FAIL(kind, ...) return ERROR_NEW(kind, __VA_ARGS__)

/* Each takes the error over and returns it, so that calls nest:
 *   return error_hint(ERROR_NEW(ERR_CONNECT, "..."), "is the server running?");
 * error_context puts a line in front of the message ("reading pack x: ...").
 * error_hint sets what to do next (the first one set stays; the innermost knows best).
 * error_cause attaches what led to it; both are then one error.
 */
Error *error_context(Error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))) MUST_CHECK;
Error *error_hint(Error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3))) MUST_CHECK;
Error *error_cause(Error *e, Error *cause) MUST_CHECK;
/* The same error with another kind, where a caller knows better what a failure means. */
Error *error_rekind(Error *e, ErrorKind kind) MUST_CHECK;

ErrorKind error_kind(const Error *e);
const char *error_message(const Error *e);
const char *error_hint_text(const Error *e); /* NULL where there is none */
const Error *error_cause_of(const Error *e); /* NULL where there is none */
const char *error_place(const Error *e);     /* file:line, for logs of faults */
/* An error from errno after a failed call: ENOSPC and EDQUOT are `full`, EACCES, EPERM and EROFS
 * `denied`, ENOMEM is ERR_MEMORY, all else ERR_IO. The message gains ": <strerror>". */
Error *error_errno(ErrorKind full, ErrorKind denied, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull)) MUST_CHECK;

void error_free(Error *e);
DEFINE_AUTO(Error, error_free)
/* For the few places where a failure must not matter (cleaning up after an earlier one). */
static inline void error_drop(Error *e)
{
    error_free(e);
}
/* Keeps the first of two errors and frees the second: for loops that must go on after a failure. */
Error *error_first(Error *first, Error *second) MUST_CHECK;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        Error *try_error_ = (call);                                                                \
        if (try_error_)                                                                            \
            return try_error_;                                                                     \
    } while (0)
#define TRY_CTX(call, ...)                                                                         \
    do {                                                                                           \
        Error *try_error_ = (call);                                                                \
        if (try_error_)                                                                            \
            return error_context(try_error_, __VA_ARGS__);                                         \
    } while (0)

#endif
