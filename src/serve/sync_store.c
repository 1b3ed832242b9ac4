#include "serve/sync_store.h"

#include <pthread.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/names.h"
#include "repo/session_peer.h"
#include "serve/sync_uploads.h"

/* The open repository of one sync session; used by several requests at once, so counted. */
typedef struct Open {
    char *session, *folder;
    Store *store;
    SyncUploads *uploads;
    unsigned users;
    int64_t used; /* by clock_mono_ms */
} Open;

struct SyncStores {
    pthread_mutex_t lock;
    Open **items;
    size_t count, cap;
};

static void open_free(Open *o)
{
    if (!o)
        return;
    sync_uploads_free(o->uploads);
    store_free(o->store);
    free(o->session);
    free(o->folder);
    free(o);
}
DEFINE_AUTO(Open, open_free)

SyncStores *sync_stores_new(void)
{
    SyncStores *s = mem_new(SyncStores);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void sync_stores_free(SyncStores *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        open_free(s->items[i]);
    free(s->items);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* -- who has what open ------------------------------------------------------------------------- */

static Open *find(SyncStores *s, const SyncRight *r)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->items[i]->session, r->session) && !strcmp(s->items[i]->folder, r->folder))
            return s->items[i];
    return NULL;
}

/* With the lock held: room for one more, of one that nobody uses, longest not. */
static Error *make_room(SyncStores *s)
{
    size_t oldest = s->count;
    if (s->count < SYNC_STORES_MAX)
        return NULL;
    for (size_t i = 0; i < s->count; i++)
        if (!s->items[i]->users && sync_uploads_idle(s->items[i]->uploads) &&
            (oldest == s->count || s->items[i]->used < s->items[oldest]->used))
            oldest = i;
    if (oldest == s->count)
        return error_hint(ERROR_NEW(ERR_RATE, "too many sync sessions write at once"),
                          "try again later");
    open_free(s->items[oldest]);
    s->items[oldest] = s->items[--s->count];
    return NULL;
}

static Error *add(SyncStores *s, const SyncRight *r, Open **out)
{
    AUTO(Open) o = mem_new(Open);
    TRY(make_room(s));
    TRY(store_open_dir(r->folder, false, &o->store));
    o->session = mem_strdup(r->session);
    o->folder = mem_strdup(r->folder);
    o->uploads = sync_uploads_new(o->store);
    mem_grow(s->items, s->count, s->cap);
    s->items[s->count++] = *out = STEAL(o);
    return NULL;
}

