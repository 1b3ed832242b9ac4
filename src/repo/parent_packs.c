#include "repo/compactor.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"

/* Of dead sessions: what lies beyond is written again (about 512 GB of rows). */
#define DEAD_FRAMES_MAX (2u << 20)

struct ParentPacks {
    Repo *repo;
    ParentPack *items; /* sorted by id, once all are there */
    size_t count, cap;
    Damage *damages;
    size_t damage_count;
    DeadFrame *frames; /* sorted by oid, piece, then as written */
    size_t frame_count, frame_cap;
    uint64_t rewrite_limit[SPARSE_KINDS];
    pthread_mutex_t lock; /* held while a dead session's pack is proven */
};

void parent_packs_free(ParentPacks *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p->items);
    free(p->damages);
    free(p->frames);
    free(p);
}

size_t parent_packs_count(const ParentPacks *p)
{
    return p->count;
}

ParentPack *parent_packs_at(ParentPacks *p, size_t i)
{
    return &p->items[i];
}

static int by_id(const void *a, const void *b)
{
    return pack_id_compare(((const ParentPack *)a)->info.id, ((const ParentPack *)b)->info.id);
}

static int find_by_id(const void *key, const void *b)
{
    return pack_id_compare(*(const PackId *)key, ((const ParentPack *)b)->info.id);
}

ParentPack *parent_packs_find(ParentPacks *p, PackId id)
{
    return p->count ? bsearch(&id, p->items, p->count, sizeof *p->items, find_by_id) : NULL;
}

static int by_damage(const void *a, const void *b)
{
    const Damage *x = a, *y = b;
    int order = pack_id_compare(x->pack, y->pack);
    return order ? order : (x->frame > y->frame) - (x->frame < y->frame);
}

static bool is_damaged(const ParentPacks *p, PackId pack, uint32_t frame)
{
    Damage wanted = {.pack = pack, .frame = frame};
    return p->damage_count &&
           bsearch(&wanted, p->damages, p->damage_count, sizeof *p->damages, by_damage);
}

bool parent_packs_sound(const ParentPacks *p, const ParentPack *pack, uint32_t frame)
{
    return pack && !atomic_load(&pack->distrusted) && !is_damaged(p, pack->info.id, frame);
}

void parent_pack_distrust(ParentPack *pack, Error *why)
{
    char name[NAME_TEXT];
    if (!atomic_exchange(&pack->distrusted, true))
        log_warning("%s is not used again, what it holds is written anew: %s",
                    name_pack(pack->info.id, name), error_message(why));
    error_drop(why);
}

static ParentPack *add_pack(ParentPacks *p, const PackInfo *info, bool dead)
{
    mem_grow(p->items, p->count, p->cap);
    ParentPack *pack = &p->items[p->count++];
    memset(pack, 0, sizeof *pack);
    pack->info = *info;
    pack->dead = dead;
    atomic_init(&pack->distrusted, false);
    return pack;
}

/* `known`: the sizes of all, or NULL. */
static Error *check_size(ParentPacks *p, const ParentPack *pack, const uint64_t *known)
{
    char name[NAME_TEXT];
    uint64_t size;
    if (!known)
        TRY(store_size(repo_store(p->repo), name_pack(pack->info.id, name), &size));
    else if ((size = *known) == UINT64_MAX)
        FAIL(ERR_NOT_FOUND, "it is not there");
    if (size != pack->info.size)
        FAIL(ERR_DAMAGED, "it is %llu bytes long instead of %llu", (unsigned long long)size,
             (unsigned long long)pack->info.size);
    if (is_damaged(p, pack->info.id, UINT32_MAX))
        FAIL(ERR_DAMAGED, "it was found damaged");
    return NULL;
}

static bool is_small(const PackInfo *pack)
{
    return pack->size < PACK_TARGET / SPARSE_PART;
}

static double used_part(const PackInfo *pack)
{
    return pack->raw ? (double)pack->used / (double)pack->raw : 0;
}

static int by_used_part(const void *a, const void *b)
{
    const PackInfo *x = &(*(ParentPack *const *)a)->info, *y = &(*(ParentPack *const *)b)->info;
    double u = used_part(x), v = used_part(y);
    return u < v ? -1 : u > v ? 1 : pack_id_compare(x->id, y->id);
}

