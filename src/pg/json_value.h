/* PostgreSQL's text of a value as a JSON value, by the column's type (docs/json.md).
 *
 * bool, numbers, json and jsonb, and arrays of all but json and box become what JSON has for them;
 * everything else stays the text that PostgreSQL writes, as a string. A value that JSON has no form
 * for (NaN, infinity, an array with bounds of its own) is a string as well.
 */
#ifndef PGSTOW_PG_JSON_VALUE_H
#define PGSTOW_PG_JSON_VALUE_H

#include "base/text_out.h"

typedef enum JsonKind {
    JSON_TEXT,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_TIME,    /* timestamps: 2024-01-15T10:30:00Z, where they have a year of four digits */
    JSON_DOCUMENT /* json, jsonb: embedded; a line break in it becomes a space */
} JsonKind;
typedef struct JsonType {
    JsonKind kind; /* of an array: its elements' */
    bool array;
} JsonType;
/* base: RelationColumn's. */
JsonType json_value_type(const char *base);
/* The word that says in a file what a column's values are: "text", "number", "array of number". */
const char *json_value_type_name(JsonType t);

/* p: UTF-8, not NULL. ERR_DAMAGED for what no server writes in such a column. */
Error *json_value(TextOut *out, JsonType type, const char *p, size_t n) MUST_CHECK;
/* In quotes. ERR_DAMAGED where it is no UTF-8. */
Error *json_text_string(TextOut *out, const char *p, size_t n) MUST_CHECK;
Error *json_text_part(TextOut *out, const char *p, size_t n) MUST_CHECK; /* without quotes */

bool json_value_is_number(const char *p, size_t n);
/* One JSON value and nothing else but white space. */
bool json_value_is_document(const char *p, size_t n);

#endif
