#include "op/token.h"

#include <string.h>

#include "config/config.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "state/state_audit.h"

#define PREFIX "pgstow_"
#define RANDOM 32 /* bytes */
_Static_assert(sizeof PREFIX + 2 * RANDOM == TOKEN_TEXT, "a token's text");
_Static_assert(STATE_TOKEN_HASH == HASH_BYTES, "tokens are kept as SHA-256");

static void hash_text(const char *text, uint8_t hash[STATE_TOKEN_HASH])
{
    AUTO(Hash) h = hash_new();
    hash_once(h, text, strlen(text), hash);
}

bool token_hash(const char *text, uint8_t hash[STATE_TOKEN_HASH])
{
    if (strlen(text) != TOKEN_TEXT - 1 || !text_starts(text, PREFIX))
        return false;
    hash_text(text, hash);
    return true;
}

/* -- a change and its entry in the audit log, as one ---------------------------------------------
 */

typedef struct Change {
    const TokenActor *actor;
    const char *action, *name, *detail;
    const StateTokenNew *token; /* NULL: revoke it */
    Instant now;
} Change;

static Error *audit(State *s, const Change *c, const char *outcome, const char *detail)
{
    return state_audit_add(s,
                           &(StateAuditNew){.actor = c->actor->name,
                                            .role = c->actor->role,
                                            .origin = c->actor->origin,
                                            .action = c->action,
                                            .object = c->name,
                                            .outcome = outcome,
                                            .detail = detail,
                                            .now = c->now},
                           NULL);
}

static Error *change(State *s, void *ctx)
{
    const Change *c = ctx;
    TRY(c->token ? state_token_add(s, c->token, NULL) : state_token_revoke(s, c->name, c->now));
    return audit(s, c, "done", c->detail);
}

static Error *change_audited(State *s, Change *c)
{
    c->now = clock_now();
    Error *e = state_together(s, change, c);
    return e ? error_first(e, audit(s, c, "failed", error_message(e))) : NULL;
}

Error *op_token_add(State *s, const TokenActor *actor, const TokenOptions *o, char text[TOKEN_TEXT])
{
    uint8_t random[RANDOM], hash[STATE_TOKEN_HASH];
    Instant now = clock_now();
    if (!config_is_entry_name(o->name)) {
        AUTO(char) shown = text_printable(o->name);
        return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" cannot be a token's name", shown),
                          "at most 63 letters, digits, \"_\", \"-\" and \".\"");
    }
    if (o->expires && o->expires <= now)
        FAIL(ERR_USAGE, "the token would have expired already");
    random_bytes(random, sizeof random);
    memcpy(text, PREFIX, sizeof PREFIX);
    text_hex(random, sizeof random, text + sizeof PREFIX - 1);
    secret_wipe(random, sizeof random);
    hash_text(text, hash);
    Error *e = change_audited(s, &(Change){.actor = actor,
                                           .action = "token.add",
                                           .name = o->name,
                                           .detail = state_role_name(o->role),
                                           .token = &(StateTokenNew){.name = o->name,
                                                                     .hash = hash,
                                                                     .role = o->role,
                                                                     .expires = o->expires,
                                                                     .now = now}});
    if (e)
        secret_wipe(text, TOKEN_TEXT);
    return e;
}

Error *op_token_revoke(State *s, const TokenActor *actor, const char *name)
{
    return change_audited(s, &(Change){.actor = actor, .action = "token.revoke", .name = name});
}

#define YEARS_MOST 100

Error *token_parse_expiry(const char *text, Instant *out)
{
    int64_t ms = 0;
    Error *e = clock_parse(text, out);
    if (!e)
        return NULL;
    error_drop(e);
    size_t n = strlen(text);
    /* A bare number would be seconds there, and a mistyped date here. */
    bool unit = n && (text[n - 1] < '0' || text[n - 1] > '9');
    e = unit ? clock_parse_duration(text, &ms) : NULL;
    if (unit && !e && ms > 0 && ms / (365 * 86400 * INT64_C(1000)) < YEARS_MOST) {
        *out = clock_now() + ms;
        return NULL;
    }
    error_drop(e);
    AUTO(char) shown = text_printable(text);
    return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" is not understood as the end of a token", shown),
                      "a time such as 2030-12-31, or how long from now: 12h, 90d");
}

/* -- telling --------------------------------------------------------------------------------------
 */

const char *token_state(const StateToken *t, Instant now)
{
    return t->revoked ? "revoked" : t->expires && t->expires <= now ? "expired" : "valid";
}

Doc *token_doc(const StateToken *t, Instant now)
{
    Doc *d = doc_object();
    doc_set_int(d, "id", t->id);
    doc_set_str(d, "name", t->name);
    doc_set_str(d, "role", state_role_name(t->role));
    doc_set_str(d, "state", token_state(t, now));
    doc_set_time(d, "created", t->created);
    doc_set_time(d, "expires", t->expires);
    doc_set_time(d, "revoked", t->revoked);
    doc_set_time(d, "lastUsed", t->last_used);
    doc_set_str(d, "lastFrom", t->last_from);
    return d;
}
