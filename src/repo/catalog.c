#include "repo/catalog.h"

#include <stdio.h>
#include <string.h>

#include "flow/group.h"
#include "repo/catalog_names.h"
#include "repo/lineage.h"
#include "repo/pin.h"
#include "repo/repo_internal.h"

/* Bytes of a manifest in which its facts mostly lie; of one that is far away each is on its way. */
#define HEAD (16u << 10)
#define HEAD_FAR (4u << 10)
/* What the three sections may be at most, and the header. */
#define MANIFEST_MAX ((1ull << 30) + (66ull << 20))
#define MANIFEST ".manifest"
#define NEAR_NAMES 3
#define LIST_THREADS 4 /* that read the facts of many backups */
#define LIST_SHARE 256 /* backups that are worth one more */

void backup_list_clear(BackupList *l)
{
    for (size_t i = 0; i < l->count; i++)
        backup_info_clear(&l->items[i]);
    free(l->items);
    strlist_free(&l->damaged);
    *l = (BackupList){0};
}

char *catalog_id_of(const char *name, const char *ending)
{
    static const char folder[] = "backups/";
    size_t n = strlen(name), skip = sizeof folder - 1, tail = strlen(ending);
    if (!text_starts(name, folder) || !text_ends(name, ending) || n <= skip + tail)
        return NULL;
    return mem_strndup(name + skip, n - skip - tail);
}

/* -- the facts of one ------------------------------------------------------------------------ */

static size_t first_read(Repo *r, uint64_t size)
{
    size_t head = store_is_far(repo_store(r)) ? HEAD_FAR : HEAD;
    return size < head ? (size_t)size : head;
}

/* What reading facts needs, kept for reading those of many. */
typedef struct FactsReader {
    Repo *repo;
    Codec *codec;
    Hash *hash;
    Buf head;
} FactsReader;

static FactsReader facts_reader(Repo *r)
{
    return (FactsReader){r, codec_new(), hash_new(), {0}};
}

static void facts_reader_clear(FactsReader *f)
{
    codec_free(f->codec);
    hash_free(f->hash);
    buf_free(&f->head);
}
DEFINE_AUTO_VALUE(FactsReader, facts_reader_clear)

static Error *read_info(FactsReader *f, const char *id, uint64_t size, BackupInfo *out)
{
    char name[NAME_TEXT];
    size_t wanted = first_read(f->repo, size), more = 0;
    name_manifest(id, name);
    do {
        if (more > size)
            FAIL(ERR_DAMAGED, "%s ends too early", name);
        if (more)
            wanted = more;
        f->head.len = 0;
        TRY(buf_reserve(&f->head, wanted, MANIFEST_MAX));
        TRY(store_get(repo_store(f->repo), name, 0, f->head.data, wanted));
        f->head.len = wanted;
        TRY(manifest_decode_info_by(repo_keys(f->repo), f->codec, f->hash, f->head.data, wanted, id,
                                    out, &more));
    } while (more > wanted);
    if (more)
        FAIL(ERR_DAMAGED, "%s ends too early", name);
    if (strcmp(out->repository, repo_id(f->repo)) != 0)
        FAIL(ERR_DAMAGED, "%s was made for another repository (%s)", name, out->repository);
    out->manifest_size = size;
    return NULL;
}

Error *catalog_read_packs(Repo *r, const char *id, uint64_t size, Manifest **out)
{
    AUTO_VALUE(Buf) head = {0};
    AUTO(Manifest) m = NULL;
    char name[NAME_TEXT];
    size_t have = 0, wanted = first_read(r, size);
    for (name_manifest(id, name); wanted > have;) {
        if (wanted > size)
            FAIL(ERR_DAMAGED, "%s ends too early", name);
        TRY(buf_reserve(&head, wanted - have, MANIFEST_MAX));
        TRY(store_get(repo_store(r), name, have, head.data + have, wanted - have));
        head.len = have = wanted;
        TRY(manifest_decode_roots(repo_keys(r), head.data, have, id, &m, &wanted));
    }
    if (!m)
        FAIL(ERR_DAMAGED, "%s ends too early", name);
    if (strcmp(m->info.repository, repo_id(r)) != 0)
        FAIL(ERR_DAMAGED, "%s was made for another repository (%s)", name, m->info.repository);
    *out = STEAL(m);
    return NULL;
}

