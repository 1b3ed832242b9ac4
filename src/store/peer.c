#include "store/peer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "net/link.h"
#include "store/peer_cache.h"
#include "store/peer_wire.h"
#include "store/store_internal.h"

#define BLOCK (64u << 10) /* at least so much of a pack is read */
#define TAIL (16u << 10)  /* of one that is read at its end: the footer */
#define FACTS (4u << 10)  /* bytes of a manifest in which its facts mostly lie */
#define WHOLE (1u << 20)  /* objects up to this are kept whole */
#define ATTEMPTS 4        /* at what arrives otherwise than it was sent */

/* What a thread reads ahead. */
typedef struct Window {
    struct Window *next;
    pthread_t thread;
    char *name;
    uint64_t offset;
    Buf bytes;
} Window;

typedef struct Peer {
    Store base;
    Link *link;
    char *session; /* escaped, for an address */
    Cancel *cancel;
    PeerCache *cache;
    pthread_mutex_t lock; /* of what follows */
    Window *windows;
    StrList adopted;
    PeerTraffic traffic;
} Peer;

typedef struct PeerPut {
    StorePut base;
    char upload[PEER_UPLOAD_TEXT];
    Hash *whole;
    Buf piece;
    uint64_t offset; /* of the piece */
} PeerPut;

/* -- requests ---------------------------------------------------------------------------------- */

static void count(Peer *p, uint64_t sent, uint64_t received)
{
    pthread_mutex_lock(&p->lock);
    p->traffic.requests++;
    p->traffic.sent += sent;
    p->traffic.received += received;
    pthread_mutex_unlock(&p->lock);
}

PeerTraffic store_peer_traffic(const Store *s)
{
    PeerTraffic t = {0};
    if (!s->kind->far)
        return t;
    Peer *p = (Peer *)(uintptr_t)s; /* the lock is no part of what is told */
    pthread_mutex_lock(&p->lock);
    t = p->traffic;
    pthread_mutex_unlock(&p->lock);
    return t;
}

static Error *call(Peer *p, LinkCall *q, HttpResponse *out)
{
    Error *e = link_call(p->link, q, p->cancel, out);
    count(p, q->body_bytes, out->bytes);
    return e;
}

/* The address of an object's request, to which more may be added. */
static void target(const Peer *p, const char *path, const char *name, Buf *out)
{
    buf_printf(out, "%s?sessionId=%s", path, p->session);
    if (name) {
        AUTO(char) escaped = link_escape(name);
        buf_printf(out, "&name=%s", escaped);
    }
}

static Error *check_answer(Peer *p, const HttpResponse *r)
{
    const char *said = http_header(r, PEER_HASH_HEADER);
    uint8_t wanted[HASH_BYTES], sum[HASH_BYTES];
    AUTO(Hash) hash = hash_new();
    hash_once(hash, r->body.data, r->body.len, sum);
    if (!said || !text_unhex(said, wanted, sizeof wanted) || memcmp(sum, wanted, sizeof sum) != 0)
        FAIL(ERR_NETWORK, "peer %s: an answer arrived otherwise than it was sent",
             link_name(p->link));
    return NULL;
}

/* What may be damaged on the way is asked for again. */
static bool again(Error **e, int attempt)
{
    if (!*e || error_kind(*e) != ERR_NETWORK || attempt == ATTEMPTS)
        return false;
    error_drop(STEAL(*e));
    return true;
}

static Error *parse_size(Peer *p, const HttpResponse *r, uint64_t *size)
{
    const char *text = http_header(r, PEER_SIZE_HEADER);
    int64_t n;
    Error *e = text ? text_parse_int(text, 0, INT64_MAX, &n)
                    : ERROR_NEW(ERR_REFUSED, "there is no %s", PEER_SIZE_HEADER);
    if (e) {
        error_drop(e);
        FAIL(ERR_REFUSED, "peer %s: it does not say how large an object is", link_name(p->link));
    }
    *size = (uint64_t)n;
    return NULL;
}

