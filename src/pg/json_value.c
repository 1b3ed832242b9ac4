#include "pg/json_value.h"

#include <string.h>

#include "pg/encoding.h"

#define DEPTH_MAX 16 /* PostgreSQL's arrays have 6 dimensions at most */

static JsonKind kind_of(const char *base)
{
    static const struct {
        const char *base;
        JsonKind kind;
    } kinds[] = {
        {"bool", JSON_BOOL},        {"int2", JSON_NUMBER},    {"int4", JSON_NUMBER},
        {"int8", JSON_NUMBER},      {"oid", JSON_NUMBER},     {"float4", JSON_NUMBER},
        {"float8", JSON_NUMBER},    {"numeric", JSON_NUMBER}, {"timestamp", JSON_TIME},
        {"timestamptz", JSON_TIME}, {"json", JSON_DOCUMENT},  {"jsonb", JSON_DOCUMENT},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].base, base))
            return kinds[i].kind;
    return JSON_TEXT;
}

JsonType json_value_type(const char *base)
{
    if (*base != '_')
        return (JsonType){.kind = kind_of(base)};
    JsonKind element = kind_of(base + 1);
    /* In an array a NULL and JSON's null would look the same; boxes are separated by semicolons. */
    if (element == JSON_DOCUMENT || !strcmp(base, "_box"))
        return (JsonType){.kind = JSON_TEXT};
    return (JsonType){.kind = element, .array = true};
}

const char *json_value_type_name(JsonType t)
{
    static const char *const names[2][5] = {
        {"text", "bool", "number", "time", "json"},
        {"array of text", "array of bool", "array of number", "array of time", ""}};
    return names[t.array][t.kind];
}

