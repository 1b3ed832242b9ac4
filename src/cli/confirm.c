#include "cli/confirm.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/progress.h"

static Error *read_answer(const Cancel *cancel, char *line, size_t size)
{
    size_t n = 0;
    for (bool ended = false; !ended;) {
        bool ready;
        char c;
        TRY(cancel_poll(cancel, STDIN_FILENO, POLLIN, -1, &ready));
        ended = ready && (read(STDIN_FILENO, &c, 1) != 1 || c == '\n');
        if (ready && !ended && n + 1 < size)
            line[n++] = c;
    }
    return NULL;
}

Error *confirm_ask(const char *question, bool yes, bool can_look, const Cancel *cancel)
{
    if (yes)
        return NULL;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return error_hint(
            ERROR_NEW(ERR_CONFIRM, "%s Nothing was done: there is no terminal to ask on", question),
            can_look ? "give --yes where this is meant, --dry-run to look first"
                     : "give --yes where this is meant");
    progress_hold(true);
    fprintf(stderr, "%s\nType yes to go on: ", question);
    fflush(stderr);
    char line[64] = "";
    Error *e = read_answer(cancel, line, sizeof line);
    progress_hold(false);
    TRY(e);
    if (!text_equal_nocase(line, "yes"))
        return error_hint(ERROR_NEW(ERR_CONFIRM, "not confirmed: nothing was done"),
                          "only the whole word yes counts");
    return NULL;
}