/* From offset up to n bytes (at most PEER_PIECE), fewer where the object ends. */
static Error *fetch(Peer *p, const char *name, uint64_t offset, size_t n, Buf *out, uint64_t *size)
{
    AUTO_VALUE(Buf) address = {0};
    target(p, PEER_GET, name, &address);
    buf_printf(&address, "&offset=%llu&length=%zu", (unsigned long long)offset, n);
    AUTO(char) text = buf_steal_str(&address);
    Error *e = NULL;
    for (int attempt = 1; attempt == 1 || again(&e, attempt); attempt++) {
        AUTO_VALUE(HttpResponse) r = {0};
        LinkCall q = {.target = text, .max_bytes = n < HTTP_BODY_MAX ? HTTP_BODY_MAX : n};
        TRY(call(p, &q, &r));
        e = check_answer(p, &r);
        if (e)
            continue;
        TRY(parse_size(p, &r, size));
        uint64_t left = offset < *size ? *size - offset : 0;
        if (r.body.len != (left < n ? left : n))
            FAIL(ERR_REFUSED, "peer %s: it was asked for %zu bytes of %s and sent %zu",
                 link_name(p->link), n, name, r.body.len);
        buf_free(out);
        *out = r.body;
        r.body = (Buf){0};
        return NULL;
    }
    return e;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* Everything else is written once. */
static bool may_change(const char *name)
{
    return text_starts(name, "sessions/") || text_starts(name, "trash/") ||
           text_starts(name, "peers/");
}

static Window *own_window(Peer *p)
{
    pthread_mutex_lock(&p->lock);
    Window *w = p->windows;
    while (w && !pthread_equal(w->thread, pthread_self()))
        w = w->next;
    pthread_mutex_unlock(&p->lock);
    return w;
}

static bool in_window(Peer *p, const char *name, uint64_t offset, void *to, size_t n)
{
    const Window *w = own_window(p);
    if (!w || !w->name || strcmp(w->name, name) != 0 || offset < w->offset || n > w->bytes.len ||
        offset - w->offset > w->bytes.len - n)
        return false;
    memcpy(to, w->bytes.data + (offset - w->offset), n);
    return true;
}

static Error *peer_ahead(Store *s, const char *name, uint64_t offset, size_t n)
{
    Peer *p = (Peer *)s;
    Window *w = own_window(p);
    uint64_t size;
    if (!w && !n)
        return NULL;
    if (!w) {
        w = mem_new(Window);
        w->thread = pthread_self();
        pthread_mutex_lock(&p->lock);
        w->next = p->windows;
        p->windows = w;
        pthread_mutex_unlock(&p->lock);
    }
    free(STEAL(w->name));
    buf_free(&w->bytes);
    if (!n)
        return NULL;
    TRY(fetch(p, name, offset, n < STORE_AHEAD_MAX ? n : STORE_AHEAD_MAX, &w->bytes, &size));
    w->name = mem_strdup(name);
    w->offset = offset;
    return NULL;
}

/* What is read instead of [offset, offset + n), which lies within. */
static void widen(Peer *p, const char *name, uint64_t *offset, size_t *n)
{
    uint64_t size, end = *offset + *n;
    if (*n >= BLOCK || !text_starts(name, "packs/"))
        return;
    if (peer_cache_size(p->cache, name, &size) && size == end) {
        *n = *n > TAIL ? *n : size < TAIL ? (size_t)size : TAIL;
        *offset = end - *n;
    } else {
        *n = *offset ? BLOCK : TAIL;
        if (end - *offset > *n)
            *n = (size_t)(end - *offset);
    }
}

static Error *get_small(Peer *p, const char *name, uint64_t offset, void *to, size_t n)
{
    AUTO_VALUE(Buf) bytes = {0};
    uint64_t from = offset, size;
    size_t wanted = n;
    widen(p, name, &from, &wanted);
    TRY(fetch(p, name, from, wanted, &bytes, &size));
    if (offset > size || n > size - offset)
        return store_too_short(&p->base, name, size, offset, n);
    if (!may_change(name))
        peer_cache_put(p->cache, name, size, from, bytes.data, bytes.len);
    if (n)
        memcpy(to, bytes.data + (offset - from), n);
    return NULL;
}

static Error *peer_get(Store *s, const char *name, uint64_t offset, void *to, size_t n)
{
    Peer *p = (Peer *)s;
    if (in_window(p, name, offset, to, n) ||
        (!may_change(name) && peer_cache_get(p->cache, name, offset, to, n)))
        return NULL;
    if (n < BLOCK)
        return get_small(p, name, offset, to, n);
    AUTO_VALUE(Buf) bytes = {0};
    for (size_t got = 0; got < n; got += bytes.len) {
        uint64_t size;
        size_t step = n - got < PEER_PIECE ? n - got : PEER_PIECE;
        TRY(fetch(p, name, offset + got, step, &bytes, &size));
        if (bytes.len < step)
            return store_too_short(s, name, size, offset, n);
        memcpy((uint8_t *)to + got, bytes.data, step);
    }
    return NULL;
}

static Error *peer_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    Peer *p = (Peer *)s;
    AUTO_VALUE(Buf) bytes = {0};
    uint64_t size = 0, got = 0;
    if (peer_cache_size(p->cache, name, &size) && size <= max) {
        TRY_CTX(buf_reserve(out, (size_t)size, SIZE_MAX / 4), "%s", name);
        if (peer_cache_get(p->cache, name, 0, out->data + out->len, (size_t)size)) {
            out->len += (size_t)size;
            return NULL;
        }
    }
    do {
        TRY(fetch(p, name, got, PEER_PIECE, &bytes, &size));
        if (size > max)
            return store_too_large(s, name, max);
        if (!got)
            TRY_CTX(buf_reserve(out, (size_t)size, SIZE_MAX / 4), "%s", name);
        if (bytes.len > size - got || (!bytes.len && got < size))
            return store_too_short(s, name, size, got, PEER_PIECE);
        buf_add(out, bytes.data, bytes.len);
        got += bytes.len;
    } while (got < size);
    if (!may_change(name) && size <= WHOLE)
        peer_cache_put(p->cache, name, size, 0, bytes.data, bytes.len);
    return NULL;
}

