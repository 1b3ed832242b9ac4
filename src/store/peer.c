#include "store/peer_parts.h"

#include <string.h>

#include "base/log.h"

#define SMALL (64u << 10) /* what is kept of a read */
#define BLOCK (32u << 10) /* at least so much of a pack is read */
#define BLOCKS_MOST 8     /* at once, of one that is read on and on */
#define TAIL (16u << 10)  /* of one that is read at its end: the footer */
#define WHOLE (1u << 20)  /* objects up to this are kept whole */

/* -- requests ---------------------------------------------------------------------------------- */

Error *peer_store_call(PeerStore *p, LinkCall *q, HttpResponse *out)
{
    log_debug("peer %s: %s %s", link_name(p->link), q->method ? q->method : "GET", q->target);
    return link_call(p->link, q, p->cancel, out);
}

/* The address of an object's request, to which more may be added. */
void peer_store_target(const PeerStore *p, const char *path, const char *name, Buf *out)
{
    buf_printf(out, "%s?sessionId=%s", path, p->session);
    if (name) {
        AUTO(char) escaped = link_escape(name);
        buf_printf(out, "&name=%s", escaped);
    }
}

Error *peer_store_check_answer(PeerStore *p, const HttpResponse *r)
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
bool peer_store_again(Error **e, int attempt)
{
    if (!*e || error_kind(*e) != ERR_NETWORK || attempt == PEER_ATTEMPTS)
        return false;
    error_drop(STEAL(*e));
    return true;
}

