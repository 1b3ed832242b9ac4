#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/lineage.h"
#include "repo/repo_internal.h"
#include "repo/writer_parts.h"

/* How often parents that vanish meanwhile, or an id that another takes, are chosen anew. */
#define ATTEMPTS 8
/* A copy holds no lock of the database: one of another host, which cannot be asked, is left alone
 * so long. */
#define COPY_SILENT_MS (24 * 3600 * INT64_C(1000))
#define WHAT_COPY "copy"
#define ID_NUMBERS 1000 /* as often may runs that were to have one id have died */

static void stream_state_free(StreamState *s)
{
    for (size_t i = 0; i < s->s.piece_count; i++)
        piece_clear(&s->s.pieces[i]);
    free(s->s.pieces);
    free(s->s.schema);
    free(s->s.name);
    free(s->done);
    dedup_stream_free(s->dedup);
    free(s);
}

/* Whatever depends on the parents that were chosen. */
static void forget_parents(Writer *w)
{
    for (size_t i = 0; i < w->dead_count; i++)
        session_info_clear(&w->dead[i]);
    w->dead_count = 0;
    dedup_free(w->dedup);
    w->dedup = NULL;
    strlist_free(&w->parents);
    free(w->parent_id);
    w->parent_id = mem_strdup("");
    free(w->predecessor_hash);
    w->predecessor_hash = mem_strdup("");
    w->sequence = 1;
    for (Sparse s = SPARSE_NOT; s < SPARSE_KINDS; s++)
        atomic_store(&w->rewrite_left[s], 0);
}

/* Nothing that this session finished may be lost, so it is fenced (nobody is to take it for one
 * that could still commit) and stays; so does one whose manifest may stand although putting it
 * failed, since the next run has to describe it. One that finished nothing leaves no trace. */
static void give_up(Writer *w, const SessionInfo *s, bool stays)
{
    bool committed;
    Error *e =
        stays ? session_fence(w->repo, s, w->session.id, &committed) : session_end(w->repo, s->id);
    if (e)
        log_debug("the session of %s stays as it is: %s", s->backup_id, error_message(e));
    error_drop(e);
}

static void abandon(Writer *w)
{
    give_up(w, &w->session, w->committing || (w->own_count && !w->carried));
    if (w->carried)
        give_up(w, &w->dead[w->dead_count - 1], w->own_count);
}

