#include <pthread.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "repo/frame.h"

/* A pack being written. `reserved`, `open_frames`, `closing` and `written` belong to the packer's
 * lock, all else to the pack's own, which is held while bytes go to the store. Lock order: never
 * both, but for the making of a pack. */
struct OpenPack {
    OpenPack *next;
    PackInfo info;
    PackSeal seal;
    uint32_t reserved;    /* frame numbers given out */
    uint32_t open_frames; /* of those, not yet put */
    bool closing;
    uint64_t written;
    pthread_mutex_t lock;
    StorePut *put;
    Hash *sha;
    bool broken; /* a write failed: it never becomes visible */
    FrameInfo *frames;
    size_t count, cap;
};

struct Packer {
    Store *store;
    const Keyring *keys;
    char *database;
    SessionId session;
    PackKind kind;
    PackDone done;
    void *ctx;
    pthread_mutex_t lock, done_lock;
    uint32_t next_n;
    OpenPack *packs;
    OpenPack *current; /* where reservations go; one of `packs`, or NULL */
    bool finished;
};

Error *packer_new(Store *store, const Keyring *keys, const char *database, SessionId session,
                  PackKind kind, uint32_t first_n, PackDone done, void *ctx, Packer **out)
{
    Packer *p = mem_new(Packer);
    *p = (Packer){.store = store,
                  .keys = keys,
                  .database = mem_strdup(database),
                  .session = session,
                  .kind = kind,
                  .done = done,
                  .ctx = ctx,
                  .next_n = first_n};
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->done_lock, NULL);
    *out = p;
    return NULL;
}

void open_pack_free(OpenPack *o)
{
    store_put_free(o->put);
    hash_free(o->sha);
    object_keys_free(o->seal.keys);
    pthread_mutex_destroy(&o->lock);
    free(o->frames);
    free(o);
}

void packer_free(Packer *p)
{
    if (!p)
        return;
    while (p->packs) {
        OpenPack *next = p->packs->next;
        open_pack_free(p->packs);
        p->packs = next;
    }
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->done_lock);
    free(p->database);
    free(p);
}

/* With the pack's lock held. */
static Error *pack_append(OpenPack *o, const void *p, size_t n)
{
    if (o->broken)
        FAIL(ERR_IO, "an earlier write to this pack failed");
    if (o->info.size + n > PACK_LIMIT)
        FAIL(ERR_LIMIT, "a pack cannot grow beyond %llu bytes", (unsigned long long)PACK_LIMIT);
    o->broken = true;
    TRY(store_put_write(o->put, p, n));
    o->broken = false;
    hash_add(o->sha, p, n);
    o->info.size += n;
    return NULL;
}

static Error *open_pack_new(Packer *p, Hash *hash, OpenPack **out)
{
    AUTO(OpenPack) o = mem_new(OpenPack);
    pthread_mutex_init(&o->lock, NULL);
    o->sha = hash_new();
    o->info.id = (PackId){.session = p->session, .n = p->next_n};
    o->info.kind = p->kind;
    char name[NAME_TEXT];
    TRY(store_put_begin(p->store, name_pack(o->info.id, name), &o->put));
    AUTO_VALUE(Buf) header = {0};
    TRY(pack_seal_new(p->keys, p->database, o->info.id, p->kind, &o->seal));
    pack_header_encode(&o->seal, hash, &header);
    TRY(pack_append(o, header.data, header.len));
    p->next_n += 2;
    *out = STEAL(o);
    return NULL;
}

static Error *reserve_locked(Packer *p, PackId *pack, uint32_t *frame)
{
    if (p->finished)
        FAIL(ERR_INTERNAL, "a frame was reserved after the end");
    if (!p->current) {
        AUTO(Hash) hash = hash_new();
        OpenPack *o;
        TRY(open_pack_new(p, hash, &o));
        o->next = p->packs;
        p->packs = p->current = o;
    }
    OpenPack *o = p->current;
    *pack = o->info.id;
    *frame = o->reserved++;
    o->open_frames++;
    if (o->reserved >= FRAMES_MAX) {
        o->closing = true;
        p->current = NULL;
    }
    return NULL;
}

Error *packer_reserve(Packer *p, PackId *pack, uint32_t *frame)
{
    pthread_mutex_lock(&p->lock);
    Error *e = reserve_locked(p, pack, frame);
    pthread_mutex_unlock(&p->lock);
    return e;
}

