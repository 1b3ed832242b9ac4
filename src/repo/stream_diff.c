#include "repo/stream_diff.h"

#include <string.h>

#include "repo/chunk_map.h"
#include "repo/repo_internal.h"

#define NONE UINT32_MAX
#define HANDED (UINT32_MAX - 1) /* was handed out already */
#define CANCEL_EVERY 1024       /* chunks */
#define LIVE_LAG                                                                                   \
    64 /* so many chunks the stored side is behind: a chunk that comes may still be one */

/* The chunks of one side, and which of the other's each is taken out with. */
typedef struct Side {
    Page page;
    uint32_t *mate; /* NONE: handed out */
    bool *settled;  /* of side 0: the run that it is in was trimmed */
} Side;
static void side_clear(Side *s)
{
    page_clear(&s->page);
    free(s->mate);
    free(s->settled);
}
DEFINE_AUTO_VALUE(Side, side_clear)

static Error *side_load(StreamDiff *d, const Stream *s, size_t from, size_t to, Side *out)
{
    for (size_t i = from; i < to; i++) {
        TRY(cancel_check(d->cancel));
        TRY_CTX(chunk_reader_recipe(d->chunks, &s->pieces[i], &out->page), "piece %zu", i);
    }
    out->mate = mem_calloc(out->page.count, sizeof *out->mate);
    for (size_t i = 0; i < out->page.count; i++)
        out->mate[i] = NONE;
    return NULL;
}

/* -- pairing ---------------------------------------------------------------------------------- */

/* Where each id stands: places in order, chained. */
typedef struct Places {
    ChunkMap map;   /* its entry's number is that of its id */
    uint32_t *head; /* by number of the entry: the first place not yet passed */
    uint32_t *next; /* by place */
} Places;
static void places_clear(Places *p)
{
    chunk_map_clear(&p->map);
    free(p->head);
    free(p->next);
}
DEFINE_AUTO_VALUE(Places, places_clear)

static void places_init(Places *p, const Page *page)
{
    chunk_map_reserve(&p->map, page->count);
    p->head = mem_calloc(page->count, sizeof *p->head);
    p->next = mem_calloc(page->count, sizeof *p->next);
    for (size_t i = page->count; i-- > 0;) {
        size_t before = p->map.count;
        chunk_map_add(&p->map, &page->chunks[i], false);
        size_t entry = (size_t)(chunk_map_find(&p->map, &page->chunks[i].id) - p->map.entries);
        p->next[i] = entry < before ? p->head[entry] : NONE;
        p->head[entry] = (uint32_t)i;
    }
}

static bool same_chunk(const ChunkRef *a, const ChunkRef *b)
{
    return a->length == b->length && !memcmp(a->id.b, b->id.b, CHUNK_ID_BYTES);
}

/* The first free place of the chunk; NONE. */
static uint32_t places_take(Places *p, const Side *s, const ChunkRef *c)
{
    const MapEntry *e = chunk_map_find(&p->map, &c->id);
    if (!e || e->ref.length != c->length)
        return NONE;
    uint32_t *head = &p->head[e - p->map.entries];
    while (*head != NONE && s->mate[*head] != NONE)
        *head = p->next[*head];
    return *head;
}

/* The place to be taken by the next chunk: the one behind the last pair's where that fits, so that
 * runs stay whole. */
static uint32_t mate_for(Places *p, const Side *a, uint32_t expected, const ChunkRef *c)
{
    if (expected < a->page.count && a->mate[expected] == NONE &&
        same_chunk(&a->page.chunks[expected], c))
        return expected;
    return places_take(p, a, c);
}

static void pair_up(Places *p, Side *a, Side *b)
{
    uint32_t expected = 0;
    for (uint32_t i = 0; i < b->page.count; i++) {
        uint32_t mate = mate_for(p, a, expected, &b->page.chunks[i]);
        if (mate == NONE)
            continue;
        b->mate[i] = mate;
        a->mate[mate] = i;
        expected = mate + 1;
    }
}

