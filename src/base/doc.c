#include "base/doc.h"

#include <jansson.h>
#include <string.h>

/* A Doc is a json_t under another name, so that jansson stays in this file. */
static json_t *raw(const Doc *d)
{
    return (json_t *)(uintptr_t)d;
}

static Doc *wrap(json_t *j)
{
    if (!j)
        abort();
    return (Doc *)j;
}

Doc *doc_object(void)
{
    return wrap(json_object());
}

Doc *doc_array(void)
{
    return wrap(json_array());
}

void doc_free(Doc *d)
{
    json_decref(raw(d));
}

static json_t *string(const char *s)
{
    if (!s)
        return json_null();
    json_t *j = json_string(s);
    if (j)
        return j;
    AUTO(char) sound = text_utf8(s);
    return json_string(sound);
}

static void set(Doc *object, const char *key, json_t *value)
{
    if (json_object_set_new(raw(object), key, value) < 0)
        abort();
}

void doc_set_str(Doc *object, const char *key, const char *value)
{
    set(object, key, string(value));
}

void doc_set_int(Doc *object, const char *key, int64_t value)
{
    set(object, key, json_integer(value));
}

void doc_set_bool(Doc *object, const char *key, bool value)
{
    set(object, key, json_boolean(value));
}

void doc_set_null(Doc *object, const char *key)
{
    set(object, key, json_null());
}

void doc_set_time(Doc *object, const char *key, Instant t)
{
    char text[CLOCK_TEXT];
    doc_set_str(object, key, t ? clock_iso(t, text) : NULL);
}

void doc_set(Doc *object, const char *key, Doc *value)
{
    set(object, key, raw(value));
}

void doc_push(Doc *array, Doc *value)
{
    if (json_array_append_new(raw(array), raw(value)) < 0)
        abort();
}

void doc_push_str(Doc *array, const char *value)
{
    doc_push(array, wrap(string(value)));
}

Doc *doc_texts(const StrList *texts)
{
    Doc *array = doc_array();
    for (size_t i = 0; i < texts->count; i++)
        doc_push_str(array, texts->items[i]);
    return array;
}

const Doc *doc_get(const Doc *object, const char *key)
{
    return (const Doc *)json_object_get(raw(object), key);
}

bool doc_has(const Doc *object, const char *key)
{
    return doc_get(object, key) != NULL;
}

void doc_remove(Doc *object, const char *key)
{
    (void)json_object_del(raw(object), key);
}

const char *doc_str(const Doc *object, const char *key, const char *fallback)
{
    const char *s = json_string_value(raw(doc_get(object, key)));
    return s ? s : fallback;
}

int64_t doc_int(const Doc *object, const char *key, int64_t fallback)
{
    json_t *j = raw(doc_get(object, key));
    return json_is_integer(j) ? json_integer_value(j) : fallback;
}

bool doc_bool(const Doc *object, const char *key, bool fallback)
{
    json_t *j = raw(doc_get(object, key));
    return json_is_boolean(j) ? json_is_true(j) : fallback;
}

DocType doc_type(const Doc *d)
{
    if (!d)
        return DOC_NULL;
    switch (json_typeof(raw(d))) {
    case JSON_OBJECT:
        return DOC_OBJECT;
    case JSON_ARRAY:
        return DOC_ARRAY;
    case JSON_STRING:
        return DOC_TEXT;
    case JSON_INTEGER:
        return DOC_INTEGER;
    case JSON_REAL:
        return DOC_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return DOC_BOOL;
    default:
        return DOC_NULL;
    }
}

size_t doc_count(const Doc *d)
{
    return json_is_object(raw(d)) ? json_object_size(raw(d)) : json_array_size(raw(d));
}

const Doc *doc_at(const Doc *array, size_t i)
{
    return (const Doc *)json_array_get(raw(array), i);
}

const char *doc_key_at(const Doc *object, size_t i)
{
    void *iter = json_object_iter(raw(object));
    while (iter && i--)
        iter = json_object_iter_next(raw(object), iter);
    return iter ? json_object_iter_key(iter) : NULL;
}

const char *doc_text(const Doc *d)
{
    return json_string_value(raw(d));
}

int64_t doc_number(const Doc *d)
{
    return json_integer_value(raw(d));
}

Doc *doc_copy(const Doc *d)
{
    json_t *copy = json_deep_copy(raw(d));
    if (!copy)
        abort();
    return wrap(copy);
}

char *doc_print(const Doc *d, bool indented)
{
    char *text =
        json_dumps(raw(d), (indented ? (size_t)JSON_INDENT(2) : (size_t)0) | JSON_ENCODE_ANY);
    if (!text)
        abort();
    return text;
}

Error *doc_parse(const char *text, size_t n, const char *what, Doc **out)
{
    json_error_t why;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!j)
        FAIL(ERR_DAMAGED, "%s is not valid JSON: line %d: %s", what, why.line, why.text);
    *out = wrap(j);
    return NULL;
}

Doc *doc_error(const Error *e)
{
    Doc *d = doc_object();
    doc_set_str(d, "kind", error_kind_info(error_kind(e))->name);
    doc_set_str(d, "message", error_message(e));
    doc_set_str(d, "hint", error_hint_text(e));
    return d;
}
