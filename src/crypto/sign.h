/* How a peer's requests prove whose they are: the key that all of a registration share, told by its
 * hash alone, or better a key of two peers' own, by which each request is signed. The scheme is in
 * docs/adr; serve/peer_auth checks it, net/link makes it. Stateless, thread-safe.
 */
#ifndef PGSTOW_CRYPTO_SIGN_H
#define PGSTOW_CRYPTO_SIGN_H

#include "crypto/hash.h"
#include "crypto/secret.h"

#define SIGN_HEX (2 * HASH_BYTES + 1) /* room for a hash's hex digits, lower case, and a NUL */
#define SIGN_NONCE_HEX 33
#define SIGN_NODE_MAX 100 /* bytes of a node id */

#define SIGN_NODE_HEADER "X-Node-ID"
#define SIGN_REGISTRATION_HEADER "X-Registration-Hash"
#define SIGN_TIME_HEADER "X-Pgstow-Time"
#define SIGN_NONCE_HEADER "X-Pgstow-Nonce"
#define SIGN_BODY_HEADER "X-Pgstow-Body"
#define SIGN_SIGNATURE_HEADER "X-Pgstow-Signature"

/* What is signed of a request. All borrowed; none may have a line break but for those that are
 * checked to have none: see sign_is_sane. */
typedef struct SignParts {
    const char *method;
    const char *target; /* path and query as they are sent */
    const char *body;   /* hex SHA-256 of the body */
    const char *time;   /* milliseconds since 1970, decimal */
    const char *nonce;  /* 32 hex digits */
    const char *node;   /* the sender's id */
} SignParts;

/* Whether the parts are of their forms, so that no two requests have the same text to sign. */
bool sign_is_sane(const SignParts *p);
/* The signature of sane parts, in hex. */
void sign_make(const Secret *key, const SignParts *p, char out[SIGN_HEX]);
/* In constant time; false also where the signature is no hash in hex, or the parts are not sane. */
bool sign_check(const Secret *key, const SignParts *p, const char *signature) MUST_CHECK;

void sign_body(const void *p, size_t n, char out[SIGN_HEX]); /* SHA-256, in hex */
void sign_nonce(char out[SIGN_NONCE_HEX]);
/* What X-Registration-Hash says for a registration key. */
void sign_registration(const Secret *key, char out[SIGN_HEX]);
/* In constant time for what has the form of a hash in hex; either case. False for an empty key,
 * whatever the hash. */
bool sign_registration_check(const Secret *key, const char *hash) MUST_CHECK;

/* 1 to SIGN_NODE_MAX letters, digits, "_", "-", ".", ":", the first a letter or a digit. */
bool sign_is_node(const char *s);

#endif
