#include <string.h>

#include "base/fault.h"
#include "repo/chunk_reader.h"
#include "repo/copy_recipe.h"
#include "repo/copy_work.h"
#include "repo/parent_streams.h"

#define HEADS_KEPT 64 /* headers of frames in the target, of one thread */

/* What one thread does next: a piece; or all those of a stream that is cut by content, since they
 * must come in their order. */
typedef struct Unit {
    uint32_t stream, piece, count;
} Unit;
typedef struct CopyUnits {
    Unit *items;
    size_t count, cap;
} Units;

void copy_units_free(Units *u)
{
    if (u)
        free(u->items);
    free(u);
}

typedef struct Head {
    PackId pack;
    uint32_t number;
    uint64_t used_at; /* 0: empty */
    Frame frame;
} Head;

typedef struct Hand {
    CopyWork *c;
    Codec *codec;
    Hash *hash, *digest, *source_digest;
    ChunkHash ids;        /* of the target */
    ChunkReader *chunks;  /* of the source */
    ChunkHash source_ids; /* where chunks are read in the target instead: */
    ChunkReader *copied;  /* of the target; or NULL */
    Head heads[HEADS_KEPT];
    uint64_t clock;
    Page page;
    Buf known; /* a byte for each chunk of the page: 1 where it is the target's already */
    PackUses uses;
} Hand;

static void hand_clear(Hand *h)
{
    for (size_t i = 0; i < HEADS_KEPT; i++)
        frame_clear(&h->heads[i].frame);
    codec_free(h->codec);
    hash_free(h->hash);
    hash_free(h->digest);
    hash_free(h->source_digest);
    chunk_hash_clear(&h->ids);
    chunk_hash_clear(&h->source_ids);
    chunk_reader_free(h->chunks);
    chunk_reader_free(h->copied);
    page_clear(&h->page);
    buf_free(&h->known);
    free(h->uses.items);
}
DEFINE_AUTO_VALUE(Hand, hand_clear)

/* -- where a chunk is now ---------------------------------------------------------------------- */

/* The header of a frame, of the repository that is not far. */
static Error *get_head(Hand *h, PackId pack, uint32_t number, const Frame **out)
{
    Repo *r = h->c->far ? h->c->ends->from : h->c->ends->to;
    Head *oldest = &h->heads[0];
    for (size_t i = 0; i < HEADS_KEPT; i++) {
        Head *k = &h->heads[i];
        if (k->used_at && k->number == number && pack_id_equal(k->pack, pack)) {
            k->used_at = ++h->clock;
            *out = &k->frame;
            return NULL;
        }
        if (k->used_at < oldest->used_at)
            oldest = k;
    }
    oldest->used_at = 0;
    TRY(pack_read_frame_header(repo_packs(r), pack, number, h->hash, &oldest->frame));
    *oldest = (Head){pack, number, ++h->clock, oldest->frame};
    *out = &oldest->frame;
    return NULL;
}

/* The chunk's bytes, known as the target knows them. */
static Error *know_chunk(Hand *h, ChunkRef *c)
{
    const uint8_t *p;
    uint8_t whole[HASH_BYTES];
    TRY(chunk_reader_get(h->chunks, c, &p, whole));
    piece_digest_add(h->source_digest, c->length, whole);
    chunk_hash(&h->ids, p, c->length, whole);
    piece_digest_add(h->digest, c->length, whole);
    memcpy(c->id.b, whole, CHUNK_ID_BYTES);
    return NULL;
}

/* The same by the bytes that were copied: reading them in a source that is far would send them
 * twice. */
static Error *know_copied(Hand *h, ChunkRef *c, const ChunkRef *copied)
{
    const uint8_t *p;
    uint8_t target[HASH_BYTES], source[HASH_BYTES];
    TRY(chunk_reader_get(h->copied, copied, &p, target));
    chunk_hash(&h->source_ids, p, c->length, source);
    if (memcmp(source, c->id.b, CHUNK_ID_BYTES) != 0)
        FAIL(ERR_DAMAGED, "chunk %u of frame %u is not the one that the recipe names", c->index,
             c->frame);
    piece_digest_add(h->source_digest, c->length, source);
    piece_digest_add(h->digest, c->length, target);
    memcpy(c->id.b, target, CHUNK_ID_BYTES);
    return NULL;
}

