#include "repo/dedup.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "repo/compactor.h"
#include "repo/parent_streams.h"

/* Bounds of one thread's loaded pieces, beside the piece it writes itself. */
#define LOADED_MAX 8
#define LOADED_BYTES_MAX (16u << 20)
/* Of a table's samples, 16 bytes each: all of about 500 GB. Of a larger table every second one is
 * kept, or every fourth, and so on. */
#define SAMPLES_MAX (1u << 20)
/* Of the frames that dead sessions' small streams share. */
#define LOOSE_CHUNKS_MAX (256u << 10)
struct Dedup {
    Repo *repo;
    Manifest *parent;
    ParentStreams *streams;
    size_t samples_max;
    size_t seen[STREAM_KINDS]; /* streams of each kind that the backup has so far; not of tables */
    ParentPacks *packs;
    pthread_mutex_t lock;
    ChunkMap loose; /* chunks of dead sessions' shared frames; complete once has_loose is set */
    bool has_loose;
};

/* The piece of the parent whose recipe names a sample: its id's first 8 bytes. */
typedef struct Sample {
    uint64_t prefix;
    uint32_t piece;
} Sample;

struct DedupStream {
    const Stream *parent; /* of the parent's manifest; NULL where it is new */
    uint32_t oid;
    pthread_mutex_t lock;
    Sample *samples; /* sorted; made at the first use */
    size_t sample_count, sample_cap;
    uint64_t thinned; /* only prefixes without any of these bits are kept */
    bool sampled;
};

/* The chunks of one piece of a parent, or (`dead`) of what dead sessions stored of it. */
typedef struct Loaded {
    const DedupStream *stream; /* NULL: this place is free */
    uint32_t piece;
    bool dead;
    ChunkMap map;
    uint64_t used_at;
} Loaded;

struct DedupHand {
    Dedup *d;
    Codec *codec;
    Hash *hash;
    DedupStream *stream;
    uint32_t piece;
    Loaded loaded[LOADED_MAX];
    Loaded *hot; /* where the last chunk was found */
    bool at_end; /* that chunk was one of the last of its piece: the next piece follows */
    uint64_t clock;
};

Error *dedup_new(Repo *r, const DedupOptions *options, Dedup **out)
{
    AUTO(Dedup) d = mem_new(Dedup);
    d->repo = r;
    d->parent = options->parent;
    d->samples_max = options->samples_max ? options->samples_max : SAMPLES_MAX;
    d->streams = parent_streams_new(d->parent, options->same_database);
    pthread_mutex_init(&d->lock, NULL);
    TRY(parent_packs_new(r, d->parent, options->dead, options->dead_count, &d->packs));
    *out = STEAL(d);
    return NULL;
}

void dedup_free(Dedup *d)
{
    if (!d)
        return;
    parent_packs_free(d->packs);
    parent_streams_free(d->streams);
    if (d->parent)
        manifest_free(d->parent);
    chunk_map_clear(&d->loose);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

const Manifest *dedup_parent(const Dedup *d)
{
    return d->parent;
}

size_t dedup_pack_count(const Dedup *d)
{
    return parent_packs_count(d->packs);
}

PackId dedup_pack_at(const Dedup *d, size_t i)
{
    return parent_packs_at(d->packs, i)->info.id;
}

const PackInfo *dedup_find_pack(const Dedup *d, PackId id)
{
    const ParentPack *pack = parent_packs_find(d->packs, id);
    return pack ? &pack->info : NULL;
}

ParentPacks *dedup_packs(Dedup *d)
{
    return d->packs;
}

/* -- streams --------------------------------------------------------------------------------- */

const Stream *dedup_parent_table(const Dedup *d, uint32_t oid, const char *schema, const char *name)
{
    return parent_streams_table(d->streams, oid, schema, name);
}

DedupStream *dedup_stream_new(Dedup *d, const Stream *s)
{
    DedupStream *ds = mem_new(DedupStream);
    if (s->kind == STREAM_TABLE)
        ds->parent = parent_streams_table(d->streams, s->oid, s->schema, s->name);
    else
        ds->parent = parent_streams_nth(d->streams, s->kind, d->seen[s->kind]++);
    ds->oid = s->oid;
    pthread_mutex_init(&ds->lock, NULL);
    return ds;
}

void dedup_stream_free(DedupStream *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s->samples);
    free(s);
}

size_t dedup_stream_bytes(DedupStream *s)
{
    pthread_mutex_lock(&s->lock);
    size_t bytes = s->sample_cap * sizeof *s->samples;
    pthread_mutex_unlock(&s->lock);
    return bytes;
}