static int by_number(const void *a, const void *b)
{
    const FrameInfo *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* The pack is nobody else's by now. One without frames leaves no trace. */
static Error *pack_close(Packer *p, OpenPack *o, Hash *hash)
{
    if (o->count == 0 && !o->broken)
        return NULL;
    mem_sort(o->frames, o->count, sizeof *o->frames, by_number);
    AUTO_VALUE(Buf) footer = {0};
    footer_encode(&o->seal, o->frames, o->count, hash, &footer);
    TRY(pack_append(o, footer.data, footer.len));
    hash_end(o->sha, o->info.sha256);
    TRY(store_put_finish(o->put));
    FAULT_POINT("packer.pack.finished");
    pthread_mutex_lock(&p->done_lock);
    Error *e = p->done ? p->done(p->ctx, &o->info) : NULL;
    pthread_mutex_unlock(&p->done_lock);
    return e;
}

static Error *pack_close_named(Packer *p, OpenPack *o, Hash *hash)
{
    char name[NAME_TEXT];
    TRY_CTX(pack_close(p, o, hash), "writing %s", name_pack(o->info.id, name));
    return NULL;
}

static void unlink_pack(Packer *p, OpenPack *o)
{
    OpenPack **at = &p->packs;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    if (p->current == o)
        p->current = NULL;
}

static OpenPack *find_open(Packer *p, PackId pack)
{
    pthread_mutex_lock(&p->lock);
    OpenPack *o = p->packs;
    while (o && !pack_id_equal(o->info.id, pack))
        o = o->next;
    pthread_mutex_unlock(&p->lock);
    return o;
}

/* A reserved frame is done with: the last one of a full pack closes it. */
static Error *frame_done(Packer *p, OpenPack *o, uint64_t written, Hash *hash)
{
    pthread_mutex_lock(&p->lock);
    o->open_frames--;
    if (written > o->written)
        o->written = written;
    if (o->written >= PACK_TARGET) {
        o->closing = true;
        if (p->current == o)
            p->current = NULL;
    }
    bool close = o->closing && o->open_frames == 0;
    if (close)
        unlink_pack(p, o);
    pthread_mutex_unlock(&p->lock);
    if (!close)
        return NULL;
    AUTO(OpenPack) mine = o;
    return pack_close_named(p, mine, hash);
}

static Error *append_frame(OpenPack *o, const Buf *envelope, FrameInfo *info, uint64_t *written)
{
    info->offset = o->info.size;
    TRY(pack_append(o, envelope->data, envelope->len));
    mem_grow(o->frames, o->count, o->cap);
    o->frames[o->count++] = *info;
    o->info.raw += info->raw;
    *written = o->info.size;
    return NULL;
}

Error *packer_put(Packer *p, PackId pack, uint32_t frame, const FrameBody *body, Codec *codec,
                  Hash *hash, uint64_t *stored)
{
    *stored = 0;
    OpenPack *o = find_open(p, pack);
    if (!o)
        FAIL(ERR_INTERNAL, "a frame was put into a pack that is not open");
    if (body->n == 0)
        return frame_done(p, o, 0, hash);
    if (body->n > FRAME_LIMIT || body->chunks > FRAME_CHUNKS_MAX)
        FAIL(ERR_LIMIT, "a frame of %zu bytes in %zu chunks is larger than readers accept", body->n,
             body->chunks);
    FAULT_POINT("packer.put");
    AUTO_VALUE(Buf) payload = {0};
    AUTO_VALUE(Buf) envelope = {0};
    CodecId used;
    char name[NAME_TEXT];
    TRY_CTX(codec_encode(codec, body->level, body->raw, body->n, &payload, &used),
            "encoding frame %u of %s", frame, name_pack(pack, name));
    FrameInfo info;
    frame_encode(&o->seal, frame, body, used, &payload, hash, &envelope, &info);
    uint64_t written = 0;
    pthread_mutex_lock(&o->lock);
    Error *e = append_frame(o, &envelope, &info, &written);
    pthread_mutex_unlock(&o->lock);
    TRY_CTX(e, "writing %s", name_pack(pack, name));
    *stored = envelope.len;
    return frame_done(p, o, written, hash);
}

/* -- whole packs ------------------------------------------------------------------------------ */

Error *packer_begin(Packer *p, Hash *hash, OpenPack **out)
{
    pthread_mutex_lock(&p->lock);
    Error *e = p->finished ? ERROR_NEW(ERR_INTERNAL, "a pack was begun after the end")
                           : open_pack_new(p, hash, out);
    pthread_mutex_unlock(&p->lock);
    return e;
}

PackId open_pack_id(const OpenPack *o)
{
    return o->info.id;
}

Error *open_pack_add(OpenPack *o, uint32_t frame, const FrameBody *body, CodecId codec,
                     const Buf *packed, Hash *hash, uint64_t *stored)
{
    AUTO_VALUE(Buf) envelope = {0};
    FrameInfo info;
    uint64_t written;
    char name[NAME_TEXT];
    if (o->count && frame <= o->frames[o->count - 1].number)
        FAIL(ERR_INTERNAL, "frame %u came behind frame %u", frame, o->frames[o->count - 1].number);
    frame_encode(&o->seal, frame, body, codec, packed, hash, &envelope, &info);
    TRY_CTX(append_frame(o, &envelope, &info, &written), "writing %s", name_pack(o->info.id, name));
    *stored = envelope.len;
    return NULL;
}

Error *open_pack_finish(Packer *p, OpenPack *o, Hash *hash)
{
    return pack_close_named(p, o, hash);
}

/* -- the end ---------------------------------------------------------------------------------- */

Error *packer_finish(Packer *p)
{
    AUTO(Hash) hash = hash_new();
    pthread_mutex_lock(&p->lock);
    p->finished = true;
    p->current = NULL;
    bool open = false;
    for (OpenPack *o = p->packs; o; o = o->next)
        open = open || o->open_frames > 0;
    pthread_mutex_unlock(&p->lock);
    if (open)
        FAIL(ERR_INTERNAL, "a reserved frame was never put");
    while (p->packs) {
        AUTO(OpenPack) o = p->packs;
        p->packs = o->next;
        TRY(pack_close_named(p, o, hash));
    }
    return NULL;
}