void writer_free(Writer *w)
{
    if (!w)
        return;
    packer_free(w->data);
    packer_free(w->recipes);
    if (w->session_there && !w->committed)
        abandon(w);
    for (size_t i = 0; i < w->stream_count; i++)
        stream_state_free(w->streams[i]);
    forget_parents(w);
    free(w->streams);
    free(w->dead);
    free(w->parent_id);
    free(w->predecessor_hash);
    free(w->filter);
    free(w->system_identifier);
    free(w->copy_id);
    session_info_clear(&w->session);
    free(w->uses.items);
    free(w->own);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* -- sessions of this database ---------------------------------------------------------------- */

static Error *busy(const SessionInfo *s)
{
    char time[CLOCK_TEXT];
    return error_hint(ERROR_NEW(ERR_BUSY,
                                "another %s of %s is running: process %lld on %s, since %s",
                                *s->what ? s->what : "backup", s->database, (long long)s->pid,
                                s->host, clock_human(s->started, time)),
                      "wait for it to end, or stop that process");
}

/* What stands at the manifest's name of a session. */
typedef enum SessionEnd { END_NONE, END_COMMITTED, END_FENCED } SessionEnd;

static Error *look_at_end(Repo *r, const SessionInfo *s, SessionEnd *end)
{
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    uint64_t size;
    Error *e = store_size(repo_store(r), name_manifest(s->backup_id, name), &size);
    if (!e)
        e = catalog_read_info(r, s->backup_id, size, &info);
    *end = !e ? END_COMMITTED : error_kind(e) == ERR_NOT_FOUND ? END_NONE : END_FENCED;
    /* One that is damaged keeps the session from committing just as well. */
    if (e && error_kind(e) != ERR_NOT_FOUND && error_kind(e) != ERR_FENCED &&
        error_kind(e) != ERR_DAMAGED)
        return e;
    error_drop(e);
    return NULL;
}

static bool is_copy(const SessionInfo *s)
{
    return strcmp(s->what, WHAT_COPY) == 0;
}

/* Whoever holds the database's lock knows that those of other hosts are dead. */
static bool may_live(const Writer *w, const SessionInfo *s)
{
    if (!w->copy_id)
        return session_state(s) == SESSION_ALIVE;
    return !session_given_up(s, clock_now(), COPY_SILENT_MS);
}

/* *take: its packs are ours to use. */
static Error *meet_session(Writer *w, const SessionInfo *s, bool *take)
{
    *take = false;
    SessionEnd end;
    TRY(look_at_end(w->repo, s, &end));
    SessionState state = session_state(s);
    if (end == END_NONE) {
        if (may_live(w, s))
            return busy(s);
        /* What a dead backup has stored is for the next backup. */
        if (w->copy_id && !is_copy(s))
            return NULL;
        bool committed;
        TRY(session_fence(w->repo, s, w->session.id, &committed));
        end = committed ? END_COMMITTED : END_FENCED;
    }
    *take = end == END_FENCED && is_copy(s) == (w->copy_id != NULL);
    /* A live one that has committed is just about to end its session itself. */
    if (end == END_COMMITTED && state != SESSION_ALIVE)
        return session_finish_committed(w->repo, s);
    return NULL;
}

/* Of the database whose lock the caller holds. One address may be several servers' (every host has
 * its own "localhost"), and then that lock says nothing about theirs. */
static bool is_ours(const Writer *w, const SessionInfo *s)
{
    if (is_copy(s) && !w->copy_id)
        return false;
    bool other_server = *w->system_identifier && *s->system_identifier &&
                        strcmp(s->system_identifier, w->system_identifier) != 0;
    return s->kind == SESSION_WRITER && !other_server &&
           strcmp(s->database, w->session.database) == 0 &&
           strcmp(s->server, w->session.server) == 0 &&
           memcmp(s->id.b, w->session.id.b, SESSION_BYTES) != 0;
}

static Error *meet_sessions(Writer *w)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(w->repo, &list, &count));
    Error *e = NULL;
    for (size_t i = 0; i < count && !e; i++) {
        bool take = false;
        if (is_ours(w, &list[i]))
            e = meet_session(w, &list[i], &take);
        if (take) {
            mem_grow(w->dead, w->dead_count, w->dead_cap);
            w->dead[w->dead_count++] = list[i];
            list[i] = (SessionInfo){0};
        }
    }
    session_list_free(list, count);
    return e;
}

Error *writer_check_alone(Writer *w)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(w->repo, &list, &count));
    Error *e = NULL;
    for (size_t i = 0; i < count && !e; i++) {
        bool known = !is_ours(w, &list[i]) || !may_live(w, &list[i]);
        for (size_t k = 0; k < w->dead_count; k++)
            known = known || !memcmp(list[i].id.b, w->dead[k].id.b, SESSION_BYTES);
        SessionEnd end = END_NONE;
        if (!known)
            e = look_at_end(w->repo, &list[i], &end);
        if (!e && !known && end == END_NONE)
            e = busy(&list[i]);
    }
    session_list_free(list, count);
    return e;
}

/* -- the parent ------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_database(const Writer *w, const BackupInfo *i)
{
    if (i->database_oid != w->session.database_oid)
        return false;
    if (*w->system_identifier || (i->system_identifier && *i->system_identifier))
        return same_text(i->system_identifier, w->system_identifier);
    return same_text(i->server, w->session.server) && same_text(i->database, w->session.database);
}

/* How well a backup serves as parent: 0 not at all, then by its name, then the same database. */
static int fitness(const Writer *w, const BackupInfo *i)
{
    if (i->filter && *i->filter && !same_text(i->filter, w->filter))
        return 0;
    return same_database(w, i) ? 2 : same_text(i->database, w->session.database) ? 1 : 0;
}

/* The best one that was not tried yet; NULL where there is none. */
static const BackupInfo *best_parent(const Writer *w, const BackupList *l, const StrList *tried)
{
    const BackupInfo *best = NULL;
    for (size_t i = 0; i < l->count; i++) {
        const BackupInfo *x = &l->items[i];
        int fit = fitness(w, x);
        if (!fit || strlist_has(tried, x->id))
            continue;
        int best_fit = best ? fitness(w, best) : 0;
        if (fit > best_fit || (fit == best_fit && lineage_after(x, best)))
            best = x;
    }
    return best;
}