static Error *other_chunk(const ChunkRef *c)
{
    char name[NAME_TEXT];
    FAIL(ERR_DAMAGED, "%s: chunk %u of frame %u is not the one that the recipe names",
         name_pack(c->pack, name), c->index, c->frame);
}

static bool fits(const Frame *head, const ChunkRef *c)
{
    return c->index < head->chunks && head->lengths[c->index] == c->length;
}

static bool is_it(const Frame *head, const ChunkRef *c)
{
    return fits(head, c) && !memcmp(head->ids[c->index].b, c->id.b, CHUNK_ID_BYTES);
}

/* The target's pack must hold at this place what the source's recipe names. */
static Error *map_near(Hand *h, ChunkRef *c, PackId target)
{
    const Frame *head;
    TRY(get_head(h, target, c->frame, &head));
    if (!fits(head, c))
        return other_chunk(c);
    ChunkRef copied = *c;
    copied.pack = target;
    copied.id = head->ids[c->index];
    if (!h->c->same_ids)
        TRY(h->copied ? know_copied(h, c, &copied) : know_chunk(h, c));
    return is_it(head, c) ? NULL : other_chunk(c);
}

/* A target that is far: what was sent into its pack is what the source has, chunk for chunk, and
 * each piece of it was compared on arrival; of one that was there before, its footer must have the
 * frame. Not even that of one that a backup there is made of, which has this very piece. */
static Error *map_far(Hand *h, const Move *m, ChunkRef *c, PackId target, bool same)
{
    const Frame *head;
    FrameInfo there, here;
    TRY(get_head(h, c->pack, c->frame, &head));
    if (!is_it(head, c))
        return other_chunk(c);
    if (m->whole && !same) {
        TRY(pack_frame_info(repo_packs(h->c->ends->to), target, c->frame, h->hash, &there));
        TRY(pack_frame_info(repo_packs(h->c->ends->from), c->pack, c->frame, h->hash, &here));
        if (there.raw != here.raw || there.chunks != here.chunks)
            return other_chunk(c);
    }
    return h->c->same_ids ? NULL : know_chunk(h, c);
}

/* `same`: the backup that this one's copy builds on has the piece, too. */
static Error *map_chunk(Hand *h, ChunkRef *c, bool same)
{
    const Move *move = copy_find_move(h->c, c->pack);
    PackId target;
    char name[NAME_TEXT];
    if (!move)
        FAIL(ERR_DAMAGED, "a recipe refers to %s, which the manifest does not name",
             name_pack(c->pack, name));
    if (!move_find(move, c->frame, &target))
        FAIL(ERR_DAMAGED, "frame %u of %s was not copied, as it is damaged", c->frame,
             name_pack(c->pack, name));
    TRY_CTX(h->c->far ? map_far(h, move, c, target, same) : map_near(h, c, target), "%s",
            name_pack(c->pack, name));
    c->pack = target;
    return NULL;
}

/* -- pieces ------------------------------------------------------------------------------------ */

static bool same_recipe(const Piece *a, const Piece *b)
{
    const RecipeRef *x = &a->recipe, *y = &b->recipe;
    if (x->kind != y->kind || x->raw != y->raw || x->bytes.len != y->bytes.len)
        return false;
    bool same_page = x->kind == RECIPE_INLINE
                         ? !x->raw || !memcmp(x->bytes.data, y->bytes.data, x->bytes.len)
                         : !memcmp(x->hash.b, y->hash.b, CHUNK_ID_BYTES);
    return same_page && a->rows == b->rows && a->bytes == b->bytes && a->chunks == b->chunks &&
           !memcmp(a->digest, b->digest, HASH_BYTES);
}

/* The piece of the writer's parent that was made of *before, which is this piece as the source had
 * it then; or NULL. */
static const Piece *find_copied(const CopyWork *c, uint32_t stream, uint32_t number,
                                const Piece **before)
{
    const Stream *s = c->before ? c->before_streams[stream] : NULL;
    if (!s || number >= s->piece_count)
        return NULL;
    const Stream *copied = &dedup_parent(c->w->dedup)->streams[s - c->before->streams];
    *before = &s->pieces[number];
    return number < copied->piece_count ? &copied->pieces[number] : NULL;
}

