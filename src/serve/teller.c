#include "serve/teller.h"

#include <string.h>

#include "base/log.h"
#include "flow/cond.h"
#include "op/notify_send.h"

#define TICK_MS 60000

struct Teller {
    Service *s;
    Cancel *cancel;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ends, woken, looks; /* under the lock */
    pthread_t thread;
    bool running;
};

static void shrug(Error *e)
{
    if (e && error_kind(e) != ERR_CANCELLED)
        log_warning("notifications: %s", error_message(e));
    error_drop(e);
}

static void wake(Teller *t, bool ends)
{
    pthread_mutex_lock(&t->lock);
    t->woken = true;
    t->ends = t->ends || ends;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* False at the end. */
static bool wait_until(Teller *t, int64_t until)
{
    pthread_mutex_lock(&t->lock);
    while (!t->woken && cond_wait_until(&t->wake, &t->lock, until))
        ;
    t->woken = false;
    bool goes_on = !t->ends;
    pthread_mutex_unlock(&t->lock);
    return goes_on;
}

/* Whether it is to look at once. */
static bool takes_look(Teller *t)
{
    pthread_mutex_lock(&t->lock);
    bool looks = t->looks;
    t->looks = false;
    pthread_mutex_unlock(&t->lock);
    return looks;
}

/* How long until something is due again. */
static int64_t send_due(Teller *t)
{
    AUTO(ServiceConfig) c = service_config(t->s);
    NotifySent sent = {0};
    Error *e = notify_send_due(t->s->state, c->notifier, t->cancel, &sent);
    shrug(e);
    int64_t wait = !sent.next ? TICK_MS : sent.next - clock_now();
    return wait < 1000 ? 1000 : wait < TICK_MS ? wait : TICK_MS;
}

static void *run(void *arg)
{
    Teller *t = arg;
    int64_t ticked = 0, now;
    do {
        now = clock_mono_ms();
        if (takes_look(t) || !ticked || now - ticked >= TICK_MS) {
            AUTO(ServiceConfig) c = service_config(t->s);
            shrug(notify_tick(t->s->state, c->notifier, clock_now()));
            ticked = now;
        }
    } while (wait_until(t, clock_mono_ms() + send_due(t)));
    return NULL;
}

Error *teller_new(Service *s, Teller **out)
{
    AUTO(Teller) t = mem_new(Teller);
    t->s = s;
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->wake);
    TRY(cancel_new(NULL, &t->cancel));
    int failed = pthread_create(&t->thread, NULL, run, t);
    if (failed)
        FAIL(ERR_MEMORY, "no thread for notifications: %s", strerror(failed));
    t->running = true;
    *out = STEAL(t);
    return NULL;
}

void teller_free(Teller *t)
{
    if (!t)
        return;
    if (t->running) {
        cancel_request(t->cancel);
        wake(t, true);
        pthread_join(t->thread, NULL);
    }
    if (t->cancel)
        cancel_free(t->cancel);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void teller_job_started(Teller *t, int64_t job)
{
    AUTO(ServiceConfig) c = service_config(t->s);
    shrug(notify_job_started(t->s->state, c->notifier, job, clock_now()));
    wake(t, false);
}

void teller_job_ended(Teller *t, int64_t job, bool again)
{
    AUTO(ServiceConfig) c = service_config(t->s);
    shrug(notify_job_ended(t->s->state, c->notifier, job, again, clock_now()));
    wake(t, false);
}

void teller_look(Teller *t)
{
    pthread_mutex_lock(&t->lock);
    t->looks = true;
    pthread_mutex_unlock(&t->lock);
    wake(t, false);
}

void teller_missed(Teller *t, const NotifyMissed *missed)
{
    AUTO(ServiceConfig) c = service_config(t->s);
    shrug(notify_missed(t->s->state, c->notifier, missed, clock_now()));
    wake(t, false);
}