Error *catalog_read_info(Repo *r, const char *id, uint64_t size, BackupInfo *out)
{
    AUTO_VALUE(FactsReader) f = facts_reader(r);
    return read_info(&f, id, size, out);
}

Error *catalog_deleted_one(const char *id)
{
    return error_hint(ERROR_NEW(ERR_NOT_FOUND, "the backup %s was deleted", id),
                      "\"pgstow list\" shows which backups there are; as long as list --deleted "
                      "shows it, undelete brings it back");
}

static Error *missing_one(const char *id)
{
    return error_hint(ERROR_NEW(ERR_NOT_FOUND, "the backup %s was not found", id),
                      "\"pgstow list\" shows which backups there are");
}

Error *catalog_is_deleted(Repo *r, const char *id, bool *deleted)
{
    char name[NAME_TEXT];
    return store_exists(repo_store(r), name_trash(id, name), deleted);
}

/* -- all ------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The list must be sorted, as a store gives it. */
static bool has(const StrList *sorted, const char *s)
{
    return sorted->count &&
           bsearch(&s, sorted->items, sorted->count, sizeof *sorted->items, by_text);
}

void catalog_names_clear(CatalogNames *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->items[i].name);
    free(n->items);
    strlist_free(&n->trash);
    strlist_free(&n->proofs);
    strlist_free(&n->pins);
}

/* Where the names of one folder go: one of the two. */
typedef struct Taker {
    CatalogNames *all;
    StrList *list;
    Hash *print;
} Taker;

static Error *take_name(void *ctx, const char *name, uint64_t size, uint64_t stamp)
{
    const Taker *t = ctx;
    uint64_t numbers[] = {size, stamp};
    hash_add(t->print, name, strlen(name) + 1);
    hash_add(t->print, numbers, sizeof numbers);
    if (t->list) {
        strlist_add(t->list, name);
        return NULL;
    }
    mem_grow(t->all->items, t->all->count, t->all->cap);
    t->all->items[t->all->count++] = (CatalogName){mem_strdup(name), size, stamp};
    return NULL;
}

Error *catalog_names(Repo *r, CatalogNames *out)
{
    AUTO(Hash) print = hash_new();
    Store *s = repo_store(r);
    hash_add(print, repo_id(r), strlen(repo_id(r)));
    Taker trash = {NULL, &out->trash, print}, backups = {out, NULL, print},
          proofs = {NULL, &out->proofs, print}, pins = {NULL, &out->pins, print};
    TRY(store_list_stamped(s, "trash/", take_name, &trash));
    TRY(store_list_stamped(s, "backups/", take_name, &backups));
    TRY(store_list_stamped(s, "proofs/", take_name, &proofs));
    TRY(store_list_stamped(s, "pins/", take_name, &pins));
    hash_end(print, out->print);
    return NULL;
}

typedef struct Listing {
    FactsReader facts;
    const char *database;
    const CatalogNames *names;
    CatalogFind find;
    void *ctx;
    BackupList *out;
} Listing;

static Error *read_fresh(Listing *l, const char *id, const CatalogName *name, BackupInfo *info,
                         bool *read)
{
    Error *e = read_info(&l->facts, id, name->size, info);
    ErrorKind kind = e ? error_kind(e) : ERR_INTERNAL;
    /* Not a backup, or gone since it was listed. */
    bool absent = e && (kind == ERR_FENCED || kind == ERR_NOT_FOUND);
    /* A write-only key knows nothing of databases that it is not for. */
    absent = absent || (e && kind == ERR_KEY && !keyring_full(repo_keys(l->facts.repo)));
    if (e && !absent && kind != ERR_DAMAGED && kind != ERR_REPO_UNSUPPORTED)
        return e;
    if (e && !absent)
        strlist_own(&l->out->damaged, mem_printf("%s: %s", id, error_message(e)));
    *read = !e;
    error_drop(e);
    return NULL;
}