/* The piece of the writer's parent that was made of just this piece, or NULL. */
static const Piece *find_before(const CopyWork *c, uint32_t stream, uint32_t number)
{
    const Piece *before, *copied = find_copied(c, stream, number, &before);
    return copied && same_recipe(&c->m->streams[stream].pieces[number], before) ? copied : NULL;
}

/* Its chunks, where all of them may be used again; *got otherwise false. */
static Error *take_before(Hand *h, const Piece *copied, Piece *to, bool *got)
{
    ParentPacks *packs = dedup_packs(h->c->w->dedup);
    Error *e =
        recipe_load(repo_packs(h->c->ends->to), &copied->recipe, h->codec, h->hash, &h->page);
    *got = !e && h->page.count == to->chunks && copied->bytes == to->bytes;
    if (e && error_kind(e) != ERR_DAMAGED)
        return e;
    error_drop(e);
    for (size_t i = 0; i < h->page.count && *got; i++) {
        const ChunkRef *c = &h->page.chunks[i];
        bool neighbour = i && c->frame == c[-1].frame && pack_id_equal(c->pack, c[-1].pack);
        *got = neighbour || parent_packs_sound(packs, parent_packs_find(packs, c->pack), c->frame);
    }
    memcpy(to->digest, copied->digest, HASH_BYTES);
    return NULL;
}

/* What the target has of this very piece. Of one that is far only where the source does not say as
 * much. */
static Error *find_again(Hand *h, uint32_t stream, uint32_t number, Piece *to, bool *same,
                         bool *got)
{
    const Piece *before = find_before(h->c, stream, number);
    *same = before != NULL;
    *got = false;
    return before && !(h->c->far && h->c->same_ids) ? take_before(h, before, to, got) : NULL;
}

/* The piece's chunks: of a source that is far those that the target knows come from there. */
static Error *load_piece(Hand *h, uint32_t stream, uint32_t number)
{
    const CopyWork *c = h->c;
    CopyRecipe r = {.source = repo_packs(c->ends->from),
                    .target = repo_packs(c->ends->to),
                    .packs = dedup_packs(c->w->dedup),
                    .codec = h->codec,
                    .hash = h->hash};
    if (c->same_ids && store_is_far(repo_store(c->ends->from)))
        r.copied = find_copied(c, stream, number, &r.before);
    h->page.count = h->known.len = 0;
    return copy_recipe_load(&r, &c->m->streams[stream].pieces[number], &h->page, &h->known);
}

static Error *map_piece(Hand *h, uint32_t stream, uint32_t number, bool same, Piece *to)
{
    const Piece *from = &h->c->m->streams[stream].pieces[number];
    uint64_t bytes = 0;
    TRY(load_piece(h, stream, number));
    for (size_t i = 0; i < h->page.count; i++) {
        if (!h->known.data[i])
            TRY(map_chunk(h, &h->page.chunks[i], same));
        bytes += h->page.chunks[i].length;
    }
    memcpy(to->digest, from->digest, HASH_BYTES);
    if (!h->c->same_ids) {
        uint8_t digest[HASH_BYTES];
        hash_end(h->digest, to->digest);
        hash_end(h->source_digest, digest);
        if (memcmp(digest, from->digest, HASH_BYTES) != 0)
            FAIL(ERR_DAMAGED, "a piece's chunks are not those that were recorded");
    }
    if (bytes != from->bytes)
        FAIL(ERR_DAMAGED, "a piece has other bytes than those that were recorded");
    return NULL;
}

static Error *write_recipe(Hand *h, StreamState *s, uint32_t number, Piece *to)
{
    AUTO_VALUE(RecipeIndex) index = {0};
    const RecipeRef *ref;
    const Piece *known;
    uint64_t stored = 0;
    Writer *w = h->c->w;
    dedup_known(w->dedup, s->dedup, number, h->codec, h->hash, &index, &ref, &known);
    RecipeWriter recipe = {.packer = w->recipes,
                           .codec = h->codec,
                           .hash = h->hash,
                           .stored = &stored,
                           .use = pack_uses_add,
                           .use_ctx = &h->uses};
    TRY(recipe_write(&recipe, h->page.chunks, h->page.count, &index, ref, &to->recipe));
    pack_uses_add_refs(&h->uses, h->page.chunks, h->page.count);
    job_add_new(h->c->ends->job, stored);
    return NULL;
}

