/* What was found about backups and packs, left in the repository for every host to see. */
#include "repo/catalog.h"

#include <stdio.h>
#include <string.h>

#include "repo/repo_internal.h"

static const char *const levels[] = {"quick", "data", "rebuild", "drill"};

/* How much a level looks at; one of a later version more than all that are known. */
static int level_rank(const char *level)
{
    int n = (int)(sizeof levels / sizeof *levels);
    for (int i = 0; i < n; i++)
        if (!strcmp(levels[i], level))
            return i;
    return n;
}

Error *proof_put_whole(Repo *r, const char *id, const Proof *p)
{
    AUTO(Doc) d = doc_object();
    char name[NAME_TEXT], time[CLOCK_TEXT];
    Instant now = clock_now();
    doc_set_str(d, "backup", id);
    doc_set_str(d, "level", p->level);
    doc_set_bool(d, "good", p->good);
    doc_set_str(d, "time", clock_iso(now, time));
    doc_set_str(d, "detail", p->detail ? p->detail : "");
    if (p->since)
        doc_set_str(d, "since", clock_iso(p->since, time));
    if (p->duration_ms)
        doc_set_int(d, "duration", p->duration_ms);
    if (p->restore_ms)
        doc_set_int(d, "restoreTime", p->restore_ms);
    doc_set_str(d, "pgstowVersion", PGSTOW_VERSION);
    return note_put(r, name_proof(id, now, p->level, p->good, name), d);
}

Error *proof_put(Repo *r, const char *id, const char *level, bool good, const char *detail)
{
    return proof_put_whole(r, id, &(Proof){.level = level, .good = good, .detail = detail});
}

/* -- what the names say ---------------------------------------------------------------------- */

typedef struct ProofName {
    Instant when;
    char level[32];
    bool good;
} ProofName;

/* <compact instant>-<level>-<good|bad>-<random> */
static bool parse_name(const char *name, ProofName *out)
{
    char result[8];
    const char *dash = strchr(name, '-');
    if (!dash || sscanf(dash + 1, "%31[^-]-%7[^-]-", out->level, result) != 2)
        return false;
    AUTO(char) time = mem_strndup(name, (size_t)(dash - name));
    AUTO(Error) bad_time = clock_parse(time, &out->when);
    out->good = !strcmp(result, "good");
    return !bad_time;
}

/* Goes through a backup's proofs, the newest first. The names are sorted. */
typedef struct ProofWalk {
    const StrList *names;
    char *prefix;
    size_t at;
} ProofWalk;
static void proof_walk_clear(ProofWalk *w)
{
    free(w->prefix);
}
DEFINE_AUTO_VALUE(ProofWalk, proof_walk_clear)

static void walk_begin(const StrList *names, const char *id, ProofWalk *w)
{
    *w = (ProofWalk){.names = names, .prefix = mem_printf("proofs/%s/", id)};
    size_t low = 0, high = names->count, n = strlen(w->prefix);
    /* The first name behind all that begin so. */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strncmp(names->items[middle], w->prefix, n) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    w->at = low;
}

static bool walk_next(ProofWalk *w, ProofName *out)
{
    while (w->at > 0 && text_starts(w->names->items[w->at - 1], w->prefix))
        if (parse_name(w->names->items[--w->at] + strlen(w->prefix), out))
            return true;
    return false;
}

static void take(BackupInfo *info, const ProofName *p)
{
    free(info->last_proof_level);
    info->last_proof_level = mem_strdup(p->level);
    info->last_proof = p->when;
    info->proven = p->good;
}

static Error *read_drill(Repo *r, const char *name, const ProofName *p, BackupInfo *info)
{
    AUTO(Doc) d = NULL;
    Error *e = note_get(r, name, &d);
    /* verify says so; nothing here depends on it. */
    if (e && (error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_NOT_FOUND)) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    info->last_drill = p->when;
    info->restore_ms = doc_int(d, "restoreTime", 0);
    return NULL;
}