static Error *parse_size(PeerStore *p, const HttpResponse *r, uint64_t *size)
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
static Error *fetch(PeerStore *p, const char *name, uint64_t offset, size_t n, Buf *out,
                    uint64_t *size)
{
    AUTO_VALUE(Buf) address = {0};
    peer_store_target(p, PEER_GET, name, &address);
    buf_printf(&address, "&offset=%llu&length=%zu", (unsigned long long)offset, n);
    AUTO(char) text = buf_steal_str(&address);
    Error *e = NULL;
    for (int attempt = 1; attempt == 1 || peer_store_again(&e, attempt); attempt++) {
        AUTO_VALUE(HttpResponse) r = {0};
        LinkCall q = {.target = text, .max_bytes = n < HTTP_KEPT_MAX ? HTTP_KEPT_MAX : n};
        TRY(peer_store_call(p, &q, &r));
        e = peer_store_check_answer(p, &r);
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
bool peer_store_may_change(const char *name)
{
    return text_starts(name, "sessions/") || text_starts(name, "trash/") ||
           text_starts(name, "peers/");
}

static Window *own_window(PeerStore *p)
{
    pthread_mutex_lock(&p->lock);
    Window *w = p->windows;
    while (w && !pthread_equal(w->thread, pthread_self()))
        w = w->next;
    pthread_mutex_unlock(&p->lock);
    return w;
}

static bool in_window(PeerStore *p, const char *name, uint64_t offset, void *to, size_t n)
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
    PeerStore *p = (PeerStore *)s;
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
    n = n < STORE_AHEAD_MAX ? n : STORE_AHEAD_MAX;
    TRY(buf_reserve(&w->bytes, n, n));
    if (!peer_store_may_change(name))
        w->bytes.len = peer_cache_get(p->cache, name, offset, w->bytes.data, n);
    if (w->bytes.len < n)
        TRY(fetch(p, name, offset, n, &w->bytes, &size));
    w->name = mem_strdup(name);
    w->offset = offset;
    return NULL;
}

static bool is_kept(PeerStore *p, const char *name, uint64_t offset)
{
    uint8_t byte;
    return peer_cache_get(p->cache, name, offset, &byte, 1) == 1;
}

/* What is read instead of [offset, offset + n), which lies within. Blocks end at multiples of their
 * size, so that none is read twice in part; of a pack that is read on and on as much at once as was
 * read right before it. */
static void widen(PeerStore *p, const char *name, uint64_t *offset, size_t *n)
{
    uint64_t size, first = *offset, end = *offset + *n, before;
    if (*n >= BLOCK || !text_starts(name, "packs/"))
        return;
    if (peer_cache_size(p->cache, name, &size) && size == end) {
        *n = *n > TAIL ? *n : size < TAIL ? (size_t)size : TAIL;
        *offset = end - *n;
        return;
    }
    if (!first) {
        *n = *n > TAIL ? *n : TAIL;
        return;
    }
    if (!is_kept(p, name, first - 1))
        first = first / BLOCK * BLOCK;
    end = (end + BLOCK - 1) / BLOCK * BLOCK;
    before = first;
    for (int i = 0; i < BLOCKS_MOST && before && is_kept(p, name, before - 1); i++) {
        before -= before < BLOCK ? before : BLOCK;
        if (i && !is_kept(p, name, end))
            end += BLOCK;
    }
    *offset = first;
    *n = (size_t)(end - first);
}

static Error *get_small(PeerStore *p, const char *name, uint64_t offset, uint8_t *to, size_t n)
{
    AUTO_VALUE(Buf) bytes = {0};
    uint64_t from = offset, size;
    size_t wanted = n;
    widen(p, name, &from, &wanted);
    TRY(fetch(p, name, from, wanted, &bytes, &size));
    if (offset > size || n > size - offset)
        return store_too_short(&p->base, name, size, offset, n);
    if (!peer_store_may_change(name))
        peer_cache_put(p->cache, name, size, from, bytes.data, bytes.len);
    if (n)
        memcpy(to, bytes.data + (offset - from), n);
    return NULL;
}

static Error *peer_get(Store *s, const char *name, uint64_t start, void *p_to, size_t all)
{
    PeerStore *p = (PeerStore *)s;
    uint8_t *to = p_to;
    if (in_window(p, name, start, to, all))
        return NULL;
    size_t kept = peer_store_may_change(name) ? 0 : peer_cache_get(p->cache, name, start, to, all);
    if (kept && kept == all)
        return NULL;
    uint64_t offset = start + kept;
    size_t n = all - kept;
    if (n < SMALL)
        return get_small(p, name, offset, to + kept, n);
    AUTO_VALUE(Buf) bytes = {0};
    for (size_t got = 0; got < n; got += bytes.len) {
        uint64_t size;
        size_t step = n - got < PEER_PIECE ? n - got : PEER_PIECE;
        TRY(fetch(p, name, offset + got, step, &bytes, &size));
        if (bytes.len < step)
            return store_too_short(s, name, size, offset, n);
        memcpy(to + kept + got, bytes.data, step);
    }
    return NULL;
}

static Error *peer_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    PeerStore *p = (PeerStore *)s;
    AUTO_VALUE(Buf) bytes = {0};
    uint64_t size = 0, got = 0;
    if (peer_cache_size(p->cache, name, &size) && size <= max) {
        TRY_CTX(buf_reserve(out, (size_t)size, SIZE_MAX / 4), "%s", name);
        if (peer_cache_get(p->cache, name, 0, out->data + out->len, (size_t)size) == size) {
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
    if (!peer_store_may_change(name) && size <= WHOLE)
        peer_cache_put(p->cache, name, size, 0, bytes.data, bytes.len);
    return NULL;
}

static Error *peer_size(Store *s, const char *name, uint64_t *size)
{
    PeerStore *p = (PeerStore *)s;
    AUTO_VALUE(Buf) bytes = {0};
    bool pack = text_starts(name, "packs/"), known = peer_cache_size(p->cache, name, size);
    /* Whoever asks for these goes on with reading them. */
    bool read = pack || (!known && text_ends(name, ".manifest"));
    if (pack && known)
        return NULL;
    TRY(fetch(p, name, 0, read ? TAIL : 0, &bytes, size));
    if (read)
        peer_cache_put(p->cache, name, *size, 0, bytes.data, bytes.len);
    return NULL;
}

static Error *peer_hash(Store *s, const char *name, uint8_t sha256[HASH_BYTES], uint64_t *size)
{
    PeerStore *p = (PeerStore *)s;
    AUTO_VALUE(Buf) address = {0};
    AUTO(Doc) answer = NULL;
    peer_store_target(p, PEER_GET, name, &address);
    buf_add_str(&address, "&hash=true");
    AUTO(char) text = buf_steal_str(&address);
    TRY(link_ask(p->link, "GET", text, NULL, true, p->cancel, &answer));
    int64_t n = doc_int(answer, "size", -1);
    if (n < 0 || !text_unhex(doc_str(answer, "sha256", ""), sha256, HASH_BYTES))
        FAIL(ERR_REFUSED, "peer %s: it does not say what %s holds", link_name(p->link), name);
    *size = (uint64_t)n;
    return NULL;
}

static Error *peer_free_space(Store *s, uint64_t *bytes)
{
    PeerStore *p = (PeerStore *)s;
    AUTO_VALUE(Buf) address = {0};
    AUTO(Doc) answer = NULL;
    peer_store_target(p, PEER_GET, NULL, &address);
    AUTO(char) text = buf_steal_str(&address);
    TRY(link_ask(p->link, "GET", text, NULL, true, p->cancel, &answer));
    int64_t n = doc_int(answer, "freeBytes", -1);
    *bytes = n < 0 ? UINT64_MAX : (uint64_t)n;
    return NULL;
}

/* -- open and close ---------------------------------------------------------------------------- */

static void peer_free(Store *s)
{
    PeerStore *p = (PeerStore *)s;
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
    .begin = peer_store_begin,
    .write = peer_store_write,
    .finish = peer_store_finish,
    .put_free = peer_store_put_free,
    .adopt = peer_store_adopt,
    .barrier = peer_store_barrier,
    .get = peer_get,
    .get_all = peer_get_all,
    .size = peer_size,
    .remove = peer_store_remove,
    .list = peer_store_list,
    .free_space = peer_free_space,
    .sizes = peer_store_sizes,
    .hash = peer_hash,
    .ahead = peer_ahead,
    .far = true,
};

Store *store_open_peer(const PeerStoreOptions *o)
{
    PeerStore *p = mem_new(PeerStore);
    p->base.kind = &peer_kind;
    p->base.where = mem_strdup(o->where);
    p->link = o->link;
    p->session = link_escape(o->session);
    p->cancel = o->cancel;
    p->cache = peer_cache_new(PEER_KEPT);
    pthread_mutex_init(&p->lock, NULL);
    return &p->base;
}
