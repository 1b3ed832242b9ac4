/* What a writer does otherwise where it makes a copy of another repository's backup. */
#include <string.h>

#include "base/fault.h"
#include "repo/origin.h"
#include "repo/repo_internal.h"
#include "repo/writer_parts.h"

/* -- the backups that it may use packs of ------------------------------------------------------ */

/* Packs that are wanted, sorted. */
typedef struct Wanted {
    PackId *items;
    size_t count, cap;
} Wanted;

static void wanted_clear(Wanted *w)
{
    free(w->items);
}
DEFINE_AUTO_VALUE(Wanted, wanted_clear)

static int by_pack(const void *a, const void *b)
{
    return pack_id_compare(*(const PackId *)a, *(const PackId *)b);
}

static bool is_dead(const SessionInfo *dead, size_t count, PackId id)
{
    for (size_t i = 0; i < count; i++)
        if (!memcmp(dead[i].id.b, id.session.b, SESSION_BYTES))
            return true;
    return false;
}

/* Where the source's packs were copied to, but for what dead sessions hold: that is ours anyway. */
static void want(const WriterCopy *copy, const SessionInfo *dead, size_t dead_count, Wanted *out)
{
    for (size_t i = 0; i < copy->source->pack_count; i++) {
        size_t count;
        const Origin *o = origin_find(copy->origins, copy->source->packs[i].id, &count);
        for (size_t k = 0; k < count; k++) {
            if (is_dead(dead, dead_count, o[k].target))
                continue;
            mem_grow(out->items, out->count, out->cap);
            out->items[out->count++] = o[k].target;
        }
    }
    mem_sort(out->items, out->count, sizeof *out->items, by_pack);
}

/* Those that m names are wanted no more; they are added to `into`, which may be m itself. */
static size_t take_wanted(const Manifest *m, Wanted *w, Manifest *into)
{
    size_t left = 0, before = w->count;
    for (size_t i = 0; i < before; i++) {
        const PackInfo *p = manifest_find_pack(m, w->items[i]);
        if (!p) {
            w->items[left++] = w->items[i];
        } else if (into != m) {
            PackInfo copy = *p;
            mem_grow(into->packs, into->pack_count, into->pack_cap);
            into->packs[into->pack_count++] = copy;
        }
    }
    w->count = left;
    return before - left;
}

static int by_id(const void *a, const void *b)
{
    return pack_id_compare(((const PackInfo *)a)->id, ((const PackInfo *)b)->id);
}

/* Copies of the same repository's backups of this database; the nearest ones first, older before
 * newer. */
typedef struct Candidate {
    const BackupInfo *info;
    uint64_t distance;
} Candidate;

static int by_distance(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    return (x->distance > y->distance) - (x->distance < y->distance);
}

static Candidate *list_candidates(const WriterCopy *copy, const BackupList *list, size_t *count)
{
    const BackupInfo *source = &copy->source->info;
    Candidate *found = mem_calloc(list->count, sizeof *found);
    *count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const BackupInfo *b = &list->items[i];
        if (!b->copied_repository || strcmp(b->copied_repository, copy->repository) != 0 ||
            strcmp(b->database, source->database) != 0)
            continue;
        Instant apart = source->timestamp - b->timestamp;
        uint64_t distance = apart >= 0 ? 2 * (uint64_t)apart : 2 * (uint64_t)-apart + 1;
        found[(*count)++] = (Candidate){b, distance};
    }
    mem_sort(found, *count, sizeof *found, by_distance);
    return found;
}

/* One that went away or cannot be read offers nothing. */
static Error *absent(Error *e)
{
    if (!e || (error_kind(e) != ERR_NOT_FOUND && error_kind(e) != ERR_DAMAGED))
        return e;
    error_drop(e);
    return NULL;
}

static Error *take_candidate(Repo *r, const BackupInfo *info, Wanted *wanted, Manifest **into,
                             StrList *parents)
{
    AUTO(Manifest) m = NULL;
    if (!*into) {
        TRY(absent(catalog_load(r, info->id, into)));
        if (*into) {
            take_wanted(*into, wanted, *into);
            strlist_add(parents, info->id);
        }
        return NULL;
    }
    TRY(absent(catalog_read_packs(r, info->id, info->manifest_size, &m)));
    if (m && take_wanted(m, wanted, *into)) {
        strlist_add(parents, info->id);
        mem_sort((*into)->packs, (*into)->pack_count, sizeof *(*into)->packs, by_id);
    }
    return NULL;
}

Error *writer_copy_parents(Repo *r, const WriterCopy *copy, const BackupList *list,
                           const SessionInfo *dead, size_t dead_count, Manifest **out,
                           StrList *parents)
{
    AUTO_VALUE(Wanted) wanted = {0};
    AUTO(Manifest) into = NULL;
    size_t count;
    want(copy, dead, dead_count, &wanted);
    Candidate *candidates = list_candidates(copy, list, &count);
    Error *e = NULL;
    for (size_t i = 0; i < count && !e && (!into || wanted.count); i++)
        e = take_candidate(r, candidates[i].info, &wanted, &into, parents);
    free(candidates);
    TRY(e);
    *out = STEAL(into);
    return NULL;
}

/* -- the name ---------------------------------------------------------------------------------- */

/* The session before this one is dead from now on, as one that a writer continues from. */
static void begin_second(Writer *w)
{
    SessionInfo first = w->session;
    w->session = (SessionInfo){.kind = SESSION_WRITER,
                               .database = mem_strdup(first.database),
                               .server = mem_strdup(first.server),
                               .system_identifier = mem_strdup(first.system_identifier),
                               .database_oid = first.database_oid,
                               .what = mem_strdup(first.what)};
    session_info_here(&w->session);
    mem_grow(w->dead, w->dead_count, w->dead_cap);
    w->dead[w->dead_count++] = first;
    w->carried = true;
    for (size_t i = 0; i < w->uses.count; i++) {
        mem_grow(w->session.packs, w->session.pack_count, w->session.pack_cap);
        w->session.packs[w->session.pack_count++] = w->uses.items[i].pack;
    }
    strlist_copy(&w->session.parents, &w->parents);
}

/* Whoever declared the first session dead may have let its packs go. */
static Error *check_first(Writer *w)
{
    const SessionInfo *first = &w->dead[w->dead_count - 1];
    char name[NAME_TEXT];
    bool there, fenced;
    TRY(store_exists(repo_store(w->repo), name_session(first->id, name), &there));
    TRY(store_exists(repo_store(w->repo), name_manifest(first->backup_id, name), &fenced));
    if (there && !fenced)
        return NULL;
    return error_hint(ERROR_NEW(ERR_FENCED,
                                "the copy of %s was declared dead by another run while it was "
                                "being made; nothing was committed",
                                w->copy_id),
                      "copy it again: what is there already is not copied twice");
}

Error *writer_take_name(Writer *w)
{
    AUTO_VALUE(BackupList) list = {0};
    begin_second(w);
    TRY(writer_choose_given_id(w, w->copy_id));
    FAULT_POINT("copy.name");
    TRY(session_put(w->repo, &w->session));
    FAULT_POINT("copy.named");
    TRY(check_first(w));
    TRY(writer_check_alone(w));
    TRY(catalog_list(w->repo, NULL, &list));
    return writer_find_predecessor(w, &list);
}
