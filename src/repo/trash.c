#include "repo/trash.h"

#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/catalog.h"
#include "repo/lineage.h"
#include "repo/pin.h"
#include "repo/repo_internal.h"

#define TRASH "trash/"

void trashed_clear(Trashed *t)
{
    free(t->id);
    backup_info_clear(&t->info);
    *t = (Trashed){0};
}

void trash_list_clear(TrashList *l)
{
    for (size_t i = 0; i < l->count; i++)
        trashed_clear(&l->items[i]);
    free(l->items);
    *l = (TrashList){0};
}

/* -- looking ---------------------------------------------------------------------------------- */

Error *trash_look(Repo *r, const char *id, Trashed *out, bool *found)
{
    AUTO(Doc) d = NULL;
    char name[NAME_TEXT];
    *found = false;
    Error *e = note_get(r, name_trash(id, name), &d);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    if (!e && strcmp(doc_str(d, "backup", ""), id) != 0)
        e = ERROR_NEW(ERR_DAMAGED, "%s is the marker of another backup", name);
    if (!e)
        e = error_rekind(clock_parse(doc_str(d, "deleted", ""), &out->deleted), ERR_DAMAGED);
    if (e && error_kind(e) != ERR_DAMAGED)
        return e;
    if (e) {
        log_warning("the marker of a deleted backup cannot be read, so it stays: %s",
                    error_message(e));
        out->deleted = 0;
    }
    error_drop(e);
    *found = true;
    out->id = mem_strdup(id);
    strncpy(out->by, d ? doc_str(d, "by", "") : "", sizeof out->by - 1);
    uint8_t unique[SESSION_BYTES];
    if (!text_unhex(out->by, unique, sizeof unique))
        out->deleted = 0; /* nothing can be decided of it */
    return NULL;
}

static Error *read_facts(Repo *r, Trashed *t)
{
    char name[NAME_TEXT];
    uint64_t size;
    Error *e = store_size(repo_store(r), name_manifest(t->id, name), &size);
    if (!e)
        e = catalog_read_info(r, t->id, size, &t->info);
    if (e && error_kind(e) != ERR_NOT_FOUND && error_kind(e) != ERR_FENCED &&
        error_kind(e) != ERR_DAMAGED)
        return e;
    t->there = !e;
    error_drop(e);
    return NULL;
}

Error *trash_list(Repo *r, bool facts, TrashList *out)
{
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(repo_store(r), TRASH, &names));
    for (size_t i = 0; i < names.count; i++) {
        AUTO_VALUE(Trashed) t = {0};
        bool found;
        TRY(trash_look(r, names.items[i] + strlen(TRASH), &t, &found));
        if (!found)
            continue;
        if (facts)
            TRY(read_facts(r, &t));
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = t;
        t = (Trashed){0};
    }
    return NULL;
}

/* -- purge or undelete: the first wins ----------------------------------------------------------
 */

/* What becomes of a marker is decided once, by a put that only one can carry out: looking, however
 * often, does not help against a process that is paused between its look and its deed. *ours: it
 * was decided as we want it, by us or by one who wanted the same. A marker that cannot be read is
 * never purged, so there is nothing to decide. */
static Error *decide(Repo *r, const Trashed *marker, const char *what, bool *ours)
{
    AUTO(Doc) d = doc_object();
    AUTO(Doc) there = NULL;
    char name[NAME_TEXT];
    *ours = true;
    if (!marker->deleted)
        return NULL;
    doc_set_str(d, "backup", marker->id);
    doc_set_str(d, "by", marker->by);
    doc_set_str(d, "decided", what);
    Error *e = note_put(r, name_decision(marker->by, name), d);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    error_drop(e);
    TRY(note_get(r, name, &there));
    *ours = !strcmp(doc_str(there, "decided", ""), what);
    return NULL;
}

/* -- delete and undelete ---------------------------------------------------------------------- */

static Error *pinned_one(const char *id)
{
    return error_hint(ERROR_NEW(ERR_PINNED, "the backup %s is pinned", id),
                      "pgstow unpin %s, if it may really go", id);
}

Error *trash_put(Repo *r, const char *id)
{
    AUTO(Doc) d = doc_object();
    SessionId unique = session_id_new();
    char name[NAME_TEXT], time[CLOCK_TEXT], by[SESSION_TEXT];
    bool pinned;
    TRY(repo_may(r, REPO_DELETE));
    TRY(catalog_must_exist(r, id));
    TRY(pin_look(r, id, &pinned));
    if (pinned)
        return pinned_one(id);
    text_hex(unique.b, SESSION_BYTES, by);
    doc_set_str(d, "backup", id);
    doc_set_str(d, "deleted", clock_iso(clock_now(), time));
    doc_set_str(d, "by", by);
    FAULT_POINT("trash.put.looked");
    Error *e = note_put(r, name_trash(id, name), d);
    if (e && error_kind(e) == ERR_EXISTS) {
        error_drop(e);
        return catalog_deleted_one(id);
    }
    TRY(e);
    FAULT_POINT("trash.put.marked");
    /* Pinned meanwhile: a purge looks for pins too, so that this only brings it into sight again.
     */
    TRY(pin_look(r, id, &pinned));
    if (!pinned)
        return NULL;
    TRY_CTX(trash_undelete(r, id), "%s was pinned while it was deleted", id);
    return pinned_one(id);
}