/* What is no part of the manifest is found out anew. */
static void copy_facts(BackupInfo *to, const BackupInfo *from)
{
    backup_info_copy(to, from);
    free(to->last_proof_level);
    to->last_proof_level = NULL;
    to->proven = to->pinned = false;
    to->last_proof = to->last_drill = 0;
    to->restore_ms = 0;
}

static Error *list_one(Listing *l, const CatalogName *name)
{
    AUTO(char) id = catalog_id_of(name->name, MANIFEST);
    AUTO_VALUE(BackupInfo) info = {0};
    char marker[NAME_TEXT];
    if (!id || has(&l->names->trash, name_trash(id, marker)))
        return NULL;
    const BackupInfo *known = l->find ? l->find(l->ctx, name) : NULL;
    bool there = known != NULL;
    if (known)
        copy_facts(&info, known);
    else
        TRY(read_fresh(l, id, name, &info, &there));
    if (!there || (l->database && strcmp(info.database, l->database) != 0))
        return NULL;
    TRY(proof_apply(l->facts.repo, &l->names->proofs, &info));
    info.pinned = has(&l->names->pins, name_pin(id, marker));
    mem_grow(l->out->items, l->out->count, l->out->cap);
    l->out->items[l->out->count++] = info;
    info = (BackupInfo){0};
    return NULL;
}

/* Some of the names in a row, for a thread of its own. */
typedef struct Share {
    Listing listing;
    BackupList list;
    size_t from, to;
} Share;

static Error *list_share(void *arg)
{
    Share *s = arg;
    for (size_t i = s->from; i < s->to; i++)
        TRY(list_one(&s->listing, &s->listing.names->items[i]));
    return NULL;
}

static Error *run_shares(Share *shares, size_t count)
{
    AUTO(Group) group = NULL;
    if (count == 1)
        return list_share(shares);
    TRY(group_new(NULL, &group));
    for (size_t i = 0; i < count; i++)
        TRY(group_start(group, list_share, &shares[i]));
    return group_join(group);
}

static void move_list(BackupList *from, BackupList *to)
{
    for (size_t i = 0; i < from->count; i++) {
        mem_grow(to->items, to->count, to->cap);
        to->items[to->count++] = from->items[i];
    }
    from->count = 0;
    strlist_copy(&to->damaged, &from->damaged);
    backup_list_clear(from);
}

Error *catalog_list_named(Repo *r, const char *database, const CatalogNames *names,
                          CatalogFind find, void *ctx, BackupList *out)
{
    Share shares[LIST_THREADS];
    size_t count = names->count / LIST_SHARE + 1;
    if (count > LIST_THREADS)
        count = LIST_THREADS;
    for (size_t i = 0; i < count; i++)
        shares[i] = (Share){
            .listing = {facts_reader(r), database, names, find, ctx, &shares[i].list},
            .from = names->count * i / count,
            .to = names->count * (i + 1) / count,
        };
    Error *e = run_shares(shares, count);
    for (size_t i = 0; i < count; i++) {
        facts_reader_clear(&shares[i].listing.facts);
        move_list(&shares[i].list, out);
    }
    lineage_sort(out->items, out->count);
    return e;
}

Error *catalog_list(Repo *r, const char *database, BackupList *out)
{
    AUTO_VALUE(CatalogNames) names = {0};
    TRY(catalog_names(r, &names));
    return catalog_list_named(r, database, &names, NULL, NULL, out);
}

/* -- by name --------------------------------------------------------------------------------- */

static bool could_be_id(const char *s)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._%-";
    return *s && *s != '.' && strlen(s) < NAME_TEXT / 2 && strspn(s, allowed) == strlen(s);
}

