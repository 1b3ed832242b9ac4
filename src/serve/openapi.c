#include "serve/openapi.h"

#include <ctype.h>
#include <string.h>

#include "crypto/sign.h"
#include "serve/route.h"

#define JSON_TYPE "application/json"
/* What any route may answer; those that take a token also the second ones. */
#define KINDS_ALWAYS (KIND(USAGE) | KIND(LIMIT))
#define KINDS_TOKEN (KIND(TOKEN) | KIND(RATE))

/* -- values ---------------------------------------------------------------------------------------
 */

static Doc *of_type(const char *type)
{
    Doc *d = doc_object();
    doc_set_str(d, "type", type);
    return d;
}

static Doc *ref(const char *what, const char *name)
{
    Doc *d = doc_object();
    AUTO(char) where = mem_printf("#/components/%s/%s", what, name);
    doc_set_str(d, "$ref", where);
    return d;
}

static Doc *text_doc(const Field *f, bool asked)
{
    Doc *d = of_type("string");
    if (!asked)
        return d;
    if (f->least)
        doc_set_int(d, "minLength", f->least);
    doc_set_int(d, "maxLength", f->most ? f->most : FIELD_TEXT_MAX);
    return d;
}

static Doc *integer_doc(const Field *f, bool asked)
{
    Doc *d = of_type("integer");
    doc_set_str(d, "format", "int64");
    if (asked)
        doc_set_int(d, "minimum", f->least);
    if (f->most)
        doc_set_int(d, "maximum", f->most);
    return d;
}

static Doc *choice_doc(const Field *f)
{
    Doc *d = of_type("string"), *all = doc_array();
    for (size_t i = 0; f->choices[i]; i++)
        doc_push_str(all, f->choices[i]);
    doc_set(d, "enum", all);
    return d;
}

/* One of it, perhaps of several. */
static Doc *one_doc(const Field *f, bool asked)
{
    Doc *d;
    switch (f->type) {
    case FIELD_INTEGER:
        return integer_doc(f, asked);
    case FIELD_BOOL:
        return of_type("boolean");
    case FIELD_TIME:
        d = of_type("string");
        if (!asked)
            doc_set_str(d, "format", "date-time");
        return d;
    case FIELD_CHOICE:
        return choice_doc(f);
    case FIELD_OBJECT:
        return f->schema ? ref("schemas", f->schema) : asked ? of_type("object") : doc_object();
    case FIELD_TEXTS:
        d = of_type("object");
        doc_set(d, "additionalProperties", of_type("string"));
        return d;
    default:
        return text_doc(f, asked);
    }
}

static Doc *field_doc(const Field *f, bool asked)
{
    Doc *d = one_doc(f, asked);
    if (f->is & FIELD_LIST) {
        Doc *list = of_type("array");
        doc_set(list, "items", d);
        if (asked)
            doc_set_int(list, "maxItems", FIELD_LIST_MAX);
        d = list;
    }
    if (f->is & FIELD_NULL) {
        Doc *either = doc_object(), *both = doc_array();
        doc_push(both, d);
        doc_push(both, of_type("null"));
        doc_set(either, "anyOf", both);
        d = either;
    }
    return d;
}

static const char *forms(const Field *f)
{
    return f->type == FIELD_TIME   ? "; as 2024-01-15T10:30:00Z, or a date alone (UTC)"
           : f->type == FIELD_SPAN ? "; as 90s, 15m, 26h, 7d"
                                   : "";
}

static Doc *object_doc(const char *meaning, const Field *fields, bool asked)
{
    Doc *d = of_type("object"), *properties = doc_object(), *required = doc_array();
    if (meaning)
        doc_set_str(d, "description", meaning);
    for (const Field *f = fields; f->name; f++) {
        Doc *one = field_doc(f, asked);
        AUTO(char) words = mem_printf("%s%s", f->meaning, asked ? forms(f) : "");
        doc_set_str(one, "description", words);
        doc_set(properties, f->name, one);
        if (f->is & FIELD_REQUIRED)
            doc_push_str(required, f->name);
    }
    doc_set(d, "properties", properties);
    doc_set(d, "required", required);
    if (asked)
        doc_set_bool(d, "additionalProperties", false);
    return d;
}

