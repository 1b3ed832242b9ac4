#include "store/peer_parts.h"

#include <string.h>

#define FACTS (4u << 10)      /* bytes of a manifest in which its facts mostly lie */
#define LISTED_MAX (8u << 20) /* objects of one kind: packs of hundreds of TB */

typedef struct Listed {
    char *name;
    uint64_t size, stamp;
} Listed;

typedef struct Listing {
    PeerStore *peer;
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

static void keep_head(PeerStore *p, const PeerObject *o)
{
    bool all = o->head_bytes == o->size;
    if (o->size != PEER_ABSENT && (o->head_bytes && (all || !peer_store_may_change(o->name))))
        peer_cache_put(p->cache, o->name, o->size, 0, o->head, o->head_bytes);
}

static Error *take_listed(void *ctx, const PeerObject *o)
{
    Listing *l = ctx;
    const char *last = l->count ? l->items[l->count - 1].name : "";
    if (!store_name_valid(o->name) || !text_starts(o->name, l->prefix) ||
        strcmp(o->name, last) <= 0)
        FAIL(ERR_REFUSED, "peer %s: its list of objects is not in order", link_name(l->peer->link));
    if (l->count == LISTED_MAX)
        FAIL(ERR_LIMIT, "peer %s lists more than %u objects", link_name(l->peer->link), LISTED_MAX);
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = (Listed){mem_strdup(o->name), o->size, o->stamp};
    keep_head(l->peer, o);
    return NULL;
}

static Error *ask_list(PeerStore *p, LinkCall *q, PeerEach each, void *ctx, bool *more)
{
    Error *e = NULL;
    q->max_bytes = PEER_LIST_BYTES + HTTP_KEPT_MAX;
    for (int attempt = 1; attempt == 1 || peer_store_again(&e, attempt); attempt++) {
        AUTO_VALUE(HttpResponse) r = {0};
        TRY(peer_store_call(p, q, &r));
        e = peer_store_check_answer(p, &r);
        if (!e)
            return peer_wire_read(&r.body, each, ctx, more);
    }
    return e;
}

static Error *list_all(Listing *l, size_t with)
{
    PeerStore *p = l->peer;
    for (bool more = true; more;) {
        AUTO_VALUE(Buf) address = {0};
        AUTO(char) prefix = link_escape(l->prefix);
        AUTO(char) after = link_escape(l->count ? l->items[l->count - 1].name : "");
        size_t before = l->count;
        peer_store_target(p, PEER_GET, NULL, &address);
        buf_printf(&address, "&list=%s&after=%s&with=%zu", prefix, after, with);
        AUTO(char) text = buf_steal_str(&address);
        TRY(ask_list(p, &(LinkCall){.target = text}, take_listed, l, &more));
        if (more && l->count == before)
            FAIL(ERR_REFUSED, "peer %s: its list of objects has no end", link_name(p->link));
    }
    return NULL;
}

/* Asks about several by name. */
static Error *look_up(PeerStore *p, char *const *names, size_t n, size_t with, PeerEach each,
                      void *ctx)
{
    for (size_t i = 0; i < n;) {
        AUTO_VALUE(Buf) address = {0};
        AUTO_VALUE(Buf) body = {0};
        bool more;
        for (; i < n && (!body.len || body.len + strlen(names[i]) < PEER_NAMES_BYTES); i++)
            buf_printf(&body, "%s\n", names[i]);
        peer_store_target(p, PEER_GET, NULL, &address);
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

Error *peer_store_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    PeerStore *p = (PeerStore *)s;
    AUTO_VALUE(Listing) l = {.peer = p, .prefix = prefix};
    bool sessions = !strcmp(prefix, "sessions/");
    if (peer_store_may_change(prefix))
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

Error *peer_store_sizes(Store *s, const StrList *names, uint64_t *sizes)
{
    Sizes got = {names, sizes, 0};
    PeerStore *p = (PeerStore *)s;
    TRY_CTX(look_up(p, names->items, names->count, 0, take_size, &got), "peer %s",
            link_name(p->link));
    if (got.at != names->count)
        FAIL(ERR_REFUSED, "peer %s: it does not say how large all objects are", link_name(p->link));
    return NULL;
}