/* Whether there is a backup of exactly this id, readable or not. */
static Error *find_exact(Repo *r, const char *id, bool *found)
{
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    uint64_t size = 0;
    bool deleted;
    *found = false;
    if (!could_be_id(id))
        return NULL;
    Error *e = store_size(repo_store(r), name_manifest(id, name), &size);
    if (!e)
        e = catalog_read_info(r, id, size, &info);
    ErrorKind kind = e ? error_kind(e) : ERR_INTERNAL;
    bool broken = e && (kind == ERR_DAMAGED || kind == ERR_REPO_UNSUPPORTED);
    bool absent = e && (kind == ERR_NOT_FOUND || kind == ERR_FENCED);
    if (e && !broken && !absent)
        return e;
    error_drop(e);
    TRY(catalog_is_deleted(r, id, &deleted));
    if (deleted && !absent)
        return catalog_deleted_one(id);
    *found = !absent;
    return NULL;
}

Error *catalog_must_exist(Repo *r, const char *id)
{
    bool found;
    TRY(find_exact(r, id, &found));
    return found ? NULL : missing_one(id);
}

/* Those that a name could mean, by a test. */
typedef bool (*Match)(const BackupInfo *i, const char *text);

static bool match_key(const BackupInfo *i, const char *text)
{
    return !strcmp(i->key, text);
}

static bool match_beginning(const BackupInfo *i, const char *text)
{
    return text_starts(i->id, text);
}

static Error *ambiguous(const char *name, const StrList *ids)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < ids->count && i < 5; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", ids->items[i]);
    AUTO(char) text = buf_steal_str(&b);
    return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" means %zu backups: %s%s", name, ids->count, text,
                                ids->count > 5 ? ", ..." : ""),
                      "write the whole id of one");
}

static Error *find_one(const BackupList *l, Match match, const char *name, const char *database,
                       char **id)
{
    AUTO_VALUE(StrList) ids = {0};
    for (size_t i = 0; i < l->count; i++)
        if (match(&l->items[i], name) && (!database || !strcmp(l->items[i].database, database)))
            strlist_add(&ids, l->items[i].id);
    if (ids.count > 1)
        return ambiguous(name, &ids);
    *id = ids.count ? mem_strdup(ids.items[0]) : NULL;
    return NULL;
}

/* The newest of a database; without one, of the only database that there is. */
static Error *find_latest(const Repo *r, const BackupList *l, const char *database, char **id)
{
    const BackupInfo *newest = NULL;
    for (size_t i = 0; i < l->count; i++) {
        const BackupInfo *b = &l->items[i];
        if (database && strcmp(b->database, database) != 0)
            continue;
        if (newest && strcmp(newest->database, b->database) != 0)
            return error_hint(ERROR_NEW(ERR_USAGE,
                                        "\"latest\" could be of several databases: %s, "
                                        "%s, ...",
                                        newest->database, b->database),
                              "write latest:%s", newest->database);
        newest = b; /* sorted: each follows the one before it */
    }
    if (!newest)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no backup%s%s in %s",
                                    database ? " of database " : "", database ? database : "",
                                    repo_where(r)),
                          "\"pgstow list\" shows which backups there are");
    *id = mem_strdup(newest->id);
    return NULL;
}

static Error *not_found(const Repo *r, const BackupList *l, const char *name)
{
    AUTO_VALUE(StrList) ids = {0};
    for (size_t i = 0; i < l->count; i++)
        strlist_add(&ids, l->items[i].id);
    Error *e =
        ERROR_NEW(ERR_NOT_FOUND, "the backup \"%s\" was not found in %s", name, repo_where(r));
    if (!ids.count)
        return error_hint(e, "there is no backup in this repository; is it the right one?");
    AUTO_VALUE(Buf) b = {0};
    /* The nearest ones, each found among those that are left. */
    for (int n = 0; n < NEAR_NAMES && ids.count; n++) {
        const char *near = text_nearest(name, (const char *const *)ids.items, ids.count);
        size_t at = 0;
        if (!near)
            break;
        buf_printf(&b, "%s%s", n ? ", " : "", near);
        while (ids.items[at] != near)
            at++;
        free(ids.items[at]);
        ids.items[at] = ids.items[--ids.count];
    }
    if (!b.len)
        return error_hint(e, "\"pgstow list\" shows which backups there are");
    AUTO(char) text = buf_steal_str(&b);
    return error_hint(e, "near to it: %s", text);
}

