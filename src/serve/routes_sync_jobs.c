/* What a peer has this service do for a sync: back its database up, write what has arrived into
 * it. Each is a job; asked for again it is the same one. */
#include <string.h>

#include "serve/sync_ask.h"

/* -- of a pull: the backup ------------------------------------------------------------------------
 */

static bool is_done(const StateSession *s)
{
    return s->ended || s->status >= SYNC_TRANSFERRING;
}

/* Who asks for a backup without having opened a session, with curl say, has one opened. What an
 * earlier one of this id, which has ended, had made is not what is asked for now. */
static Error *open_plain(Ask *a, const char *id, StateSession **s)
{
    SyncOptions o = {.direction = SYNC_PULL, .compress = true, .verify = true};
    const ServiceEntry *entry;
    bool again = *s != NULL;
    TRY(api_asked_entry(a, &entry));
    state_session_free(STEAL(*s));
    TRY(sync_ask_open(a, id, &o, entry, again, s));
    StateSessionRef ref = {id, SYNC_REMOTE, (*s)->attempt};
    return again ? state_session_learn(a->api->service->state, &ref,
                                       &(StateSessionFacts){.backup = ""}, clock_now())
                 : NULL;
}

static Error *begin_backup(Ask *a, const char *id, StateSession **out)
{
    const ServiceEntry *entry;
    Error *e = sync_ask_session(a, out);
    bool none = e && error_kind(e) == ERR_NOT_FOUND;
    if (none) {
        error_drop(e);
        e = NULL;
    }
    TRY(e);
    if (none || ((*out)->ended && (*out)->status != SYNC_COMPLETED))
        TRY(open_plain(a, id, out));
    if ((*out)->direction != SYNC_PULL)
        FAIL(ERR_USAGE, "the sync session %s is a push: nothing is backed up here", id);
    if (is_done(*out) || sync_ask_has_job(a, *out))
        return NULL;
    TRY(sync_ask_entry(a, *out, &entry));
    return sync_ask_begin(a, *out, entry, "backup");
}

/* What was left out, in words; and of a backup that is there, what it is. */
static void add_backup(Ask *a, const StateSession *s, Doc *d)
{
    AUTO_VALUE(SyncOptions) o = {0};
    AUTO_VALUE(BackupOptions) unused = {0};
    AUTO_VALUE(StrList) left_out = {0};
    AUTO_VALUE(ApiBackup) b = {0};
    const ServiceEntry *entry;
    Error *e = sync_ask_entry(a, s, &entry);
    e = e ? e : sync_ask_options(s, &o);
    e = e ? e
          : sync_filters(config_list(entry->config, SETTING_SYNC_EXCLUDE), &o, &unused, &left_out);
    error_drop(e);
    doc_set(d, "leftOut", doc_texts(&left_out));
    if (!s->backup || !*s->backup || s->status < SYNC_TRANSFERRING)
        return;
    e = api_find_backup(a, s->backup, &b);
    if (!e) {
        doc_set_int(d, "rows", (int64_t)b.info.rows);
        doc_set_int(d, "tables", (int64_t)b.info.tables);
        doc_set_int(d, "size", (int64_t)b.info.size);
        doc_set_int(d, "logicalSize", (int64_t)b.info.logical_size);
        doc_set_int(d, "newBytes", (int64_t)b.info.new_bytes);
    }
    error_drop(e);
}

/* A failure of the backup is one of this request. */
static unsigned status_of(const StateSession *s)
{
    if (s->status != SYNC_FAILED && s->status != SYNC_CANCELLED)
        return 200;
    ErrorKind kind = error_kind_named(s->error_kind);
    KindSet tools = KINDS_TOOLS;
    return tools & (UINT64_C(1) << kind) ? 500 : (unsigned)error_kind_info(kind)->http_status;
}

Error *api_sync_backup(Ask *a)
{
    AUTO(StateSession) s = NULL;
    const char *id = api_text(a, "sessionId");
    bool wait = !doc_has(a->body, "wait") || api_bool(a, "wait");
    a->object = mem_strdup(id);
    pthread_mutex_lock(&a->api->syncs);
    Error *e = begin_backup(a, id, &s);
    pthread_mutex_unlock(&a->api->syncs);
    TRY(e);
    if (wait)
        TRY(sync_ask_wait(a, &s, is_done, -1));
    a->reply->status = wait || is_done(s) ? status_of(s) : 202;
    a->reply->body = sync_ask_doc(s);
    add_backup(a, s, a->reply->body);
    return NULL;
}

Error *api_sync_backup_progress(Ask *a)
{
    AUTO(StateSession) s = NULL;
    TRY(sync_ask_session(a, &s));
    TRY(sync_ask_linger(a, &s, is_done));
    a->reply->status = 200;
    a->reply->body = sync_ask_doc(s);
    add_backup(a, s, a->reply->body);
    return NULL;
}

/* -- of a push: into the database -----------------------------------------------------------------
 */

static Error *begin_restore(Ask *a, StateSession **out)
{
    const ServiceEntry *entry;
    const char *backup = api_text(a, "backupId");
    State *state = a->api->service->state;
    TRY(sync_ask_session(a, out));
    const StateSession *s = *out;
    if (s->direction != SYNC_PUSH)
        FAIL(ERR_USAGE, "the sync session %s is a pull: nothing is written here", s->id);
    if (s->status == SYNC_COMPLETED || sync_ask_has_job(a, s))
        return NULL;
    if (s->ended)
        return error_hint(ERROR_NEW(ERR_EXISTS, "the sync session %s has ended: it is %s%s%s",
                                    s->id, state_session_status_name(s->status),
                                    s->error_message ? ": " : "",
                                    s->error_message ? s->error_message : ""),
                          "it can be opened again, with \"resume\"");
    TRY(sync_ask_entry(a, s, &entry));
    StateSessionRef ref = {s->id, SYNC_REMOTE, s->attempt};
    TRY(state_session_learn(
        state, &ref,
        &(StateSessionFacts){.backup = backup ? backup : "", .method = backup ? "backup" : "http"},
        clock_now()));
    return sync_ask_begin(a, s, entry, "apply");
}

Error *api_sync_restore(Ask *a)
{
    AUTO(StateSession) s = NULL;
    a->object = mem_strdup(api_text(a, "sessionId"));
    pthread_mutex_lock(&a->api->syncs);
    Error *e = begin_restore(a, &s);
    pthread_mutex_unlock(&a->api->syncs);
    TRY(e);
    return sync_ask_reply(a, s->status == SYNC_COMPLETED ? 200 : 202, s->id);
}