static Error *copy_piece(Hand *h, StreamState *s, uint32_t stream, uint32_t number, bool last)
{
    const Piece *from = &h->c->m->streams[stream].pieces[number];
    Piece to = {.rows = from->rows, .bytes = from->bytes, .chunks = from->chunks};
    bool same, got;
    h->page.count = h->uses.count = 0;
    TRY(find_again(h, stream, number, &to, &same, &got));
    if (!got)
        TRY(map_piece(h, stream, number, same, &to));
    Error *e = write_recipe(h, s, number, &to);
    if (e) {
        piece_clear(&to);
        return e;
    }
    job_add_bytes(h->c->ends->job, from->bytes);
    return writer_add_piece(h->c->w, s, number, &to, &h->uses, last);
}

static Error *copy_unit(Hand *h, const Unit *u, const Cancel *cancel)
{
    StreamState *s;
    FAULT_POINT("copy.piece");
    TRY(writer_find_piece(h->c->w, u->stream, u->piece, &s));
    for (uint32_t i = 0; i < u->count; i++) {
        TRY(cancel_check(cancel));
        TRY(copy_piece(h, s, u->stream, u->piece + i, i + 1 == u->count));
    }
    return NULL;
}

/* -- threads ----------------------------------------------------------------------------------- */

/* A target whose rows its key may read can be asked for what was copied. */
static bool may_read_copies(const CopyWork *c)
{
    const Keyring *k = repo_keys(c->ends->to);
    return !c->same_ids && !c->far && store_is_far(repo_store(c->ends->from)) &&
           (!k || keyring_full(k));
}

static Error *hand_begin(Hand *h, CopyWork *c)
{
    uint8_t tag[LINEAGE_TAG_BYTES];
    *h = (Hand){.c = c,
                .codec = codec_new(),
                .hash = hash_new(),
                .digest = hash_new(),
                .source_digest = hash_new(),
                .source_ids = {.keys = repo_keys(c->ends->from)},
                .chunks = chunk_reader_new(c->ends->from),
                .copied = may_read_copies(c) ? chunk_reader_new(c->ends->to) : NULL};
    TRY(writer_chunk_hash(c->w, &h->ids));
    if (!h->copied || !h->source_ids.keys)
        return NULL;
    TRY(keyring_tag(h->source_ids.keys, c->m->info.database, tag));
    return chunk_hash_for(&h->source_ids, tag);
}

/* Units in turn, by a hand of this thread's own. */
typedef Error *(*UnitWork)(Hand *h, const Unit *u, Cancel *c);
static Error *each_unit(CopyTurns *turns, UnitWork work)
{
    CopyWork *c = turns->work;
    AUTO_VALUE(Hand) h = {0};
    TRY(hand_begin(&h, c));
    for (;;) {
        size_t i;
        bool got;
        TRY(copy_next(turns, &i, &got));
        if (!got)
            return NULL;
        const Unit *u = &c->units->items[i];
        AUTO(char) label = stream_label(&c->m->streams[u->stream]);
        TRY_CTX(work(&h, u, turns->cancel), "%s", label);
    }
}

static Error *write_unit(Hand *h, const Unit *u, Cancel *cancel)
{
    AUTO(char) label = stream_label(&h->c->m->streams[u->stream]);
    job_object(h->c->ends->job, label);
    TRY(copy_unit(h, u, cancel));
    job_add_items(h->c->ends->job, 1);
    return NULL;
}

static Error *unit_work(void *arg)
{
    return each_unit(arg, write_unit);
}

/* -- which frames are needed ------------------------------------------------------------------- */

static void add_need(CopyWork *c, const ChunkRef *ref)
{
    Move *m = copy_find_move(c, ref->pack);
    if (!m || !m->sparse)
        return;
    pthread_mutex_lock(&c->lock);
    if (m->needed.count == m->needed.cap) /* a frame may come as often as it has chunks */
        frame_set_sort(&m->needed);
    mem_grow(m->needed.items, m->needed.count, m->needed.cap);
    m->needed.items[m->needed.count++] = ref->frame;
    pthread_mutex_unlock(&c->lock);
}

