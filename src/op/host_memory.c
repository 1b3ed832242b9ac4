#include "op/host_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "repo/lineage.h"
#include "repo/names.h"
#include "state/state.h"

#define FILE_MAX (16u << 20)
#define MANIFEST_MAX (1u << 30)
#define REPOSITORIES_MAX 500 /* then the one that was seen longest ago is forgotten */

/* The newest backup of a lineage that was seen. */
typedef struct Seen {
    char *id, *database, *server, *system_identifier, *filter, *checksum;
    uint64_t sequence;
} Seen;

typedef struct Known {
    char *id, *place;
    bool encrypted;
    uint32_t epoch;
    Instant when;
    Seen *lineages;
    size_t count, cap;
} Known;

typedef struct Memory {
    Known *items;
    size_t count, cap;
    Fd lock;
    char *folder;
    bool changed, quiet; /* quiet: what is wrong with the file was said already */
} Memory;

static void seen_clear(Seen *s)
{
    free(s->id);
    free(s->database);
    free(s->server);
    free(s->system_identifier);
    free(s->filter);
    free(s->checksum);
    *s = (Seen){0};
}

static void known_clear(Known *k)
{
    for (size_t i = 0; i < k->count; i++)
        seen_clear(&k->lineages[i]);
    free(k->lineages);
    free(k->id);
    free(k->place);
    *k = (Known){0};
}

static void memory_clear(Memory *m)
{
    for (size_t i = 0; i < m->count; i++)
        known_clear(&m->items[i]);
    free(m->items);
    free(m->folder);
    fd_close(&m->lock);
}
DEFINE_AUTO_VALUE(Memory, memory_clear)

/* -- the file ------------------------------------------------------------------------------------
 */

static void read_lineage(const Doc *d, Known *k)
{
    mem_grow(k->lineages, k->count, k->cap);
    k->lineages[k->count++] =
        (Seen){.id = mem_strdup(doc_str(d, "id", "")),
               .database = mem_strdup(doc_str(d, "database", "")),
               .server = mem_strdup(doc_str(d, "server", "")),
               .system_identifier = mem_strdup(doc_str(d, "systemIdentifier", "")),
               .filter = mem_strdup(doc_str(d, "filter", "")),
               .checksum = mem_strdup(doc_str(d, "checksum", "")),
               .sequence = (uint64_t)doc_int(d, "sequence", 0)};
}

static void read_known(const Doc *d, Memory *m)
{
    mem_grow(m->items, m->count, m->cap);
    Known *k = &m->items[m->count++];
    *k = (Known){.id = mem_strdup(doc_str(d, "id", "")),
                 .place = mem_strdup(doc_str(d, "place", "")),
                 .encrypted = doc_bool(d, "encrypted", false),
                 .epoch = (uint32_t)doc_int(d, "epoch", 0),
                 .when = doc_int(d, "seen", 0)};
    const Doc *lineages = doc_get(d, "lineages");
    for (size_t i = 0; i < doc_count(lineages); i++)
        read_lineage(doc_at(lineages, i), k);
}

static Error *load(Memory *m)
{
    AUTO_VALUE(Buf) text = {0};
    AUTO(Doc) d = NULL;
    AUTO(char) path = file_join(m->folder, "seen.json");
    Error *e = file_read(path, FILE_MAX, &text);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    e = doc_parse((const char *)text.data, text.len, path, &d);
    if (e) { /* begins anew, or it would be told for ever */
        if (!m->quiet)
            log_warning("what this host has seen of repositories is lost: %s", error_message(e));
        error_drop(e);
        m->changed = true;
        return NULL;
    }
    const Doc *list = doc_get(d, "repositories");
    for (size_t i = 0; i < doc_count(list); i++)
        read_known(doc_at(list, i), m);
    return NULL;
}