/* -- what is asked --------------------------------------------------------------------------------
 */

static Doc *parameter_doc(const Field *f, const char *in)
{
    Doc *d = doc_object();
    AUTO(char) words = mem_printf("%s%s", f->meaning, forms(f));
    doc_set_str(d, "name", f->name);
    doc_set_str(d, "in", in);
    doc_set_bool(d, "required", f->is & FIELD_REQUIRED);
    doc_set_str(d, "description", words);
    doc_set(d, "schema", field_doc(f, true));
    return d;
}

static Doc *parameters_doc(const Route *r)
{
    Doc *all = doc_array();
    const char *open = strchr(r->path, '{');
    if (open) {
        AUTO(char) name = mem_strndup(open + 1, strcspn(open + 1, "}"));
        Field part = {name, FIELD_TEXT, FIELD_REQUIRED, r->part};
        doc_push(all, parameter_doc(&part, "path"));
    }
    for (const Field *f = r->query; f && f->name; f++)
        doc_push(all, parameter_doc(f, "query"));
    return all;
}

static Doc *content_doc(const char *media, Doc *schema)
{
    Doc *content = doc_object(), *type = doc_object();
    doc_set(type, "schema", schema);
    doc_set(content, media, type);
    return content;
}

static Doc *body_doc(const Field *fields)
{
    Doc *d = doc_object();
    bool required = false;
    for (const Field *f = fields; f->name; f++)
        required = required || f->is & FIELD_REQUIRED;
    doc_set_bool(d, "required", required);
    doc_set(d, "content", content_doc(JSON_TYPE, object_doc(NULL, fields, true)));
    return d;
}

static Doc *bytes_doc(void)
{
    Doc *d = doc_object();
    doc_set_bool(d, "required", false);
    doc_set(d, "content", content_doc("application/octet-stream", of_type("string")));
    return d;
}

/* -- what is answered -----------------------------------------------------------------------------
 */

static KindSet errors_of(const Route *r)
{
    return KINDS_ALWAYS | r->errors | (r->role != ROLE_NOBODY ? KINDS_TOKEN : 0) |
           (r->role > ROLE_VIEWER || r->role == ROLE_PEER ? KIND(ROLE) : 0) |
           (r->part ? KIND(NOT_FOUND) : 0);
}

static Doc *header_doc(const char *name, const char *meaning)
{
    Doc *headers = doc_object(), *one = doc_object();
    doc_set_str(one, "description", meaning);
    doc_set(one, "schema", of_type("string"));
    doc_set(headers, name, one);
    return headers;
}

/* NULL where it does not answer so. */
static Doc *success_doc(const Route *r, unsigned status)
{
    Doc *d = NULL, *content = doc_object();
    for (size_t i = 0; i < ROUTE_ANSWERS && r->answers[i].status; i++) {
        const RouteAnswer *a = &r->answers[i];
        if (a->status != status)
            continue;
        Doc *type = doc_object();
        doc_set(type, "schema",
                a->schema  ? ref("schemas", a->schema)
                : a->media ? of_type("string")
                           : of_type("object"));
        doc_set(content, a->media ? a->media : JSON_TYPE, type);
        if (!d) {
            d = doc_object();
            doc_set_str(d, "description", a->meaning);
        }
    }
    if (!d) {
        doc_free(content);
        return NULL;
    }
    if (status == 201 || status == 202)
        doc_set(d, "headers", header_doc("Location", "where it is"));
    if (status == 204 || status == 304)
        doc_free(content);
    else
        doc_set(d, "content", content);
    return d;
}

/* Whether an error of this kind may have the status. A limit is told by where it stands: the body,
 * the target or the headers. */
static bool has_status(ErrorKind kind, unsigned status)
{
    return (unsigned)error_kind_info(kind)->http_status == status ||
           (kind == ERR_LIMIT && (status == 414 || status == 431));
}