/* What copy_piece will read of the source. */
static Error *add_needs(Hand *h, uint32_t stream, uint32_t number)
{
    const Piece *from = &h->c->m->streams[stream].pieces[number];
    Piece to = {.bytes = from->bytes, .chunks = from->chunks};
    bool same, got;
    h->page.count = 0;
    TRY(find_again(h, stream, number, &to, &same, &got));
    if (got)
        return NULL;
    TRY(load_piece(h, stream, number));
    for (size_t i = 0; i < h->page.count; i++) {
        const ChunkRef *r = &h->page.chunks[i];
        if (h->known.data[i])
            continue;
        if (!i || h->known.data[i - 1] || r->frame != r[-1].frame ||
            !pack_id_equal(r->pack, r[-1].pack))
            add_need(h->c, r);
    }
    return NULL;
}

static Error *unit_needs(Hand *h, const Unit *u, Cancel *cancel)
{
    for (uint32_t k = 0; k < u->count; k++) {
        TRY(cancel_check(cancel));
        TRY(add_needs(h, u->stream, u->piece + k));
    }
    return NULL;
}

static Error *needs_work(void *arg)
{
    return each_unit(arg, unit_needs);
}

Error *copy_needs(CopyWork *c)
{
    return copy_parallel(c, c->units->count, needs_work, NULL);
}

/* -- streams ----------------------------------------------------------------------------------- */

static Error *add_stream(CopyWork *c, uint32_t number, Units *units)
{
    const Stream *s = &c->m->streams[number];
    uint32_t added, pieces = (uint32_t)s->piece_count;
    AUTO(char) label = stream_label(s);
    if (s->kind >= STREAM_KINDS)
        FAIL(ERR_REPO_UNSUPPORTED, "%s is of a kind that this pgstow (%s) does not know", label,
             PGSTOW_VERSION);
    if (!pieces && !s->piece_pages)
        FAIL(ERR_DAMAGED, "%s has no pieces", label);
    StreamSpec spec = {.kind = s->kind,
                       .dump_id = s->dump_id,
                       .oid = s->oid,
                       .schema = s->schema,
                       .name = s->name,
                       .piece_pages = s->piece_pages,
                       .pieces = s->piece_pages ? pieces : 1,
                       .rows_framed = s->rows_framed,
                       .mean_bits = s->mean_bits};
    TRY(writer_add_stream(c->w, &spec, &added));
    for (uint32_t i = 0; i < pieces; i += s->piece_pages ? 1 : pieces) {
        mem_grow(units->items, units->count, units->cap);
        units->items[units->count++] = (Unit){added, i, s->piece_pages ? 1 : pieces};
    }
    return NULL;
}

/* The parent is a copy of a backup that may still be in the source, unchanged. */
static Error *load_before(CopyWork *c)
{
    const Manifest *parent = dedup_parent(c->w->dedup);
    AUTO(Manifest) m = NULL;
    if (!parent || strcmp(parent->info.copied_repository, repo_id(c->ends->from)) != 0)
        return NULL;
    Error *e = catalog_load(c->ends->from, parent->info.copied_id, &m);
    if (e && error_kind(e) != ERR_NOT_FOUND && error_kind(e) != ERR_DAMAGED)
        return e;
    error_drop(e);
    if (m && !strcmp(m->info.checksum, parent->info.copied_checksum) &&
        m->stream_count == parent->stream_count)
        c->before = STEAL(m);
    return NULL;
}

static void find_before_streams(CopyWork *c)
{
    size_t seen[STREAM_KINDS] = {0};
    AUTO(ParentStreams) streams = parent_streams_new(c->before, true);
    c->before_streams = mem_calloc(c->m->stream_count, sizeof *c->before_streams);
    for (size_t i = 0; i < c->m->stream_count; i++) {
        const Stream *s = &c->m->streams[i];
        c->before_streams[i] = s->kind == STREAM_TABLE
                                   ? parent_streams_table(streams, s->oid, s->schema, s->name)
                                   : parent_streams_nth(streams, s->kind, seen[s->kind]++);
    }
}

Error *copy_streams_begin(CopyWork *c)
{
    c->units = mem_new(Units);
    for (uint32_t i = 0; i < c->m->stream_count; i++)
        TRY(add_stream(c, i, c->units));
    TRY(load_before(c));
    if (c->before)
        find_before_streams(c);
    return NULL;
}

Error *copy_streams(CopyWork *c)
{
    job_phase(c->ends->job, "recipes", c->m->info.logical_size, c->units->count);
    return copy_parallel(c, c->units->count, unit_work, NULL);
}
