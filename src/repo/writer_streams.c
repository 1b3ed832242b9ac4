#include <string.h>

#include "repo/writer_parts.h"

const char *writer_id(const Writer *w)
{
    return w->session.backup_id;
}

uint32_t writer_piece_pages(const Writer *w, uint32_t oid, const char *schema, const char *name,
                            uint32_t otherwise)
{
    const Stream *s = dedup_parent_table(w->dedup, oid, schema, name);
    return s && s->piece_pages ? s->piece_pages : otherwise;
}

static StreamState *stream_state_new(Writer *w, const StreamSpec *spec)
{
    StreamState *s = mem_new(StreamState);
    s->content_cut = spec->piece_pages == 0;
    s->pieces = s->content_cut ? 0 : spec->pieces;
    s->s = (Stream){.kind = spec->kind,
                    .dump_id = spec->dump_id,
                    .oid = spec->oid,
                    .schema = mem_strdup(spec->schema),
                    .name = mem_strdup(spec->name),
                    .piece_pages = spec->piece_pages,
                    .mean_bits = spec->mean_bits ? spec->mean_bits : CHUNK_MEAN_BITS,
                    .rows_framed = spec->rows_framed};
    if (!s->content_cut) {
        s->done = mem_calloc(s->pieces, sizeof *s->done);
        s->s.pieces = mem_calloc(s->pieces, sizeof *s->s.pieces);
        s->s.piece_count = s->s.piece_cap = s->pieces;
        s->complete = s->pieces == 0;
    }
    s->dedup = dedup_stream_new(w->dedup, &s->s);
    return s;
}

Error *writer_add_stream(Writer *w, const StreamSpec *spec, uint32_t *stream)
{
    if (spec->piece_pages == 0 && spec->pieces != 1)
        FAIL(ERR_INTERNAL, "a stream that is cut by content was announced in %u pieces",
             spec->pieces);
    StreamState *s = stream_state_new(w, spec);
    pthread_mutex_lock(&w->lock);
    mem_grow(w->streams, w->stream_count, w->stream_cap);
    *stream = (uint32_t)w->stream_count;
    w->streams[w->stream_count++] = s;
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static Error *check_piece(const Writer *w, uint32_t stream, uint32_t piece)
{
    if (stream >= w->stream_count)
        FAIL(ERR_INTERNAL, "there is no stream %u", stream);
    const StreamState *s = w->streams[stream];
    bool known = s->content_cut ? piece == 0 : piece < s->pieces;
    if (!known || s->complete || (s->done && s->done[piece]))
        FAIL(ERR_INTERNAL, "piece %u of stream %u (%s) was %s", piece, stream,
             s->s.name ? s->s.name : "", known ? "written already" : "not announced");
    return NULL;
}

Error *writer_find_piece(Writer *w, uint32_t stream, uint32_t piece, StreamState **out)
{
    pthread_mutex_lock(&w->lock);
    Error *e = check_piece(w, stream, piece);
    if (!e)
        *out = w->streams[stream];
    pthread_mutex_unlock(&w->lock);
    return e;
}

Error *writer_pack_done(void *ctx, const PackInfo *pack)
{
    Writer *w = ctx;
    pthread_mutex_lock(&w->lock);
    mem_grow(w->own, w->own_count, w->own_cap);
    w->own[w->own_count++] = *pack;
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

Error *pack_uses_add(void *ctx, PackId pack, uint64_t bytes)
{
    PackUses *uses = ctx;
    for (size_t i = uses->count; i-- > 0;)
        if (pack_id_equal(uses->items[i].pack, pack)) {
            uses->items[i].bytes += bytes;
            return NULL;
        }
    mem_grow(uses->items, uses->count, uses->cap);
    uses->items[uses->count++] = (PackUse){pack, bytes};
    return NULL;
}

/* Neighbours mostly lie in the same pack: sums per run, so that the search above stays rare. */
void pack_uses_add_refs(PackUses *uses, const ChunkRef *refs, size_t count)
{
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t bytes = 0;
        for (end = i; end < count && pack_id_equal(refs[end].pack, refs[i].pack); end++)
            bytes += refs[end].length;
        error_drop(pack_uses_add(uses, refs[i].pack, bytes));
    }
}

/* Of the whole backup: sorted. With the lock held. */
static void add_use(PackUses *uses, const PackUse *use)
{
    size_t low = 0, high = uses->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pack_id_compare(uses->items[middle].pack, use->pack) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == uses->count || !pack_id_equal(uses->items[low].pack, use->pack)) {
        mem_grow(uses->items, uses->count, uses->cap);
        memmove(&uses->items[low + 1], &uses->items[low],
                (uses->count - low) * sizeof *uses->items);
        uses->items[low] = (PackUse){.pack = use->pack};
        uses->count++;
    }
    uses->items[low].bytes += use->bytes;
}

static Error *add_piece_locked(Writer *w, StreamState *s, uint32_t number, Piece *piece,
                               const PackUses *uses, bool last)
{
    if (s->complete ||
        (s->content_cut ? number != s->s.piece_count : number >= s->pieces || s->done[number]))
        FAIL(ERR_INTERNAL, "piece %u of %s came twice", number, s->s.name ? s->s.name : "");
    if (s->content_cut) {
        mem_grow(s->s.pieces, s->s.piece_count, s->s.piece_cap);
        s->s.piece_count++;
        s->pieces++;
        s->complete = last;
    } else {
        s->done[number] = true;
        s->complete = ++s->done_count == s->pieces;
    }
    s->s.pieces[number] = *piece;
    *piece = (Piece){0};
    for (size_t i = 0; i < uses->count; i++)
        add_use(&w->uses, &uses->items[i]);
    return NULL;
}

Error *writer_add_piece(Writer *w, StreamState *s, uint32_t number, Piece *piece,
                        const PackUses *uses, bool last)
{
    pthread_mutex_lock(&w->lock);
    Error *e = add_piece_locked(w, s, number, piece, uses, last);
    bool complete = s->complete;
    pthread_mutex_unlock(&w->lock);
    piece_clear(piece);
    if (!e && complete)
        dedup_stream_done(s->dedup);
    return e;
}

bool writer_may_rewrite(Writer *w, Sparse sparse, uint32_t length)
{
    uint_fast64_t left = atomic_load(&w->rewrite_left[sparse]);
    do {
        if (length > left)
            return false;
    } while (!atomic_compare_exchange_weak(&w->rewrite_left[sparse], &left, left - length));
    atomic_fetch_add(&w->rewritten, length);
    return true;
}
