#include "serve/failures.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define ADDRESSES 1024
#define ADDRESS_TEXT 64

typedef struct Place {
    char address[ADDRESS_TEXT];
    int64_t since; /* by clock_mono_ms */
    unsigned count;
} Place;

struct Failures {
    unsigned most;
    int window_ms;
    pthread_mutex_t lock; /* of what follows */
    Place places[ADDRESSES];
};

Failures *failures_new(unsigned most, int window_ms)
{
    Failures *f = mem_new(Failures);
    f->most = most;
    f->window_ms = window_ms;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void failures_free(Failures *f)
{
    if (!f)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f);
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
static Place *place_of(Failures *f, const char *name)
{
    Place *oldest = f->places;
    for (size_t i = 0; i < ADDRESSES; i++) {
        Place *p = &f->places[i];
        if (!strcmp(p->address, name))
            return p;
        if (p->since < oldest->since)
            oldest = p;
    }
    return oldest;
}

bool failures_too_often(Failures *f, const char *address)
{
    char name[ADDRESS_TEXT];
    name_of(address, name);
    pthread_mutex_lock(&f->lock);
    const Place *p = place_of(f, name);
    bool often = !strcmp(p->address, name) && p->count >= f->most &&
                 clock_mono_ms() - p->since < f->window_ms;
    pthread_mutex_unlock(&f->lock);
    return often;
}

void failures_count(Failures *f, const char *address)
{
    char name[ADDRESS_TEXT];
    name_of(address, name);
    pthread_mutex_lock(&f->lock);
    Place *p = place_of(f, name);
    int64_t now = clock_mono_ms();
    if (strcmp(p->address, name) != 0 || now - p->since >= f->window_ms) {
        *p = (Place){.since = now};
        snprintf(p->address, sizeof p->address, "%s", name);
    }
    p->count++;
    pthread_mutex_unlock(&f->lock);
}
