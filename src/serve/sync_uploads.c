#include "serve/sync_uploads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Of all uploads of this process, in their heads: peers are not to fill the memory. */
static atomic_size_t looked_at;

/* One object on its way. Its pieces come one after the other; a piece that is sent again while the
 * first sending of it is still worked on waits for that. */
typedef struct Upload {
    char *name, *id;
    pthread_mutex_t lock; /* of what follows, but `users` */
    StorePut *put;
    Hash *whole;
    Buf head;         /* where it is looked at: its first bytes */
    size_t looked_at; /* bytes that are counted for it */
    uint64_t have;
    uint64_t last_from; /* the piece that came last */
    uint8_t last[HASH_BYTES];
    bool over; /* finished or broken: it takes no more */
    unsigned users;
} Upload;

struct SyncUploads {
    Store *store;
    pthread_mutex_t lock; /* of the list */
    Upload **items;
    size_t count, cap;
    uint64_t bytes;
};

static void upload_free(Upload *o)
{
    store_put_free(o->put);
    hash_free(o->whole);
    buf_free(&o->head);
    atomic_fetch_sub(&looked_at, o->looked_at);
    pthread_mutex_destroy(&o->lock);
    free(o->name);
    free(o->id);
    free(o);
}

SyncUploads *sync_uploads_new(Store *store)
{
    SyncUploads *u = mem_new(SyncUploads);
    u->store = store;
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void sync_uploads_free(SyncUploads *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        upload_free(u->items[i]);
    free(u->items);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

bool sync_uploads_idle(SyncUploads *u)
{
    pthread_mutex_lock(&u->lock);
    bool idle = !u->count;
    pthread_mutex_unlock(&u->lock);
    return idle;
}

/* -- the list ---------------------------------------------------------------------------------- */

/* With the lock held. */
static size_t find(const SyncUploads *u, const char *name, const char *id)
{
    size_t i = 0;
    while (i < u->count &&
           (strcmp(u->items[i]->name, name) != 0 || strcmp(u->items[i]->id, id) != 0))
        i++;
    return i;
}

/* With the lock held: its first piece begins it. */
static Error *begin(SyncUploads *u, const SyncPiece *p, Upload **out)
{
    StorePut *put = NULL;
    if (p->offset)
        return error_hint(ERROR_NEW(ERR_CONFLICT,
                                    "a piece of %s from byte %llu came, and nothing is here of "
                                    "what is before it",
                                    p->name, (unsigned long long)p->offset),
                          "send it from its beginning");
    if (u->count >= SYNC_UPLOADS_MAX)
        return error_hint(ERROR_NEW(ERR_RATE, "too many objects are being sent at once"),
                          "finish one first");
    TRY(store_put_begin(u->store, p->name, &put));
    Upload *o = mem_new(Upload);
    o->name = mem_strdup(p->name);
    o->id = mem_strdup(p->upload);
    o->put = put;
    o->whole = hash_new();
    pthread_mutex_init(&o->lock, NULL);
    mem_grow(u->items, u->count, u->cap);
    u->items[u->count++] = o;
    *out = o;
    return NULL;
}

/* One that takes no more goes when nobody waits for it. */
static void release(SyncUploads *u, Upload *o)
{
    pthread_mutex_lock(&u->lock);
    o->users--;
    if (o->over && !o->users) {
        u->items[find(u, o->name, o->id)] = u->items[u->count - 1];
        u->count--;
        u->bytes -= o->have;
        upload_free(o);
    }
    pthread_mutex_unlock(&u->lock);
}

/* Of unfinished ones all together. */
static Error *take_room(SyncUploads *u, const char *name, size_t n)
{
    pthread_mutex_lock(&u->lock);
    bool room = u->bytes + n <= SYNC_UPLOAD_BYTES;
    if (room)
        u->bytes += n;
    pthread_mutex_unlock(&u->lock);
    if (!room)
        FAIL(ERR_LIMIT, "%s is too large, with all others that are not finished", name);
    return NULL;
}

/* -- an object ----------------------------------------------------------------------------------
 */

/* One of the same contents is as good as a put whose answer got lost; whoever finished it may not
 * have lived to make it durable. */
static Error *there_already(SyncUploads *u, const SyncPiece *p, Error *taken)
{
    uint8_t sum[HASH_BYTES];
    uint64_t size;
    Error *e = store_hash(u->store, p->name, sum, &size);
    if (e || memcmp(sum, p->whole, sizeof sum) != 0) {
        error_drop(e);
        return taken;
    }
    error_drop(taken);
    store_adopt(u->store, p->name);
    return store_barrier(u->store);
}

static Error *finish(SyncUploads *u, Upload *o, const SyncPiece *p)
{
    uint8_t sum[HASH_BYTES];
    hash_end(o->whole, sum);
    if (memcmp(sum, p->whole, sizeof sum) != 0)
        FAIL(ERR_DAMAGED, "%s arrived otherwise than it was sent", p->name);
    if (p->look)
        TRY(p->look(p->ctx, p->name, o->head.data, o->head.len, o->have));
    Error *e = store_put_finish(o->put);
    if (e && error_kind(e) == ERR_EXISTS)
        return there_already(u, p, e);
    TRY(e);
    return store_barrier(u->store);
}

static Error *keep_head(Upload *o, const SyncPiece *p)
{
    size_t room = SYNC_LOOK_MAX - o->head.len, n = p->n < room ? p->n : room;
    if (atomic_fetch_add(&looked_at, n) + n > SYNC_LOOKS_MAX) {
        atomic_fetch_sub(&looked_at, n);
        return error_hint(ERROR_NEW(ERR_RATE, "too many manifests are being sent at once"),
                          "again in a moment");
    }
    o->looked_at += n;
    TRY(buf_reserve(&o->head, n, SYNC_LOOK_MAX));
    buf_add(&o->head, p->bytes, n);
    return NULL;
}

/* With its lock held. */
static Error *take_piece(SyncUploads *u, Upload *o, const SyncPiece *p)
{
    if (p->offset != o->have)
        return error_hint(
            ERROR_NEW(ERR_CONFLICT, "a piece of %s from byte %llu came, and %llu bytes are here",
                      p->name, (unsigned long long)p->offset, (unsigned long long)o->have),
            "ask how much is here, and go on from there");
    TRY(take_room(u, p->name, p->n));
    o->have += p->n;
    o->over = true; /* what fails from here on cannot be gone on with */
    TRY(store_put_write(o->put, p->bytes, p->n));
    if (p->look)
        TRY(keep_head(o, p));
    hash_add(o->whole, p->bytes, p->n);
    o->last_from = p->offset;
    memcpy(o->last, p->sha256, HASH_BYTES);
    if (p->last)
        return finish(u, o, p);
    o->over = false;
    return NULL;
}

/* The piece that came last, once more: its answer was lost. */
static bool came_before(const Upload *o, const SyncPiece *p)
{
    return !p->last && o->have && p->offset == o->last_from && p->offset + p->n == o->have &&
           !memcmp(o->last, p->sha256, HASH_BYTES);
}

static Error *put_in(SyncUploads *u, Upload *o, const SyncPiece *p, uint64_t *have)
{
    Error *e = NULL;
    pthread_mutex_lock(&o->lock);
    if (o->over)
        e = ERROR_NEW(ERR_CONFLICT, "%s is being finished", p->name);
    else if (!came_before(o, p))
        e = take_piece(u, o, p);
    *have = o->have;
    pthread_mutex_unlock(&o->lock);
    return e;
}

Error *sync_uploads_put(SyncUploads *u, const SyncPiece *p, uint64_t *have)
{
    Upload *o = NULL;
    pthread_mutex_lock(&u->lock);
    size_t i = find(u, p->name, p->upload);
    Error *e = NULL;
    if (i < u->count)
        o = u->items[i];
    else
        e = begin(u, p, &o);
    if (o)
        o->users++;
    pthread_mutex_unlock(&u->lock);
    if (!e) {
        e = put_in(u, o, p, have);
        release(u, o);
    }
    /* The last piece once more, of one that was finished, or of whose pieces none is here. */
    if (e && p->last && error_kind(e) == ERR_CONFLICT) {
        *have = p->offset + p->n;
        return there_already(u, p, e);
    }
    return e;
}

uint64_t sync_uploads_have(SyncUploads *u, const char *name, const char *upload)
{
    uint64_t have = 0;
    pthread_mutex_lock(&u->lock);
    size_t i = find(u, name, upload);
    Upload *o = i < u->count ? u->items[i] : NULL;
    if (o)
        o->users++;
    pthread_mutex_unlock(&u->lock);
    if (!o)
        return 0;
    pthread_mutex_lock(&o->lock);
    have = o->have;
    pthread_mutex_unlock(&o->lock);
    release(u, o);
    return have;
}
