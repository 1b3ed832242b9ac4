#include "store/peer_parts.h"

typedef struct PeerPut {
    StorePut base;
    char upload[PEER_UPLOAD_TEXT];
    Hash *whole;
    Buf piece;
    uint64_t offset; /* of the piece */
} PeerPut;

void peer_store_put_free(StorePut *put)
{
    PeerPut *w = (PeerPut *)put;
    hash_free(w->whole);
    buf_free(&w->piece);
    free(w);
}

Error *peer_store_begin(Store *s, const char *name, StorePut **out)
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
    PeerStore *p = (PeerStore *)w->base.store;
    AUTO_VALUE(Buf) address = {0};
    AUTO(Hash) hash = hash_new();
    uint8_t sum[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    hash_once(hash, w->piece.data, w->piece.len, sum);
    text_hex(sum, sizeof sum, hex);
    peer_store_target(p, PEER_PUT, w->base.name, &address);
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
    TRY(peer_store_call(p, &q, &r));
    w->offset += w->piece.len;
    w->piece.len = 0;
    return NULL;
}

Error *peer_store_write(StorePut *put, const void *data, size_t n)
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
Error *peer_store_finish(StorePut *put, bool whole)
{
    (void)whole;
    return send_piece((PeerPut *)put, true);
}

void peer_store_adopt(Store *s, const char *name)
{
    PeerStore *p = (PeerStore *)s;
    pthread_mutex_lock(&p->lock);
    if (!strlist_has(&p->adopted, name))
        strlist_add(&p->adopted, name);
    pthread_mutex_unlock(&p->lock);
}

Error *peer_store_barrier(Store *s)
{
    PeerStore *p = (PeerStore *)s;
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
        peer_store_target(p, PEER_PUT, NULL, &address);
        buf_add_str(&address, "&adopt=true");
        AUTO(char) text = buf_steal_str(&address);
        LinkCall q = {.method = "POST",
                      .target = text,
                      .body = body.data,
                      .body_bytes = body.len,
                      .type = "application/octet-stream",
                      .repeatable = true};
        TRY(peer_store_call(p, &q, &r));
    }
    return NULL;
}

Error *peer_store_remove(Store *s, const char *name)
{
    PeerStore *p = (PeerStore *)s;
    AUTO_VALUE(Buf) address = {0};
    AUTO_VALUE(HttpResponse) r = {0};
    peer_store_target(p, PEER_PUT, name, &address);
    AUTO(char) text = buf_steal_str(&address);
    LinkCall q = {.method = "DELETE", .target = text};
    TRY(peer_store_call(p, &q, &r));
    peer_cache_forget(p->cache, name);
    return NULL;
}