Error *proof_apply(Repo *r, const StrList *names, BackupInfo *info)
{
    AUTO_VALUE(ProofWalk) w = {0};
    ProofName p;
    int best = -1; /* the highest level at which it was found good since what is looked at */
    walk_begin(names, info->id, &w);
    for (bool first = true; walk_next(&w, &p); first = false) {
        /* Only something that looks as closely can take back that damage was found; and of several
         * in one second the one that found it counts. */
        bool found_damage = !p.good && (!info->last_proof_level || info->proven) &&
                            (level_rank(p.level) > best || p.when == info->last_proof);
        if (first || found_damage)
            take(info, &p);
        if (p.good && level_rank(p.level) > best)
            best = level_rank(p.level);
        if (p.good && !info->last_drill && !strcmp(p.level, "drill"))
            TRY(read_drill(r, w.names->items[w.at], &p, info));
    }
    return NULL;
}

/* Whether the proof itself says what its name does: a name alone anybody can write. */
static Error *is_sound(Repo *r, const char *name, const char *id, const ProofName *p, bool *sound)
{
    AUTO(Doc) d = NULL;
    Instant time = 0;
    *sound = false;
    Error *e = note_get(r, name, &d);
    if (!e)
        e = error_rekind(clock_parse(doc_str(d, "time", ""), &time), ERR_DAMAGED);
    if (e && error_kind(e) != ERR_DAMAGED && error_kind(e) != ERR_NOT_FOUND)
        return e;
    *sound = !e && !strcmp(doc_str(d, "backup", ""), id) &&
             !strcmp(doc_str(d, "level", ""), p->level) && doc_bool(d, "good", false) == p->good &&
             time / 1000 == p->when / 1000;
    error_drop(e);
    return NULL;
}

Error *proof_last_good(Repo *r, const char *id, const char *level, Instant *when)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(ProofWalk) w = {0};
    AUTO(char) prefix = mem_printf("proofs/%s/", id);
    ProofName p;
    *when = 0;
    TRY(note_names(repo_store(r), prefix, &names));
    walk_begin(&names, id, &w);
    while (walk_next(&w, &p)) {
        if (*when && p.when != *when)
            return NULL;
        if (!p.good) {
            *when = 0;
            return NULL;
        }
        if (*when || level_rank(p.level) < level_rank(level))
            continue;
        bool sound;
        TRY(is_sound(r, names.items[w.at], id, &p, &sound));
        if (sound)
            *when = p.when;
    }
    return NULL;
}

/* -- damage markers -------------------------------------------------------------------------- */

Error *damage_put(Repo *r, PackId pack, uint32_t frame, const char *why)
{
    AUTO(Doc) d = doc_object();
    char name[NAME_TEXT], time[CLOCK_TEXT];
    doc_set_str(d, "pack", name_pack(pack, name));
    doc_set_int(d, "frame", frame == UINT32_MAX ? -1 : (int64_t)frame);
    doc_set_str(d, "why", why);
    doc_set_str(d, "time", clock_iso(clock_now(), time));
    Error *e = note_put(r, name_damage(pack, frame, name), d);
    if (e && error_kind(e) == ERR_EXISTS) {
        error_drop(e);
        return NULL;
    }
    return e;
}

typedef struct DamageList {
    Damage *items;
    size_t count, cap;
} DamageList;

static Error *add_damage(void *ctx, const char *name, uint64_t size)
{
    DamageList *l = ctx;
    Damage d;
    (void)size;
    if (!name_parse_damage(name, &d.pack, &d.frame))
        return NULL;
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = d;
    return NULL;
}

static int by_place(const void *a, const void *b)
{
    const Damage *x = a, *y = b;
    int order = pack_id_compare(x->pack, y->pack);
    return order ? order : (x->frame > y->frame) - (x->frame < y->frame);
}

Error *damage_list(Repo *r, Damage **out, size_t *count)
{
    DamageList l = {0};
    Error *e = store_list(repo_store(r), "proofs/damage/", add_damage, &l);
    if (e) {
        free(l.items);
        return e;
    }
    mem_sort(l.items, l.count, sizeof *l.items, by_place);
    *out = l.items;
    *count = l.count;
    return NULL;
}