Error *catalog_resolve(Repo *r, const char *name, const char *database, char **id)
{
    AUTO_VALUE(BackupList) l = {0};
    bool found;
    TRY(find_exact(r, name, &found));
    if (found) {
        *id = mem_strdup(name);
        return NULL;
    }
    TRY(catalog_list(r, NULL, &l));
    if (text_starts(name, "latest:"))
        return find_latest(r, &l, name + strlen("latest:"), id);
    if (!strcmp(name, "latest"))
        return find_latest(r, &l, database, id);
    *id = NULL;
    TRY(find_one(&l, match_key, name, database, id));
    if (!*id && *name)
        TRY(find_one(&l, match_beginning, name, NULL, id));
    return *id ? NULL : not_found(r, &l, name);
}

Error *catalog_at(Repo *r, const char *database, Instant t, char **id)
{
    AUTO_VALUE(BackupList) l = {0};
    const BackupInfo *best = NULL;
    TRY(catalog_list(r, database, &l));
    for (size_t i = 0; i < l.count; i++) {
        const BackupInfo *b = &l.items[i];
        if (b->timestamp <= t && lineage_good(b))
            best = b;
    }
    if (!best) {
        char text[CLOCK_TEXT];
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no good backup of %s as old as %s",
                                    database, clock_human(t, text)),
                          "\"pgstow list\" shows which backups there are");
    }
    *id = mem_strdup(best->id);
    return NULL;
}

/* -- one ------------------------------------------------------------------------------------- */

Error *catalog_get(Repo *r, const char *id, Buf *bytes, Manifest **out)
{
    AUTO(Manifest) m = NULL;
    char name[NAME_TEXT];
    TRY(store_get_all(repo_store(r), name_manifest(id, name), MANIFEST_MAX, bytes));
    TRY(manifest_decode(repo_keys(r), bytes->data, bytes->len, id, &m));
    if (strcmp(m->info.repository, repo_id(r)) != 0)
        FAIL(ERR_DAMAGED, "%s was made for another repository (%s)", name, m->info.repository);
    *out = STEAL(m);
    return NULL;
}

Error *catalog_checksum(Repo *r, const char *id, char **hex)
{
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(Hash) hash = hash_new();
    char name[NAME_TEXT];
    uint8_t sha256[HASH_BYTES];
    TRY(store_get_all(repo_store(r), name_manifest(id, name), MANIFEST_MAX, &bytes));
    hash_once(hash, bytes.data, bytes.len, sha256);
    *hex = mem_zalloc(2 * HASH_BYTES + 1);
    text_hex(sha256, HASH_BYTES, *hex);
    return NULL;
}

Error *catalog_load(Repo *r, const char *id, Manifest **out)
{
    AUTO_VALUE(Buf) bytes = {0};
    bool deleted;
    TRY(catalog_is_deleted(r, id, &deleted));
    if (deleted)
        return catalog_deleted_one(id);
    Error *e = catalog_get(r, id, &bytes, out);
    if (e && (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_FENCED)) {
        error_drop(e);
        return missing_one(id);
    }
    return e && error_kind(e) == ERR_DAMAGED ? damage_hint(e, id) : e;
}

Error *catalog_add_proof(Repo *r, BackupInfo *info)
{
    AUTO_VALUE(StrList) proofs = {0};
    AUTO(char) prefix = mem_printf("proofs/%s/", info->id);
    TRY(note_names(repo_store(r), prefix, &proofs));
    TRY(proof_apply(r, &proofs, info));
    return pin_look(r, info->id, &info->pinned);
}

Error *damage_hint(Error *e, const char *id)
{
    return error_hint(
        e,
        "`pgstow verify %s` says what else is damaged; another backup may be whole (`pgstow list`)",
        id);
}

Error *catalog_put_metadata(Repo *r, const BackupInfo *info)
{
    AUTO_VALUE(Buf) text = {0};
    char name[NAME_TEXT];
    backup_info_metadata(info, &text);
    Error *e = store_put(repo_store(r), name_metadata(info->id, name), text.data, text.len);
    if (e && error_kind(e) == ERR_EXISTS) {
        error_drop(e);
        return NULL;
    }
    return e;
}