/* -- the edges of runs ------------------------------------------------------------------------ */

static Error *ends_row(StreamDiff *d, const Side *s, size_t i, bool *ends)
{
    const ChunkRef *c = &s->page.chunks[i];
    const uint8_t *p;
    TRY(chunk_reader_get(d->chunks, c, &p, NULL));
    *ends = p[c->length - 1] == '\n';
    return NULL;
}

static Error *begins_row(StreamDiff *d, const Side *s, size_t i, bool *begins)
{
    *begins = true;
    return i ? ends_row(d, s, i - 1, begins) : NULL;
}

static void part(Side *a, Side *b, size_t i)
{
    b->mate[a->mate[i]] = NONE;
    a->mate[i] = NONE;
}

/* The run of pairs [from, to) of `a`: shortened until it is whole rows on both sides. */
static Error *trim(StreamDiff *d, Side *a, Side *b, size_t from, size_t to)
{
    for (; from < to; from++) {
        bool here, there;
        TRY(begins_row(d, a, from, &here));
        TRY(begins_row(d, b, a->mate[from], &there));
        if (here && there)
            break;
        part(a, b, from);
    }
    for (; to > from; to--) {
        bool ends;
        TRY(ends_row(d, a, to - 1, &ends));
        if (ends)
            break;
        part(a, b, to - 1);
    }
    return NULL;
}

/* Trims the run that pair i of `a` belongs to. Only when its neighbours are handed out: their
 * frames are at hand then, and are not decoded twice. */
static Error *settle(StreamDiff *d, Side *a, Side *b, size_t i)
{
    size_t from = i, to = i + 1;
    while (from && a->mate[from - 1] != NONE && a->mate[from - 1] + 1 == a->mate[from])
        from--;
    while (to < a->page.count && a->mate[to] != NONE && a->mate[to] == a->mate[to - 1] + 1)
        to++;
    memset(a->settled + from, 1, to - from);
    return trim(d, a, b, from, to);
}

/* -- handing out ------------------------------------------------------------------------------ */

static Error *hand_out_chunk(StreamDiff *d, int number, const ChunkRef *c)
{
    const uint8_t *p;
    TRY(chunk_reader_get(d->chunks, c, &p, NULL));
    d->bytes[number] += c->length;
    return d->take(d->ctx, number, p, c->length);
}

/* Chunk number i, where it is not taken out. */
static Error *hand_out_at(StreamDiff *d, int number, const Side *s, size_t i)
{
    if (i % CANCEL_EVERY == 0)
        TRY(cancel_check(d->cancel));
    return s->mate[i] == NONE ? hand_out_chunk(d, number, &s->page.chunks[i]) : NULL;
}

static Error *hand_out(StreamDiff *d, int number, const Side *s)
{
    for (size_t i = 0; i < s->page.count; i++)
        TRY(hand_out_at(d, number, s, i));
    return NULL;
}

/* Both, side by side: a row mostly comes at about the same place on both, and whoever takes them
 * need not remember many. */
static Error *hand_out_both(StreamDiff *d, Side *a, Side *b)
{
    for (size_t i = 0, j = 0; i < a->page.count || j < b->page.count;) {
        bool first = j == b->page.count || (i < a->page.count && (uint64_t)i * b->page.count <=
                                                                     (uint64_t)j * a->page.count);
        uint32_t pair = !first ? b->mate[j] : a->mate[i] != NONE ? (uint32_t)i : NONE;
        if (pair != NONE && !a->settled[pair])
            TRY(settle(d, a, b, pair));
        if (first)
            TRY(hand_out_at(d, 0, a, i++));
        else
            TRY(hand_out_at(d, 1, b, j++));
    }
    return NULL;
}

/* Pieces of one side that have nothing to be compared with; one at a time, for the memory. */
static Error *hand_out_pieces(StreamDiff *d, int number, const Stream *s, size_t from, size_t to)
{
    for (; from < to; from++) {
        AUTO_VALUE(Side) side = {0};
        TRY(side_load(d, s, from, from + 1, &side));
        TRY(hand_out(d, number, &side));
    }
    return NULL;
}

