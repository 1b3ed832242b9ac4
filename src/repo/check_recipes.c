#include <string.h>

#include "repo/check_work.h"

/* Following a manifest to the chunks that it names. Quick looks at what stands in the manifest
 * itself: the places of the recipes, and recipes so small that they lie in it. From level data on
 * the recipes are read. Where packs were found bad they always are, to say which backups and tables
 * that touches; then those of all backups, also of ones that were not asked for. */

typedef struct Walk {
    Check *check;
    Codec *codec;
    Hash *hash;
    const Manifest *manifest;
    char object[NAME_TEXT]; /* the manifest's name */
    const Stream *stream;
    char *label;  /* of the stream */
    size_t piece; /* its number */
    bool asked;   /* one of the backups to look at: its own faults are problems too */
    size_t last;  /* the problem touched last for this stream */
} Walk;

static void touch(Walk *w, size_t problem)
{
    if (problem == w->last)
        return;
    w->last = problem;
    check_touch(w->check, problem, w->manifest->info.id, w->label);
}

/* A fault of the recipe or manifest itself. */
static void fault(Walk *w, const char *what)
{
    if (!w->asked)
        return;
    AUTO(char) text = mem_printf("%s, piece %zu: %s", w->label, w->piece, what);
    touch(w, check_problem(w->check, w->object, text));
}

static int by_number(const void *key, const void *place)
{
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)place;
    return (a > b) - (a < b);
}

/* The frame at a place, as the pack's footer tells of it; NULL, noted, where it is bad or not there
 * at all. */
static const PlaceInfo *look_at(Walk *w, PackId pack, uint32_t frame, PackKind kind)
{
    const PackEntry *entry = check_find_pack(w->check, pack);
    char name[NAME_TEXT];
    if (!entry || !manifest_find_pack(w->manifest, pack)) {
        AUTO(char)
        what = mem_printf("%s is not among the packs of the manifest", name_pack(pack, name));
        fault(w, what);
        return NULL;
    }
    if (entry->problem != NO_PROBLEM) {
        touch(w, entry->problem);
        return NULL;
    }
    const BadFrame *bad = entry->bad_count ? bsearch(&frame, entry->bad, entry->bad_count,
                                                     sizeof *entry->bad, by_number)
                                           : NULL;
    if (bad) {
        touch(w, bad->problem);
        return NULL;
    }
    const PlaceInfo *found =
        entry->info.kind == kind && entry->frame_count
            ? bsearch(&frame, entry->frames, entry->frame_count, sizeof *entry->frames, by_number)
            : NULL;
    if (!found) {
        AUTO(char)
        what = mem_printf("there is no such frame as %u in %s", frame, name_pack(pack, name));
        fault(w, what);
    }
    return found;
}

static void check_places(Walk *w, const Page *page)
{
    const ChunkRef *before = NULL;
    const PlaceInfo *place = NULL;
    for (size_t i = 0; i < page->count; i++) {
        const ChunkRef *c = &page->chunks[i];
        if (!before || before->frame != c->frame || !pack_id_equal(before->pack, c->pack))
            place = look_at(w, c->pack, c->frame, PACK_DATA);
        before = c;
        if (place && c->index >= place->size) {
            fault(w, "a chunk lies beyond the end of its frame");
            return;
        }
    }
}

/* What could not be read is a fault unless the place is known to be bad. */
static Error *unreadable(Walk *w, Error *e)
{
    if (!e || !check_is_damage(e))
        return e;
    fault(w, error_message(e));
    error_free(e);
    return NULL;
}

/* One page, wherever it lies; adds its chunks to *count. */
static Error *walk_page(Walk *w, const RecipeRef *ref, uint64_t *count)
{
    AUTO_VALUE(Page) page = {0};
    if (ref->kind == RECIPE_PAGE) {
        const PlaceInfo *place = look_at(w, ref->pack, ref->frame, PACK_RECIPE);
        if (!place)
            return NULL;
        if (place->size != ref->raw)
            fault(w, "its recipe has another size than was written");
    }
    PackReader *packs = repo_packs(w->check->repo);
    Error *e = recipe_load(packs, ref, w->codec, w->hash, &page);
    if (e)
        return unreadable(w, e);
    *count += page.count;
    check_places(w, &page);
    return NULL;
}

