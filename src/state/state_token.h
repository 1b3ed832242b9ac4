/* Tokens: who may use the service's API. Of a token only its SHA-256 is here: what was printed once
 * cannot be read back, and looking one up by its hash tells no more by its time than the hash. */
#ifndef PGSTOW_STATE_STATE_TOKEN_H
#define PGSTOW_STATE_STATE_TOKEN_H

#include "state/state.h"

#define STATE_TOKEN_HASH 32 /* bytes */

/* Each may do what those before it may. */
typedef enum StateRole { ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, STATE_ROLES } StateRole;
const char *state_role_name(StateRole role); /* "viewer", "operator", "admin" */
bool state_role_of(const char *name, StateRole *out);

typedef struct StateToken {
    int64_t id;
    char *name;
    StateRole role;
    Instant created;
    Instant expires, revoked, last_used; /* 0: never */
    char *last_from;                     /* where from it was used last; or NULL */
} StateToken;
void state_token_free(StateToken *t);
DEFINE_AUTO(StateToken, state_token_free)

typedef struct StateTokens {
    StateToken *items;
    size_t count, cap;
    bool more;
} StateTokens;
void state_tokens_clear(StateTokens *l);
DEFINE_AUTO_VALUE(StateTokens, state_tokens_clear)

/* Borrowed; expires 0: never. */
typedef struct StateTokenNew {
    const char *name;
    const uint8_t *hash; /* STATE_TOKEN_HASH bytes */
    StateRole role;
    Instant expires, now;
} StateTokenNew;
/* ERR_EXISTS where one of this name is there that is not revoked. id may be NULL. */
Error *state_token_add(State *s, const StateTokenNew *token, int64_t *id) MUST_CHECK;
/* The token of this hash, if it is neither revoked nor expired; NULL otherwise. */
Error *state_token_check(State *s, const uint8_t hash[STATE_TOKEN_HASH], Instant now,
                         StateToken **out) MUST_CHECK;
/* That it was used; written down once a minute at most, so that reading costs no fsync. */
Error *state_token_used(State *s, int64_t id, const char *from, Instant now) MUST_CHECK;
/* ERR_NOT_FOUND where none of this name is there that is not revoked. */
Error *state_token_revoke(State *s, const char *name, Instant now) MUST_CHECK;
/* The newest first, revoked and expired ones too; those with ids below `below` (0: all). */
Error *state_token_list(State *s, int64_t below, uint32_t limit, StateTokens *out) MUST_CHECK;

#endif
