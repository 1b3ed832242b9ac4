/* Who asks: bearer tokens (op/token.h), and a limit on how often an address may come with a wrong
 * one. Thread-safe. */
#ifndef PGSTOW_SERVE_AUTH_H
#define PGSTOW_SERVE_AUTH_H

#include "op/token.h"

#define AUTH_FAILURES 20 /* of one address (of IPv6 a /64) within AUTH_WINDOW_MS; then it waits */
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
