#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/file.h"

#define STDERR_KEPT 65536
extern char **environ;

struct Proc {
    pid_t pid;
    Fd in, out, err;
    bool reading, waited;
    bool alone; /* not a process group of its own */
    int status;
    pthread_t reader;
    Buf kept; /* the reading thread's until it is joined */
    void (*line)(void *ctx, const char *line);
    void *ctx;
};

static void keep(Proc *p, const char *s, size_t n)
{
    buf_add(&p->kept, s, n);
    if (p->kept.len > 2 * STDERR_KEPT) {
        size_t drop = p->kept.len - STDERR_KEPT;
        memmove(p->kept.data, p->kept.data + drop, STDERR_KEPT);
        p->kept.len = STDERR_KEPT;
    }
}

static void *read_stderr(void *arg)
{
    Proc *p = arg;
    char chunk[4096];
    AUTO_VALUE(Buf) line = {0};
    for (;;) {
        ssize_t n = read(p->err.n, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        keep(p, chunk, (size_t)n);
        for (ssize_t i = 0; p->line && i < n; i++) {
            if (chunk[i] != '\n' && line.len < 8192) {
                buf_u8(&line, (uint8_t)chunk[i]);
                continue;
            }
            AUTO(char) text = buf_steal_str(&line);
            p->line(p->ctx, text);
        }
    }
    return NULL;
}

/* The environment with the additions in it; the strings are borrowed. */
static char **merged_env(const StrList *add)
{
    size_t count = 0, n = 0;
    while (environ[count])
        count++;
    char **env = mem_calloc(count + (add ? add->count : 0) + 1, sizeof *env);
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (size_t j = 0; add && j < add->count && !replaced; j++) {
            size_t len = strcspn(add->items[j], "=");
            replaced = !strncmp(environ[i], add->items[j], len) && environ[i][len] == '=';
        }
        if (!replaced)
            env[n++] = environ[i];
    }
    for (size_t j = 0; add && j < add->count; j++)
        if (strchr(add->items[j], '='))
            env[n++] = add->items[j];
    return env;
}

static Error *make_pipe(Fd *r, Fd *w)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot make a pipe");
    r->n = ends[0];
    w->n = ends[1];
    return NULL;
}

/* Between fork and exec only what is safe after a fork in a threaded program. */
static void run_child(pid_t parent, char **argv, char **env, const char *const *paths, int in,
                      int out, int err, int status, const ProcOptions *o)
{
    if (!o->inherit)
        setsid();
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before that */
        _exit(126);
#else
    (void)parent;
#endif
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0) {
        if (o->pass_fd > 0)
            fcntl(o->pass_fd, F_SETFD, 0);
        environ = env;
        int code = ENOENT;
        for (; *paths; paths++) {
            execve(*paths, argv, env);
            if (errno != ENOENT && errno != ENOTDIR)
                code = errno;
        }
        errno = code;
    }
    int code = errno;
    if (write(status, &code, sizeof code) < 0)
        _exit(126);
    _exit(127);
}

