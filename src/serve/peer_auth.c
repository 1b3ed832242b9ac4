#include "serve/peer_auth.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "op/peer.h"
#include "serve/failures.h"
#include "serve/replay.h"

#define KEEP_MS 10000 /* how long a secret that was read counts before it is read again */
#define READ_MS 10000 /* how long a command that prints one may take */

/* A secret that a file or a command gives: strangers could have us read it again and again. A
 * command that hangs holds up those alone who need what it prints. */
typedef struct Kept {
    char *what;           /* which one; with where it is read from */
    pthread_mutex_t lock; /* of what follows */
    Secret *secret;
    int64_t read_at; /* by clock_mono_ms */
} Kept;

struct PeerAuth {
    State *state;
    Failures *failures;
    Replay *replay;
    pthread_mutex_t lock; /* of the list; its members stay where they are */
    Kept **kept;
    size_t count, cap;
};

PeerAuth *peer_auth_new(State *s)
{
    PeerAuth *a = mem_new(PeerAuth);
    a->state = s;
    a->failures = failures_new(PEER_FAILURES, PEER_FAILURES_MS);
    a->replay = replay_new(s);
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void peer_auth_free(PeerAuth *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++) {
        free(a->kept[i]->what);
        secret_free(a->kept[i]->secret);
        pthread_mutex_destroy(&a->kept[i]->lock);
        free(a->kept[i]);
    }
    free(a->kept);
    failures_free(a->failures);
    replay_free(a->replay);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void peer_caller_free(PeerCaller *p)
{
    if (!p)
        return;
    free(p->node);
    free(p->peer);
    free(p->actor);
    free(p);
}

/* -- secrets -------------------------------------------------------------------------------------
 */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

/* Of a peer (or NULL: this host's registration key); *out is NULL where there is none. */
static Error *read_secret(const Config *c, const ConfigPeer *peer, Secret **out)
{
    AUTO(Cancel) limit = NULL;
    TRY(cancel_new(NULL, &limit));
    cancel_deadline(limit, READ_MS);
    return peer ? peer_read_key(peer, limit, out) : peer_read_registration(c, limit, out);
}

static char *label_of(const Config *c, const ConfigPeer *peer)
{
    if (peer)
        return mem_printf("peer %s\n%s\n%s", peer->name, or_empty(peer->key_file),
                          or_empty(peer->key_command));
    return mem_printf("registration\n%s\n%s",
                      or_empty(config_str(c, SETTING_SYNC_REGISTRATION_FILE)),
                      or_empty(config_str(c, SETTING_SYNC_REGISTRATION_COMMAND)));
}

static Kept *kept_of(PeerAuth *a, const char *what)
{
    Kept *k = NULL;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count && !k; i++)
        k = strcmp(a->kept[i]->what, what) ? NULL : a->kept[i];
    if (!k) {
        mem_grow(a->kept, a->count, a->cap);
        k = a->kept[a->count++] = mem_new(Kept);
        k->what = mem_strdup(what);
        pthread_mutex_init(&k->lock, NULL);
    }
    pthread_mutex_unlock(&a->lock);
    return k;
}

/* One that cannot be read is none: whoever asks is told no more than that he is not known, and the
 * log says why. */
static Secret *secret_of(PeerAuth *a, const Config *c, const ConfigPeer *peer)
{
    AUTO(char) what = label_of(c, peer);
    Kept *k = kept_of(a, what);
    pthread_mutex_lock(&k->lock);
    if (!k->read_at || clock_mono_ms() - k->read_at >= KEEP_MS) {
        secret_free(STEAL(k->secret));
        Error *e = read_secret(c, peer, &k->secret);
        if (e)
            log_warning("%s", error_message(e));
        error_drop(e);
        k->read_at = clock_mono_ms();
    }
    Secret *copy = k->secret ? secret_copy(secret_look(k->secret), secret_length(k->secret)) : NULL;
    pthread_mutex_unlock(&k->lock);
    return copy;
}

/* -- who it is -----------------------------------------------------------------------------------
 */

static Error *not_known(PeerAuth *a, const HttpCall *call)
{
    failures_count(a->failures, call->remote);
    return error_hint(ERROR_NEW(ERR_TOKEN, "this is no peer that is known here"),
                      "is the node id the one that is set here, and the key (or "
                      "SYNC_REGISTRATION_KEY) the same on both sides? `pgstow peer ping` tries it");
}

static bool any_has_key(const PeerList *peers)
{
    for (size_t i = 0; i < peers->count; i++)
        if (config_peer_has_key(&peers->items[i].config))
            return true;
    return false;
}

static Error *turned_off(void)
{
    return error_hint(ERROR_NEW(ERR_ROLE, "sync is turned off here"),
                      "set SYNC_REGISTRATION_KEY for this service, or give it a peer with a key of "
                      "its own (docs/sync.md), and start it anew");
}

