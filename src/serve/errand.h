/* An errand: a child pgstow that is no job, whose output or last word somebody waits for who may go
 * away meanwhile: then it is ended. For one thread. */
#ifndef PGSTOW_SERVE_ERRAND_H
#define PGSTOW_SERVE_ERRAND_H

#include "base/doc.h"
#include "serve/http_stream.h"
#include "serve/runner.h"

/* Borrowed until errand_free. */
typedef struct ErrandOptions {
    const Runner *runner;
    const char *entry;    /* "" for none */
    const StrList *words; /* the command line after `pgstow` */
    bool output;          /* its standard output is wanted, and not its result */
    int socket;           /* of the client that waits: http_wait */
    const Cancel *stop;   /* or NULL */
    int64_t timeout_ms;   /* in all; 0: none. ERR_TIMEOUT */
} ErrandOptions;

typedef struct Errand Errand;
Error *errand_start(const ErrandOptions *options, Errand **out) MUST_CHECK;
/* Up to n bytes of its output. *got is 0 when that is all and it has ended well; where it has not,
 * the error is its own, of that kind, with message and hint. ERR_CANCELLED: see http_wait. */
Error *errand_read(Errand *e, void *p, size_t n, size_t *got) MUST_CHECK;
/* Without output: waits until it has ended; *result is what --json prints, NULL where it printed
 * nothing, also where there is an error. Errors as before. The caller frees the result. */
Error *errand_result(Errand *e, Doc **result) MUST_CHECK;
/* Ends it where it runs. */
void errand_free(Errand *e);
DEFINE_AUTO(Errand, errand_free)

#endif