void dedup_stream_done(DedupStream *s)
{
    pthread_mutex_lock(&s->lock);
    free(s->samples);
    s->samples = NULL;
    s->sample_count = s->sample_cap = 0;
    pthread_mutex_unlock(&s->lock);
}

static uint64_t sample_prefix(const ChunkId *id)
{
    uint64_t prefix;
    memcpy(&prefix, id->b, sizeof prefix);
    return prefix;
}

static int by_prefix(const void *a, const void *b)
{
    const Sample *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix > y->prefix ? 1 : -1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

/* What of a parent cannot be read is absent; only our own want of memory is an error. */
static Error *absent(Error *e, const DedupStream *s, uint32_t piece)
{
    if (!e || error_kind(e) == ERR_MEMORY)
        return e;
    log_warning("piece %u of %s%s%s cannot be used again, its rows are written anew: %s", piece,
                s->parent->schema ? s->parent->schema : "", s->parent->schema ? "." : "",
                s->parent->name ? s->parent->name : "the contents", error_message(e));
    error_drop(e);
    return NULL;
}

/* Sorted, each prefix once, with its first piece. */
static void sort_samples(DedupStream *s)
{
    size_t kept = 0;
    mem_sort(s->samples, s->sample_count, sizeof *s->samples, by_prefix);
    for (size_t i = 0; i < s->sample_count; i++)
        if (!kept || s->samples[i].prefix != s->samples[kept - 1].prefix)
            s->samples[kept++] = s->samples[i];
    s->sample_count = kept;
}

/* At most half of what may be stays: by bits of the ids, so that all pieces lose alike. (Those bits
 * are others than the ones by which an id is a sample.) */
static void thin_samples(DedupStream *s, size_t max)
{
    sort_samples(s);
    while (s->sample_count > max / 2) {
        size_t kept = 0;
        s->thinned = s->thinned << 1 | 1;
        for (size_t i = 0; i < s->sample_count; i++)
            if (!(s->samples[i].prefix & s->thinned))
                s->samples[kept++] = s->samples[i];
        s->sample_count = kept;
    }
}

static void add_sample(DedupStream *s, size_t max, uint64_t prefix, uint32_t piece)
{
    if (prefix & s->thinned)
        return;
    if (s->sample_count == max)
        thin_samples(s, max);
    if (prefix & s->thinned)
        return;
    if (s->sample_count == s->sample_cap) {
        size_t cap = s->sample_cap ? s->sample_cap * 2 : 64;
        s->sample_cap = cap < max ? cap : max;
        s->samples = mem_realloc(s->samples, s->sample_cap, sizeof *s->samples);
    }
    s->samples[s->sample_count++] = (Sample){prefix, piece};
}

/* With the stream's lock held. */
static Error *collect_samples(DedupHand *h, DedupStream *s)
{
    for (uint32_t i = 0; i < s->parent->piece_count; i++) {
        AUTO_VALUE(RecipeIndex) x = {0};
        TRY(absent(recipe_load_index(repo_packs(h->d->repo), &s->parent->pieces[i].recipe, h->codec,
                                     h->hash, &x),
                   s, i));
        for (size_t k = 0; k < x.sample_count; k++)
            add_sample(s, h->d->samples_max, sample_prefix(&x.samples[k]), i);
    }
    sort_samples(s);
    return NULL;
}

static Error *find_sample(DedupHand *h, const ChunkId *id, bool *found, uint32_t *piece)
{
    DedupStream *s = h->stream;
    Error *e = NULL;
    *found = false;
    pthread_mutex_lock(&s->lock);
    if (!s->sampled) {
        s->sampled = true;
        e = collect_samples(h, s);
    }
    uint64_t prefix = sample_prefix(id);
    size_t low = 0, high = s->sample_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->samples[middle].prefix < prefix)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < s->sample_count && s->samples[low].prefix == prefix) {
        *found = true;
        *piece = s->samples[low].piece;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* -- loading a piece ------------------------------------------------------------------------- */

static Error *load_recipe(DedupHand *h, const DedupStream *s, uint32_t piece, ChunkMap *map)
{
    AUTO_VALUE(Page) page = {0};
    AUTO_VALUE(FrameRuns) runs = {0};
    if (!s->parent || piece >= s->parent->piece_count)
        return NULL;
    Error *e = recipe_load(repo_packs(h->d->repo), &s->parent->pieces[piece].recipe, h->codec,
                           h->hash, &page);
    if (e)
        return absent(e, s, piece);
    frame_runs_judge(h->d->packs, repo_packs(h->d->repo), h->hash, &page,
                     s->parent->piece_count > 1, &runs);
    chunk_map_reserve(map, page.count);
    for (size_t i = 0; i < runs.count; i++) {
        const FrameRun *r = &runs.items[i];
        for (uint32_t k = r->first; r->sound && k < r->first + r->count; k++)
            chunk_map_add(map, &page.chunks[k], r->sparse);
    }
    return NULL;
}

/* Each frame is read whole, and so proven to decode, before it is used again. */
static Error *load_dead_frames(DedupHand *h, const DeadFrame *frames, size_t count, size_t max,
                               ChunkMap *map)
{
    AUTO_VALUE(Frame) f = {0};
    for (size_t i = 0; i < count && map->count < max; i++) {
        ParentPack *pack = parent_packs_at(h->d->packs, frames[i].pack);
        if (!parent_packs_sound(h->d->packs, pack, frames[i].frame) ||
            !parent_packs_prove(h->d->packs, pack))
            continue;
        Error *e = pack_read_frame(repo_packs(h->d->repo), pack->info.id, frames[i].frame, h->codec,
                                   h->hash, &f);
        if (e && error_kind(e) == ERR_MEMORY)
            return e;
        if (e) {
            parent_pack_distrust(pack, e);
            continue;
        }
        for (size_t k = 0; k < f.chunks; k++) {
            ChunkRef ref = {.id = f.ids[k],
                            .length = f.lengths[k],
                            .pack = pack->info.id,
                            .frame = frames[i].frame,
                            .index = (uint32_t)k};
            chunk_map_add(map, &ref, SPARSE_NOT);
        }
    }
    return NULL;
}

static Error *load_loose(DedupHand *h)
{
    Dedup *d = h->d;
    size_t count;
    const DeadFrame *frames = parent_packs_frames(d->packs, 0, 0, &count);
    pthread_mutex_lock(&d->lock);
    Error *e = NULL;
    if (!d->has_loose) {
        d->has_loose = true;
        e = load_dead_frames(h, frames, count, LOOSE_CHUNKS_MAX, &d->loose);
    }
    pthread_mutex_unlock(&d->lock);
    return e;
}

/* -- the hand -------------------------------------------------------------------------------- */

DedupHand *dedup_hand_new(Dedup *d, Codec *codec, Hash *hash)
{
    DedupHand *h = mem_new(DedupHand);
    h->d = d;
    h->codec = codec;
    h->hash = hash;
    return h;
}

void dedup_hand_free(DedupHand *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < LOADED_MAX; i++)
        chunk_map_clear(&h->loaded[i].map);
    free(h);
}