static bool any_has_status(KindSet kinds, unsigned status)
{
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (kinds >> k & 1 && has_status(k, status))
            return true;
    return false;
}

/* All errors of a status. */
static Doc *failure_doc(unsigned status)
{
    AUTO_VALUE(Buf) words = {0};
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (has_status(k, status))
            buf_printf(&words, "%s%s: %s", words.len ? "; " : "", error_kind_info(k)->name,
                       error_kind_info(k)->meaning);
    AUTO(char) meaning = buf_steal_str(&words);
    Doc *d = doc_object();
    doc_set_str(d, "description", meaning);
    if (status == 401)
        doc_set(d, "headers", header_doc("WWW-Authenticate", "Bearer, where the token is wrong"));
    if (status == 429)
        doc_set(d, "headers", header_doc("Retry-After", "so many seconds later"));
    doc_set(d, "content", content_doc(JSON_TYPE, ref("schemas", "Error")));
    return d;
}

static Doc *failures_doc(void)
{
    Doc *d = doc_object(), *other = doc_object();
    for (unsigned status = 300; status < 600; status++)
        if (any_has_status(~UINT64_C(0), status)) {
            AUTO(char) name = mem_printf("%u", status);
            doc_set(d, name, failure_doc(status));
        }
    doc_set_str(other, "description", "any other kind of error, with that one's status");
    doc_set(other, "content", content_doc(JSON_TYPE, ref("schemas", "Error")));
    doc_set(d, "other", other);
    return d;
}

static Doc *kinds_doc(KindSet kinds)
{
    Doc *d = doc_array();
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (kinds >> k & 1)
            doc_push_str(d, error_kind_info(k)->name);
    return d;
}

static bool is_json(const Route *r)
{
    return r->answers[0].status == 200 && !r->answers[0].media;
}

static Doc *responses_doc(const Route *r)
{
    Doc *all = doc_object();
    for (unsigned status = 200; status < 600; status++) {
        AUTO(char) name = mem_printf("%u", status);
        Doc *d = success_doc(r, status);
        if (!d && status == 304 && !strcmp(r->method, "GET") && is_json(r)) {
            d = doc_object();
            doc_set_str(d, "description", "it is what If-None-Match names");
        }
        if (!d && any_has_status(errors_of(r), status))
            d = ref("responses", name);
        if (d)
            doc_set(all, name, d);
    }
    doc_set(all, "default", ref("responses", "other"));
    return all;
}

/* -- the whole ------------------------------------------------------------------------------------
 */

/* Either of the two ways in which a peer proves who it is. */
static Doc *peer_security_doc(void)
{
    Doc *either = doc_array(), *hash = doc_object(), *signature = doc_object();
    doc_set(hash, "node", doc_array());
    doc_set(hash, "registration", doc_array());
    doc_push(either, hash);
    doc_set(signature, "node", doc_array());
    doc_set(signature, "signature", doc_array());
    doc_push(either, signature);
    return either;
}

static Doc *header_scheme(const char *name, const char *meaning)
{
    Doc *d = doc_object();
    doc_set_str(d, "type", "apiKey");
    doc_set_str(d, "in", "header");
    doc_set_str(d, "name", name);
    doc_set_str(d, "description", meaning);
    return d;
}

static Doc *operation_doc(const Route *r)
{
    Doc *d = doc_object();
    doc_set_str(d, "operationId", r->id);
    doc_set_str(d, "summary", r->summary);
    if (r->help)
        doc_set_str(d, "description", r->help);
    doc_set(d, "parameters", parameters_doc(r));
    if (r->body)
        doc_set(d, "requestBody", body_doc(r->body));
    else if (r->bytes)
        doc_set(d, "requestBody", bytes_doc());
    doc_set(d, "responses", responses_doc(r));
    if (r->role == ROLE_NOBODY || r->role == ROLE_PEER)
        doc_set(d, "security", r->role == ROLE_PEER ? peer_security_doc() : doc_array());
    doc_set(d, "x-kinds", kinds_doc(errors_of(r)));
    doc_set_str(d, "x-role",
                r->role == ROLE_PEER     ? "peer"
                : r->role == ROLE_NOBODY ? NULL
                                         : state_role_name((StateRole)r->role));
    return d;
}