static Error *open_memory(Memory *m)
{
    m->lock.n = -1;
    m->folder = state_default_folder();
    if (!m->folder)
        return NULL;
    TRY(file_make_dir(m->folder, 0700));
    AUTO(char) path = file_join(m->folder, "seen.lock");
    m->lock.n = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (m->lock.n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot open %s", path);
    while (flock(m->lock.n, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot lock %s", path);
    return load(m);
}

static Doc *lineage_doc(const Seen *s)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", s->id);
    doc_set_str(d, "database", s->database);
    doc_set_str(d, "server", s->server);
    doc_set_str(d, "systemIdentifier", s->system_identifier);
    doc_set_str(d, "filter", s->filter);
    doc_set_str(d, "checksum", s->checksum);
    doc_set_int(d, "sequence", (int64_t)s->sequence);
    return d;
}

static Error *save(const Memory *m)
{
    if (!m->folder || !m->changed)
        return NULL;
    AUTO(Doc) d = doc_object();
    Doc *list = doc_array();
    for (size_t i = 0; i < m->count; i++) {
        const Known *k = &m->items[i];
        Doc *one = doc_object(), *lineages = doc_array();
        doc_set_str(one, "id", k->id);
        doc_set_str(one, "place", k->place);
        doc_set_bool(one, "encrypted", k->encrypted);
        doc_set_int(one, "epoch", k->epoch);
        doc_set_int(one, "seen", k->when);
        for (size_t l = 0; l < k->count; l++)
            doc_push(lineages, lineage_doc(&k->lineages[l]));
        doc_set(one, "lineages", lineages);
        doc_push(list, one);
    }
    doc_set(d, "repositories", list);
    AUTO(char) text = doc_print(d, true);
    AUTO(char) path = file_join(m->folder, "seen.json");
    return file_write_atomic(path, text, strlen(text), 0600);
}

/* What goes wrong with the memory itself. */
static void shrug(Error *e)
{
    if (e)
        log_warning("what this host has seen of the repository cannot be kept: %s",
                    error_message(e));
    error_drop(e);
}

/* -- one repository -------------------------------------------------------------------------------
 */

static char *place_of(const OpContext *c)
{
    char *path = file_real_path(op_repo_dir(c));
    return path ? path : mem_strdup("");
}

static Known *find_id(const Memory *m, const char *id)
{
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->items[i].id, id))
            return &m->items[i];
    return NULL;
}

static Known *find_place(const Memory *m, const char *place)
{
    for (size_t i = 0; i < m->count && *place; i++)
        if (!strcmp(m->items[i].place, place))
            return &m->items[i];
    return NULL;
}

static void forget(Memory *m, size_t i)
{
    known_clear(&m->items[i]);
    m->items[i] = m->items[--m->count];
    m->changed = true;
}

static Known *add(Memory *m, const char *id)
{
    if (m->count >= REPOSITORIES_MAX) {
        size_t oldest = 0;
        for (size_t i = 1; i < m->count; i++)
            if (m->items[i].when < m->items[oldest].when)
                oldest = i;
        forget(m, oldest);
    }
    mem_grow(m->items, m->count, m->cap);
    Known *k = &m->items[m->count++];
    *k = (Known){.id = mem_strdup(id), .place = mem_strdup(""), .when = clock_now()};
    m->changed = true;
    return k;
}

static uint32_t epoch_of(const Repo *r)
{
    const Keyring *k = repo_keys(r);
    return k ? keyring_set_epoch(k, keyring_count(k) - 1) : 0;
}