size_t dedup_hand_bytes(const DedupHand *h)
{
    size_t bytes = sizeof *h;
    for (size_t i = 0; i < LOADED_MAX; i++)
        bytes += chunk_map_bytes(&h->loaded[i].map);
    return bytes;
}

static bool is_own(const DedupHand *h, const Loaded *l)
{
    return l->stream == h->stream && l->piece == h->piece;
}

static void unload(DedupHand *h, Loaded *l)
{
    chunk_map_clear(&l->map);
    *l = (Loaded){0};
    if (h->hot == l)
        h->hot = NULL;
}

/* The place used longest ago, the current piece's own excepted; NULL where there is none. */
static Loaded *oldest(DedupHand *h)
{
    Loaded *found = NULL;
    for (size_t i = 0; i < LOADED_MAX; i++) {
        Loaded *l = &h->loaded[i];
        if (l->stream && !is_own(h, l) && (!found || l->used_at < found->used_at))
            found = l;
    }
    return found;
}

static void make_room(DedupHand *h)
{
    for (;;) {
        size_t bytes = 0;
        bool place = false;
        for (size_t i = 0; i < LOADED_MAX; i++) {
            bytes += chunk_map_bytes(&h->loaded[i].map);
            place = place || !h->loaded[i].stream;
        }
        Loaded *l = oldest(h);
        if (!l || (place && bytes <= LOADED_BYTES_MAX))
            return;
        unload(h, l);
    }
}

static Loaded *find_loaded(DedupHand *h, uint32_t piece, bool dead)
{
    for (size_t i = 0; i < LOADED_MAX; i++) {
        Loaded *l = &h->loaded[i];
        if (l->stream == h->stream && l->piece == piece && l->dead == dead)
            return l;
    }
    return NULL;
}

static Error *load(DedupHand *h, uint32_t piece, bool dead, Loaded **out)
{
    Loaded *l = find_loaded(h, piece, dead);
    if (!l) {
        make_room(h);
        l = h->loaded;
        while (l->stream)
            l++;
        l->stream = h->stream;
        l->piece = piece;
        l->dead = dead;
        size_t count;
        const DeadFrame *frames = parent_packs_frames(h->d->packs, h->stream->oid, piece, &count);
        TRY(dead ? load_dead_frames(h, frames, count, SIZE_MAX, &l->map)
                 : load_recipe(h, h->stream, piece, &l->map));
    }
    l->used_at = ++h->clock;
    *out = l;
    return NULL;
}

