#include "repo/session.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc_id.h"
#include "repo/repo_internal.h"
#include "repo/session_peer.h"

#define SESSIONS "sessions/"

void session_info_clear(SessionInfo *s)
{
    free(s->backup_id);
    free(s->database);
    free(s->server);
    free(s->system_identifier);
    free(s->host);
    free(s->boot);
    free(s->what);
    strlist_free(&s->parents);
    free(s->packs);
    *s = (SessionInfo){0};
}

/* -- this process and others ----------------------------------------------------------------- */

static char *host_text(void)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) < 0)
        name[0] = 0;
    return mem_strdup(name);
}

void session_info_here(SessionInfo *s)
{
    free(s->host);
    free(s->boot);
    s->id = session_id_new();
    s->host = host_text();
    s->boot = proc_id_boot();
    s->pid = getpid();
    s->pid_start = proc_id_start(s->pid);
    s->started = clock_now();
}

SessionState session_state(const SessionInfo *s)
{
    AUTO(char) host = host_text();
    AUTO(char) boot = proc_id_boot();
    if (s->gone)
        return SESSION_DEAD;
    /* A name alone does not make a host (containers share them): the boot must be the same too. */
    if (!*boot || strcmp(s->host, host) != 0 || strcmp(s->boot, boot) != 0)
        return SESSION_ELSEWHERE;
    return proc_id_is_alive(s->pid, s->pid_start) ? SESSION_ALIVE : SESSION_DEAD;
}

/* -- the object ------------------------------------------------------------------------------ */

static const char *const kind_names[] = {"writer", "reader", "prune"};

static Doc *session_doc(const SessionInfo *s)
{
    char id[SESSION_TEXT], time[CLOCK_TEXT];
    Doc *d = doc_object(), *packs = doc_array();
    text_hex(s->id.b, SESSION_BYTES, id);
    doc_set_str(d, "id", id);
    doc_set_str(d, "kind", kind_names[s->kind - 1]);
    doc_set_str(d, "what", s->what);
    doc_set_str(d, "backup", s->backup_id);
    doc_set_str(d, "database", s->database);
    doc_set_int(d, "databaseOid", s->database_oid);
    doc_set_str(d, "server", s->server);
    doc_set_str(d, "systemIdentifier", s->system_identifier ? s->system_identifier : "");
    doc_set_str(d, "host", s->host);
    doc_set_str(d, "boot", s->boot);
    doc_set_int(d, "pid", s->pid);
    doc_set_int(d, "pidStart", s->pid_start);
    doc_set_str(d, "started", clock_iso(s->started, time));
    doc_set(d, "parents", doc_texts(&s->parents));
    /* A pack's name without its folder, which follows from the number. */
    for (size_t i = 0; i < s->pack_count; i++) {
        char name[NAME_TEXT];
        doc_push_str(packs, strrchr(name_pack(s->packs[i], name), '/') + 1);
    }
    doc_set(d, "packs", packs);
    return d;
}

static Error *parse_packs(const Doc *list, SessionInfo *out)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *text = doc_text(doc_at(list, i)), *dash = text ? strchr(text, '-') : NULL;
        PackId id;
        int64_t n = -1;
        if (dash)
            TRY(error_rekind(text_parse_int(dash + 1, 0, UINT32_MAX, &n), ERR_DAMAGED));
        AUTO(char) session = dash ? mem_strndup(text, (size_t)(dash - text)) : mem_strdup("");
        if (!text_unhex(session, id.session.b, SESSION_BYTES))
            FAIL(ERR_DAMAGED, "\"%s\" is no pack", text ? text : "");
        id.n = (uint32_t)n;
        mem_grow(out->packs, out->pack_count, out->pack_cap);
        out->packs[out->pack_count++] = id;
    }
    return NULL;
}

