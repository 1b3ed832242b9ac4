#include "cli/events.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "flow/cond.h"
#include "op/job_doc.h"

#define TICK_MS 500

static struct {
    pthread_mutex_t lock;
    int fd; /* -1: nobody listens */
    pthread_t thread;
    pthread_cond_t wake;
    bool running;
    Job *job;
    JobProgress told;
} events = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* Takes d over. The lock is held. */
static void say(Doc *d)
{
    AUTO(Doc) event = d;
    if (events.fd < 0)
        return;
    AUTO(char) text = doc_print(event, false);
    AUTO(char) line = mem_printf("%s\n", text);
    AUTO(Error) gone = file_write_all(events.fd, line, strlen(line), "the events");
    if (gone)
        events.fd = -1;
}

static Doc *event(const char *name)
{
    Doc *d = doc_object();
    doc_set_str(d, "event", name);
    doc_set_int(d, "at", clock_now());
    return d;
}

static Doc *progress_event(const char *name, const JobProgress *p)
{
    Doc *d = event(name);
    StateProgress progress = job_progress_of(p);
    job_doc_progress(d, &progress);
    return d;
}

static bool same(const JobProgress *a, const JobProgress *b)
{
    return !strcmp(a->phase, b->phase) && !strcmp(a->object, b->object) &&
           a->bytes_done == b->bytes_done && a->bytes_total == b->bytes_total &&
           a->bytes_new == b->bytes_new && a->items_done == b->items_done;
}

static void *tick(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&events.lock);
    while (events.running) {
        JobProgress now;
        job_snapshot(events.job, &now);
        if (!same(&now, &events.told))
            say(progress_event("progress", &now));
        events.told = now;
        cond_wait_until(&events.wake, &events.lock, clock_mono_ms() + TICK_MS);
    }
    pthread_mutex_unlock(&events.lock);
    return NULL;
}

Error *events_start(int fd, const char *command, Job *job)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_hint(ERROR_NEW(ERR_USAGE, "descriptor %d is not open for writing", fd),
                          "--events is for programs; in a shell: pgstow backup --events 3 3>file");
    cond_init(&events.wake);
    pthread_mutex_lock(&events.lock);
    events.fd = fd;
    events.job = job;
    Doc *d = event("start");
    doc_set_str(d, "command", command);
    doc_set_str(d, "version", PGSTOW_VERSION);
    doc_set_int(d, "pid", getpid());
    say(d);
    int failed = pthread_create(&events.thread, NULL, tick, NULL);
    events.running = !failed;
    pthread_mutex_unlock(&events.lock);
    if (failed)
        FAIL(ERR_MEMORY, "no thread for the events: %s", strerror(failed));
    return NULL;
}

void events_stop(void)
{
    pthread_mutex_lock(&events.lock);
    bool was = events.running;
    events.running = false;
    if (was)
        pthread_cond_signal(&events.wake);
    pthread_mutex_unlock(&events.lock);
    if (!was)
        return;
    pthread_join(events.thread, NULL);
    pthread_cond_destroy(&events.wake);
}

void events_phase(const JobProgress *now)
{
    pthread_mutex_lock(&events.lock);
    if (events.fd >= 0)
        say(progress_event("phase", now));
    pthread_mutex_unlock(&events.lock);
}

void events_part(const Doc *part)
{
    pthread_mutex_lock(&events.lock);
    if (events.fd >= 0) {
        Doc *d = event("part");
        doc_set(d, "part", doc_copy(part));
        say(d);
    }
    pthread_mutex_unlock(&events.lock);
}

void events_log(LogLevel level, const char *message)
{
    pthread_mutex_lock(&events.lock);
    if (events.fd >= 0) {
        Doc *d = event(level == LOG_WARNING ? "warning" : "log");
        doc_set_str(d, "message", message);
        say(d);
    }
    pthread_mutex_unlock(&events.lock);
}

void events_end(const Doc *result, const Error *e, int exit_status)
{
    pthread_mutex_lock(&events.lock);
    if (events.fd >= 0) {
        Doc *d = event("end");
        doc_set_int(d, "exitStatus", exit_status);
        if (result)
            doc_set(d, "result", doc_copy(result));
        if (e)
            doc_set(d, "error", doc_error(e));
        say(d);
        events.fd = -1;
    }
    pthread_mutex_unlock(&events.lock);
}