static int by_used(const void *a, const void *b)
{
    const PackInfo *x = &(*(ParentPack *const *)a)->info, *y = &(*(ParentPack *const *)b)->info;
    return x->used != y->used ? (x->used > y->used ? 1 : -1) : pack_id_compare(x->id, y->id);
}

/* Data packs only while the run may write more again; recipes are small. */
static void mark_sparse(ParentPacks *p, ParentPack *pack, size_t small[2])
{
    const PackInfo *info = &pack->info;
    bool recipe = info->kind == PACK_RECIPE;
    uint64_t *left = &p->rewrite_limit[SPARSE_FRAME];
    if (pack->sparse || (!recipe && !*left))
        return;
    pack->sparse = true;
    small[recipe] -= is_small(info);
    if (recipe)
        return;
    uint64_t taken = info->used < *left ? info->used : *left;
    *left -= taken;
    p->rewrite_limit[SPARSE_PACK] += taken;
}

/* A pack is sparse where less than a quarter of it is used, or where it is one too many of those
 * under a quarter of the target size: more than 16, data and recipe packs counted apart. What the
 * run may write again goes to those of which the least part is left, so that most is freed for it
 * and these die whole: spread over all, it would be used up by the same first chunks every day, and
 * no pack would ever die. */
static void find_sparse(ParentPacks *p, const Manifest *parent)
{
    size_t small[2] = {0, 0};
    ParentPack **order = mem_calloc(p->count, sizeof(ParentPack *));
    p->rewrite_limit[SPARSE_FRAME] = rewrite_limit(&parent->info);
    for (size_t i = 0; i < p->count; i++) {
        order[i] = &p->items[i];
        small[p->items[i].info.kind == PACK_RECIPE] += is_small(&p->items[i].info);
    }
    mem_sort(order, p->count, sizeof *order, by_used_part);
    for (size_t i = 0; i < p->count; i++)
        if (order[i]->info.used < order[i]->info.raw / SPARSE_PART)
            mark_sparse(p, order[i], small);
    mem_sort(order, p->count, sizeof *order, by_used);
    for (size_t i = 0; i < p->count; i++)
        if (is_small(&order[i]->info) &&
            small[order[i]->info.kind == PACK_RECIPE] > SMALL_PACKS_MAX)
            mark_sparse(p, order[i], small);
    free(order);
}

uint64_t parent_packs_rewrite_limit(const ParentPacks *p, Sparse sparse)
{
    return p->rewrite_limit[sparse];
}

static Error *add_parent(ParentPacks *p, const Manifest *parent)
{
    AUTO_VALUE(StrList) names = {0};
    char name[NAME_TEXT];
    for (size_t i = 0; i < parent->pack_count; i++)
        strlist_add(&names, name_pack(parent->packs[i].id, name));
    /* Far away all are asked about at once; here one that cannot be looked at is one that is bad.
     */
    bool far = store_is_far(repo_store(p->repo));
    uint64_t *sizes = mem_calloc(names.count, sizeof *sizes);
    Error *e = far ? store_sizes(repo_store(p->repo), &names, sizes) : NULL;
    for (size_t i = 0; i < parent->pack_count && !e; i++) {
        ParentPack *pack = add_pack(p, &parent->packs[i], false);
        Error *bad = check_size(p, pack, far ? &sizes[i] : NULL);
        if (bad)
            parent_pack_distrust(pack, bad);
    }
    free(sizes);
    TRY(e);
    find_sparse(p, parent);
    return NULL;
}

/* -- dead sessions --------------------------------------------------------------------------- */

typedef struct DeadList {
    ParentPacks *p;
    const Manifest *parent;
    const SessionId *dead;
    size_t dead_count;
} DeadList;

static Error *add_dead(void *ctx, const char *name, uint64_t size)
{
    DeadList *l = ctx;
    PackInfo info = {.size = size};
    if (!name_parse_pack(name, &info.id))
        return NULL;
    /* Taken over by the parent already, whose run could not end the session: one entry of each
     * pack, and the parent's knows its hash. */
    if (l->parent && manifest_find_pack(l->parent, info.id))
        return NULL;
    for (size_t i = 0; i < l->dead_count; i++)
        if (memcmp(l->dead[i].b, info.id.session.b, SESSION_BYTES) == 0) {
            add_pack(l->p, &info, true);
            break;
        }
    return NULL;
}