static Error *walk_index(Walk *w, const RecipeRef *ref, uint64_t *count)
{
    AUTO_VALUE(RecipeIndex) x = {0};
    if (!look_at(w, ref->pack, ref->frame, PACK_RECIPE))
        return NULL;
    Error *e = recipe_load_index(repo_packs(w->check->repo), ref, w->codec, w->hash, &x);
    if (e)
        return unreadable(w, e);
    for (size_t i = 0; i < x.page_count; i++) {
        const PageRef *p = &x.pages[i];
        RecipeRef page = {RECIPE_PAGE, p->pack, p->frame, p->raw, p->hash, {0}};
        TRY(walk_page(w, &page, count));
    }
    return NULL;
}

static Error *walk_piece(Walk *w, const Piece *piece, bool read)
{
    uint64_t count = 0;
    const RecipeRef *ref = &piece->recipe;
    if (!read && ref->kind != RECIPE_INLINE) {
        const PlaceInfo *place = look_at(w, ref->pack, ref->frame, PACK_RECIPE);
        if (place && place->size != ref->raw)
            fault(w, "its recipe has another size than was written");
        return NULL;
    }
    size_t before = w->last;
    w->last = NO_PROBLEM;
    TRY(ref->kind == RECIPE_INDEX ? walk_index(w, ref, &count) : walk_page(w, ref, &count));
    /* Chunks are missing from the count where a page was bad: that has been noted. */
    if (w->last == NO_PROBLEM && count != piece->chunks)
        fault(w, "its recipe has another number of chunks than was written");
    if (w->last == NO_PROBLEM)
        w->last = before;
    return NULL;
}

static Error *walk_manifest(Walk *w, bool read, const Cancel *cancel)
{
    const Manifest *m = w->manifest;
    name_manifest(m->info.id, w->object);
    for (size_t i = 0; i < m->stream_count; i++) {
        AUTO(char) label = stream_label(&m->streams[i]);
        w->stream = &m->streams[i];
        w->label = label;
        w->last = NO_PROBLEM;
        for (w->piece = 0; w->piece < w->stream->piece_count; w->piece++) {
            TRY(cancel_check(cancel));
            TRY(walk_piece(w, &w->stream->pieces[w->piece], read));
        }
    }
    return NULL;
}

/* `deep`: the recipes are read. */
static Error *walk_backup(Check *c, const char *id, bool asked, bool deep, Walk *w,
                          const Cancel *cancel)
{
    AUTO(Manifest) m = NULL;
    TRY(check_load(c, id, &m));
    if (!m)
        return NULL;
    w->manifest = m;
    w->asked = asked;
    return walk_manifest(w, c->pack_problems || deep, cancel);
}

/* The backups to look at come first, then, where damage must be attributed, all others. */
static Error *recipe_work(void *arg)
{
    CheckTurns *turns = arg;
    Check *c = turns->check;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    Walk w = {.check = c, .codec = codec, .hash = hash};
    for (;;) {
        size_t i;
        bool got;
        TRY(check_next(turns, &i, &got));
        if (!got)
            return NULL;
        bool asked = i < c->readable.count;
        const char *id = asked ? c->readable.items[i] : c->others.items[i - c->readable.count];
        bool deep = c->level >= CHECK_DATA && (!asked || check_proves(c, i));
        TRY(walk_backup(c, id, asked, deep, &w, turns->cancel));
        job_add_items(c->job, 1);
    }
}

Error *check_recipes(Check *c)
{
    size_t count = c->readable.count + (c->pack_problems ? c->others.count : 0);
    job_phase(c->job, "recipes", 0, count);
    return check_parallel(c, count, recipe_work, NULL);
}
