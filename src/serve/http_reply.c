/* Replies: made by handlers, and as libmicrohttpd wants them. */
#include <string.h>

#include "crypto/hash.h"
#include "serve/http_internal.h"

#define TAG_HEX 32

static void drop_stream(HttpReply *r)
{
    if (r->streams && r->stream.end)
        r->stream.end(r->stream.ctx, false);
    r->streams = false;
    r->stream = (HttpStream){0};
}

void http_reply_clear(HttpReply *r)
{
    drop_stream(r);
    doc_free(r->body);
    free(r->text);
    strlist_free(&r->names);
    strlist_free(&r->values);
    *r = (HttpReply){0};
}

void http_reply_header(HttpReply *r, const char *name, const char *value)
{
    strlist_add(&r->names, name);
    strlist_add(&r->values, value);
}

void http_reply_stream(HttpReply *r, unsigned status, const HttpStream *stream)
{
    r->status = status;
    r->streams = true;
    r->stream = *stream;
}

static void set_error(HttpReply *r, unsigned status, Doc *error)
{
    drop_stream(r);
    doc_free(r->body);
    free(STEAL(r->text));
    r->body = doc_object();
    r->status = status;
    r->tagged = false;
    doc_set(r->body, "error", error);
}

void http_refuse(HttpReply *r, unsigned status, const char *kind, const char *message,
                 const char *hint)
{
    Doc *d = doc_object();
    doc_set_str(d, "kind", kind);
    doc_set_str(d, "message", message);
    doc_set_str(d, "hint", hint);
    set_error(r, status, d);
}

void http_reply_error(HttpReply *r, const Error *e)
{
    set_error(r, (unsigned)error_kind_info(error_kind(e))->http_status, doc_error(e));
}

static char *text_of(HttpReply *r)
{
    if (r->text)
        return STEAL(r->text);
    r->type = HTTP_JSON;
    return r->body ? doc_print(r->body, false) : mem_strdup("");
}

static void tag(const char *text, size_t n, char out[TAG_HEX + 3])
{
    uint8_t digest[HASH_BYTES];
    AUTO(Hash) h = hash_new();
    hash_once(h, text, n, digest);
    out[0] = '"';
    text_hex(digest, TAG_HEX / 2, out + 1);
    memcpy(out + 1 + TAG_HEX, "\"", 2);
}

bool http_tag_listed(const char *list, const char *tag)
{
    return list && (strstr(list, tag) || !strcmp(list, "*"));
}

struct MHD_Response *http_make_document(struct MHD_Connection *c, HttpReply *r)
{
    char etag[TAG_HEX + 3];
    char *text = text_of(r);
    size_t n = strlen(text);
    if (r->tagged && r->status == MHD_HTTP_OK) {
        const char *has = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
        tag(text, n, etag);
        http_reply_header(r, "ETag", etag);
        if (http_tag_listed(has, etag)) {
            r->status = MHD_HTTP_NOT_MODIFIED;
            n = 0;
        }
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    else if (n)
        MHD_add_response_header(response, "Content-Type", r->type);
    return response;
}
