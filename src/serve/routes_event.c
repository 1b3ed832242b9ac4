/* What happens, as it happens: server-sent events. */
#include <string.h>

#include "op/token.h"
#include "serve/api_internal.h"
#include "serve/events.h"

/* A listener, and by which right. */
typedef struct Following {
    Listener *listener;
    State *state;
    uint8_t token[STATE_TOKEN_HASH];
    const char *text;
    size_t left; /* of the text */
} Following;

static void following_free(Following *f)
{
    if (!f)
        return;
    listener_free(f->listener);
    free(f);
}
DEFINE_AUTO(Following, following_free)

/* A token that was revoked, or has expired, ends what it began. */
static Error *check_token(void *ctx)
{
    const Following *f = ctx;
    AUTO(StateToken) who = NULL;
    TRY(state_token_check(f->state, f->token, clock_now(), &who));
    if (!who)
        FAIL(ERR_TOKEN, "the token has ended");
    return NULL;
}

static Error *read_events(void *ctx, void *p, size_t n, size_t *got)
{
    Following *f = ctx;
    if (!f->left)
        TRY(listener_next(f->listener, &f->text, &f->left));
    *got = f->left < n ? f->left : n;
    if (!*got)
        return NULL;
    memcpy(p, f->text, *got);
    f->text += *got;
    f->left -= *got;
    return NULL;
}

static void end_events(void *ctx, bool whole)
{
    (void)whole;
    following_free(ctx);
}

static Error *follow(Ask *a, int64_t job)
{
    AUTO(Following) f = mem_new(Following);
    HttpStream stream = {.length = -1};
    f->state = a->api->service->state;
    /* It was read before: the one who asks is known by it. */
    (void)token_hash(http_call_header(a->call, "Authorization") + strlen("Bearer "), f->token);
    TRY(listener_new(a->api->events,
                     &(ListenerOptions){.job = job,
                                        .last = http_call_header(a->call, "Last-Event-ID"),
                                        .socket = http_call_socket(a->call),
                                        .may_go_on = check_token,
                                        .ctx = f},
                     &f->listener));
    if (!f->listener) {
        a->reply->status = 204; /* who gets this does not come back */
        return NULL;
    }
    http_reply_header(a->reply, "Content-Type", "text/event-stream");
    http_reply_header(a->reply, "X-Accel-Buffering", "no"); /* a proxy is to pass it on at once */
    if (!a->call->head)
        stream = (HttpStream){read_events, end_events, STEAL(f), -1};
    http_reply_stream(a->reply, 200, &stream);
    return NULL;
}

Error *api_events(Ask *a)
{
    return follow(a, 0);
}

Error *api_job_events(Ask *a)
{
    int64_t job;
    TRY(api_job_number(a, &job));
    return follow(a, job);
}
