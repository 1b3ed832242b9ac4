#include <string.h>

#include "repo/check_work.h"
#include "repo/chunk_hash.h"

/* -- the table of packs ---------------------------------------------------------------------- */

/* Sessions are random, so their first bytes are a hash already. */
static size_t slot_of(const Check *c, PackId id)
{
    uint64_t h;
    memcpy(&h, id.session.b, sizeof h);
    h = (h + id.n) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(h >> 20) & (c->table_size - 1);
    while (c->table[at] != SIZE_MAX && !pack_id_equal(c->packs[c->table[at]].info.id, id))
        at = (at + 1) & (c->table_size - 1);
    return at;
}

static void grow_table(Check *c)
{
    if (c->pack_count * 2 < c->table_size)
        return;
    c->table_size = c->table_size ? c->table_size * 2 : 256;
    free(c->table);
    c->table = mem_calloc(c->table_size, sizeof *c->table);
    for (size_t i = 0; i < c->table_size; i++)
        c->table[i] = SIZE_MAX;
    for (size_t i = 0; i < c->pack_count; i++)
        c->table[slot_of(c, c->packs[i].info.id)] = i;
}

PackEntry *check_find_pack(const Check *c, PackId id)
{
    size_t i = c->table_size ? c->table[slot_of(c, id)] : SIZE_MAX;
    return i == SIZE_MAX ? NULL : &c->packs[i];
}

static bool same_pack(const PackInfo *a, const PackInfo *b)
{
    return a->kind == b->kind && a->size == b->size && a->raw == b->raw &&
           !memcmp(a->sha256, b->sha256, HASH_BYTES);
}

void check_add_packs(Check *c, const Manifest *m, const char *object)
{
    for (size_t i = 0; i < m->pack_count; i++) {
        const PackInfo *p = &m->packs[i];
        PackEntry *known = check_find_pack(c, p->id);
        if (known && !same_pack(&known->info, p)) {
            char name[NAME_TEXT];
            AUTO(char)
            what = mem_printf("it says other things of %s than another manifest does",
                              name_pack(p->id, name));
            check_touch(c, check_problem(c, object, what), m->info.id, NULL);
        }
        if (known && m->info.timestamp < known->made)
            known->made = m->info.timestamp;
        if (known)
            continue;
        grow_table(c);
        mem_grow(c->packs, c->pack_count, c->pack_cap);
        c->packs[c->pack_count] =
            (PackEntry){.info = *p, .problem = NO_PROBLEM, .made = m->info.timestamp};
        c->table[slot_of(c, p->id)] = c->pack_count++;
    }
}

/* -- findings -------------------------------------------------------------------------------- */

/* Notes a problem of the whole pack (frame UINT32_MAX) or of a frame and leaves a mark, so that no
 * writer reuses it. Takes the damage over. */
static Error *bad_place(Check *c, PackEntry *entry, uint32_t frame, Error *damage)
{
    char name[NAME_TEXT];
    AUTO(Error) e = damage;
    name_pack(entry->info.id, name);
    size_t problem = check_problem(c, name, error_message(e));
    if (frame == UINT32_MAX) {
        entry->problem = problem;
    } else {
        mem_grow(entry->bad, entry->bad_count, entry->bad_cap);
        entry->bad[entry->bad_count++] = (BadFrame){frame, problem};
    }
    pthread_mutex_lock(&c->lock);
    c->pack_problems = true;
    bool leave = !c->read_only && error_kind(e) != ERR_REPO_PERMISSION;
    pthread_mutex_unlock(&c->lock);
    if (!leave)
        return NULL;
    return check_left(c, damage_put(c->repo, entry->info.id, frame, error_message(e)));
}

/* -- one pack -------------------------------------------------------------------------------- */

static Error *check_footer(Check *c, PackEntry *entry)
{
    PackInfo found;
    FrameInfo *frames = NULL;
    size_t count = 0;
    const PackInfo *said = &entry->info;
    TRY(pack_read_footer(repo_packs(c->repo), said->id, &found, &frames, &count));
    entry->frames = mem_calloc(count, sizeof *entry->frames);
    entry->frame_count = count;
    for (size_t i = 0; i < count; i++)
        entry->frames[i] = (PlaceInfo){
            frames[i].number, found.kind == PACK_RECIPE ? frames[i].raw : frames[i].chunks};
    free(frames);
    if (found.size != said->size)
        FAIL(ERR_DAMAGED, "it has %llu bytes where %llu were written",
             (unsigned long long)found.size, (unsigned long long)said->size);
    if (found.kind != said->kind || found.raw != said->raw)
        FAIL(ERR_DAMAGED, "its frames are not those that the manifest tells of");
    return NULL;
}

