/* The objects of a sync session's repository, as a peer's store asks for them (store/peer.h). */
#include <string.h>

#include "op/retention.h"
#include "serve/sync_ask.h"
#include "serve/sync_rights.h"
#include "serve/sync_store.h"

/* -- bytes as a reply ---------------------------------------------------------------------------
 */

typedef struct Bytes {
    Buf buf;
    size_t at;
} Bytes;

static Error *read_bytes(void *ctx, void *p, size_t n, size_t *got)
{
    Bytes *b = ctx;
    *got = n < b->buf.len - b->at ? n : b->buf.len - b->at;
    if (*got)
        memcpy(p, b->buf.data + b->at, *got);
    b->at += *got;
    return NULL;
}

static void end_bytes(void *ctx, bool whole)
{
    Bytes *b = ctx;
    (void)whole;
    buf_free(&b->buf);
    free(b);
}

/* Takes the buffer over. */
static void reply_bytes(Ask *a, Buf *buf, uint64_t size)
{
    AUTO(Hash) hash = hash_new();
    AUTO(char) text = mem_printf("%llu", (unsigned long long)size);
    uint8_t sum[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    Bytes *b = mem_new(Bytes);
    b->buf = *buf;
    *buf = (Buf){0};
    hash_once(hash, b->buf.data, b->buf.len, sum);
    text_hex(sum, sizeof sum, hex);
    http_reply_header(a->reply, "Content-Type", "application/octet-stream");
    http_reply_header(a->reply, PEER_HASH_HEADER, hex);
    http_reply_header(a->reply, PEER_SIZE_HEADER, text);
    http_reply_stream(
        a->reply, 200,
        &(HttpStream){
            .read = read_bytes, .end = end_bytes, .ctx = b, .length = (int64_t)b->buf.len});
}

static void reply_doc(Ask *a, Doc *d)
{
    doc_set_bool(d, "success", true);
    a->reply->status = 200;
    a->reply->body = d;
}

/* -- a whole object, or a range of it, as it is read ---------------------------------------------
 */

typedef struct Sending {
    SyncStores *stores;
    SyncGrant *grant;
    char *name;
    uint64_t at, to;
} Sending;

static Error *read_object(void *ctx, void *p, size_t n, size_t *got)
{
    Sending *s = ctx;
    AUTO_VALUE(Buf) bytes = {0};
    uint64_t left = s->to - s->at, size;
    if (n > left)
        n = (size_t)left;
    if (n > PEER_PIECE)
        n = PEER_PIECE;
    TRY(sync_store_get(s->stores, &s->grant->right, s->name, s->at, n, &bytes, &size));
    if (bytes.len)
        memcpy(p, bytes.data, bytes.len);
    *got = bytes.len;
    s->at += bytes.len;
    return NULL;
}

static void end_object(void *ctx, bool whole)
{
    Sending *s = ctx;
    (void)whole;
    sync_grant_free(s->grant);
    free(s->name);
    free(s);
}

static Error *beyond(Ask *a, uint64_t size)
{
    AUTO(char) total = mem_printf("bytes */%llu", (unsigned long long)size);
    http_reply_header(a->reply, "Content-Range", total);
    FAIL(ERR_RANGE, "the object has %llu bytes", (unsigned long long)size);
}

static Error *send_object(Ask *a, SyncGrant *taken, const char *name)
{
    AUTO(SyncGrant) grant = taken;
    const char *asked = http_call_header(a->call, "Range");
    uint64_t size, from = 0, to;
    HttpRange range;
    TRY(sync_store_size(a->api->sync_stores, &grant->right, name, &size));
    to = size;
    bool part = asked && http_range_parse(asked, &range);
    if (part && !http_range_within(&range, size, &from, &to))
        return beyond(a, size);
    AUTO(char) total = mem_printf("%llu", (unsigned long long)size);
    http_reply_header(a->reply, "Content-Type", "application/octet-stream");
    http_reply_header(a->reply, "Accept-Ranges", "bytes");
    http_reply_header(a->reply, PEER_SIZE_HEADER, total);
    if (part) {
        AUTO(char)
        text = mem_printf("bytes %llu-%llu/%llu", (unsigned long long)from,
                          (unsigned long long)to - 1, (unsigned long long)size);
        http_reply_header(a->reply, "Content-Range", text);
    }
    HttpStream stream = {.length = (int64_t)(to - from)};
    if (!a->call->head) {
        Sending *s = mem_new(Sending);
        *s = (Sending){a->api->sync_stores, STEAL(grant), mem_strdup(name), from, to};
        stream.read = read_object;
        stream.end = end_object;
        stream.ctx = s;
    }
    http_reply_stream(a->reply, part ? 206 : 200, &stream);
    return NULL;
}

/* -- GET -----------------------------------------------------------------------------------------
 */

/* What there is to download: for people, and for whoever writes another client. */
static Error *reply_backup(Ask *a, const SyncGrant *g)
{
    AUTO(StateSession) s = NULL;
    AUTO(Repo) repo = NULL;
    AUTO(Manifest) m = NULL;
    const ServiceEntry *entry;
    uint64_t free_bytes;
    TRY(sync_store_free_space(a->api->sync_stores, &g->right, &free_bytes));
    TRY(sync_ask_session(a, &s));
    TRY(sync_ask_entry(a, s, &entry));
    AUTO(Doc) d = doc_object();
    doc_set_str(d, "sessionId", s->id);
    doc_set_int(d, "freeBytes", free_bytes > INT64_MAX ? INT64_MAX : (int64_t)free_bytes);
    if (s->backup && *s->backup) {
        char name[NAME_TEXT];
        OpContext op = sync_ask_op(entry);
        TRY(op_open_repo(&op, false, &repo));
        TRY(catalog_load(repo, s->backup, &m));
        Doc *packs = doc_array();
        for (size_t i = 0; i < m->pack_count; i++)
            doc_push_str(packs, name_pack(m->packs[i].id, name));
        doc_set_str(d, "repositoryId", repo_id(repo));
        doc_set_str(d, "backupId", s->backup);
        doc_set_str(d, "manifest", name_manifest(s->backup, name));
        doc_set_int(d, "size", (int64_t)m->info.size);
        doc_set_int(d, "logicalSize", (int64_t)m->info.logical_size);
        doc_set(d, "packs", packs);
    }
    reply_doc(a, STEAL(d));
    return NULL;
}

static Error *reply_hash(Ask *a, const SyncGrant *g, const char *name)
{
    uint8_t sum[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    uint64_t size;
    TRY(sync_store_hash(a->api->sync_stores, &g->right, name, sum, &size));
    text_hex(sum, sizeof sum, hex);
    Doc *d = doc_object();
    doc_set_str(d, "name", name);
    doc_set_int(d, "size", (int64_t)size);
    doc_set_str(d, "sha256", hex);
    reply_doc(a, d);
    return NULL;
}

static Error *reply_list(Ask *a, const SyncGrant *g, const char *prefix)
{
    AUTO_VALUE(Buf) out = {0};
    const char *after = api_text(a, "after");
    TRY(sync_store_list(a->api->sync_stores, &g->right, prefix, after ? after : "",
                        (size_t)api_int(a, "with", 0), &out));
    reply_bytes(a, &out, out.len);
    return NULL;
}

Error *api_sync_download(Ask *a)
{
    AUTO(SyncGrant) grant = NULL;
    AUTO_VALUE(Buf) out = {0};
    const char *name = api_text(a, "name"), *list = api_text(a, "list");
    int64_t length = api_int(a, "length", -1);
    uint64_t size;
    TRY(sync_grant(a, &grant));
    if (list)
        return reply_list(a, grant, list);
    if (!name)
        return reply_backup(a, grant);
    if (api_bool(a, "hash"))
        return reply_hash(a, grant, name);
    if (length < 0)
        return send_object(a, STEAL(grant), name);
    TRY(sync_store_get(a->api->sync_stores, &grant->right, name, (uint64_t)api_int(a, "offset", 0),
                       (size_t)length, &out, &size));
    reply_bytes(a, &out, size);
    return NULL;
}

/* Many at once, by their names. */
Error *api_sync_look_up(Ask *a)
{
    AUTO(SyncGrant) grant = NULL;
    AUTO_VALUE(Buf) out = {0};
    TRY(sync_grant(a, &grant));
    TRY(sync_store_look(a->api->sync_stores, &grant->right, a->call->body, a->call->length,
                        (size_t)api_int(a, "with", 0), &out));
    reply_bytes(a, &out, out.len);
    return NULL;
}

/* -- POST, GET and DELETE of what is received ----------------------------------------------------
 */

static Error *read_hash(const Ask *a, const char *name, uint8_t out[HASH_BYTES])
{
    const char *text = api_text(a, name);
    if (!text || strlen(text) != (size_t)2 * HASH_BYTES || !text_unhex(text, out, HASH_BYTES))
        FAIL(ERR_USAGE, "\"%s\" is no SHA-256 in 64 hexadecimal digits", name);
    return NULL;
}

static Error *must_name(const Ask *a, const char **name)
{
    *name = api_text(a, "name");
    if (!*name)
        FAIL(ERR_USAGE, "\"name\" is missing");
    return NULL;
}

static Error *stored(const Ask *a, Error *e)
{
    AUTO(StateSession) s = NULL;
    if (e)
        error_drop(sync_ask_session(a, &s));
    return s ? sync_ask_told(a, s, e) : e;
}

#define BACKUPS "backups/"
#define MANIFEST ".manifest"
#define AHEAD_MS (24 * 60 * 60 * INT64_C(1000)) /* that the other side's clock may be */

/* A manifest is the one of this sync's backup, whole, and not of times to come, by which all others
 * would be old: one that is anything else would stop prune, or have it delete what is ours. Or it
 * is a tombstone. */
static Error *look_at_manifest(void *ctx, const char *name, const uint8_t *bytes, size_t n,
                               uint64_t size)
{
    Ask *a = ctx;
    AUTO(StateSession) s = NULL;
    AUTO(Repo) repo = NULL;
    AUTO(Manifest) m = manifest_new();
    const ServiceEntry *entry;
    AUTO(char) id = NULL;
    size_t more;
    TRY(sync_ask_session(a, &s));
    TRY(sync_ask_entry(a, s, &entry));
    OpContext op = sync_ask_op(entry);
    TRY(op_open_repo(&op, false, &repo));
    id = mem_strndup(name + strlen(BACKUPS), strlen(name) - strlen(BACKUPS) - strlen(MANIFEST));
    const Keyring *keys = repo_keys(repo);
    Error *e = n < size ? manifest_decode_info(keys, bytes, n, id, &m->info, &more) : NULL;
    if (n == size) {
        manifest_free(STEAL(m));
        e = manifest_decode(keys, bytes, n, id, &m);
    }
    if (e && error_kind(e) == ERR_FENCED) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    AUTO(char) tag = mem_printf(SYNC_TAG "=%s", s->id);
    if (!strlist_has(&m->info.tags, tag))
        FAIL(ERR_REFUSED, "the backup %s was not made for the sync session %s", id, s->id);
    if (m->info.timestamp > clock_now() + AHEAD_MS)
        FAIL(ERR_REFUSED, "the backup %s is of a time that has not come yet", id);
    return NULL;
}

static Error *put(Ask *a, const SyncGrant *g, const char *name)
{
    const char *upload = api_text(a, "upload");
    bool manifest = text_starts(name, BACKUPS) && text_ends(name, MANIFEST);
    SyncPiece p = {.look = manifest ? look_at_manifest : NULL,
                   .ctx = a,
                   .name = name,
                   .upload = upload ? upload : "",
                   .offset = (uint64_t)api_int(a, "offset", 0),
                   .bytes = a->call->body,
                   .n = a->call->length,
                   .last = api_text(a, "whole") != NULL};
    uint64_t have;
    TRY(read_hash(a, "sha256", p.sha256));
    if (p.last)
        TRY(read_hash(a, "whole", p.whole));
    TRY(stored(a, sync_store_put(a->api->sync_stores, &g->right, &p, &have)));
    Doc *d = doc_object();
    doc_set_int(d, "have", (int64_t)have);
    doc_set_bool(d, "done", p.last);
    reply_doc(a, d);
    return NULL;
}

Error *api_sync_put(Ask *a)
{
    AUTO(SyncGrant) grant = NULL;
    const char *name;
    TRY(sync_grant(a, &grant));
    if (api_bool(a, "adopt")) {
        TRY(sync_store_adopt(a->api->sync_stores, &grant->right, a->call->body, a->call->length));
        reply_doc(a, doc_object());
        return NULL;
    }
    TRY(must_name(a, &name));
    return put(a, grant, name);
}

Error *api_sync_have(Ask *a)
{
    AUTO(SyncGrant) grant = NULL;
    const char *name, *upload = api_text(a, "upload");
    uint64_t have;
    bool done;
    TRY(sync_grant(a, &grant));
    TRY(must_name(a, &name));
    TRY(sync_store_have(a->api->sync_stores, &grant->right, name, upload ? upload : "", &have,
                        &done));
    Doc *d = doc_object();
    doc_set_int(d, "have", (int64_t)have);
    doc_set_bool(d, "done", done);
    reply_doc(a, d);
    return NULL;
}

Error *api_sync_remove(Ask *a)
{
    AUTO(SyncGrant) grant = NULL;
    const char *name;
    TRY(sync_grant(a, &grant));
    TRY(must_name(a, &name));
    TRY(sync_store_remove(a->api->sync_stores, &grant->right, name));
    reply_doc(a, doc_object());
    return NULL;
}