static Error *peer_size(Store *s, const char *name, uint64_t *size)
{
    Peer *p = (Peer *)s;
    AUTO_VALUE(Buf) bytes = {0};
    bool pack = text_starts(name, "packs/");
    if (pack && peer_cache_size(p->cache, name, size))
        return NULL;
    TRY(fetch(p, name, 0, pack ? TAIL : 0, &bytes, size));
    if (pack)
        peer_cache_put(p->cache, name, *size, 0, bytes.data, bytes.len);
    return NULL;
}

static Error *peer_hash(Store *s, const char *name, uint8_t sha256[HASH_BYTES], uint64_t *size)
{
    Peer *p = (Peer *)s;
    AUTO_VALUE(Buf) address = {0};
    AUTO(Doc) answer = NULL;
    target(p, PEER_GET, name, &address);
    buf_add_str(&address, "&hash=true");
    AUTO(char) text = buf_steal_str(&address);
    count(p, 0, 0);
    TRY(link_ask(p->link, "GET", text, NULL, true, p->cancel, &answer));
    int64_t n = doc_int(answer, "size", -1);
    if (n < 0 || !text_unhex(doc_str(answer, "sha256", ""), sha256, HASH_BYTES))
        FAIL(ERR_REFUSED, "peer %s: it does not say what %s holds", link_name(p->link), name);
    *size = (uint64_t)n;
    return NULL;
}