static Error *parse_session(const Doc *d, SessionInfo *out)
{
    const char *kind = doc_str(d, "kind", ""), *started = doc_str(d, "started", "");
    for (int i = 0; i < 3; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            out->kind = (SessionKind)(i + 1);
    if (!out->kind)
        FAIL(ERR_DAMAGED, "\"%s\" is no kind of session", kind);
    if (!text_unhex(doc_str(d, "id", ""), out->id.b, SESSION_BYTES))
        FAIL(ERR_DAMAGED, "it has no id");
    out->what = mem_strdup(doc_str(d, "what", ""));
    out->backup_id = mem_strdup(doc_str(d, "backup", ""));
    out->database = mem_strdup(doc_str(d, "database", ""));
    out->server = mem_strdup(doc_str(d, "server", ""));
    out->system_identifier = mem_strdup(doc_str(d, "systemIdentifier", ""));
    out->host = mem_strdup(doc_str(d, "host", ""));
    out->boot = mem_strdup(doc_str(d, "boot", ""));
    out->database_oid = (uint32_t)doc_int(d, "databaseOid", 0);
    out->pid = doc_int(d, "pid", 0);
    out->pid_start = doc_int(d, "pidStart", -1);
    TRY(error_rekind(clock_parse(started, &out->started), ERR_DAMAGED));
    const Doc *parents = doc_get(d, "parents");
    for (size_t i = 0; i < doc_count(parents); i++)
        if (doc_text(doc_at(parents, i)))
            strlist_add(&out->parents, doc_text(doc_at(parents, i)));
    return parse_packs(doc_get(d, "packs"), out);
}

Error *session_read(Repo *r, const char *name, SessionInfo *out)
{
    AUTO(Doc) d = NULL;
    char own[NAME_TEXT];
    TRY(note_get(r, name, &d));
    TRY_CTX(parse_session(d, out), "%s", name);
    if (strcmp(name_session(out->id, own), name) != 0)
        FAIL(ERR_DAMAGED, "%s is the session of another name", name);
    return NULL;
}

Error *session_put(Repo *r, const SessionInfo *s)
{
    AUTO(Doc) d = session_doc(s);
    char name[NAME_TEXT];
    return note_put(r, name_session(s->id, name), d);
}

Error *session_end(Repo *r, SessionId id)
{
    char name[NAME_TEXT];
    Error *e = store_delete(repo_store(r), name_session(id, name));
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    return e;
}

void session_list_free(SessionInfo *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        session_info_clear(&list[i]);
    free(list);
}

/* Of another host's this alone says that nobody is there any more. */
static Error *find_gone(Repo *r, SessionInfo *list, size_t count)
{
    AUTO_VALUE(SessionsGone) gone = {0};
    bool elsewhere = false;
    for (size_t i = 0; i < count; i++)
        elsewhere = elsewhere || session_state(&list[i]) == SESSION_ELSEWHERE;
    if (elsewhere)
        TRY(sessions_gone_list(repo_store(r), &gone));
    for (size_t i = 0; i < count; i++)
        list[i].gone = sessions_gone_has(&gone, list[i].id);
    return NULL;
}

Error *session_list(Repo *r, SessionInfo **out, size_t *count)
{
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(repo_store(r), SESSIONS, &names));
    SessionInfo *list = mem_calloc(names.count, sizeof *list);
    size_t n = 0;
    Error *e = NULL;
    for (size_t i = 0; i < names.count && !e; i++) {
        e = session_read(r, names.items[i], &list[n]);
        if (!e) {
            n++;
            continue;
        }
        session_info_clear(&list[n]);
        /* Ended between the listing and the reading. */
        if (error_kind(e) == ERR_NOT_FOUND) {
            error_drop(e);
            e = NULL;
        }
    }
    Error *bad = e ? NULL : find_gone(r, list, n);
    if (bad) {
        session_list_free(list, n);
        return bad;
    }
    if (e) {
        session_list_free(list, n);
        return error_hint(e,
                          "if it is damaged, and no pgstow works on this repository: remove that "
                          "file and verify");
    }
    *out = list;
    *count = n;
    return NULL;
}

/* -- fencing --------------------------------------------------------------------------------- */

Error *session_fence(Repo *r, const SessionInfo *s, SessionId by, bool *committed)
{
    AUTO_VALUE(Buf) tombstone = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    *committed = false;
    manifest_tombstone(s->backup_id, by, &tombstone);
    Error *e =
        store_put(repo_store(r), name_manifest(s->backup_id, name), tombstone.data, tombstone.len);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    error_drop(e);
    uint64_t size;
    TRY(store_size(repo_store(r), name, &size));
    e = catalog_read_info(r, s->backup_id, size, &info);
    if (e && error_kind(e) == ERR_FENCED) {
        error_drop(e);
        return NULL;
    }
    *committed = !e;
    return e;
}

/* -- readers --------------------------------------------------------------------------------- */

struct ReadSession {
    Repo *repo;
    SessionId id;
    bool put;
};

/* Sessions of dead readers protect nobody; what cannot be read or removed is left to prune. */
static void sweep_readers(Repo *r)
{
    AUTO_VALUE(StrList) names = {0};
    /* Far away each of them would be a request, and none is of this host. */
    Error *e = store_is_far(repo_store(r)) ? NULL : note_names(repo_store(r), SESSIONS, &names);
    for (size_t i = 0; i < names.count && !e; i++) {
        AUTO_VALUE(SessionInfo) s = {0};
        Error *bad = session_read(r, names.items[i], &s);
        if (!bad && s.kind == SESSION_READER && session_state(&s) == SESSION_DEAD)
            bad = session_end(r, s.id);
        error_drop(bad);
    }
    error_drop(e);
}

Error *read_session_open(Repo *r, const char *backup_id, const char *what, ReadSession **out)
{
    AUTO_VALUE(SessionInfo)
    info = {.kind = SESSION_READER, .backup_id = mem_strdup(backup_id), .what = mem_strdup(what)};
    session_info_here(&info);
    Error *e = session_put(r, &info);
    bool put = !e;
    /* A backup must be restorable from a read-only copy and from a full disk. */
    if (e && (error_kind(e) == ERR_REPO_PERMISSION || error_kind(e) == ERR_REPO_FULL)) {
        log_debug("reading without a session: %s", error_message(e));
        error_drop(e);
        e = NULL;
    }
    TRY(e);
    if (put)
        sweep_readers(r);
    ReadSession *s = mem_new(ReadSession);
    *s = (ReadSession){r, info.id, put};
    *out = s;
    return NULL;
}

void read_session_close(ReadSession *s)
{
    if (!s)
        return;
    if (s->put) {
        Error *e = session_end(s->repo, s->id);
        if (e)
            log_debug("a reader's session stays behind: %s", error_message(e));
        error_drop(e);
    }
    free(s);
}