/* Every chunk's bytes must have the id under which the frame holds them. */
static Error *check_chunks(const Frame *f, uint32_t number, ChunkHash *ids)
{
    size_t at = 0;
    TRY(chunk_hash_for(ids, f->tag));
    for (size_t i = 0; i < f->chunks; i++) {
        uint8_t whole[HASH_BYTES];
        if (f->lengths[i] > f->raw.len - at)
            FAIL(ERR_DAMAGED, "frame %u: its chunks are longer than its bytes", number);
        chunk_hash(ids, f->raw.data + at, f->lengths[i], whole);
        if (memcmp(whole, f->ids[i].b, CHUNK_ID_BYTES) != 0)
            FAIL(ERR_DAMAGED, "frame %u: the bytes of chunk %zu have another hash", number, i);
        at += f->lengths[i];
    }
    if (f->chunks && at != f->raw.len)
        FAIL(ERR_DAMAGED, "frame %u: its chunks do not make its bytes", number);
    return NULL;
}

typedef struct Tools {
    Codec *codec;
    Hash *hash;
    ChunkHash *ids;
    Frame *frame;
} Tools;

static Error *check_frame(Check *c, const PackEntry *entry, uint32_t number, Tools *t)
{
    TRY(pack_read_frame(repo_packs(c->repo), entry->info.id, number, t->codec, t->hash, t->frame));
    return check_chunks(t->frame, number, t->ids);
}

/* Every byte: the frames one by one, so that it is known which are bad, and the whole file. */
static Error *check_bytes(Check *c, PackEntry *entry, Tools *t, const Cancel *cancel)
{
    uint8_t sha256[HASH_BYTES];
    uint64_t size;
    for (size_t i = 0; i < entry->frame_count; i++) {
        TRY(cancel_check(cancel));
        Error *e = check_frame(c, entry, entry->frames[i].number, t);
        if (e && !check_is_damage(e))
            return e;
        if (e)
            TRY(bad_place(c, entry, entry->frames[i].number, e));
    }
    Error *e = pack_hash(repo_packs(c->repo), entry->info.id, sha256, &size);
    if (!e && !entry->bad_count && memcmp(sha256, entry->info.sha256, HASH_BYTES) != 0)
        e = ERROR_NEW(ERR_DAMAGED, "its SHA-256 is not the one that the manifest names, though "
                                   "every frame can be read");
    return e;
}

static Error *check_pack(Check *c, PackEntry *entry, Tools *t, const Cancel *cancel)
{
    bool read = c->level >= CHECK_DATA && !entry->passed;
    Error *e = check_footer(c, entry);
    if (!e && read)
        e = check_bytes(c, entry, t, cancel);
    if (e && check_is_damage(e))
        e = bad_place(c, entry, UINT32_MAX, e);
    if (!e && read && entry->problem == NO_PROBLEM && !entry->bad_count)
        e = check_whole(c, entry->info.id);
    return e;
}

static Error *pack_work(void *arg)
{
    CheckTurns *turns = arg;
    Check *c = turns->check;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Frame) frame = {0};
    AUTO_VALUE(ChunkHash) ids = {.keys = repo_keys(c->repo)};
    Tools t = {codec, hash, &ids, &frame};
    for (;;) {
        size_t i;
        bool got;
        TRY(check_next(turns, &i, &got));
        if (!got)
            return NULL;
        TRY(check_pack(c, &c->packs[i], &t, turns->cancel));
        job_add_bytes(c->job, c->packs[i].passed ? 0 : c->packs[i].info.size);
        job_add_items(c->job, 1);
    }
}

Error *check_packs(Check *c)
{
    for (size_t i = 0; i < c->pack_count; i++) {
        if (c->packs[i].passed)
            continue;
        c->report->bytes += c->packs[i].info.size;
        c->report->packs_read += c->level >= CHECK_DATA;
    }
    c->report->packs = c->pack_count;
    job_phase(c->job, "packs", c->report->bytes, c->pack_count);
    return check_parallel(c, c->pack_count, pack_work, NULL);
}