/* Where a program of this name may be: itself with a slash in it, else along PATH. */
static void candidates(const char *name, StrList *out)
{
    if (strchr(name, '/')) {
        strlist_add(out, name);
        return;
    }
    const char *path = getenv("PATH");
    AUTO(char) copy = mem_strdup(path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *save = NULL;
    for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
        strlist_own(out, file_join(dir, name));
}

/* What stands for the child's standard input, output and error, and our ends of it. */
static Error *make_standard(const ProcOptions *o, Proc *p, Fd *in, Fd *out, Fd *err)
{
    if (o->pipe_in)
        TRY(make_pipe(in, &p->in));
    else if (o->in_fd <= 0)
        in->n = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (o->pipe_out)
        TRY(make_pipe(&p->out, out));
    else
        out->n = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return make_pipe(&p->err, err);
}

Error *proc_start(const ProcOptions *o, Proc **out)
{
    AUTO(Proc) p = mem_new(Proc);
    AUTO_VALUE(Fd)
    child_in = {-1}, child_out = {-1}, child_err = {-1}, exec_r = {-1}, exec_w = {-1};
    p->in.n = p->out.n = p->err.n = -1;
    p->pid = -1;
    p->line = o->line;
    p->ctx = o->ctx;
    p->alone = o->inherit;
    if (!o->inherit)
        TRY(make_standard(o, p, &child_in, &child_out, &child_err));
    TRY(make_pipe(&exec_r, &exec_w));

    char **argv = mem_calloc(o->argv->count + 1, sizeof *argv);
    memcpy(argv, o->argv->items, o->argv->count * sizeof *argv);
    char **env = merged_env(o->env);
    AUTO_VALUE(StrList) paths = {0};
    candidates(argv[0], &paths);
    strlist_own(&paths, NULL);
    pid_t self = getpid();
    p->pid = fork();
    if (p->pid == 0)
        run_child(self, argv, env, (const char *const *)paths.items,
                  o->inherit     ? 0
                  : o->in_fd > 0 ? o->in_fd
                                 : child_in.n,
                  o->inherit ? 1 : child_out.n,
                  o->inherit      ? 2
                  : o->err_to_out ? child_out.n
                                  : child_err.n,
                  exec_w.n, o);
    free(argv);
    free(env);
    if (p->pid < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot start %s", o->argv->items[0]);
    fd_close(&exec_w);
    fd_close(&child_err);
    int code = 0;
    size_t got = 0;
    TRY(file_read_some(exec_r.n, &code, sizeof code, "the child's status", &got));
    if (got) {
        int status;
        waitpid(p->pid, &status, 0);
        p->pid = -1;
        FAIL(ERR_TOOL_MISSING, "cannot run %s: %s", o->argv->items[0], strerror(code));
    }
    if (!o->inherit && pthread_create(&p->reader, NULL, read_stderr, p) != 0)
        FAIL(ERR_MEMORY, "cannot start a thread");
    p->reading = !o->inherit;
    *out = STEAL(p);
    return NULL;
}

int proc_in(const Proc *p)
{
    return p->in.n;
}

int proc_out(const Proc *p)
{
    return p->out.n;
}

void proc_close_in(Proc *p)
{
    fd_close(&p->in);
}

void proc_close_out(Proc *p)
{
    fd_close(&p->out);
}

int64_t proc_pid(const Proc *p)
{
    return p->pid;
}

void proc_signal(Proc *p, int signal)
{
    if (p->pid > 0 && !p->waited)
        kill(p->alone ? p->pid : -p->pid, signal);
}

static void reaped(Proc *p, int raw)
{
    p->waited = true;
    p->status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    if (p->reading) {
        pthread_join(p->reader, NULL);
        p->reading = false;
    }
    buf_u8(&p->kept, 0);
}

Error *proc_wait(Proc *p, int *status)
{
    int raw = 0;
    while (!p->waited) {
        if (waitpid(p->pid, &raw, 0) == p->pid)
            reaped(p, raw);
        else if (errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot wait for a child process");
    }
    *status = p->status;
    return NULL;
}

Error *proc_wait_for(Proc *p, int64_t ms, bool *done, int *status)
{
    int64_t until = clock_mono_ms() + ms;
    int raw = 0;
    while (!p->waited) {
        pid_t got = waitpid(p->pid, &raw, WNOHANG);
        if (got == p->pid)
            reaped(p, raw);
        else if (got < 0 && errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot wait for a child process");
        else if (clock_mono_ms() >= until)
            break;
        else
            clock_sleep_ms(10);
    }
    *done = p->waited;
    *status = p->status;
    return NULL;
}

const char *proc_stderr(const Proc *p)
{
    return p->waited && p->kept.data ? (const char *)p->kept.data : "";
}

/* Without reaping it: until then nothing else can have its number. */
bool proc_has_ended(const Proc *p)
{
    siginfo_t info = {0};
    return p->waited ||
           (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid);
}

Error *proc_end(Proc *p, int64_t ms, int *status)
{
    if (!p->waited) {
        int64_t until = clock_mono_ms() + ms;
        proc_signal(p, SIGTERM);
        while (!proc_has_ended(p) && clock_mono_ms() < until)
            clock_sleep_ms(1);
        /* Also where it has ended: what it started itself may not have, and holds our pipe. */
        proc_signal(p, SIGKILL);
    }
    return proc_wait(p, status);
}

void proc_free(Proc *p)
{
    int status;
    fd_close(&p->in);
    fd_close(&p->out);
    if (p->pid > 0)
        error_drop(proc_end(p, 2000, &status));
    fd_close(&p->err);
    buf_free(&p->kept);
    free(p);
}

Error *proc_run(const StrList *argv, const StrList *env, size_t max, Buf *out, int *status,
                char **stderr_text)
{
    AUTO(Proc) p = NULL;
    TRY(proc_start(&(ProcOptions){.argv = argv, .env = env, .pipe_out = true}, &p));
    for (size_t got = 1; got;) {
        TRY(buf_reserve(out, 8192, max + 8192));
        TRY(file_read_some(proc_out(p), out->data + out->len, 8192, argv->items[0], &got));
        out->len += got;
        if (out->len > max)
            FAIL(ERR_LIMIT, "%s printed more than %zu bytes", argv->items[0], max);
    }
    TRY(proc_wait(p, status));
    if (stderr_text)
        *stderr_text = mem_strdup(proc_stderr(p));
    return NULL;
}

Error *proc_split(const char *s, StrList *argv)
{
    AUTO_VALUE(Buf) word = {0};
    bool in_word = false;
    for (char quote = 0; *s || quote; s++) {
        if (!*s)
            FAIL(ERR_CONFIG, "a quote (%c) is not closed in the command", quote);
        if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
            quote = quote ? 0 : *s;
            in_word = true;
        } else if (*s == '\\' && quote != '\'' && s[1]) {
            buf_u8(&word, (uint8_t) * ++s);
            in_word = true;
        } else if (!quote && (*s == ' ' || *s == '\t' || *s == '\n')) {
            if (in_word)
                strlist_own(argv, buf_steal_str(&word));
            in_word = false;
        } else {
            buf_u8(&word, (uint8_t)*s);
            in_word = true;
        }
    }
    if (in_word)
        strlist_own(argv, buf_steal_str(&word));
    return NULL;
}
