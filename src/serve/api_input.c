/* What a request carries, held against its route's row. */
#include <string.h>

#include "serve/api_internal.h"
#include "serve/http_target.h"

#define SHOWN_MAX 60 /* bytes of what strangers wrote, in a message */

static const Field *field_of(const Field *fields, const char *name)
{
    for (; fields && fields->name; fields++)
        if (!strcmp(fields->name, name))
            return fields;
    return NULL;
}

static char *shown(const char *text)
{
    AUTO(char) printable = text_printable(text);
    return text_cut(printable, SHOWN_MAX);
}

static Error *unknown(const char *what, const Field *fields, const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (const Field *f = fields; f && f->name && count < 64; f++)
        names[count++] = f->name;
    AUTO(char) text = shown(name);
    const char *near = text_nearest(text, names, count);
    Error *e = ERROR_NEW(ERR_USAGE, "there is no %s \"%s\" here", what, text);
    return near ? error_hint(e, "did you mean %s?", near) : e;
}

/* -- values ---------------------------------------------------------------------------------------
 */

static Error *check_choice(const Field *f, const char *text)
{
    AUTO_VALUE(Buf) all = {0};
    for (size_t i = 0; f->choices[i]; i++) {
        if (!strcmp(f->choices[i], text))
            return NULL;
        buf_printf(&all, "%s%s", i ? ", " : "", f->choices[i]);
    }
    AUTO(char) wrong = shown(text);
    AUTO(char) allowed = buf_steal_str(&all);
    return error_hint(ERROR_NEW(ERR_USAGE, "%s cannot be \"%s\"", f->name, wrong), "allowed: %s",
                      allowed);
}

static Error *check_plain(const Field *f, const char *text)
{
    size_t n = strlen(text), most = f->most ? (size_t)f->most : FIELD_TEXT_MAX;
    if (!http_is_plain(text, n))
        FAIL(ERR_USAGE, "%s has control characters in it", f->name);
    if (n > most)
        FAIL(ERR_USAGE, "%s is longer than %zu bytes", f->name, most);
    if (n < (size_t)f->least)
        FAIL(ERR_USAGE, "%s is %s", f->name, n ? "too short" : "empty");
    return NULL;
}

static Error *check_range(const Field *f, int64_t n)
{
    int64_t most = f->most ? f->most : INT64_MAX;
    if (n < f->least || n > most)
        return error_hint(ERROR_NEW(ERR_USAGE, "%s cannot be %lld", f->name, (long long)n),
                          "it is from %lld to %lld", (long long)f->least, (long long)most);
    return NULL;
}

/* Whoever asks has made the mistake, whatever the parser calls it. */
static Error *his_mistake(const Field *f, Error *e)
{
    return e ? error_rekind(error_context(e, "%s", f->name), ERR_USAGE) : NULL;
}

static Error *check_text(const Field *f, const char *text)
{
    Instant t;
    int64_t n;
    TRY(check_plain(f, text));
    switch (f->type) {
    case FIELD_CHOICE:
        return check_choice(f, text);
    case FIELD_TIME:
        return his_mistake(f, clock_parse(text, &t));
    case FIELD_SPAN:
        return his_mistake(f, clock_parse_duration(text, &n));
    case FIELD_INTEGER: /* of a query */
        TRY(his_mistake(f, text_parse_int(text, INT64_MIN, INT64_MAX, &n)));
        return check_range(f, n);
    case FIELD_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            FAIL(ERR_USAGE, "%s is neither true nor false", f->name);
        return NULL;
    default:
        return NULL;
    }
}

/* -- the query ------------------------------------------------------------------------------------
 */

static Error *check_query(const Ask *a, const Field *fields)
{
    const StrList *given = &a->call->names;
    for (size_t i = 0; i < given->count; i++) {
        const Field *f = field_of(fields, given->items[i]);
        if (!f)
            return unknown("parameter", fields, given->items[i]);
        for (size_t earlier = 0; earlier < i; earlier++)
            if (!strcmp(given->items[earlier], f->name))
                FAIL(ERR_USAGE, "the parameter %s is there twice", f->name);
        TRY(check_text(f, a->call->values.items[i]));
    }
    for (const Field *f = fields; f && f->name; f++)
        if (f->is & FIELD_REQUIRED && !http_call_query(a->call, f->name))
            FAIL(ERR_USAGE, "the parameter %s is missing", f->name);
    return NULL;
}

