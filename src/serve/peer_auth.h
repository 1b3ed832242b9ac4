/* Which peer asks: by a signature of the key that the two have (crypto/sign.h), or by the hash of
 * the registration key. All is proven by the request's head, before a body is taken; of a signed
 * one the body is held against its hash when it is here. Thread-safe.
 *
 * A wrong key costs time: who comes with several within a minute is not looked at by the
 * registration key for the rest of it, right or wrong, as that may be one that can be guessed. A
 * good signature always passes.
 */
#ifndef PGSTOW_SERVE_PEER_AUTH_H
#define PGSTOW_SERVE_PEER_AUTH_H

#include "config/config.h"
#include "crypto/sign.h"
#include "serve/http.h"
#include "state/state.h"

#define PEER_BODY_MAX (8u << 20) /* bytes, of a peer that has proven who it is */
#define PEER_FAILURES 20         /* within PEER_FAILURES_MS */
#define PEER_FAILURES_MS 60000

/* Who has proven to be one. */
typedef struct PeerCaller {
    char *node;          /* its node id, as it says; of a signed request the key says the same */
    char *peer;          /* the name that it has here; NULL: no peer of this node id is known */
    char *actor;         /* for the audit log: "peer berlin", "node berlin.example.com" */
    bool is_signed;      /* as against: it has the registration key */
    char body[SIGN_HEX]; /* what its body must hash to; "": not told */
} PeerCaller;
void peer_caller_free(PeerCaller *p);
DEFINE_AUTO(PeerCaller, peer_caller_free)

typedef struct PeerAuth PeerAuth;
PeerAuth *peer_auth_new(State *s); /* borrowed */
void peer_auth_free(PeerAuth *a);
DEFINE_AUTO(PeerAuth, peer_auth_free)

/* Once for a request: what it signed counts as taken. ERR_TOKEN where it is none; ERR_ROLE where
 * sync is turned off here; ERR_RATE; ERR_CONFIG where a key cannot be read. */
Error *peer_auth_check(PeerAuth *a, const Config *c, const HttpCall *call,
                       PeerCaller **out) MUST_CHECK;
/* When the body is here. ERR_TOKEN where it is not what was signed. */
Error *peer_auth_body(const PeerCaller *p, const void *body, size_t n) MUST_CHECK;

#endif
