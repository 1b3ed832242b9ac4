#include "serve/auth.h"

#include <string.h>
#include <strings.h>

#include "crypto/secret.h"
#include "serve/failures.h"

struct Auth {
    State *state;
    Failures *failures;
};

Auth *auth_new(State *s)
{
    Auth *a = mem_new(Auth);
    a->state = s;
    a->failures = failures_new(AUTH_FAILURES, AUTH_WINDOW_MS);
    return a;
}

void auth_free(Auth *a)
{
    if (!a)
        return;
    failures_free(a->failures);
    free(a);
}

static Error *look_up(Auth *a, const char *header, const char *address, StateToken **who)
{
    uint8_t hash[STATE_TOKEN_HASH];
    Instant now = clock_now();
    if (!header || strncasecmp(header, "Bearer ", 7) != 0 || !token_hash(header + 7, hash))
        return NULL;
    TRY(state_token_check(a->state, hash, now, who));
    return *who ? state_token_used(a->state, (*who)->id, address, now) : NULL;
}

Error *auth_check(Auth *a, const char *header, const char *address, AuthAnswer *answer,
                  StateToken **who)
{
    *who = NULL;
    TRY(look_up(a, header, address, who));
    *answer = *who                                       ? AUTH_KNOWN
              : failures_too_often(a->failures, address) ? AUTH_TOO_OFTEN
                                                         : AUTH_UNKNOWN;
    /* Who brings none has guessed nothing. */
    if (*answer == AUTH_UNKNOWN && header)
        failures_count(a->failures, address);
    return NULL;
}