static Error *take(SyncStores *s, const SyncRight *r, Open **out)
{
    pthread_mutex_lock(&s->lock);
    Open *o = find(s, r);
    Error *e = o ? NULL : add(s, r, &o);
    if (!e) {
        o->users++;
        o->used = clock_mono_ms();
        *out = o;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* What take() gave, given back at the end of a scope. */
typedef struct Use {
    SyncStores *stores;
    Open *open;
} Use;

static void use_end(Use *u)
{
    if (!u->open)
        return;
    pthread_mutex_lock(&u->stores->lock);
    u->open->users--;
    pthread_mutex_unlock(&u->stores->lock);
}
DEFINE_AUTO_VALUE(Use, use_end)

Error *sync_stores_sweep(SyncStores *s, SyncLives lives, void *ctx, int64_t idle_ms)
{
    pthread_mutex_lock(&s->lock);
    Error *e = NULL;
    int64_t now = clock_mono_ms();
    for (size_t i = s->count; i-- > 0 && !e;) {
        Open *o = s->items[i];
        bool live = true;
        if (o->users)
            continue;
        if (now - o->used <= idle_ms)
            e = lives(ctx, o->session, &live);
        else
            live = false;
        if (e || live)
            continue;
        open_free(o);
        s->items[i] = s->items[--s->count];
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* -- what may be done -------------------------------------------------------------------------- */

static const char *const readable[] = {"backups/", "packs/",  "sessions/", "keys/",     "trash/",
                                       "pins/",    "proofs/", "origins/",  "lineages/", "peers/"};

static Error *forbidden(const SyncRight *r, const char *what, const char *name)
{
    AUTO(char) shown = text_printable(name);
    return ERROR_NEW(ERR_REPO_PERMISSION, "sync session %s may not %s %s", r->session, what, shown);
}

static Error *may_list(const SyncRight *r, const char *prefix)
{
    size_t n = strlen(prefix);
    AUTO(char) folder = mem_strndup(prefix, n ? n - 1 : 0);
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        if (text_starts(prefix, readable[i]) && prefix[n - 1] == '/' && store_name_valid(folder))
            return NULL;
    return forbidden(r, "list", prefix);
}

static Error *may_read(const SyncRight *r, const char *name)
{
    bool known = !strcmp(name, "config");
    for (size_t i = 0; i < sizeof readable / sizeof *readable && !known; i++)
        known = text_starts(name, readable[i]);
    return known && store_name_valid(name) ? NULL : forbidden(r, "read", name);
}

static bool is_session(const char *name, SessionId *id)
{
    static const char folder[] = "sessions/";
    return text_starts(name, folder) && strlen(name + sizeof folder - 1) == SESSION_TEXT - 1 &&
           text_unhex(name + sizeof folder - 1, id->b, SESSION_BYTES);
}

static bool is_backup(const char *name)
{
    static const char folder[] = "backups/";
    const char *text = name + sizeof folder - 1;
    return text_starts(name, folder) && !strchr(text, '/') &&
           (text_ends(text, ".manifest") || text_ends(text, ".metadata.json"));
}

/* Of a pack, and of the origin of one: the repository session that it is named by must be this
 * sync's. */
static Error *is_own(const SyncRight *r, Store *s, SessionId id, bool *own)
{
    AUTO_VALUE(SessionPeer) p = {0};
    Error *e = session_peer_get(s, id, &p);
    *own = !e && !p.gone && !strcmp(p.sync, r->session) && !strcmp(p.node, r->node);
    if (!e || error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_drop(e);
    return NULL;
}

static Error *may_put(const SyncRight *r, Store *s, const char *name)
{
    SessionId session;
    PackId pack, source;
    bool own = false;
    if (!store_name_valid(name))
        return forbidden(r, "write", name);
    if (is_session(name, &session))
        return session_peer_put(s, session, r->session, r->node);
    if (!r->writes)
        return forbidden(r, "write", name);
    if (name_parse_pack(name, &pack) || name_parse_origin(name, &source, &pack) ||
        name_parse_origin_part(name, &source, &pack))
        TRY(is_own(r, s, pack.session, &own));
    return own || is_backup(name) ? NULL : forbidden(r, "write", name);
}

/* A session of an earlier sync of the same host may be cleared away by a later one. */
static Error *may_remove(const SyncRight *r, Store *s, const char *name, SessionId *session)
{
    AUTO_VALUE(SessionPeer) p = {0};
    if (!is_session(name, session))
        return forbidden(r, "delete", name);
    Error *e = session_peer_get(s, *session, &p);
    bool own = !e && !strcmp(p.node, r->node);
    error_drop(e);
    return own ? NULL : forbidden(r, "delete", name);
}

/* -- reading ----------------------------------------------------------------------------------- */

/* An object that is gone meanwhile is not there. */
static Error *add_object(Store *s, const char *name, uint64_t size, uint64_t stamp, size_t with,
                         Buf *out)
{
    AUTO_VALUE(Buf) head = {0};
    PeerObject o = {.name = name, .size = size, .stamp = stamp};
    if (size != PEER_ABSENT && with) {
        size_t n = size < with ? (size_t)size : with;
        TRY(buf_reserve(&head, n, PEER_HEAD_MAX));
        Error *e = store_get(s, name, 0, head.data, n);
        if (e && error_kind(e) != ERR_NOT_FOUND)
            return e;
        o.head = e ? NULL : head.data;
        o.head_bytes = e ? 0 : n;
        error_drop(e);
    }
    peer_wire_add(out, &o);
    return NULL;
}

typedef struct Page {
    Store *store;
    const char *after;
    size_t with;
    Buf *out;
    bool full;
} Page;

static Error *add_listed(void *ctx, const char *name, uint64_t size, uint64_t stamp)
{
    Page *p = ctx;
    if (strcmp(name, p->after) <= 0)
        return NULL;
    if (p->out->len + STORE_NAME_MAX + p->with > PEER_LIST_BYTES - 1024) {
        p->full = true;
        FAIL(ERR_CANCELLED, "the page is full");
    }
    return add_object(p->store, name, size, stamp, p->with, p->out);
}

static size_t bounded(size_t with)
{
    return with < PEER_HEAD_MAX ? with : PEER_HEAD_MAX;
}

Error *sync_store_list(SyncStores *s, const SyncRight *r, const char *prefix, const char *after,
                       size_t with, Buf *out)
{
    AUTO_VALUE(Use) u = {s, NULL};
    TRY(may_list(r, prefix));
    TRY(take(s, r, &u.open));
    Page page = {u.open->store, after, bounded(with), out, false};
    Error *e = store_list_stamped(u.open->store, prefix, add_listed, &page);
    if (e && !page.full)
        return e;
    error_drop(e);
    peer_wire_end(out, page.full);
    return NULL;
}

Error *sync_store_look(SyncStores *s, const SyncRight *r, const void *names, size_t n, size_t with,
                       Buf *out)
{
    AUTO_VALUE(Use) u = {s, NULL};
    AUTO(char) text = mem_strndup(names, n);
    char *save = NULL;
    TRY(take(s, r, &u.open));
    for (char *name = strtok_r(text, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
        uint64_t size;
        TRY(may_read(r, name));
        Error *e = store_size(u.open->store, name, &size);
        if (e && error_kind(e) != ERR_NOT_FOUND)
            return e;
        if (e)
            size = PEER_ABSENT;
        error_drop(e);
        if (out->len + STORE_NAME_MAX + bounded(with) > 2 * PEER_LIST_BYTES)
            FAIL(ERR_LIMIT, "too much is asked for at once");
        TRY(add_object(u.open->store, name, size, 0, bounded(with), out));
    }
    peer_wire_end(out, false);
    return NULL;
}

Error *sync_store_size(SyncStores *s, const SyncRight *r, const char *name, uint64_t *size)
{
    AUTO_VALUE(Use) u = {s, NULL};
    TRY(may_read(r, name));
    TRY(take(s, r, &u.open));
    return store_size(u.open->store, name, size);
}

Error *sync_store_get(SyncStores *s, const SyncRight *r, const char *name, uint64_t offset,
                      size_t n, Buf *out, uint64_t *size)
{
    AUTO_VALUE(Use) u = {s, NULL};
    TRY(may_read(r, name));
    TRY(take(s, r, &u.open));
    TRY(store_size(u.open->store, name, size));
    uint64_t left = offset < *size ? *size - offset : 0;
    if (n > left)
        n = (size_t)left;
    TRY(buf_reserve(out, n, out->len + PEER_PIECE));
    if (n)
        TRY(store_get(u.open->store, name, offset, out->data + out->len, n));
    out->len += n;
    return NULL;
}

Error *sync_store_hash(SyncStores *s, const SyncRight *r, const char *name,
                       uint8_t sha256[HASH_BYTES], uint64_t *size)
{
    AUTO_VALUE(Use) u = {s, NULL};
    TRY(may_read(r, name));
    TRY(take(s, r, &u.open));
    return store_hash(u.open->store, name, sha256, size);
}

Error *sync_store_free_space(SyncStores *s, const SyncRight *r, uint64_t *bytes)
{
    AUTO_VALUE(Use) u = {s, NULL};
    TRY(take(s, r, &u.open));
    return store_free_space(u.open->store, bytes);
}

/* -- writing ----------------------------------------------------------------------------------- */

Error *sync_store_put(SyncStores *s, const SyncRight *r, const SyncPiece *p, uint64_t *have)
{
    AUTO_VALUE(Use) u = {s, NULL};
    AUTO(Hash) hash = hash_new();
    uint8_t sum[HASH_BYTES];
    hash_once(hash, p->bytes, p->n, sum);
    if (memcmp(sum, p->sha256, sizeof sum) != 0)
        FAIL(ERR_NETWORK, "a piece of %s arrived otherwise than it was sent", p->name);
    TRY(take(s, r, &u.open));
    TRY(may_put(r, u.open->store, p->name));
    FAULT_POINT("sync.store.put");
    TRY(sync_uploads_put(u.open->uploads, p, have));
    FAULT_POINT("sync.store.answer");
    return NULL;
}

Error *sync_store_have(SyncStores *s, const SyncRight *r, const char *name, const char *upload,
                       uint64_t *have, bool *done)
{
    AUTO_VALUE(Use) u = {s, NULL};
    TRY(may_read(r, name));
    TRY(take(s, r, &u.open));
    *have = sync_uploads_have(u.open->uploads, name, upload);
    return store_exists(u.open->store, name, done);
}

Error *sync_store_remove(SyncStores *s, const SyncRight *r, const char *name)
{
    AUTO_VALUE(Use) u = {s, NULL};
    SessionId session;
    TRY(take(s, r, &u.open));
    TRY(may_remove(r, u.open->store, name, &session));
    Error *e = store_delete(u.open->store, name);
    if (!e || error_kind(e) == ERR_NOT_FOUND)
        e = error_first(e, session_peer_drop(u.open->store, session));
    return e;
}

Error *sync_store_adopt(SyncStores *s, const SyncRight *r, const void *names, size_t n)
{
    AUTO_VALUE(Use) u = {s, NULL};
    AUTO(char) text = mem_strndup(names, n);
    char *save = NULL;
    if (!r->writes)
        return forbidden(r, "write", "");
    TRY(take(s, r, &u.open));
    for (char *name = strtok_r(text, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
        TRY(may_read(r, name));
        store_adopt(u.open->store, name);
    }
    return store_barrier(u.open->store);
}

/* -- sessions whose sync is over --------------------------------------------------------------- */

typedef struct GiveUp {
    Store *store;
    SyncLives lives;
    void *ctx;
} GiveUp;

static Error *give_up(void *ctx, const SessionPeer *p)
{
    const GiveUp *g = ctx;
    char name[NAME_TEXT];
    bool there, lives;
    TRY(store_exists(g->store, name_session(p->id, name), &there));
    TRY(g->lives(g->ctx, p->sync, &lives));
    if (lives || (there && p->gone))
        return NULL;
    if (!there)
        return session_peer_drop(g->store, p->id);
    log_info("%s of %s is over: its sync %s has ended", name, p->node, p->sync);
    return session_peer_give_up(g->store, p->id);
}

Error *sync_store_give_up(const char *folder, SyncLives lives, void *ctx)
{
    AUTO(Store) store = NULL;
    Error *e = store_open_dir(folder, false, &store);
    if (e && error_kind(e) == ERR_REPO_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    GiveUp g = {store, lives, ctx};
    return session_peer_list(store, give_up, &g);
}
