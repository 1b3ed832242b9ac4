#include "serve/replay.h"

#include <pthread.h>
#include <string.h>

#include "base/text.h"

/* One may be taken from a window before its time to a window behind it; and longer where our clock
 * is set back, up to so much. Beyond that it is as after a restart. */
#define SET_BACK_MS 60000
#define KEEP_MS (2 * REPLAY_WINDOW_MS + SET_BACK_MS)
#define FIRST_ROOM 1024u

/* Nonces, by open addressing; they are random, so they are their own hashes. */
typedef struct Nonces {
    uint8_t (*slots)[REPLAY_NONCE];
    bool *used;
    uint32_t room, count; /* room: a power of two */
} Nonces;

typedef struct Node {
    char *name;
    Instant refused; /* what was signed before this one may have been taken by an earlier service */
    Instant written; /* what the state says for the next one */
} Node;

struct Replay {
    State *state;
    pthread_mutex_t lock;
    Nonces now, before; /* of this window and of the one before */
    Instant since;      /* when this window began */
    Instant newest;     /* the latest time at which something was taken */
    Node *nodes;
    size_t node_count, node_cap;
};

Replay *replay_new(State *s)
{
    Replay *r = mem_new(Replay);
    r->state = s;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void nonces_clear(Nonces *n)
{
    free(n->slots);
    free(n->used);
    *n = (Nonces){0};
}

void replay_free(Replay *r)
{
    if (!r)
        return;
    nonces_clear(&r->now);
    nonces_clear(&r->before);
    for (size_t i = 0; i < r->node_count; i++)
        free(r->nodes[i].name);
    free(r->nodes);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -- nonces -------------------------------------------------------------------------------------
 */

/* Its place, or the free one where it belongs; room must be there. */
static uint32_t place_of(const Nonces *n, const uint8_t nonce[REPLAY_NONCE])
{
    uint32_t at;
    memcpy(&at, nonce, sizeof at);
    for (at &= n->room - 1; n->used[at] && memcmp(n->slots[at], nonce, REPLAY_NONCE) != 0;)
        at = (at + 1) & (n->room - 1);
    return at;
}

static bool has(const Nonces *n, const uint8_t nonce[REPLAY_NONCE])
{
    return n->room && n->used[place_of(n, nonce)];
}

static void put(Nonces *n, const uint8_t nonce[REPLAY_NONCE])
{
    uint32_t at = place_of(n, nonce);
    memcpy(n->slots[at], nonce, REPLAY_NONCE);
    n->used[at] = true;
    n->count++;
}

static void add(Nonces *n, const uint8_t nonce[REPLAY_NONCE])
{
    if (n->count >= n->room / 2) {
        uint32_t room = n->room ? n->room * 2 : FIRST_ROOM;
        Nonces more = {mem_calloc(room, REPLAY_NONCE), mem_calloc(room, sizeof(bool)), room, 0};
        for (uint32_t i = 0; i < n->room; i++)
            if (n->used[i])
                put(&more, n->slots[i]);
        nonces_clear(n);
        *n = more;
    }
    put(n, nonce);
}

static void turn(Replay *r, Instant now)
{
    if (now - r->since < KEEP_MS)
        return;
    nonces_clear(&r->before);
    r->before = r->now;
    r->now = (Nonces){0};
    r->since = now;
}

/* Nonces are kept by our clock. Where that was set back some may have been forgotten too early. */
static void look_at_clock(Replay *r, Instant now)
{
    if (now >= r->newest - SET_BACK_MS) {
        r->newest = now > r->newest ? now : r->newest;
        return;
    }
    for (size_t i = 0; i < r->node_count; i++)
        r->nodes[i].refused = r->nodes[i].written;
    r->newest = now;
    r->since = now;
}

/* -- nodes ---------------------------------------------------------------------------------------
 */

static Error *node_of(Replay *r, const char *name, Node **out)
{
    Instant floor;
    for (size_t i = 0; i < r->node_count; i++)
        if (!strcmp(r->nodes[i].name, name)) {
            *out = &r->nodes[i];
            return NULL;
        }
    TRY(state_peer_floor(r->state, name, &floor));
    mem_grow(r->nodes, r->node_count, r->node_cap);
    r->nodes[r->node_count] = (Node){mem_strdup(name), floor, floor};
    *out = &r->nodes[r->node_count++];
    return NULL;
}

static Error *check_time(Instant time, Instant now)
{
    char apart[32];
    int64_t ms = time > now ? time - now : now - time;
    if (ms <= REPLAY_WINDOW_MS)
        return NULL;
    text_duration(ms, apart);
    return error_hint(ERROR_NEW(ERR_TOKEN, "the request's time is %s %s this host's", apart,
                                time > now ? "ahead of" : "behind"),
                      "set the clocks of both hosts (timedatectl set-ntp true); at most 5 minutes "
                      "may lie between them");
}

static Error *take(Replay *r, const char *name, Instant time, const uint8_t nonce[REPLAY_NONCE],
                   Instant now)
{
    Node *node;
    TRY(node_of(r, name, &node));
    look_at_clock(r, now);
    if (time < node->refused)
        return error_hint(ERROR_NEW(ERR_RATE,
                                    "this request may have been taken before this service "
                                    "was started, or its clock set back"),
                          "again in a moment");
    turn(r, now);
    if (has(&r->now, nonce) || has(&r->before, nonce))
        return error_hint(ERROR_NEW(ERR_TOKEN, "this request was taken before"),
                          "each needs a nonce of its own");
    if (r->now.count >= REPLAY_MAX)
        FAIL(ERR_RATE, "more than %u signed requests came within minutes", REPLAY_MAX);
    if (time >= node->written) {
        TRY(state_peer_raise_floor(r->state, name, time + REPLAY_AHEAD_MS));
        node->written = time + REPLAY_AHEAD_MS;
    }
    add(&r->now, nonce);
    return NULL;
}

Error *replay_take(Replay *r, const char *node, Instant time, const uint8_t nonce[REPLAY_NONCE],
                   Instant now)
{
    TRY(check_time(time, now));
    pthread_mutex_lock(&r->lock);
    Error *e = take(r, node, time, nonce, now);
    pthread_mutex_unlock(&r->lock);
    return e;
}