static Error *choose_parent(Writer *w, const WriterOptions *o, const BackupList *l, Manifest **out)
{
    *out = NULL;
    if (o->parent)
        return *o->parent ? catalog_load(w->repo, o->parent, out) : NULL;
    AUTO_VALUE(StrList) tried = {0};
    const BackupInfo *best;
    while (!*out && (best = best_parent(w, l, &tried))) {
        strlist_add(&tried, best->id);
        Error *e = catalog_load(w->repo, best->id, out);
        if (e && error_kind(e) != ERR_DAMAGED && error_kind(e) != ERR_NOT_FOUND)
            return e;
        if (e)
            log_warning("%s cannot serve as parent: %s", best->id, error_message(e));
        error_drop(e);
    }
    return NULL;
}

/* -- number and predecessor within the lineage ------------------------------------------------ */

static Lineage own_lineage(const Writer *w)
{
    return (Lineage){w->session.database, w->session.server, w->system_identifier, w->filter};
}

/* A marked one counts too, so that no number is given twice. */
typedef struct Latest {
    Writer *w;
    BackupInfo info;
    bool any;
} Latest;

static void consider(Latest *l, const BackupInfo *i)
{
    Lineage own = own_lineage(l->w), other = lineage_of(i);
    if (!lineage_same(&own, &other) || (l->any && l->info.sequence >= i->sequence))
        return;
    backup_info_clear(&l->info);
    backup_info_copy(&l->info, i);
    l->any = true;
}

static Error *consider_marked(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    Latest *l = ctx;
    const char *id = strchr(name, '/') + 1;
    AUTO_VALUE(BackupInfo) info = {0};
    char manifest[NAME_TEXT];
    uint64_t manifest_size;
    Error *e = store_size(repo_store(l->w->repo), name_manifest(id, manifest), &manifest_size);
    if (!e)
        e = catalog_read_info(l->w->repo, id, manifest_size, &info);
    if (!e)
        consider(l, &info);
    error_drop(e); /* one that cannot be read any more has no say in numbers */
    return NULL;
}

/* The last of the lineage may have been purged: last of all, since a purge notes a number before
 * the manifest goes. */
static Error *follow_purged(Writer *w, uint64_t highest, bool *purged)
{
    AUTO(char) checksum = NULL;
    Lineage own = own_lineage(w);
    uint64_t sequence;
    TRY(lineage_remembered(w->repo, &own, &sequence, &checksum));
    *purged = sequence > highest;
    if (*purged) {
        w->sequence = sequence + 1;
        free(w->predecessor_hash);
        w->predecessor_hash = STEAL(checksum);
    }
    return NULL;
}

static Error *hash_predecessor(Writer *w, const char *id, uint64_t sequence)
{
    char *hash = NULL;
    bool purged;
    Error *e = catalog_checksum(w->repo, id, &hash);
    if (e && error_kind(e) == ERR_NOT_FOUND) { /* purged just now */
        error_drop(e);
        return follow_purged(w, sequence - 1, &purged);
    }
    TRY(e);
    free(w->predecessor_hash);
    w->predecessor_hash = hash;
    return NULL;
}

Error *writer_find_predecessor(Writer *w, const BackupList *list)
{
    Latest l = {.w = w};
    bool purged;
    for (size_t i = 0; i < list->count; i++)
        consider(&l, &list->items[i]);
    Error *e = store_list(repo_store(w->repo), "trash/", consider_marked, &l);
    if (!e)
        e = follow_purged(w, l.any ? l.info.sequence : 0, &purged);
    if (!e && l.any && !purged) {
        w->sequence = l.info.sequence + 1;
        e = hash_predecessor(w, l.info.id, l.info.sequence);
    }
    backup_info_clear(&l.info);
    return e;
}

/* -- opening ---------------------------------------------------------------------------------- */

