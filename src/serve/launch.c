#include "serve/launch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LAST_WORDS 2000 /* bytes */

Error *launch(const LaunchOptions *o, Proc **out, Fd *events)
{
    static const char *const ours[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    int ends[2];
    AUTO_VALUE(StrList) argv = {0};
    AUTO_VALUE(StrList) env = {0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot make a pipe");
    AUTO_VALUE(Fd) writing = {ends[1]};
    events->n = ends[0];
    /* Flags stand in front of the command: behind a "--" they would be another program's. */
    strlist_add(&argv, o->argv->items[0]);
    strlist_own(&argv, mem_printf("--events=%d", writing.n));
    for (size_t i = 1; i < o->argv->count; i++)
        strlist_add(&argv, o->argv->items[i]);
    if (o->env)
        strlist_copy(&env, o->env);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        strlist_add(&env, ours[i]);
    return proc_start(
        &(ProcOptions){.argv = &argv, .env = &env, .pipe_out = o->output, .pass_fd = writing.n},
        out);
}

ErrorKind launch_kind(int status)
{
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (error_kind_info(k)->exit_status == status)
            return k;
    return ERR_INTERNAL;
}

char *launch_last_words(const Proc *p, int status)
{
    AUTO(char) text = mem_strdup(proc_stderr(p));
    size_t n = strlen(text);
    while (n && text[n - 1] == '\n')
        text[--n] = 0;
    const char *from = n > LAST_WORDS ? text + n - LAST_WORDS : text;
    if (status > 128)
        return mem_printf("it was ended by signal %d%s%s", status - 128, *from ? ": " : "", from);
    return *from ? mem_strdup(from) : mem_printf("it ended with status %d", status);
}
