#include "serve/auth.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"

#define ADDRESSES 1024
#define ADDRESS_TEXT 64

typedef struct Failures {
    char address[ADDRESS_TEXT];
    int64_t since; /* by clock_mono_ms */
    unsigned count;
} Failures;

struct Auth {
    State *state;
    pthread_mutex_t lock; /* of what follows */
    Failures failures[ADDRESSES];
};

Auth *auth_new(State *s)
{
    Auth *a = mem_new(Auth);
    a->state = s;
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void auth_free(Auth *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* One who has an IPv6 address has all of its network. */
static void name_of(const char *address, char out[ADDRESS_TEXT])
{
    struct in6_addr six;
    snprintf(out, ADDRESS_TEXT, "%s", address);
    if (inet_pton(AF_INET6, address, &six) != 1 || IN6_IS_ADDR_V4MAPPED(&six))
        return;
    memset(six.s6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &six, out, ADDRESS_TEXT);
}

/* The address's place, or the one that has been there longest. */
static Failures *place_of(Auth *a, const char *name)
{
    Failures *oldest = a->failures;
    for (size_t i = 0; i < ADDRESSES; i++) {
        Failures *f = &a->failures[i];
        if (!strcmp(f->address, name))
            return f;
        if (f->since < oldest->since)
            oldest = f;
    }
    return oldest;
}

static bool is_too_often(Auth *a, const char *name)
{
    pthread_mutex_lock(&a->lock);
    const Failures *f = place_of(a, name);
    bool often = !strcmp(f->address, name) && f->count >= AUTH_FAILURES &&
                 clock_mono_ms() - f->since < AUTH_WINDOW_MS;
    pthread_mutex_unlock(&a->lock);
    return often;
}

static void count_failure(Auth *a, const char *name)
{
    pthread_mutex_lock(&a->lock);
    Failures *f = place_of(a, name);
    int64_t now = clock_mono_ms();
    if (strcmp(f->address, name) != 0 || now - f->since >= AUTH_WINDOW_MS) {
        *f = (Failures){.since = now};
        snprintf(f->address, sizeof f->address, "%s", name);
    }
    f->count++;
    pthread_mutex_unlock(&a->lock);
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
    char name[ADDRESS_TEXT];
    name_of(address, name);
    *who = NULL;
    TRY(look_up(a, header, address, who));
    *answer = *who ? AUTH_KNOWN : is_too_often(a, name) ? AUTH_TOO_OFTEN : AUTH_UNKNOWN;
    /* Who brings none has guessed nothing. */
    if (*answer == AUTH_UNKNOWN && header)
        count_failure(a, name);
    return NULL;
}
