#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "flow/cond.h"

#define TICK_MS 250

struct Progress {
    pthread_t thread;
    Job *job;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

/* The line, one for the process as the terminal is: whether it stands there, whether it may, and
 * since when and from where the present phase counts. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;
static bool line_stands, silenced, held;
static int64_t phase_began;
static uint64_t reused_before;

void progress_hide(void)
{
    pthread_mutex_lock(&line_lock);
    if (line_stands)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    line_stands = false;
    pthread_mutex_unlock(&line_lock);
}

void progress_hold(bool hold)
{
    progress_hide();
    pthread_mutex_lock(&line_lock);
    held = hold;
    pthread_mutex_unlock(&line_lock);
    progress_hide(); /* what was drawn between the two */
}

void progress_phase(const JobProgress *now, bool silent)
{
    progress_hide();
    pthread_mutex_lock(&line_lock);
    silenced = silent;
    phase_began = clock_mono_ms();
    reused_before = now->bytes_reused;
    pthread_mutex_unlock(&line_lock);
}

static void add_part(Buf *out, const char *text)
{
    buf_printf(out, "%s%s", out->len ? "  " : "", text);
}

char *progress_line(const JobProgress *p, int64_t elapsed_ms, size_t columns)
{
    AUTO_VALUE(Buf) tail = {0};
    Buf out = {0};
    char a[32], b[32];
    AUTO(char) part = NULL;
    if (p->bytes_total)
        part = mem_printf("%s of %s", text_size(p->bytes_done, a), text_size(p->bytes_total, b));
    else if (p->items_total)
        part = mem_printf("%llu of %llu", (unsigned long long)p->items_done,
                          (unsigned long long)p->items_total);
    else if (p->bytes_done)
        part = mem_strdup(text_size(p->bytes_done, a));
    if (part)
        add_part(&tail, part);
    if (p->bytes_done && elapsed_ms >= 1000) {
        uint64_t rate = (uint64_t)((double)p->bytes_done * 1000 / (double)elapsed_ms);
        AUTO(char) speed = mem_printf("%s/s", text_size(rate, a));
        add_part(&tail, speed);
        if (rate && p->bytes_total > p->bytes_done) {
            uint64_t left = (p->bytes_total - p->bytes_done) / rate;
            AUTO(char) time = mem_printf("%s left", text_duration((int64_t)left * 1000, a));
            add_part(&tail, time);
        }
    }
    if (p->bytes_reused && p->bytes_done) {
        double share = (double)p->bytes_reused / (double)p->bytes_done;
        AUTO(char) there = mem_printf("%.0f %% there already", share > 1 ? 100 : share * 100);
        add_part(&tail, there);
    }
    buf_add_str(&out, *p->phase ? p->phase : "working");
    AUTO(char) object = text_printable(p->object);
    size_t used = out.len + 2 + tail.len + 2;
    if (*object && used + 8 < columns) {
        size_t room = columns - used, n = strlen(object);
        if (n > room) {
            n = room - 3;
            while (n && ((unsigned char)object[n] & 0xc0) == 0x80)
                n--; /* not inside a character */
            buf_printf(&out, " %.*s...", (int)n, object);
        } else {
            buf_printf(&out, " %s", object);
        }
    }
    if (tail.len) {
        buf_add_str(&out, "  ");
        buf_add(&out, tail.data, tail.len);
    }
    char *line = buf_steal_str(&out);
    if (strlen(line) > columns)
        line[columns] = 0;
    return line;
}

static void draw(Progress *p)
{
    JobProgress now;
    struct winsize size;
    job_snapshot(p->job, &now);
    size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20
                         ? (size_t)size.ws_col - 1
                         : 79;
    pthread_mutex_lock(&line_lock);
    now.bytes_reused -= reused_before < now.bytes_reused ? reused_before : now.bytes_reused;
    AUTO(char) line = progress_line(&now, clock_mono_ms() - phase_began, columns);
    if (!silenced && !held) {
        fprintf(stderr, "\r%s\033[K", line);
        fflush(stderr);
        line_stands = true;
    }
    pthread_mutex_unlock(&line_lock);
}

static void *tick(void *arg)
{
    Progress *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        cond_wait_until(&p->wake, &p->lock, clock_mono_ms() + TICK_MS);
        if (!p->stopping)
            draw(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

Error *progress_start(Job *job, bool wanted, Progress **out)
{
    *out = NULL;
    progress_phase(&(JobProgress){0}, false);
    if (!wanted || !isatty(STDERR_FILENO))
        return NULL;
    Progress *p = mem_new(Progress);
    p->job = job;
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->wake);
    int failed = pthread_create(&p->thread, NULL, tick, p);
    if (failed) {
        free(p);
        FAIL(ERR_MEMORY, "no thread for the progress line: %s", strerror(failed));
    }
    *out = p;
    return NULL;
}

void progress_stop(Progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p);
    progress_hide();
}
