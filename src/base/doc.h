/* A JSON document: the only place that knows jansson.
 *
 * Builders abort when memory is gone (documents are small); parsing foreign text returns an error
 * and has a stated limit. doc_set_* take keys in the order in which they are to be printed.
 */
#ifndef PGSTOW_BASE_DOC_H
#define PGSTOW_BASE_DOC_H

#include <stdint.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

typedef struct Doc Doc; /* one value: object, array, string, number, boolean or null */

Doc *doc_object(void);
Doc *doc_array(void);
void doc_free(Doc *d);
DEFINE_AUTO(Doc, doc_free)

void doc_set_str(Doc *object, const char *key,
                 const char *value); /* NULL becomes null; bad UTF-8 escaped */
void doc_set_int(Doc *object, const char *key, int64_t value);
void doc_set_bool(Doc *object, const char *key, bool value);
void doc_set_null(Doc *object, const char *key);
void doc_set_time(Doc *object, const char *key, Instant t); /* as clock_iso; 0 becomes null */
/* These take `value` over. */
void doc_set(Doc *object, const char *key, Doc *value);
void doc_push(Doc *array, Doc *value);
void doc_push_str(Doc *array, const char *value);
Doc *doc_texts(const StrList *texts); /* an array of them */

/* The error as a document's member: kind, message, hint. */
Doc *doc_error(const Error *e);

typedef enum DocType {
    DOC_OBJECT,
    DOC_ARRAY,
    DOC_TEXT,
    DOC_INTEGER,
    DOC_REAL,
    DOC_BOOL,
    DOC_NULL
} DocType;
DocType doc_type(const Doc *d);

/* Reading. A missing key, or one of another type, gives the fallback. Borrowed from the document.
 */
const char *doc_str(const Doc *object, const char *key, const char *fallback);
int64_t doc_int(const Doc *object, const char *key, int64_t fallback);
bool doc_bool(const Doc *object, const char *key, bool fallback);
bool doc_has(const Doc *object, const char *key);
void doc_remove(Doc *object, const char *key);          /* one that is not there is fine */
const Doc *doc_get(const Doc *object, const char *key); /* NULL where missing */
size_t doc_count(const Doc *array);                     /* 0 for anything but an array or object */
const Doc *doc_at(const Doc *array, size_t i);
const char *doc_key_at(const Doc *object, size_t i); /* the i-th key, in order */
const char *doc_text(const Doc *string);             /* NULL for anything but a string */
int64_t doc_number(const Doc *integer);              /* 0 for anything but an integer */

Doc *doc_copy(const Doc *d); /* of all that is in it */
/* The text, one line, or indented; caller frees. */
char *doc_print(const Doc *d, bool indented);
/* ERR_DAMAGED, naming `what` and the place, for anything but one JSON value. */
Error *doc_parse(const char *text, size_t n, const char *what, Doc **out) MUST_CHECK;

#endif