static Error *compare(StreamDiff *d, const Stream *a, const Stream *b, size_t from, size_t a_to,
                      size_t b_to)
{
    AUTO_VALUE(Side) x = {0};
    AUTO_VALUE(Side) y = {0};
    AUTO_VALUE(Places) places = {0};
    TRY(side_load(d, a, from, a_to, &x));
    TRY(side_load(d, b, from, b_to, &y));
    places_init(&places, &x.page);
    pair_up(&places, &x, &y);
    x.settled = mem_calloc(x.page.count, sizeof *x.settled);
    return hand_out_both(d, &x, &y);
}

static uint64_t chunks_of(const Stream *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->piece_count; i++)
        n += s->pieces[i].chunks;
    return n;
}

static bool same_piece(const Piece *a, const Piece *b)
{
    return a->bytes == b->bytes && a->chunks == b->chunks &&
           !memcmp(a->digest, b->digest, HASH_BYTES);
}

Error *stream_hand_out(StreamDiff *d, int side, const Stream *s)
{
    return hand_out_pieces(d, side, s, 0, s->piece_count);
}

/* Ranges of the same pages: each begins and ends with a row. */
static bool same_ranges(const Stream *a, const Stream *b)
{
    return a->piece_pages && a->piece_pages == b->piece_pages;
}

size_t stream_diff_parts(const Stream *a, const Stream *b)
{
    if (!memcmp(a->digest, b->digest, HASH_BYTES) && a->bytes == b->bytes)
        return 0;
    if (!same_ranges(a, b))
        return 1;
    return a->piece_count > b->piece_count ? a->piece_count : b->piece_count;
}

Error *stream_diff_part(StreamDiff *d, const Stream *a, const Stream *b, size_t i)
{
    if (same_ranges(a, b)) {
        if (i >= a->piece_count)
            return hand_out_pieces(d, 1, b, i, i + 1);
        if (i >= b->piece_count)
            return hand_out_pieces(d, 0, a, i, i + 1);
        return same_piece(&a->pieces[i], &b->pieces[i]) ? NULL : compare(d, a, b, i, i + 1, i + 1);
    }
    if (chunks_of(a) <= STREAM_DIFF_CHUNKS_MAX && chunks_of(b) <= STREAM_DIFF_CHUNKS_MAX)
        return compare(d, a, b, 0, a->piece_count, b->piece_count);
    TRY(stream_hand_out(d, 0, a));
    return stream_hand_out(d, 1, b);
}

Error *stream_diff(StreamDiff *d, const Stream *a, const Stream *b)
{
    size_t parts = stream_diff_parts(a, b);
    for (size_t i = 0; i < parts; i++)
        TRY(stream_diff_part(d, a, b, i));
    return NULL;
}

/* -- against rows from elsewhere -------------------------------------------------------------- */

struct LiveDiff {
    StreamDiff *d;
    Side a;
    Places places;
    unsigned mean_bits;
    ChunkHash ids;
    Buf window;
    bool at_row; /* the last chunk ended with a row */
    uint32_t expected;
    uint32_t chunks;   /* that came */
    uint32_t frontier; /* the stored chunks before it are dealt with */
    bool torn;         /* the one before it was handed out and ended inside of a row */
};

Error *live_diff_new(StreamDiff *d, const Stream *s, uint32_t piece, LiveDiff **out)
{
    AUTO(LiveDiff) l = mem_new(LiveDiff);
    l->d = d;
    l->ids.keys = d->keys;
    if (d->keys) {
        uint8_t tag[LINEAGE_TAG_BYTES];
        TRY(keyring_tag(d->keys, d->database, tag));
        TRY(chunk_hash_for(&l->ids, tag));
    }
    l->at_row = true;
    l->mean_bits = s ? s->mean_bits : CHUNK_MEAN_BITS;
    bool all = piece == ALL_PIECES;
    if (s && !all && piece < s->piece_count)
        TRY(side_load(d, s, piece, piece + 1, &l->a));
    else if (s && all && chunks_of(s) <= STREAM_DIFF_CHUNKS_MAX)
        TRY(side_load(d, s, 0, s->piece_count, &l->a));
    else if (s && all)
        TRY(stream_hand_out(d, 0, s));
    places_init(&l->places, &l->a.page);
    *out = STEAL(l);
    return NULL;
}