static Error *peer_free_space(Store *s, uint64_t *bytes)
{
    Peer *p = (Peer *)s;
    AUTO_VALUE(Buf) address = {0};
    AUTO(Doc) answer = NULL;
    target(p, PEER_GET, NULL, &address);
    AUTO(char) text = buf_steal_str(&address);
    count(p, 0, 0);
    TRY(link_ask(p->link, "GET", text, NULL, true, p->cancel, &answer));
    int64_t n = doc_int(answer, "freeBytes", -1);
    *bytes = n < 0 ? UINT64_MAX : (uint64_t)n;
    return NULL;
}

/* -- lists ------------------------------------------------------------------------------------- */

typedef struct Listed {
    char *name;
    uint64_t size, stamp;
} Listed;

typedef struct Listing {
    Peer *peer;
    const char *prefix;
    Listed *items;
    size_t count, cap;
} Listing;

static void listing_clear(Listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i].name);
    free(l->items);
}
DEFINE_AUTO_VALUE(Listing, listing_clear)

static void keep_head(Peer *p, const PeerObject *o)
{
    bool all = o->head_bytes == o->size;
    if (o->size != PEER_ABSENT && (o->head_bytes && (all || !may_change(o->name))))
        peer_cache_put(p->cache, o->name, o->size, 0, o->head, o->head_bytes);
}

static Error *take_listed(void *ctx, const PeerObject *o)
{
    Listing *l = ctx;
    const char *last = l->count ? l->items[l->count - 1].name : "";
    if (!store_name_valid(o->name) || !text_starts(o->name, l->prefix) ||
        strcmp(o->name, last) <= 0)
        FAIL(ERR_REFUSED, "peer %s: its list of objects is not in order", link_name(l->peer->link));
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = (Listed){mem_strdup(o->name), o->size, o->stamp};
    keep_head(l->peer, o);
    return NULL;
}

static Error *ask_list(Peer *p, LinkCall *q, PeerEach each, void *ctx, bool *more)
{
    Error *e = NULL;
    q->max_bytes = PEER_LIST_BYTES + HTTP_BODY_MAX;
    for (int attempt = 1; attempt == 1 || again(&e, attempt); attempt++) {
        AUTO_VALUE(HttpResponse) r = {0};
        TRY(call(p, q, &r));
        e = check_answer(p, &r);
        if (!e)
            return peer_wire_read(&r.body, each, ctx, more);
    }
    return e;
}

static Error *list_all(Listing *l, size_t with)
{
    Peer *p = l->peer;
    for (bool more = true; more;) {
        AUTO_VALUE(Buf) address = {0};
        AUTO(char) prefix = link_escape(l->prefix);
        AUTO(char) after = link_escape(l->count ? l->items[l->count - 1].name : "");
        size_t before = l->count;
        target(p, PEER_GET, NULL, &address);
        buf_printf(&address, "&list=%s&after=%s&with=%zu", prefix, after, with);
        AUTO(char) text = buf_steal_str(&address);
        TRY(ask_list(p, &(LinkCall){.target = text}, take_listed, l, &more));
        if (more && l->count == before)
            FAIL(ERR_REFUSED, "peer %s: its list of objects has no end", link_name(p->link));
    }
    return NULL;
}

/* Asks about several by name. */
static Error *look_up(Peer *p, char *const *names, size_t n, size_t with, PeerEach each, void *ctx)
{
    for (size_t i = 0; i < n;) {
        AUTO_VALUE(Buf) address = {0};
        AUTO_VALUE(Buf) body = {0};
        bool more;
        for (; i < n && (!body.len || body.len + strlen(names[i]) < PEER_NAMES_BYTES); i++)
            buf_printf(&body, "%s\n", names[i]);
        target(p, PEER_GET, NULL, &address);
        buf_printf(&address, "&with=%zu", with);
        AUTO(char) text = buf_steal_str(&address);
        LinkCall q = {.method = "POST",
                      .target = text,
                      .body = body.data,
                      .body_bytes = body.len,
                      .type = "application/octet-stream",
                      .repeatable = true};
        TRY(ask_list(p, &q, each, ctx, &more));
    }
    return NULL;
}