static PeerCaller *caller(const char *node, const ConfigPeer *peer)
{
    PeerCaller *p = mem_new(PeerCaller);
    p->node = mem_strdup(node);
    p->peer = peer ? mem_strdup(peer->name) : NULL;
    p->actor = peer ? mem_printf("peer %s", peer->name) : mem_printf("node %s", node);
    return p;
}

/* The peer of this node id, or of this name: others know a caller by either, so nobody may call
 * himself by the name of a peer that has to sign. Of several, as while a key is changed, the
 * strictest. */
static const ConfigPeer *of_node(const PeerList *peers, const char *node)
{
    const ConfigPeer *found = NULL;
    for (size_t i = 0; i < peers->count; i++) {
        const ConfigPeer *p = &peers->items[i].config;
        bool named = (p->node && !strcmp(p->node, node)) || !strcmp(p->name, node);
        if (named && (!found || config_peer_legacy(found)))
            found = p;
    }
    return found;
}

static const ConfigPeer *signer(PeerAuth *a, const Config *c, const PeerList *peers,
                                const SignParts *parts, const char *signature)
{
    for (size_t i = 0; i < peers->count; i++) {
        const ConfigPeer *p = &peers->items[i].config;
        if (!p->node || strcmp(p->node, parts->node) != 0 || !config_peer_has_key(p))
            continue;
        AUTO(Secret) key = secret_of(a, c, p);
        if (key && sign_check(key, parts, signature))
            return p;
    }
    return NULL;
}

static Error *check_signed(PeerAuth *a, const Config *c, const PeerList *peers,
                           const HttpCall *call, const char *node, const char *signature,
                           PeerCaller **out)
{
    SignParts parts = {.method = call->head ? "HEAD" : call->method,
                       .target = call->target,
                       .body = or_empty(http_call_header(call, SIGN_BODY_HEADER)),
                       .time = or_empty(http_call_header(call, SIGN_TIME_HEADER)),
                       .nonce = or_empty(http_call_header(call, SIGN_NONCE_HEADER)),
                       .node = node};
    uint8_t nonce[REPLAY_NONCE];
    int64_t time;
    const ConfigPeer *p = sign_is_sane(&parts) ? signer(a, c, peers, &parts, signature) : NULL;
    if (!p || !text_unhex(parts.nonce, nonce, sizeof nonce))
        return not_known(a, call);
    TRY(text_parse_int(parts.time, 0, INT64_MAX, &time));
    TRY(replay_take(a->replay, node, time, nonce, clock_now()));
    *out = caller(node, p);
    (*out)->is_signed = true;
    memcpy((*out)->body, parts.body, SIGN_HEX);
    return NULL;
}

static Error *check_registered(PeerAuth *a, const PeerList *peers, const HttpCall *call,
                               const char *node, const Secret *registration, const char *hash,
                               PeerCaller **out)
{
    if (failures_too_often(a->failures, call->remote))
        return error_hint(ERROR_NEW(ERR_RATE, "too many wrong keys came from this address"),
                          "wait a minute");
    if (!registration || !sign_is_node(node) || !sign_registration_check(registration, hash))
        return not_known(a, call);
    const ConfigPeer *p = of_node(peers, node);
    if (p && !config_peer_legacy(p))
        return error_hint(ERROR_NEW(ERR_TOKEN, "the node %s must sign its requests", node),
                          "the peer %s has a key here: give the other side the same (keyFile), or "
                          "allow the old header here (legacyHeader: true)",
                          p->name);
    *out = caller(node, p);
    return NULL;
}

Error *peer_auth_check(PeerAuth *a, const Config *c, const HttpCall *call, PeerCaller **out)
{
    AUTO_VALUE(PeerList) peers = {0};
    const char *node = http_call_header(call, SIGN_NODE_HEADER);
    const char *signature = http_call_header(call, SIGN_SIGNATURE_HEADER);
    const char *hash = http_call_header(call, SIGN_REGISTRATION_HEADER);
    *out = NULL;
    TRY(peer_list(c, a->state, &peers));
    AUTO(Secret) registration = secret_of(a, c, NULL);
    if (!registration && !any_has_key(&peers))
        return turned_off();
    if (!node || (!signature && !hash))
        return error_hint(ERROR_NEW(ERR_TOKEN, "only peers may ask for this"),
                          "it takes X-Node-ID with X-Registration-Hash (the hex SHA-256 of "
                          "SYNC_REGISTRATION_KEY), or a signature: docs/sync.md");
    return signature ? check_signed(a, c, &peers, call, node, signature, out)
                     : check_registered(a, &peers, call, node, registration, hash, out);
}

Error *peer_auth_body(const PeerCaller *p, const void *body, size_t n)
{
    char sum[SIGN_HEX];
    if (!*p->body)
        return NULL;
    sign_body(body, n, sum);
    if (!hash_equal(sum, p->body, SIGN_HEX))
        FAIL(ERR_TOKEN, "the request's body is not the one that was signed");
    return NULL;
}
