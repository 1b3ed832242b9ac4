#include <string.h>

#include "repo/check_work.h"
#include "repo/ledger.h"

/* Checking a part: which packs are read, and of which backups that says enough. */

#define LEDGER_EVERY 512u /* packs: about 16 GiB that need not be read again after a power cut */

/* -- which packs ----------------------------------------------------------------------------- */

static bool is_marked(const Damage *marks, size_t count, PackId id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = pack_id_compare(marks[middle].pack, id);
        if (!order)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static Instant age_key(const PackEntry *p)
{
    return p->checked ? p->checked : p->made;
}

static int oldest_first(const void *a, const void *b)
{
    const PackEntry *x = *(PackEntry *const *)a, *y = *(PackEntry *const *)b;
    Instant left = age_key(x), right = age_key(y);
    if (left != right)
        return left < right ? -1 : 1;
    return pack_id_compare(x->info.id, y->info.id);
}

/* Of the candidates so many as make the share of all bytes; those that are damaged come on top. */
static void take_share(Check *c, PackEntry **candidates, size_t count)
{
    double all = 0, taken = 0;
    for (size_t i = 0; i < c->pack_count; i++)
        all += (double)c->packs[i].info.size;
    mem_sort(candidates, count, sizeof *candidates, oldest_first);
    for (size_t i = 0; i < count && taken < all * c->choice->share; i++) {
        candidates[i]->passed = false;
        taken += (double)candidates[i]->info.size;
    }
}

static void choose(Check *c, const Ledger *ledger, const Damage *marks, size_t mark_count)
{
    PackEntry **candidates = mem_calloc(c->pack_count ? c->pack_count : 1, sizeof *candidates);
    size_t count = 0;
    for (size_t i = 0; i < c->pack_count; i++) {
        PackEntry *p = &c->packs[i];
        p->checked = ledger_when(ledger, p->info.id);
        /* A time that is still to come says nothing, and nobody may wait for it. */
        if (p->made > c->started)
            p->made = 0;
        p->passed = !is_marked(marks, mark_count, p->info.id);
        if (p->passed && (!p->checked || !c->choice->since || p->checked < c->choice->since))
            candidates[count++] = p;
    }
    take_share(c, candidates, count);
    free(candidates);
}

Error *check_choose(Check *c)
{
    if (!c->choice)
        return NULL;
    AUTO(Ledger) ledger = NULL;
    Damage *marks = NULL;
    size_t count = 0;
    TRY(ledger_read(c->repo, &ledger));
    TRY(damage_list(c->repo, &marks, &count));
    choose(c, ledger, marks, count);
    free(marks);
    return NULL;
}

/* -- of which backups that says enough -------------------------------------------------------- */

/* What counts as checked lately. */
static Instant since(const Check *c)
{
    return c->choice->since ? c->choice->since : c->started;
}

static Error *scope_of(Check *c, const char *id, CheckScope *out)
{
    AUTO(Manifest) m = NULL;
    Instant proven = 0;
    TRY(check_load(c, id, &m));
    out->oldest = c->started;
    for (size_t i = 0; m && i < m->pack_count; i++) {
        const PackEntry *p = check_find_pack(c, m->packs[i].id);
        Instant known = !p ? 0 : p->passed ? p->checked : c->started;
        out->packs++;
        out->unread += known < since(c);
        if (known < out->oldest)
            out->oldest = known;
    }
    /* One that went away meanwhile is not judged. */
    out->unread += !m;
    TRY(proof_last_good(c->repo, id, check_level_name(c->level), &proven));
    out->proven = proven >= since(c);
    return NULL;
}

Error *check_scopes(Check *c)
{
    if (!c->choice)
        return NULL;
    c->scopes = mem_calloc(c->readable.count ? c->readable.count : 1, sizeof *c->scopes);
    for (size_t i = 0; i < c->readable.count; i++)
        TRY(scope_of(c, c->readable.items[i], &c->scopes[i]));
    return NULL;
}

bool check_proves(const Check *c, size_t i)
{
    return !c->scopes || (!c->scopes[i].unread && !c->scopes[i].proven);
}

/* -- the ledger ------------------------------------------------------------------------------- */

static Error *put(Check *c, bool all)
{
    PackId *packs = NULL;
    size_t count = 0;
    pthread_mutex_lock(&c->lock);
    if (!c->read_only && (c->whole_count >= LEDGER_EVERY || (all && c->whole_count))) {
        packs = STEAL(c->whole);
        count = c->whole_count;
        c->whole_count = c->whole_cap = 0;
    }
    pthread_mutex_unlock(&c->lock);
    if (!packs)
        return NULL;
    Error *e = ledger_put(c->repo, packs, count, c->started);
    free(packs);
    return check_left(c, e);
}

Error *check_put_ledger(Check *c)
{
    return put(c, true);
}

Error *check_whole(Check *c, PackId pack)
{
    pthread_mutex_lock(&c->lock);
    mem_grow(c->whole, c->whole_count, c->whole_cap);
    c->whole[c->whole_count++] = pack;
    pthread_mutex_unlock(&c->lock);
    return put(c, false);
}

static bool is_named(void *ctx, PackId pack)
{
    return check_find_pack(ctx, pack) != NULL;
}

Error *check_tidy_ledger(Check *c)
{
    AUTO(Ledger) ledger = NULL;
    if (c->read_only || c->level < CHECK_DATA)
        return NULL;
    TRY(ledger_read(c->repo, &ledger));
    return check_left(c, ledger_compact(c->repo, ledger, is_named, c));
}