Error *json_text_part(TextOut *out, const char *p, size_t n)
{
    static const char special[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    for (const char *end = p + n, *plain; p < end; p++) {
        for (plain = p; p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\';) {
            size_t length = encoding_utf8_length(p, (size_t)(end - p));
            if (!length)
                FAIL(ERR_DAMAGED, "a value is no UTF-8");
            p += length;
        }
        TRY(text_out_add(out, plain, (size_t)(p - plain)));
        if (p == end)
            break;
        const char *at = *p ? strchr(special, *p) : NULL;
        if (at)
            TRY(text_out_add(out, (char[]){'\\', letters[at - special]}, 2));
        else
            TRY(text_out_printf(out, "\\u%04x", (unsigned char)*p));
    }
    return NULL;
}

Error *json_text_string(TextOut *out, const char *p, size_t n)
{
    TRY(text_out_add(out, "\"", 1));
    TRY(json_text_part(out, p, n));
    return text_out_add(out, "\"", 1);
}

/* 2024-01-15 10:30:00[.123456][+00]: the pattern's digits are any digits. */
static bool is_plain_time(const char *p, size_t n, bool *zone)
{
    static const char pattern[] = "0000-00-00 00:00:00";
    size_t i = 0;
    for (; i < sizeof pattern - 1; i++)
        if (i >= n || (pattern[i] == '0' ? p[i] < '0' || p[i] > '9' : p[i] != pattern[i]))
            return false;
    if (i < n && p[i] == '.')
        for (i++; i < n && p[i] >= '0' && p[i] <= '9';)
            i++;
    *zone = n - i == 3 && !memcmp(p + i, "+00", 3);
    return i == n || *zone;
}

static Error *put_time(TextOut *out, const char *p, size_t n)
{
    bool zone;
    if (!is_plain_time(p, n, &zone))
        return json_text_string(out, p, n);
    TRY(text_out_add(out, "\"", 1));
    TRY(text_out_add(out, p, 10));
    TRY(text_out_add(out, "T", 1));
    TRY(text_out_add(out, p + 11, n - 11 - (zone ? 3 : 0)));
    return text_out_str(out, zone ? "Z\"" : "\"");
}

static Error *put_document(TextOut *out, const char *p, size_t n)
{
    if (!json_value_is_document(p, n))
        FAIL(ERR_DAMAGED, "a value of a json column is no JSON");
    for (const char *end = p + n, *plain; p < end; p++) {
        for (plain = p; p < end && *p != '\n' && *p != '\r';)
            p++;
        TRY(text_out_add(out, plain, (size_t)(p - plain)));
        if (p == end)
            break;
        TRY(text_out_add(out, " ", 1));
    }
    return NULL;
}

static Error *put_scalar(TextOut *out, JsonKind kind, const char *p, size_t n)
{
    switch (kind) {
    case JSON_BOOL:
        if (n != 1 || (*p != 't' && *p != 'f'))
            FAIL(ERR_DAMAGED, "a value of a boolean column is neither t nor f");
        return text_out_str(out, *p == 't' ? "true" : "false");
    case JSON_NUMBER:
        return json_value_is_number(p, n) ? text_out_add(out, p, n) : json_text_string(out, p, n);
    case JSON_TIME:
        return put_time(out, p, n);
    case JSON_DOCUMENT:
        return put_document(out, p, n);
    case JSON_TEXT:
        break;
    }
    return json_text_string(out, p, n);
}

/* -- arrays ------------------------------------------------------------------------------------ */

/* One element from *at on, which moves behind it: unescaped into `text` where it was quoted. */
typedef struct Element {
    const char *p;
    size_t n;
    bool null;
} Element;

static bool take_element(const char **at, const char *end, Buf *text, Element *e)
{
    const char *p = *at;
    text->len = 0;
    *e = (Element){.p = p};
    if (*p == '"') {
        for (p++; p < end && *p != '"'; p++) {
            p += *p == '\\';
            if (p == end)
                return false;
            buf_u8(text, (uint8_t)*p);
        }
        if (p == end)
            return false;
        *e = (Element){.p = text->len ? (const char *)text->data : "", .n = text->len};
        *at = p + 1;
        return true;
    }
    while (p < end && !strchr(",{}\"\\", *p))
        p++;
    e->n = (size_t)(p - *at);
    e->null = e->n == 4 && !memcmp(e->p, "NULL", 4);
    *at = p;
    return e->n > 0;
}

/* out NULL: only whether it is an array that can be written. */
static Error *walk_array(TextOut *out, JsonKind kind, const char *p, size_t n, Buf *text,
                         bool *good)
{
    const char *end = p + n;
    int depth = 0;
    *good = false;
    do {
        /* A value: an opening brace, or an element. */
        if (p == end)
            return NULL;
        if (*p == '{') {
            if (++depth > DEPTH_MAX)
                return NULL;
            p++;
            if (out)
                TRY(text_out_add(out, "[", 1));
            if (p == end || *p != '}')
                continue;
        } else {
            Element e;
            if (!depth || !take_element(&p, end, text, &e))
                return NULL;
            if (out && e.null)
                TRY(text_out_str(out, "null"));
            else if (out)
                TRY(put_scalar(out, kind, e.p, e.n));
        }
        for (; p < end && depth && *p == '}'; p++, depth--)
            if (out)
                TRY(text_out_add(out, "]", 1));
        if (depth && (p == end || *p != ','))
            return NULL;
        if (depth && out)
            TRY(text_out_add(out, ",", 1));
        p += depth > 0;
    } while (depth);
    *good = p == end;
    return NULL;
}

static Error *put_array(TextOut *out, JsonKind kind, const char *p, size_t n)
{
    AUTO_VALUE(Buf) text = {0};
    bool good;
    TRY(walk_array(NULL, kind, p, n, &text, &good));
    return good ? walk_array(out, kind, p, n, &text, &good) : json_text_string(out, p, n);
}

Error *json_value(TextOut *out, JsonType type, const char *p, size_t n)
{
    return type.array ? put_array(out, type.kind, p, n) : put_scalar(out, type.kind, p, n);
}