static bool is_first(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(route_at(k)->path, route_at(i)->path))
            return false;
    return true;
}

static Doc *paths_doc(void)
{
    Doc *paths = doc_object();
    const Route *r;
    for (size_t i = 0; (r = route_at(i)); i++) {
        if (!is_first(i))
            continue;
        Doc *item = doc_object();
        for (size_t k = i; route_at(k); k++) {
            if (strcmp(route_at(k)->path, r->path) != 0)
                continue;
            AUTO(char) method = mem_strdup(route_at(k)->method);
            for (char *c = method; *c; c++)
                *c = (char)tolower((unsigned char)*c);
            doc_set(item, method, operation_doc(route_at(k)));
        }
        doc_set(paths, r->path, item);
    }
    return paths;
}

static Doc *components_doc(void)
{
    Doc *d = doc_object(), *schemas = doc_object(), *schemes = doc_object(), *token = doc_object();
    const Schema *s;
    for (size_t i = 0; (s = schema_at(i)); i++)
        doc_set(schemas, s->name, object_doc(s->meaning, s->fields, false));
    doc_set_str(token, "type", "http");
    doc_set_str(token, "scheme", "bearer");
    doc_set_str(token, "description",
                "`pgstow token add NAME --role ROLE` makes one. An admin may do what an operator "
                "may, and he what a viewer may: x-role says what an operation takes.");
    doc_set(schemes, "token", token);
    doc_set(schemes, "node",
            header_scheme(SIGN_NODE_HEADER, "The id of the peer that asks: its sync.nodeId."));
    doc_set(schemes, "registration",
            header_scheme(SIGN_REGISTRATION_HEADER,
                          "The hex SHA-256 of SYNC_REGISTRATION_KEY, which both have."));
    doc_set(schemes, "signature",
            header_scheme(SIGN_SIGNATURE_HEADER,
                          "The hex HMAC-SHA-256, with the key of the two peers, of method, target, "
                          "body hash, time, nonce and node id; with " SIGN_TIME_HEADER
                          ", " SIGN_NONCE_HEADER " and " SIGN_BODY_HEADER ". docs/sync.md says how "
                          "it is made."));
    doc_set(d, "schemas", schemas);
    doc_set(d, "responses", failures_doc());
    doc_set(d, "securitySchemes", schemes);
    return d;
}

static Doc *info_doc(void)
{
    Doc *d = doc_object(), *license = doc_object();
    doc_set_str(d, "title", "pgstow");
    doc_set_str(d, "version", "1");
    doc_set_str(d, "summary", "Backups of PostgreSQL databases");
    doc_set_str(d, "description",
                "What GET answers, HEAD answers without a body. A parameter or a member of a body "
                "that is not named here is refused. Long work is a job: the answer is 202 with its "
                "number.");
    doc_set_str(license, "name", "PostgreSQL License");
    doc_set_str(license, "identifier", "PostgreSQL");
    doc_set(d, "license", license);
    return d;
}

Doc *openapi_doc(void)
{
    Doc *d = doc_object(), *servers = doc_array(), *here = doc_object(), *security = doc_array(),
        *token = doc_object();
    doc_set_str(d, "openapi", "3.1.0");
    doc_set(d, "info", info_doc());
    doc_set_str(here, "url", "/");
    doc_push(servers, here);
    doc_set(d, "servers", servers);
    doc_set(token, "token", doc_array());
    doc_push(security, token);
    doc_set(d, "security", security);
    doc_set(d, "paths", paths_doc());
    doc_set(d, "components", components_doc());
    return d;
}

void openapi_gen(Buf *out)
{
    AUTO(Doc) d = openapi_doc();
    AUTO(char) text = doc_print(d, true);
    buf_printf(out, "%s\n", text);
}
