/* What was found about backups and packs, left in the repository for every host to see. */
#include "repo/catalog.h"

#include <stdio.h>
#include <string.h>

#include "repo/repo_internal.h"

Error *proof_put(Repo *r, const char *id, const char *level, bool good, const char *detail)
{
    AUTO(Doc) d = doc_object();
    char name[NAME_TEXT], time[CLOCK_TEXT];
    Instant now = clock_now();
    doc_set_str(d, "backup", id);
    doc_set_str(d, "level", level);
    doc_set_bool(d, "good", good);
    doc_set_str(d, "time", clock_iso(now, time));
    doc_set_str(d, "detail", detail ? detail : "");
    doc_set_str(d, "pgstowVersion", PGSTOW_VERSION);
    return note_put(r, name_proof(id, now, level, good, name), d);
}

/* <compact instant>-<level>-<good|bad>-<random> */
bool proof_read_name(const char *name, bool first, BackupInfo *info)
{
    char level[32], result[8];
    Instant when = 0;
    const char *dash = strchr(name, '-');
    if (!dash || sscanf(dash + 1, "%31[^-]-%7[^-]-", level, result) != 2)
        return true;
    AUTO(char) time = mem_strndup(name, (size_t)(dash - name));
    Error *bad_time = clock_parse(time, &when);
    bool readable = !bad_time;
    error_drop(bad_time);
    if (!readable)
        return true;
    if (!first && info->last_proof_level && when != info->last_proof)
        return false;
    bool good = !strcmp(result, "good");
    if (info->last_proof_level && good)
        return true;
    free(info->last_proof_level);
    info->last_proof_level = mem_strdup(level);
    info->last_proof = when;
    info->proven = good;
    return true;
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
