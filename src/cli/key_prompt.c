#include "cli/key_prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/progress.h"

#define TYPED_MAX 1024
/* What the terminal would otherwise answer with a signal that leaves it without echo. */
#define CTRL_Z 26
#define CTRL_BACKSLASH 28

/* A line, which may end at the end of the file as well. */
static Error *read_line(int tty, const Cancel *cancel, Secret **out)
{
    AUTO(Secret) line = secret_new(TYPED_MAX);
    size_t n = 0;
    for (;;) {
        bool ready;
        char c = 0;
        TRY(cancel_poll(cancel, tty, POLLIN, -1, &ready));
        ssize_t got = ready ? read(tty, &c, 1) : -1;
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0 || c == '\n')
            break;
        if (c == CTRL_Z || c == CTRL_BACKSLASH)
            continue;
        if (n == TYPED_MAX)
            FAIL(ERR_KEY, "that is longer than a passphrase may be");
        secret_bytes(line)[n++] = (uint8_t)c;
        secret_wipe(&c, sizeof c);
    }
    *out = secret_copy(secret_look(line), n);
    return NULL;
}

static Error *ask_once(int tty, const char *question, const Cancel *cancel, Secret **out)
{
    dprintf(tty, "%s: ", question);
    Error *e = read_line(tty, cancel, out);
    dprintf(tty, "\n");
    return e;
}

static Error *ask(int tty, const char *question, KeyUse use, const Cancel *cancel, Secret **out)
{
    AUTO(Secret) first = NULL;
    AUTO(Secret) second = NULL;
    TRY(ask_once(tty, question, cancel, &first));
    if (use == KEY_TO_MAKE) {
        TRY(ask_once(tty, "the same once more", cancel, &second));
        if (secret_length(first) != secret_length(second) ||
            memcmp(secret_look(first), secret_look(second), secret_length(first)) != 0)
            FAIL(ERR_KEY, "the two were not the same; nothing was done");
    }
    *out = STEAL(first);
    return NULL;
}

Error *key_prompt_ask(const char *question, KeyUse use, const Cancel *cancel, Secret **out)
{
    struct termios shown, hidden;
    *out = NULL;
    if (!isatty(STDIN_FILENO))
        return NULL;
    AUTO_VALUE(Fd) tty = {open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)};
    if (tty.n < 0 || tcgetattr(tty.n, &shown) < 0)
        return NULL;
    hidden = shown;
    hidden.c_lflag &= (tcflag_t)~ECHO;
    hidden.c_cc[VSUSP] = hidden.c_cc[VQUIT] = _POSIX_VDISABLE;
    if (tcsetattr(tty.n, TCSAFLUSH, &hidden) < 0)
        return error_errno(ERR_IO, ERR_IO, "the terminal cannot be told to hide what is typed");
    progress_hold(true);
    Error *e = ask(tty.n, question, use, cancel, out);
    progress_hold(false);
    tcsetattr(tty.n, TCSAFLUSH, &shown);
    return e;
}