/* *why stays NULL where the backup is there as it was, or was deleted. */
static Error *check_lineage(Repo *r, const Seen *s, bool hash, char **why)
{
    char name[NAME_TEXT];
    bool there;
    name_manifest(s->id, name);
    TRY(store_exists(repo_store(r), name, &there));
    if (!there) {
        AUTO(char) checksum = NULL;
        uint64_t given = 0;
        Lineage l = {s->database, s->server, s->system_identifier, s->filter};
        TRY(lineage_remembered(r, &l, &given, &checksum));
        if (given < s->sequence)
            *why = mem_printf("this host has seen the backup %s in it, which is neither there nor "
                              "was it deleted",
                              s->id);
        return NULL;
    }
    if (!hash || !*s->checksum)
        return NULL;
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(Hash) h = hash_new();
    uint8_t sum[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    TRY(store_get_all(repo_store(r), name, MANIFEST_MAX, &bytes));
    hash_once(h, bytes.data, bytes.len, sum);
    text_hex(sum, sizeof sum, hex);
    if (strcmp(hex, s->checksum) != 0)
        *why = mem_printf("the backup %s is not the one that this host has seen", s->id);
    return NULL;
}

/* What stands against its being the repository that was seen, and no older. Of one database's
 * backups the contents count too: what is to be written follows them. */
static Error *find_difference(const Memory *m, Repo *r, const char *place, const char *database,
                              char **why)
{
    const Known *k = find_id(m, repo_id(r)), *before = find_place(m, place);
    if (before && strcmp(before->id, repo_id(r)) != 0)
        *why = mem_printf("this host has seen another repository there (%s, now %s)", before->id,
                          repo_id(r));
    else if (k && k->encrypted && !repo_keys(r))
        *why = mem_strdup("this host has seen it encrypted");
    else if (k && k->epoch > epoch_of(r))
        *why = mem_printf("this host has seen keys of epoch %u, and now there are those of epoch "
                          "%u",
                          k->epoch, epoch_of(r));
    for (size_t i = 0; k && i < k->count && !*why; i++)
        TRY(check_lineage(r, &k->lineages[i],
                          database && !strcmp(database, k->lineages[i].database), why));
    return NULL;
}

static Error *object(const OpContext *c, const char *why, bool refuse)
{
    static const char doubt[] = "is a disk not mounted, or an older copy put in its place?";
    const char *place = op_repo_dir(c);
    if (!refuse) {
        log_warning("the repository %s is not what it was: %s; %s If it is meant so, the next "
                    "backup with --accept-older has this host take it as it is",
                    place, why, doubt);
        return NULL;
    }
    return error_hint(
        ERROR_NEW(ERR_CONFIRM, "the repository %s is not what it was: %s", place, why),
        "%s If it is meant so, --accept-older goes on", doubt);
}

/* Notes what is there now; `anew`: whatever was seen before no longer counts. */
static void note_repo(Memory *m, Repo *r, const char *place, bool anew)
{
    Known *k = find_id(m, repo_id(r));
    if (anew) {
        for (size_t i = m->count; i-- > 0;)
            if (&m->items[i] == k || !strcmp(m->items[i].place, place))
                forget(m, i);
        k = NULL;
    }
    if (!k)
        k = add(m, repo_id(r));
    if (strcmp(k->place, place) != 0 || k->encrypted != (repo_keys(r) != NULL) ||
        k->epoch != epoch_of(r)) {
        free(k->place);
        k->place = mem_strdup(place);
        k->encrypted = repo_keys(r) != NULL;
        k->epoch = epoch_of(r);
        k->when = clock_now();
        m->changed = true;
    }
}

/* -- what operations call -------------------------------------------------------------------------
 */

Error *host_memory_before(const OpContext *c)
{
    AUTO_VALUE(Memory) m = {.lock = {-1}};
    AUTO(char) place = place_of(c);
    if (c->accept_older)
        return NULL;
    Error *e = open_memory(&m);
    if (e) {
        shrug(e);
        return NULL;
    }
    const Known *k = find_place(&m, place);
    if (!k)
        return NULL;
    AUTO(char)
    why = mem_printf("this host has seen the repository %s there, and now there is none", k->id);
    return object(c, why, true);
}

Error *host_memory_check(const OpContext *c, Repo *r, bool writes)
{
    AUTO_VALUE(Memory) before = {.lock = {-1}};
    AUTO_VALUE(Memory) m = {.lock = {-1}, .quiet = true};
    AUTO(char) place = place_of(c);
    AUTO(char) database = writes ? op_database_name(c) : NULL;
    AUTO(char) why = NULL;
    Error *e = open_memory(&before);
    if (e) {
        shrug(e);
        return NULL;
    }
    /* The lock is never held while the repository is read: one that hangs is no other's matter. */
    fd_close(&before.lock);
    TRY(find_difference(&before, r, place, database, &why));
    if (why && !c->accept_older)
        return object(c, why, writes);
    e = open_memory(&m);
    if (!e) {
        note_repo(&m, r, place, why != NULL);
        e = save(&m);
    }
    shrug(e);
    return NULL;
}

void host_memory_note(const OpContext *c, Repo *r, const BackupInfo *info)
{
    AUTO_VALUE(Memory) m = {.lock = {-1}};
    AUTO(char) place = place_of(c);
    Error *e = open_memory(&m);
    if (e) {
        shrug(e);
        return;
    }
    note_repo(&m, r, place, false);
    Known *k = find_id(&m, repo_id(r));
    Lineage own = lineage_of(info);
    Seen *seen = NULL;
    for (size_t i = 0; i < k->count && !seen; i++) {
        Seen *s = &k->lineages[i];
        Lineage other = {s->database, s->server, s->system_identifier, s->filter};
        if (lineage_same(&own, &other))
            seen = s;
    }
    if (seen && seen->sequence >= info->sequence)
        return;
    if (!seen) {
        mem_grow(k->lineages, k->count, k->cap);
        seen = &k->lineages[k->count++];
        *seen = (Seen){0};
    }
    seen_clear(seen);
    *seen = (Seen){.id = mem_strdup(info->id),
                   .database = mem_strdup(info->database),
                   .server = mem_strdup(info->server),
                   .system_identifier = mem_strdup(info->system_identifier),
                   .filter = mem_strdup(info->filter),
                   .checksum = mem_strdup(info->checksum ? info->checksum : ""),
                   .sequence = info->sequence};
    k->when = clock_now();
    m.changed = true;
    shrug(save(&m));
}