static Error *find_parents(Writer *w, const WriterOptions *o)
{
    AUTO_VALUE(BackupList) list = {0};
    forget_parents(w);
    TRY(meet_sessions(w));
    TRY(catalog_list(w->repo, NULL, &list));
    TRY(writer_find_predecessor(w, &list));
    DedupOptions options = {.dead_count = w->dead_count};
    if (o->copy)
        TRY(writer_copy_parents(w->repo, o->copy, &list, w->dead, w->dead_count, &options.parent,
                                &w->parents));
    else
        TRY(choose_parent(w, o, &list, &options.parent));
    if (options.parent && !o->copy)
        strlist_add(&w->parents, options.parent->info.id);
    if (options.parent) {
        free(w->parent_id);
        w->parent_id = mem_strdup(options.parent->info.id);
        options.same_database = same_database(w, &options.parent->info);
    }
    SessionId *dead = mem_calloc(w->dead_count, sizeof *dead);
    for (size_t i = 0; i < w->dead_count; i++)
        dead[i] = w->dead[i].id;
    options.dead = dead;
    Error *e = dedup_new(w->repo, &options, &w->dedup);
    free(dead);
    TRY(e);
    for (Sparse s = SPARSE_NOT; s < SPARSE_KINDS; s++)
        atomic_store(&w->rewrite_left[s], parent_packs_rewrite_limit(dedup_packs(w->dedup), s));
    return NULL;
}

static Error *id_taken(Writer *w, const char *id, const SessionInfo *list, size_t count,
                       bool *taken)
{
    char name[NAME_TEXT];
    *taken = false;
    for (size_t i = 0; i < count; i++)
        *taken = *taken || strcmp(list[i].backup_id, id) == 0;
    if (!*taken)
        TRY(store_exists(repo_store(w->repo), name_manifest(id, name), taken));
    if (!*taken)
        TRY(store_exists(repo_store(w->repo), name_trash(id, name), taken));
    return NULL;
}

static Error *choose_given_id(Writer *w, const char *id, const SessionInfo *list, size_t count)
{
    bool taken = true;
    for (unsigned n = 1; taken; n++) {
        SessionEnd end;
        free(w->session.backup_id);
        w->session.backup_id = n == 1 ? mem_strdup(id) : mem_printf("%s-%u", id, n);
        TRY(id_taken(w, w->session.backup_id, list, count, &taken));
        if (!taken)
            break;
        TRY(look_at_end(w->repo, &w->session, &end));
        if ((end != END_FENCED && !w->renumber) || n == ID_NUMBERS)
            FAIL(ERR_EXISTS, "backup %s is there already (perhaps deleted), or is being made",
                 w->session.backup_id);
    }
    return NULL;
}

Error *writer_choose_given_id(Writer *w, const char *id)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(w->repo, &list, &count));
    Error *e = choose_given_id(w, id, list, count);
    session_list_free(list, count);
    return e;
}

/* Nobody's but this session's. */
static char *name_of_copy(Writer *w)
{
    char text[SESSION_TEXT];
    text_hex(w->session.id.b, SESSION_BYTES, text);
    free(w->session.backup_id);
    return mem_printf("%s.copy-%s", w->copy_id, text);
}

/* The first free second from the one asked for. */
static Error *choose_id(Writer *w, Instant from, const char *given)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(w->repo, &list, &count));
    Error *e = NULL;
    bool taken = !given;
    w->timestamp = from;
    if (w->copy_id)
        w->session.backup_id = name_of_copy(w);
    else if (given)
        e = choose_given_id(w, given, list, count);
    for (; taken && !e; w->timestamp += taken ? 1000 : 0) {
        free(w->session.backup_id);
        w->session.backup_id = backup_id_make(w->session.database, w->timestamp);
        e = id_taken(w, w->session.backup_id, list, count, &taken);
    }
    session_list_free(list, count);
    return e;
}

static Error *put_session(Writer *w)
{
    SessionInfo *s = &w->session;
    strlist_free(&s->parents);
    strlist_copy(&s->parents, &w->parents);
    s->pack_count = 0;
    for (size_t i = 0; i < dedup_pack_count(w->dedup); i++) {
        mem_grow(s->packs, s->pack_count, s->pack_cap);
        s->packs[s->pack_count++] = dedup_pack_at(w->dedup, i);
    }
    w->session_there = true; /* perhaps, also where the put fails */
    return session_put(w->repo, s);
}

