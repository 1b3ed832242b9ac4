/* What of the source's packs the target has, and what it lacks. */
#include <string.h>

#include "repo/copy_work.h"

static int by_source(const void *key, const void *b)
{
    return pack_id_compare(*(const PackId *)key, ((const Move *)b)->source);
}

Move *copy_find_move(const CopyWork *c, PackId source)
{
    return c->count ? bsearch(&source, c->moves, c->count, sizeof *c->moves, by_source) : NULL;
}

/* -- sets of frames ---------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool frame_set_has(const FrameSet *s, uint32_t frame)
{
    return s->count && bsearch(&frame, s->items, s->count, sizeof *s->items, by_number);
}

void frame_set_sort(FrameSet *s)
{
    size_t kept = 0;
    mem_sort(s->items, s->count, sizeof *s->items, by_number);
    for (size_t i = 0; i < s->count; i++)
        if (!kept || s->items[kept - 1] != s->items[i])
            s->items[kept++] = s->items[i];
    s->count = kept;
}

/* -- moves ------------------------------------------------------------------------------------- */

bool move_find(const Move *m, uint32_t frame, PackId *target)
{
    for (size_t i = 0; i < m->part_count; i++)
        if (frame_set_has(&m->parts[i].frames, frame)) {
            *target = m->parts[i].target;
            return true;
        }
    *target = m->target;
    return m->whole;
}

MovePart *move_add_part(Move *m, PackId target)
{
    mem_grow(m->parts, m->part_count, m->part_cap);
    MovePart *p = &m->parts[m->part_count++];
    *p = (MovePart){.target = target};
    return p;
}

void copy_moves_clear(CopyWork *c)
{
    for (size_t i = 0; i < c->count; i++) {
        Move *m = &c->moves[i];
        for (size_t k = 0; k < m->part_count; k++)
            free(m->parts[k].frames.items);
        free(m->parts);
        free(m->needed.items);
    }
    free(c->moves);
}

/* -- what is there ----------------------------------------------------------------------------- */

/* A copy that may be used again: of several (an earlier one was found damaged) any sound one. */
static void find_whole(CopyWork *c, Move *m)
{
    size_t count;
    const Origin *o = origin_find(c->origins, m->source, &count);
    ParentPacks *packs = dedup_packs(c->w->dedup);
    for (size_t i = 0; i < count && !m->whole; i++) {
        m->target = o[i].target;
        m->whole = !o[i].part && parent_packs_whole(packs, parent_packs_find(packs, o[i].target));
    }
    m->there = m->whole;
}

/* One whose footer cannot be read has nothing that may be used again. */
static Error *add_frames(CopyWork *c, Move *m, PackId target)
{
    PackInfo info;
    FrameInfo *frames = NULL;
    size_t count;
    Error *e = pack_read_footer(repo_packs(c->ends->to), target, &info, &frames, &count);
    if (e && error_kind(e) == ERR_DAMAGED) {
        ParentPacks *packs = dedup_packs(c->w->dedup);
        parent_pack_distrust(parent_packs_find(packs, target), e);
        return NULL;
    }
    TRY(e);
    FrameSet *set = &move_add_part(m, target)->frames;
    for (size_t i = 0; i < count; i++) {
        mem_grow(set->items, set->count, set->cap);
        set->items[set->count++] = frames[i].number;
    }
    free(frames);
    frame_set_sort(set);
    return NULL;
}

static Error *find_parts(CopyWork *c, Move *m)
{
    size_t count;
    const Origin *o = origin_find(c->origins, m->source, &count);
    ParentPacks *packs = dedup_packs(c->w->dedup);
    for (size_t i = 0; i < count; i++)
        if (o[i].part && parent_packs_whole(packs, parent_packs_find(packs, o[i].target)))
            TRY(add_frames(c, m, o[i].target));
    return NULL;
}

Error *copy_moves(CopyWork *c, bool *sparse)
{
    *sparse = false;
    c->moves = mem_calloc(c->m->pack_count, sizeof *c->moves);
    for (size_t i = 0; i < c->m->pack_count; i++) {
        const PackInfo *info = &c->m->packs[i];
        if (info->kind != PACK_DATA)
            continue;
        Move *m = &c->moves[c->count++];
        *m = (Move){.source = info->id, .info = info};
        find_whole(c, m);
        m->sparse = !m->there && info->used < info->raw / 2;
        if (m->sparse)
            TRY(find_parts(c, m));
        *sparse = *sparse || m->sparse;
    }
    return NULL;
}