static Error *take_head(void *ctx, const PeerObject *o)
{
    keep_head(ctx, o);
    return NULL;
}

/* The facts of backups that are not known yet. */
static Error *fetch_facts(const Listing *l)
{
    AUTO_VALUE(StrList) wanted = {0};
    for (size_t i = 0; i < l->count; i++) {
        uint64_t size;
        if (text_ends(l->items[i].name, ".manifest") &&
            !peer_cache_size(l->peer->cache, l->items[i].name, &size))
            strlist_add(&wanted, l->items[i].name);
    }
    return look_up(l->peer, wanted.items, wanted.count, FACTS, take_head, l->peer);
}

static Error *peer_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    Peer *p = (Peer *)s;
    AUTO_VALUE(Listing) l = {.peer = p, .prefix = prefix};
    bool sessions = !strcmp(prefix, "sessions/");
    if (may_change(prefix))
        peer_cache_forget(p->cache, prefix);
    TRY(list_all(&l, sessions ? PEER_HEAD_MAX : 0));
    if (!strcmp(prefix, "backups/"))
        TRY(fetch_facts(&l));
    for (size_t i = 0; i < l.count; i++)
        TRY(each(ctx, l.items[i].name, l.items[i].size, l.items[i].stamp));
    return NULL;
}

typedef struct Sizes {
    const StrList *names;
    uint64_t *sizes;
    size_t at;
} Sizes;

static Error *take_size(void *ctx, const PeerObject *o)
{
    Sizes *s = ctx;
    if (s->at == s->names->count || strcmp(s->names->items[s->at], o->name) != 0)
        FAIL(ERR_REFUSED, "sizes of other objects than those that were asked about");
    s->sizes[s->at++] = o->size;
    return NULL;
}

static Error *peer_sizes(Store *s, const StrList *names, uint64_t *sizes)
{
    Sizes got = {names, sizes, 0};
    Peer *p = (Peer *)s;
    TRY_CTX(look_up(p, names->items, names->count, 0, take_size, &got), "peer %s",
            link_name(p->link));
    if (got.at != names->count)
        FAIL(ERR_REFUSED, "peer %s: it does not say how large all objects are", link_name(p->link));
    return NULL;
}

/* -- writing ----------------------------------------------------------------------------------- */

static void peer_put_free(StorePut *put)
{
    PeerPut *w = (PeerPut *)put;
    hash_free(w->whole);
    buf_free(&w->piece);
    free(w);
}

static Error *peer_begin(Store *s, const char *name, StorePut **out)
{
    uint8_t id[(PEER_UPLOAD_TEXT - 1) / 2];
    PeerPut *w = mem_new(PeerPut);
    (void)s;
    (void)name;
    random_bytes(id, sizeof id);
    text_hex(id, sizeof id, w->upload);
    w->whole = hash_new();
    *out = &w->base;
    return NULL;
}