/* Another writer may have taken the same id at the same moment (a database of the same name on
 * another server). Whoever sees the other gives the id up, since the other may have looked before
 * there was anything to see; of two that do, the one with the greater session goes on to the next
 * second, so that they do not meet again. */
static Error *give_way(Writer *w, bool *contested, Instant *from)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(w->repo, &list, &count));
    bool greater = false;
    *contested = false;
    for (size_t i = 0; i < count; i++) {
        int order = memcmp(list[i].id.b, w->session.id.b, SESSION_BYTES);
        if (order == 0 || list[i].kind != SESSION_WRITER ||
            strcmp(list[i].backup_id, w->session.backup_id) != 0)
            continue;
        *contested = true;
        greater = greater || order < 0;
    }
    session_list_free(list, count);
    if (greater)
        *from = w->timestamp + 1000;
    return NULL;
}

/* With the session visible: do the parents still stand, unmarked? */
static Error *parents_stand(Writer *w, bool *stand)
{
    char name[NAME_TEXT];
    *stand = true;
    for (size_t i = 0; i < w->parents.count && *stand; i++) {
        const char *parent = w->parents.items[i];
        bool deleted, exists;
        TRY(catalog_is_deleted(w->repo, parent, &deleted));
        TRY(store_exists(repo_store(w->repo), name_manifest(parent, name), &exists));
        *stand = exists && !deleted;
    }
    for (size_t i = 0; i < w->dead_count && *stand; i++)
        TRY(store_exists(repo_store(w->repo), name_session(w->dead[i].id, name), stand));
    return NULL;
}

static Error *open_session(Writer *w, const WriterOptions *o)
{
    Instant from = o->timestamp;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        session_info_here(&w->session);
        TRY(find_parents(w, o));
        TRY(choose_id(w, from, o->id));
        TRY(put_session(w));
        FAULT_POINT("writer.open.session");
        bool stand, contested;
        TRY(parents_stand(w, &stand));
        TRY(give_way(w, &contested, &from));
        FAULT_POINT("writer.open.checked");
        if (stand && !contested)
            return NULL;
        TRY(session_end(w->repo, w->session.id));
        w->session_there = false;
    }
    return error_hint(ERROR_NEW(ERR_BUSY, "the backups that this one builds on keep being deleted, "
                                          "or its id keeps being taken"),
                      "wait for the deleting to end, or name one that stays as the parent");
}

Error *writer_chunk_hash(const Writer *w, ChunkHash *out)
{
    uint8_t tag[LINEAGE_TAG_BYTES];
    out->keys = repo_keys(w->repo);
    if (!out->keys)
        return NULL;
    TRY(keyring_tag(out->keys, w->session.database, tag));
    return chunk_hash_for(out, tag);
}

static Writer *writer_new(Repo *r, const WriterOptions *o, Job *job)
{
    Writer *w = mem_new(Writer);
    w->repo = r;
    w->job = job;
    w->rate = o->rate;
    w->level = o->level;
    w->filter = mem_strdup(o->filter ? o->filter : "");
    w->system_identifier = mem_strdup(o->system_identifier ? o->system_identifier : "");
    w->session.kind = SESSION_WRITER;
    w->session.database = mem_strdup(o->database);
    w->session.server = mem_strdup(o->server ? o->server : "");
    w->session.system_identifier = mem_strdup(w->system_identifier);
    w->session.database_oid = o->database_oid;
    w->session.what = mem_strdup(o->copy ? WHAT_COPY : "backup");
    w->copy_id = o->copy ? mem_strdup(o->id) : NULL;
    w->renumber = o->copy && o->copy->renumber;
    pthread_mutex_init(&w->lock, NULL);
    atomic_init(&w->rewritten, 0);
    return w;
}

Error *writer_open(Repo *r, const WriterOptions *options, Job *job, Writer **out)
{
    TRY(repo_may(r, REPO_WRITE));
    AUTO(Writer) w = writer_new(r, options, job);
    TRY(open_session(w, options));
    TRY(packer_new(repo_store(r), repo_keys(r), w->session.database, w->session.id, PACK_DATA, 0,
                   writer_pack_done, w, &w->data));
    TRY(packer_new(repo_store(r), repo_keys(r), w->session.database, w->session.id, PACK_RECIPE, 1,
                   writer_pack_done, w, &w->recipes));
    *out = STEAL(w);
    return NULL;
}
