/* Who asks: bearer tokens (op/token.h), and a limit on how often an address may come with a wrong
 * one. A right one always passes: 256 random bits are not guessed, however often it is tried, and
 * whoever comes by the same address (a proxy's, a company's) is not to be locked out by others.
 * Thread-safe. */
#ifndef PGSTOW_SERVE_AUTH_H
#define PGSTOW_SERVE_AUTH_H

#include "op/token.h"

/* Wrong tokens of one address (of IPv6 a /64) within AUTH_WINDOW_MS; further ones are
 * AUTH_TOO_OFTEN for the rest of it. */
#define AUTH_FAILURES 20
#define AUTH_WINDOW_MS 60000

typedef struct Auth Auth;
Auth *auth_new(State *s); /* borrowed */
void auth_free(Auth *a);
DEFINE_AUTO(Auth, auth_free)

typedef enum AuthAnswer { AUTH_KNOWN, AUTH_UNKNOWN, AUTH_TOO_OFTEN } AuthAnswer;
/* By the Authorization header (NULL: there is none). *who is set where it is AUTH_KNOWN. */
Error *auth_check(Auth *a, const char *header, const char *address, AuthAnswer *answer,
                  StateToken **who) MUST_CHECK;

#endif
