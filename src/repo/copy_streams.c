#include <string.h>

#include "base/fault.h"
#include "repo/chunk_reader.h"
#include "repo/copy_work.h"
#include "repo/parent_streams.h"

#define HEADS_KEPT 64 /* headers of frames in the target, of one thread */

/* What one thread does next: a piece; or all those of a stream that is cut by content, since they
 * must come in their order. */
typedef struct Unit {
    uint32_t stream, piece, count;
} Unit;
typedef struct Units {
    Unit *items;
    size_t count, cap;
} Units;

static void units_clear(Units *u)
{
    free(u->items);
}
DEFINE_AUTO_VALUE(Units, units_clear)

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
    ChunkHash ids;       /* of the target */
    ChunkReader *chunks; /* of the source */
    Head heads[HEADS_KEPT];
    uint64_t clock;
    Page page;
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
    chunk_reader_free(h->chunks);
    page_clear(&h->page);
    free(h->uses.items);
}
DEFINE_AUTO_VALUE(Hand, hand_clear)

/* -- where a chunk is now ---------------------------------------------------------------------- */

static Error *get_head(Hand *h, PackId pack, uint32_t number, const Frame **out)
{
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
    TRY(pack_read_frame_header(repo_packs(h->c->ends->to), pack, number, h->hash, &oldest->frame));
    *oldest = (Head){pack, number, ++h->clock, oldest->frame};
    *out = &oldest->frame;
    return NULL;
}

/* The chunk's bytes, known as the target knows them. */
static Error *know_chunk(Hand *h, ChunkRef *c, const Frame *head)
{
    const uint8_t *p;
    uint8_t whole[HASH_BYTES];
    TRY(chunk_reader_get(h->chunks, c, &p, whole));
    piece_digest_add(h->source_digest, c->length, whole);
    TRY(chunk_hash_for(&h->ids, head->tag));
    chunk_hash(&h->ids, p, c->length, whole);
    piece_digest_add(h->digest, c->length, whole);
    memcpy(c->id.b, whole, CHUNK_ID_BYTES);
    return NULL;
}

/* The target's pack must hold at this place what the source's recipe names. */
static Error *map_chunk(Hand *h, ChunkRef *c)
{
    const Move *move = copy_find_move(h->c, c->pack);
    const Frame *head;
    char name[NAME_TEXT];
    if (!move)
        FAIL(ERR_DAMAGED, "a recipe refers to %s, which the manifest does not name",
             name_pack(c->pack, name));
    TRY_CTX(get_head(h, move->target, c->frame, &head),
            "frame %u of %s was not copied, as it is damaged", c->frame, name_pack(c->pack, name));
    if (!h->c->same_ids)
        TRY(know_chunk(h, c, head));
    if (c->index >= head->chunks || head->lengths[c->index] != c->length ||
        memcmp(head->ids[c->index].b, c->id.b, CHUNK_ID_BYTES) != 0)
        FAIL(ERR_DAMAGED, "%s: chunk %u of frame %u is not the one that the recipe names",
             name_pack(c->pack, name), c->index, c->frame);
    c->pack = move->target;
    return NULL;
}

/* -- pieces ------------------------------------------------------------------------------------ */

static Error *map_piece(Hand *h, const Piece *from, Piece *to)
{
    uint64_t bytes = 0;
    TRY(chunk_reader_recipe(h->chunks, from, &h->page));
    for (size_t i = 0; i < h->page.count; i++) {
        TRY(map_chunk(h, &h->page.chunks[i]));
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

/* The piece of the writer's parent that was made of just this piece, or NULL. */
static const Piece *find_before(const CopyWork *c, uint32_t stream, uint32_t number)
{
    const Stream *before = c->before ? c->before_streams[stream] : NULL;
    if (!before || number >= before->piece_count ||
        !same_recipe(&c->m->streams[stream].pieces[number], &before->pieces[number]))
        return NULL;
    const Stream *copied = &dedup_parent(c->w->dedup)->streams[before - c->before->streams];
    return number < copied->piece_count ? &copied->pieces[number] : NULL;
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
    const Piece *before = find_before(h->c, stream, number);
    Piece to = {.rows = from->rows, .bytes = from->bytes, .chunks = from->chunks};
    bool got = false;
    h->page.count = h->uses.count = 0;
    if (before)
        TRY(take_before(h, before, &to, &got));
    if (!got) {
        h->page.count = 0;
        TRY(map_piece(h, from, &to));
    }
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

static Error *unit_work(void *arg)
{
    CopyTurns *turns = arg;
    const Units *units = turns->ctx;
    CopyWork *c = turns->work;
    AUTO_VALUE(Hand)
    h = {.c = c,
         .codec = codec_new(),
         .hash = hash_new(),
         .digest = hash_new(),
         .source_digest = hash_new(),
         .ids = {.keys = repo_keys(c->ends->to)},
         .chunks = chunk_reader_new(c->ends->from)};
    for (;;) {
        size_t i;
        bool got;
        TRY(copy_next(turns, &i, &got));
        if (!got)
            return NULL;
        const Unit *u = &units->items[i];
        AUTO(char) label = stream_label(&c->m->streams[u->stream]);
        job_object(c->ends->job, label);
        TRY_CTX(copy_unit(&h, u, turns->cancel), "%s", label);
        job_add_items(c->ends->job, 1);
    }
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

Error *copy_streams(CopyWork *c)
{
    AUTO_VALUE(Units) units = {0};
    for (uint32_t i = 0; i < c->m->stream_count; i++)
        TRY(add_stream(c, i, &units));
    TRY(load_before(c));
    if (c->before)
        find_before_streams(c);
    job_phase(c->ends->job, "recipes", c->m->info.logical_size, units.count);
    return copy_parallel(c, units.count, unit_work, &units);
}
