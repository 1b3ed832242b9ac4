#include "serve/sync_rights.h"

#include <string.h>

#include "base/log.h"
#include "serve/sync_ask.h"

#define IDLE_MS 600000 /* after which what a session has open is closed, though it lives */
#define TICK_MS 5000
#define KNOWN_MAX 256

typedef struct Known {
    char *session, *peer, *run, *folder; /* run: of SyncRight */
    bool writes;
    int64_t until, beat; /* by clock_mono_ms; beat: when the state was told that it lives */
} Known;

struct SyncRights {
    pthread_mutex_t lock;
    Known items[KNOWN_MAX];
    size_t count;
    int64_t looked; /* at what is over */
};

void sync_grant_free(SyncGrant *g)
{
    if (!g)
        return;
    free(g->session);
    free(g->node);
    free(g->folder);
    free(g);
}

SyncRights *sync_rights_new(void)
{
    SyncRights *r = mem_new(SyncRights);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void known_clear(Known *k)
{
    free(k->session);
    free(k->peer);
    free(k->run);
    free(k->folder);
}

void sync_rights_free(SyncRights *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        known_clear(&r->items[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -- remembered -------------------------------------------------------------------------------- */

static Known *find(SyncRights *r, const char *session, const char *peer)
{
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->items[i].session, session) && !strcmp(r->items[i].peer, peer))
            return &r->items[i];
    return NULL;
}

static SyncGrant *grant_of(const Known *k, const char *node)
{
    SyncGrant *g = mem_new(SyncGrant);
    g->session = mem_strdup(k->run);
    g->node = mem_strdup(node);
    g->folder = mem_strdup(k->folder);
    g->right = (SyncRight){g->session, g->node, g->folder, k->writes};
    return g;
}

static SyncGrant *look(SyncRights *r, const char *session, const char *peer, const char *node)
{
    pthread_mutex_lock(&r->lock);
    const Known *k = find(r, session, peer);
    SyncGrant *g = k && clock_mono_ms() < k->until ? grant_of(k, node) : NULL;
    pthread_mutex_unlock(&r->lock);
    return g;
}

/* What a push's source is written into is the target's; what a pull's target reads is the source's.
 * Once the target has begun to write nothing more may come. */
static bool may_write(const StateSession *s)
{
    return s->direction == SYNC_PUSH && s->status <= SYNC_TRANSFERRING;
}

/* Takes the folder over. *beat: it is time to tell the state. */
static SyncGrant *remember(SyncRights *r, const StateSession *s, const char *peer, const char *node,
                           char *folder, bool *beat)
{
    const char *session = s->id;
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&r->lock);
    Known *k = find(r, session, peer);
    if (!k) {
        if (r->count == KNOWN_MAX)
            known_clear(&r->items[--r->count]);
        k = &r->items[r->count++];
        *k = (Known){.session = mem_strdup(session), .peer = mem_strdup(peer)};
    }
    free(k->folder);
    free(k->run);
    k->run = mem_printf("%s/%d", session, s->attempt);
    k->folder = folder;
    k->writes = may_write(s);
    k->until = now + SYNC_RIGHT_MS;
    *beat = !k->beat || now - k->beat >= SYNC_BEAT_MS;
    if (*beat)
        k->beat = now;
    SyncGrant *g = grant_of(k, node);
    pthread_mutex_unlock(&r->lock);
    return g;
}

/* -- asked ------------------------------------------------------------------------------------- */

static Error *over(const StateSession *s)
{
    return error_hint(ERROR_NEW(ERR_FENCED, "sync session %s is over: it is %s%s%s", s->id,
                                state_session_status_name(s->status), s->error_message ? ": " : "",
                                s->error_message ? s->error_message : ""),
                      "resume it, or begin another one");
}

Error *sync_grant(Ask *a, SyncGrant **out)
{
    SyncRights *r = a->api->sync_rights;
    State *state = a->api->service->state;
    const char *id = api_text(a, "sessionId"), *peer = sync_ask_peer(a);
    AUTO(StateSession) s = NULL;
    const ServiceEntry *entry;
    bool beat;
    if ((*out = look(r, id, peer, a->peer->node)))
        return NULL;
    Error *e = sync_ask_session(a, &s);
    if (e && error_kind(e) == ERR_NOT_FOUND)
        e = error_rekind(e, ERR_FENCED); /* it is no object that is not there */
    TRY(e);
    if (s->ended)
        return over(s);
    TRY(sync_ask_entry(a, s, &entry));
    OpContext op = sync_ask_op(entry);
    AUTO(SyncGrant)
    g = remember(r, s, peer, a->peer->node, mem_strdup(op_repo_dir(&op)), &beat);
    if (beat) {
        bool cancel = false;
        TRY(state_session_beat(state, &(StateSessionRef){id, SYNC_REMOTE, 0}, clock_now(),
                               &cancel));
    }
    *out = STEAL(g);
    return NULL;
}

/* -- what is over ------------------------------------------------------------------------------ */

static Error *lives(void *ctx, const char *run, bool *live)
{
    AUTO(StateSession) s = NULL;
    const char *slash = strrchr(run, '/');
    AUTO(char) id = mem_strndup(run, slash ? (size_t)(slash - run) : strlen(run));
    AUTO(char) attempt = NULL;
    Error *e = state_session_get(ctx, id, SYNC_REMOTE, &s);
    if (!e)
        attempt = mem_printf("%d", s->attempt);
    *live = !e && !s->ended && slash && !strcmp(slash + 1, attempt);
    if (!e || error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_drop(e);
    return NULL;
}

static void shrug(Error *e, const char *what)
{
    if (e)
        log_warning("%s: %s", what, error_message(e));
    error_drop(e);
}

static void give_up(Api *a, const ServiceEntry *entry)
{
    OpContext op = sync_ask_op(entry);
    shrug(sync_store_give_up(op_repo_dir(&op), lives, a->service->state),
          "what ended syncs left in the repository was not looked at");
}

void sync_rights_opened(Api *a, const char *session, const ServiceEntry *entry)
{
    SyncRights *r = a->sync_rights;
    pthread_mutex_lock(&r->lock);
    for (size_t i = r->count; i-- > 0;)
        if (!strcmp(r->items[i].session, session)) {
            known_clear(&r->items[i]);
            r->items[i] = r->items[--r->count];
        }
    pthread_mutex_unlock(&r->lock);
    give_up(a, entry);
}

void sync_rights_tick(Api *a)
{
    SyncRights *r = a->sync_rights;
    State *state = a->service->state;
    int64_t now = clock_mono_ms();
    if (r->looked && now - r->looked < TICK_MS)
        return;
    r->looked = now;
    shrug(sync_stores_sweep(a->sync_stores, lives, state, IDLE_MS),
          "what ended syncs left open was not dropped");
    AUTO(ServiceConfig) config = service_config(a->service);
    for (size_t i = 0; i < config->count; i++)
        give_up(a, &config->entries[i]);
}