static Error *send_piece(PeerPut *w, bool last)
{
    Peer *p = (Peer *)w->base.store;
    AUTO_VALUE(Buf) address = {0};
    AUTO(Hash) hash = hash_new();
    uint8_t sum[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    hash_once(hash, w->piece.data, w->piece.len, sum);
    text_hex(sum, sizeof sum, hex);
    target(p, PEER_PUT, w->base.name, &address);
    buf_printf(&address, "&upload=%s&offset=%llu&sha256=%s", w->upload,
               (unsigned long long)w->offset, hex);
    if (last) {
        hash_end(w->whole, sum);
        text_hex(sum, sizeof sum, hex);
        buf_printf(&address, "&whole=%s", hex);
    }
    AUTO(char) text = buf_steal_str(&address);
    AUTO_VALUE(HttpResponse) r = {0};
    LinkCall q = {.method = "POST",
                  .target = text,
                  .body = w->piece.data,
                  .body_bytes = w->piece.len,
                  .type = "application/octet-stream",
                  .repeatable = true};
    TRY(call(p, &q, &r));
    w->offset += w->piece.len;
    w->piece.len = 0;
    return NULL;
}

static Error *peer_write(StorePut *put, const void *data, size_t n)
{
    PeerPut *w = (PeerPut *)put;
    hash_add(w->whole, data, n);
    for (const uint8_t *at = data; n;) {
        if (w->piece.len == PEER_PIECE)
            TRY(send_piece(w, false));
        size_t room = PEER_PIECE - w->piece.len, step = n < room ? n : room;
        buf_add(&w->piece, at, step);
        at += step;
        n -= step;
    }
    return NULL;
}

/* It is durable when the answer is here, name and all. */
static Error *peer_finish(StorePut *put, bool whole)
{
    (void)whole;
    return send_piece((PeerPut *)put, true);
}

static void peer_adopt(Store *s, const char *name)
{
    Peer *p = (Peer *)s;
    pthread_mutex_lock(&p->lock);
    if (!strlist_has(&p->adopted, name))
        strlist_add(&p->adopted, name);
    pthread_mutex_unlock(&p->lock);
}

static Error *peer_barrier(Store *s)
{
    Peer *p = (Peer *)s;
    pthread_mutex_lock(&p->lock);
    AUTO_VALUE(StrList) names = p->adopted;
    p->adopted = (StrList){0};
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < names.count;) {
        AUTO_VALUE(Buf) address = {0};
        AUTO_VALUE(Buf) body = {0};
        AUTO_VALUE(HttpResponse) r = {0};
        for (; i < names.count && body.len < PEER_NAMES_BYTES - STORE_NAME_MAX - 1; i++)
            buf_printf(&body, "%s\n", names.items[i]);
        target(p, PEER_PUT, NULL, &address);
        buf_add_str(&address, "&adopt=true");
        AUTO(char) text = buf_steal_str(&address);
        LinkCall q = {.method = "POST",
                      .target = text,
                      .body = body.data,
                      .body_bytes = body.len,
                      .type = "application/octet-stream",
                      .repeatable = true};
        TRY(call(p, &q, &r));
    }
    return NULL;
}

static Error *peer_remove(Store *s, const char *name)
{
    Peer *p = (Peer *)s;
    AUTO_VALUE(Buf) address = {0};
    AUTO_VALUE(HttpResponse) r = {0};
    target(p, PEER_PUT, name, &address);
    AUTO(char) text = buf_steal_str(&address);
    LinkCall q = {.method = "DELETE", .target = text};
    TRY(call(p, &q, &r));
    peer_cache_forget(p->cache, name);
    return NULL;
}

/* -- open and close ---------------------------------------------------------------------------- */

static void peer_free(Store *s)
{
    Peer *p = (Peer *)s;
    for (Window *w = p->windows, *next; w; w = next) {
        next = w->next;
        free(w->name);
        buf_free(&w->bytes);
        free(w);
    }
    peer_cache_free(p->cache);
    strlist_free(&p->adopted);
    free(p->session);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static const StoreKind peer_kind = {
    .free = peer_free,
    .begin = peer_begin,
    .write = peer_write,
    .finish = peer_finish,
    .put_free = peer_put_free,
    .adopt = peer_adopt,
    .barrier = peer_barrier,
    .get = peer_get,
    .get_all = peer_get_all,
    .size = peer_size,
    .remove = peer_remove,
    .list = peer_list,
    .free_space = peer_free_space,
    .sizes = peer_sizes,
    .hash = peer_hash,
    .ahead = peer_ahead,
    .far = true,
};

Store *store_open_peer(const PeerStoreOptions *o)
{
    Peer *p = mem_new(Peer);
    p->base.kind = &peer_kind;
    p->base.where = mem_strdup(o->where);
    p->link = o->link;
    p->session = link_escape(o->session);
    p->cancel = o->cancel;
    p->cache = peer_cache_new(PEER_KEPT);
    pthread_mutex_init(&p->lock, NULL);
    return &p->base;
}