void live_diff_free(LiveDiff *l)
{
    if (!l)
        return;
    side_clear(&l->a);
    places_clear(&l->places);
    chunk_hash_clear(&l->ids);
    buf_free(&l->window);
    free(l);
}

/* Hands out what is stored and was not met, up to a place. What was met is whole rows there; here
 * it may be the end of a row that began before: then it goes out on both sides. */
static Error *live_advance(LiveDiff *l, uint32_t to)
{
    Side *a = &l->a;
    for (; l->frontier < to; l->frontier++) {
        const ChunkRef *c = &a->page.chunks[l->frontier];
        bool met = a->mate[l->frontier] != NONE;
        if (met && !l->torn)
            continue;
        bool ends;
        if (met)
            TRY(hand_out_chunk(l->d, 1, c));
        TRY(hand_out_chunk(l->d, 0, c));
        TRY(ends_row(l->d, a, l->frontier, &ends));
        l->torn = !ends;
        a->mate[l->frontier] = HANDED;
    }
    return NULL;
}

/* Here a chunk is taken out only where it is whole rows: its bytes are at hand. */
static Error *live_chunk(LiveDiff *l, const uint8_t *p, size_t n)
{
    bool whole = l->at_row && p[n - 1] == '\n';
    l->at_row = p[n - 1] == '\n';
    l->chunks++;
    if (whole) {
        uint8_t sha256[HASH_BYTES];
        ChunkRef ref = {.length = (uint32_t)n};
        chunk_hash(&l->ids, p, n, sha256);
        memcpy(ref.id.b, sha256, CHUNK_ID_BYTES);
        uint32_t mate = mate_for(&l->places, &l->a, l->expected, &ref);
        if (mate != NONE) {
            l->a.mate[mate] = 0;
            l->expected = mate + 1;
            return NULL;
        }
    }
    l->d->bytes[1] += n;
    TRY(l->d->take(l->d->ctx, 1, p, n));
    uint32_t reached = l->expected < l->chunks ? l->expected : l->chunks;
    /* Between rows only: what is met too late goes out on this side as well. */
    return l->at_row && reached > LIVE_LAG ? live_advance(l, reached - LIVE_LAG) : NULL;
}

static Error *live_cut(LiveDiff *l, bool last)
{
    size_t at = 0, greatest = (size_t)1 << (l->mean_bits + 2);
    TRY(cancel_check(l->d->cancel));
    while (l->window.len - at >= greatest || (last && at < l->window.len)) {
        const uint8_t *p = l->window.data + at;
        size_t n = chunk_cut(p, l->window.len - at, l->mean_bits, true, last);
        TRY(live_chunk(l, p, n));
        at += n;
    }
    l->window.len -= at;
    memmove(l->window.data, l->window.data + at, l->window.len);
    return NULL;
}

Error *live_diff_feed(LiveDiff *l, const void *data, size_t n)
{
    size_t greatest = (size_t)1 << (l->mean_bits + 2), room = 8 * greatest;
    const uint8_t *p = data;
    while (n) {
        TRY(buf_reserve(&l->window, room - l->window.len, room));
        size_t part_n = n < room - l->window.len ? n : room - l->window.len;
        buf_add(&l->window, p, part_n);
        p += part_n;
        n -= part_n;
        if (l->window.len == room)
            TRY(live_cut(l, false));
    }
    return NULL;
}

Error *live_diff_end(LiveDiff *l)
{
    if (l->window.len)
        TRY(live_cut(l, true));
    return live_advance(l, (uint32_t)l->a.page.count);
}