static Error *read_labels(ParentPacks *p, size_t number)
{
    ParentPack *pack = &p->items[number];
    FrameInfo *frames = NULL;
    size_t count;
    TRY(pack_read_footer(repo_packs(p->repo), pack->info.id, &pack->info, &frames, &count));
    for (size_t i = 0; i < count && pack->info.kind == PACK_DATA; i++) {
        if (p->frame_count == DEAD_FRAMES_MAX)
            break;
        mem_grow(p->frames, p->frame_count, p->frame_cap);
        p->frames[p->frame_count++] = (DeadFrame){.oid = frames[i].oid,
                                                  .piece = frames[i].piece,
                                                  .frame = frames[i].number,
                                                  .pack = (uint32_t)number};
    }
    free(frames);
    if (is_damaged(p, pack->info.id, UINT32_MAX))
        FAIL(ERR_DAMAGED, "it was found damaged");
    return NULL;
}

static int by_label(const void *a, const void *b)
{
    const DeadFrame *x = a, *y = b;
    if (x->oid != y->oid)
        return x->oid > y->oid ? 1 : -1;
    if (x->piece != y->piece)
        return x->piece > y->piece ? 1 : -1;
    if (x->pack != y->pack)
        return x->pack > y->pack ? 1 : -1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static void add_labels(ParentPacks *p)
{
    for (size_t i = 0; i < p->count; i++) {
        Error *e = p->items[i].dead ? read_labels(p, i) : NULL;
        if (e)
            parent_pack_distrust(&p->items[i], e);
    }
    mem_sort(p->frames, p->frame_count, sizeof *p->frames, by_label);
}

const DeadFrame *parent_packs_frames(const ParentPacks *p, uint32_t oid, uint32_t piece,
                                     size_t *count)
{
    DeadFrame wanted = {.oid = oid, .piece = piece};
    size_t low = 0, high = p->frame_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_label(&p->frames[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < p->frame_count && p->frames[end].oid == oid && p->frames[end].piece == piece)
        end++;
    *count = end - low;
    return p->frames ? p->frames + low : NULL;
}

static Error *prove(ParentPacks *p, ParentPack *pack)
{
    char name[NAME_TEXT];
    uint64_t size;
    TRY(pack_hash(repo_packs(p->repo), pack->info.id, pack->info.sha256, &size));
    if (size != pack->info.size)
        FAIL(ERR_DAMAGED, "its size changed");
    /* Its own session died before the barrier: no manifest may be durable before this name is. */
    store_adopt(repo_store(p->repo), name_pack(pack->info.id, name));
    return NULL;
}

bool parent_packs_prove(ParentPacks *p, ParentPack *pack)
{
    pthread_mutex_lock(&p->lock);
    if (!pack->proven && !atomic_load(&pack->distrusted)) {
        Error *e = prove(p, pack);
        if (e)
            parent_pack_distrust(pack, e);
        else
            pack->proven = true;
    }
    bool good = !atomic_load(&pack->distrusted);
    pthread_mutex_unlock(&p->lock);
    return good;
}

bool parent_packs_whole(ParentPacks *p, ParentPack *pack)
{
    if (!pack || atomic_load(&pack->distrusted) || (pack->dead && !parent_packs_prove(p, pack)))
        return false;
    for (size_t i = 0; i < p->damage_count; i++)
        if (pack_id_equal(p->damages[i].pack, pack->info.id))
            return false;
    return true;
}

Error *parent_packs_new(Repo *r, const Manifest *parent, const SessionId *dead, size_t dead_count,
                        ParentPacks **out)
{
    AUTO(ParentPacks) p = mem_new(ParentPacks);
    p->repo = r;
    pthread_mutex_init(&p->lock, NULL);
    TRY(damage_list(r, &p->damages, &p->damage_count));
    if (parent)
        TRY(add_parent(p, parent));
    DeadList list = {p, parent, dead, dead_count};
    if (dead_count)
        TRY(store_list(repo_store(r), "packs/", add_dead, &list));
    mem_sort(p->items, p->count, sizeof *p->items, by_id);
    add_labels(p);
    *out = STEAL(p);
    return NULL;
}
