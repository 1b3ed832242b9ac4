/* token: who may use the service's API (state/state_token.h). A token is "pgstow_" and 64 hex
 * digits of 32 random bytes; it is told once, when it is made, and only its SHA-256 is kept.
 *
 * Each change is in the audit log, together with what came of it.
 */
#ifndef PGSTOW_OP_TOKEN_H
#define PGSTOW_OP_TOKEN_H

#include "base/clock.h"
#include "base/doc.h"
#include "state/state_token.h"

#define TOKEN_TEXT 72 /* bytes, the NUL among them */

/* Who asks, for the audit log: borrowed. */
typedef struct TokenActor {
    const char *name;   /* token's or system user's */
    const char *role;   /* "" for the command line */
    const char *origin; /* an address, or "cli" */
} TokenActor;

typedef struct TokenOptions {
    const char *name; /* as config_is_entry_name says: ERR_USAGE */
    StateRole role;
    Instant expires; /* 0: never; ERR_USAGE where it has passed */
} TokenOptions;
/* When it ends: an instant, or so long from now. ERR_USAGE. */
Error *token_parse_expiry(const char *text, Instant *out) MUST_CHECK;
/* ERR_EXISTS. Whoever gets the text wipes it. */
Error *op_token_add(State *s, const TokenActor *actor, const TokenOptions *options,
                    char text[TOKEN_TEXT]) MUST_CHECK;
/* ERR_NOT_FOUND. */
Error *op_token_revoke(State *s, const TokenActor *actor, const char *name) MUST_CHECK;

/* What a token is looked up by; false where the text cannot be one. */
bool token_hash(const char *text, uint8_t hash[STATE_TOKEN_HASH]);
/* "valid", "expired", "revoked". */
const char *token_state(const StateToken *t, Instant now);
Doc *token_doc(const StateToken *t, Instant now);

#endif