/* The manifest must be there. One that is damaged may come back too: verify says so then. */
static Error *name_packs(Repo *r, const char *id, SessionInfo *s)
{
    AUTO(Manifest) m = NULL;
    char name[NAME_TEXT];
    uint64_t size;
    Error *e = store_size(repo_store(r), name_manifest(id, name), &size);
    if (!e)
        e = catalog_read_packs(r, id, size, &m);
    if (e && error_kind(e) == ERR_DAMAGED) {
        error_drop(e);
        return NULL;
    }
    if (e && (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_FENCED)) {
        error_drop(e);
        FAIL(ERR_NOT_FOUND, "the backup %s is purged already, if only in part", id);
    }
    TRY(e);
    free(s->packs);
    s->packs = mem_calloc(m->pack_count, sizeof *s->packs);
    s->pack_count = s->pack_cap = m->pack_count;
    for (size_t i = 0; i < m->pack_count; i++)
        s->packs[i] = m->packs[i].id;
    return NULL;
}

static Error *take_marker_away(Repo *r, const char *id, SessionInfo *s)
{
    AUTO_VALUE(Trashed) marker = {0};
    char name[NAME_TEXT];
    bool found, first, alive;
    TRY(trash_look(r, id, &marker, &found));
    if (!found)
        FAIL(ERR_NOT_FOUND, "the backup %s is not in the trash", id);
    FAULT_POINT("undelete.looked");
    TRY(decide(r, &marker, "undelete", &first));
    if (!first)
        FAIL(ERR_NOT_FOUND, "the backup %s is being purged, or is purged in part", id);
    FAULT_POINT("undelete.decided");
    TRY(name_packs(r, id, s)); /* looks whether it is still there */
    Error *e = store_delete(repo_store(r), name_trash(id, name));
    if (e && error_kind(e) == ERR_NOT_FOUND) /* by another undelete */
        error_drop(e);
    else
        TRY(e);
    FAULT_POINT("undelete.done");
    TRY(store_barrier(repo_store(r)));
    /* Without it a later marker of this backup may have been purged beside us. */
    TRY(store_exists(repo_store(r), name_session(s->id, name), &alive));
    if (!alive)
        return error_hint(ERROR_NEW(ERR_FENCED, "this process was taken for dead meanwhile"),
                          "\"pgstow list\" shows whether %s is there", id);
    return NULL;
}

Error *trash_undelete(Repo *r, const char *id)
{
    AUTO_VALUE(SessionInfo)
    s = {.kind = SESSION_READER, .backup_id = mem_strdup(id), .what = mem_strdup("undelete")};
    AUTO_VALUE(Trashed) marker = {0};
    bool found;
    TRY(repo_may(r, REPO_DELETE));
    TRY(trash_look(r, id, &marker, &found));
    if (!found) {
        TRY(catalog_must_exist(r, id));
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "the backup %s is not in the trash", id),
                          "it is there as it is: pgstow show %s", id);
    }
    TRY(name_packs(r, id, &s));
    session_info_here(&s);
    TRY(session_put(r, &s));
    Error *e = fault_reach("undelete.session");
    if (!e)
        e = take_marker_away(r, id, &s);
    return error_first(e, session_end(r, s.id));
}

/* -- purging ---------------------------------------------------------------------------------- */

static bool works_with(const SessionInfo *s, const char *id)
{
    /* A reader of nothing in particular reads all. A writer goes on from its parent: between its
     * session and its commit its packs are named by it alone, and a prune that listed sessions
     * before must still find the parent's manifest. And while another prune is at work nothing is
     * purged at all: its lists may be older than the marker. */
    return s->kind == SESSION_PRUNE || !strcmp(s->backup_id, id) ||
           (s->kind == SESSION_READER && !*s->backup_id) ||
           (s->kind == SESSION_WRITER && strlist_has(&s->parents, id));
}