/* -- the body -------------------------------------------------------------------------------------
 */

static const char *type_name(const Field *f)
{
    switch (f->type) {
    case FIELD_INTEGER:
        return "a whole number";
    case FIELD_BOOL:
        return "true or false";
    case FIELD_OBJECT:
        return "an object";
    default:
        return "a text";
    }
}

static Error *check_one(const Field *f, const Doc *value)
{
    DocType type = doc_type(value);
    bool fits = type == (f->type == FIELD_INTEGER  ? DOC_INTEGER
                         : f->type == FIELD_BOOL   ? DOC_BOOL
                         : f->type == FIELD_OBJECT ? DOC_OBJECT
                                                   : DOC_TEXT);
    if (!fits)
        FAIL(ERR_USAGE, "%s is not %s", f->name, type_name(f));
    if (type == DOC_INTEGER)
        return check_range(f, doc_number(value));
    return type == DOC_TEXT ? check_text(f, doc_text(value)) : NULL;
}

static Error *check_value(const Field *f, const Doc *value)
{
    if (!(f->is & FIELD_LIST))
        return check_one(f, value);
    if (doc_type(value) != DOC_ARRAY)
        FAIL(ERR_USAGE, "%s is not a list", f->name);
    if (doc_count(value) > FIELD_LIST_MAX)
        FAIL(ERR_USAGE, "%s has more than %d members", f->name, FIELD_LIST_MAX);
    for (size_t i = 0; i < doc_count(value); i++)
        TRY(check_one(f, doc_at(value, i)));
    return NULL;
}

static Error *check_members(const Doc *body, const Field *fields)
{
    if (doc_type(body) != DOC_OBJECT)
        FAIL(ERR_USAGE, "the body is no JSON object");
    for (size_t i = 0; i < doc_count(body); i++) {
        const char *name = doc_key_at(body, i);
        const Field *f = field_of(fields, name);
        if (!f)
            return unknown("member", fields, name);
        TRY(check_value(f, doc_get(body, name)));
    }
    return NULL;
}

static Error *read_body(Ask *a, const Field *fields)
{
    if (a->call->length) {
        Error *e = doc_parse((const char *)a->call->body, a->call->length, "the body", &a->body);
        if (e)
            return error_rekind(e, ERR_USAGE);
        TRY(check_members(a->body, fields));
    }
    for (const Field *f = fields; f && f->name; f++)
        if (f->is & FIELD_REQUIRED && (!a->body || !doc_has(a->body, f->name)))
            FAIL(ERR_USAGE, "the body has no \"%s\"", f->name);
    return NULL;
}

Error *api_read_input(Ask *a, const Route *r)
{
    TRY(check_query(a, r->query));
    return r->bytes ? NULL : read_body(a, r->body);
}

/* -- for the handlers -----------------------------------------------------------------------------
 */

const char *api_text(const Ask *a, const char *name)
{
    const char *text = a->body ? doc_str(a->body, name, NULL) : NULL;
    return text ? text : http_call_query(a->call, name);
}

int64_t api_int(const Ask *a, const char *name, int64_t fallback)
{
    const char *text = http_call_query(a->call, name);
    int64_t n = fallback;
    if (a->body && doc_has(a->body, name))
        return doc_int(a->body, name, fallback);
    if (text)
        error_drop(text_parse_int(text, INT64_MIN, INT64_MAX, &n));
    return n;
}

bool api_bool(const Ask *a, const char *name)
{
    const char *text = http_call_query(a->call, name);
    if (a->body && doc_has(a->body, name))
        return doc_bool(a->body, name, false);
    return text && !strcmp(text, "true");
}

Instant api_time(const Ask *a, const char *name, Instant fallback)
{
    const char *text = api_text(a, name);
    Instant t = fallback;
    if (text)
        error_drop(clock_parse(text, &t));
    return t;
}

int64_t api_span(const Ask *a, const char *name, int64_t fallback)
{
    const char *text = api_text(a, name);
    int64_t ms = fallback;
    if (text)
        error_drop(clock_parse_duration(text, &ms));
    return ms;
}

const Doc *api_list(const Ask *a, const char *name)
{
    return a->body ? doc_get(a->body, name) : NULL;
}