static bool has_dead(const DedupHand *h)
{
    size_t count;
    parent_packs_frames(h->d->packs, h->stream->oid, h->piece, &count);
    return count > 0 && (h->stream->oid || h->piece);
}

Error *dedup_begin(DedupHand *h, DedupStream *s, uint32_t piece)
{
    h->stream = s;
    h->piece = piece;
    h->hot = NULL;
    h->at_end = false;
    Loaded *l;
    if (has_dead(h))
        TRY(load(h, piece, true, &l));
    if (s->parent)
        TRY(load(h, piece, false, &h->hot));
    return load_loose(h);
}

/* Near the end of a piece the border cuts a chunk short, so a few before it count as the end. */
static const MapEntry *look(DedupHand *h, Loaded *l, const ChunkId *id)
{
    const MapEntry *e = chunk_map_find(&l->map, id);
    if (e) {
        h->hot = l;
        h->at_end = !l->dead && (size_t)(e - l->map.entries) + 3 >= l->map.count;
        l->used_at = ++h->clock;
    }
    return e;
}

static const MapEntry *look_everywhere(DedupHand *h, const ChunkId *id)
{
    const MapEntry *e = h->hot ? look(h, h->hot, id) : NULL;
    for (size_t i = 0; i < LOADED_MAX && !e; i++)
        if (h->loaded[i].stream == h->stream && &h->loaded[i] != h->hot)
            e = look(h, &h->loaded[i], id);
    return e ? e : chunk_map_find(&h->d->loose, id);
}

/* A miss: is the parent's next piece to be loaded, or one that a sample names? */
static Error *follow(DedupHand *h, const ChunkId *id, bool *found, uint32_t *piece)
{
    *found = false;
    if (!h->stream->parent || h->stream->parent->piece_count < 2)
        return NULL;
    if (h->at_end && h->hot && !find_loaded(h, h->hot->piece + 1, false)) {
        *piece = h->hot->piece + 1;
        h->at_end = false;
        *found = *piece < h->stream->parent->piece_count;
        if (*found)
            return NULL;
    }
    if (!chunk_is_sample(id))
        return NULL;
    TRY(find_sample(h, id, found, piece));
    *found = *found && !find_loaded(h, *piece, false);
    return NULL;
}

Error *dedup_find(DedupHand *h, const ChunkId *id, uint32_t length, const MapEntry **found)
{
    *found = look_everywhere(h, id);
    uint32_t piece = 0;
    bool follows = false;
    if (!*found)
        TRY(follow(h, id, &follows, &piece));
    if (follows) {
        Loaded *l;
        TRY(load(h, piece, false, &l));
        *found = look(h, l, id);
    }
    if (*found && (*found)->ref.length != length)
        *found = NULL;
    return NULL;
}

/* -- recipes to share ------------------------------------------------------------------------ */

static bool may_share(const Dedup *d, PackId pack, uint32_t frame)
{
    const ParentPack *p = parent_packs_find(d->packs, pack);
    return parent_packs_sound(d->packs, p, frame) && !p->sparse;
}

void dedup_known(Dedup *d, const DedupStream *ds, uint32_t piece, Codec *codec, Hash *hash,
                 RecipeIndex *index, const RecipeRef **ref, const Piece **known)
{
    const Stream *s = ds->parent;
    *ref = NULL;
    *known = NULL;
    if (!s || piece >= s->piece_count)
        return;
    *known = &s->pieces[piece];
    const RecipeRef *own = &s->pieces[piece].recipe;
    Error *e = recipe_load_index(repo_packs(d->repo), own, codec, hash, index);
    if (e) { /* whoever loads its chunks is told */
        error_drop(e);
        recipe_index_clear(index);
        return;
    }
    bool whole = own->kind == RECIPE_INLINE || may_share(d, own->pack, own->frame);
    size_t kept = 0;
    for (size_t i = 0; i < index->page_count; i++) {
        const PageRef *p = &index->pages[i];
        if (own->kind == RECIPE_INLINE || may_share(d, p->pack, p->frame))
            index->pages[kept++] = *p;
        else
            whole = false;
    }
    index->page_count = kept;
    if (whole)
        *ref = own;
}

void dedup_recipe(DedupHand *h, RecipeIndex *index, const RecipeRef **ref)
{
    const Piece *known;
    dedup_known(h->d, h->stream, h->piece, h->codec, h->hash, index, ref, &known);
}
