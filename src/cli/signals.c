#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static _Atomic(Cancel *) watched;

static void on_signal(int number)
{
    int saved = errno;
    if (number == SIGINT && isatty(STDERR_FILENO)) {
        static const char text[] = "\npgstow: stopping (Ctrl-C once more ends it at once)\n";
        ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
        (void)ignored;
    }
    Cancel *c = watched;
    if (c)
        cancel_request(c);
    errno = saved;
}

Error *signals_watch(Cancel *c)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    watched = c;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old, action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        if (numbers[i] == SIGINT)
            action.sa_flags |= (int)SA_RESETHAND;
        /* What nohup or a shell's & told us to ignore stays ignored. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
            continue;
        if (sigaction(numbers[i], &action, NULL) < 0)
            return error_errno(ERR_INTERNAL, ERR_INTERNAL, "cannot watch signal %d", numbers[i]);
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_errno(ERR_INTERNAL, ERR_INTERNAL, "cannot ignore SIGPIPE");
    return NULL;
}

void signals_forget(void)
{
    watched = NULL;
}