static Error *in_use(Repo *r, const PurgeOptions *o, const char *id, char **why)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(r, &list, &count));
    bool own_there = false;
    for (size_t i = 0; i < count && !*why; i++) {
        const SessionInfo *s = &list[i];
        bool is_own = !memcmp(s->id.b, o->own.b, SESSION_BYTES);
        own_there = own_there || is_own;
        if (!is_own && works_with(s, id) && !session_given_up(s, o->now, o->limit_ms))
            *why =
                mem_printf("in use: %s by process %lld on %s", s->what, (long long)s->pid, s->host);
    }
    session_list_free(list, count);
    if (!own_there && !*why)
        FAIL(ERR_FENCED, "this prune was declared dead by another one");
    return NULL;
}

/* A later one of its lineage that is still there, marked or not, holds the number itself. */
static Error *remember_number(Repo *r, const char *id, const BackupInfo *info, const char *later)
{
    AUTO(char) checksum = NULL;
    AUTO(char) noted = NULL;
    Lineage l = lineage_of(info);
    uint64_t sequence;
    bool there = false;
    char name[NAME_TEXT];
    if (later)
        TRY(store_exists(repo_store(r), name_manifest(later, name), &there));
    if (there)
        return NULL;
    TRY(lineage_remembered(r, &l, &sequence, &noted));
    if (sequence >= info->sequence)
        return NULL;
    TRY(catalog_checksum(r, id, &checksum));
    return lineage_remember(r, info, checksum);
}

static Error *delete_there(Repo *r, const char *name)
{
    Error *e = store_delete(repo_store(r), name);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    return e;
}

/* *there: a manifest that may be deleted. A tombstone stays for ever. */
static Error *look_at_manifest(Repo *r, const char *id, const char *later, bool *there)
{
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    uint64_t size;
    Error *e = store_size(repo_store(r), name_manifest(id, name), &size);
    if (!e)
        e = catalog_read_info(r, id, size, &info);
    *there = !e || error_kind(e) == ERR_DAMAGED;
    bool absent = e && (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_FENCED);
    if (e && !*there && !absent)
        return e;
    if (!e) {
        e = remember_number(r, id, &info, later);
        if (e && error_kind(e) == ERR_NOT_FOUND) { /* by another prune, which noted the number */
            *there = false;
            absent = true;
        }
        if (e && !absent)
            return e;
    }
    error_drop(e);
    return NULL;
}

static Error *delete_objects(Repo *r, const char *id, const char *later)
{
    AUTO_VALUE(StrList) proofs = {0};
    AUTO(char) prefix = mem_printf("proofs/%s/", id);
    char name[NAME_TEXT];
    bool there;
    TRY(look_at_manifest(r, id, later, &there));
    FAULT_POINT("prune.purge.remembered");
    if (there)
        TRY(delete_there(r, name_manifest(id, name)));
    FAULT_POINT("prune.purge.manifest");
    /* Before the marker: a power loss must not bring back the one without the other. Also where
     * another prune deleted it, whose own barrier may still be to come. */
    store_adopt(repo_store(r), name_manifest(id, name));
    TRY(store_barrier(repo_store(r)));
    TRY(delete_there(r, name_metadata(id, name)));
    FAULT_POINT("prune.purge.metadata");
    TRY(note_names(repo_store(r), prefix, &proofs));
    for (size_t i = 0; i < proofs.count; i++)
        TRY(delete_there(r, proofs.items[i]));
    FAULT_POINT("prune.purge.proofs");
    TRY(store_barrier(repo_store(r)));
    TRY(delete_there(r, name_trash(id, name)));
    FAULT_POINT("prune.purge.marker");
    return NULL;
}

Error *trash_purge(Repo *r, const PurgeOptions *o, const Trashed *seen, bool *purged, char **why)
{
    AUTO_VALUE(Trashed) again = {0};
    bool found, pinned, ours;
    char name[NAME_TEXT];
    *purged = false;
    *why = NULL;
    TRY(in_use(r, o, seen->id, why));
    FAULT_POINT("prune.purge.sessions");
    if (*why)
        return NULL;
    TRY(pin_look(r, seen->id, &pinned));
    if (pinned) {
        *why = mem_strdup("pinned");
        return NULL;
    }
    TRY(trash_look(r, seen->id, &again, &found));
    if (!found || strcmp(again.by, seen->by) != 0) {
        *why = mem_strdup("undeleted meanwhile");
        return NULL;
    }
    FAULT_POINT("prune.purge.looked");
    TRY(decide(r, &again, "purge", &ours));
    if (!ours) {
        *why = mem_printf("it was about to be taken back; pgstow undelete %s does it", seen->id);
        return NULL;
    }
    FAULT_POINT("prune.purge.decided");
    TRY(delete_objects(r, seen->id, o->later));
    TRY(store_barrier(repo_store(r)));
    TRY(delete_there(r, name_decision(seen->by, name)));
    *purged = true;
    return NULL;
}
