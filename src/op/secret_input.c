#include "op/secret_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"

/* Files of secrets end with a newline that nobody could type. */
static size_t trimmed(const void *p, size_t n)
{
    const char *text = p;
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    return n;
}

Error *secret_read_file(const char *path, const SecretWords *w, Secret **out)
{
    AUTO_VALUE(Fd) fd = {open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat st;
    if (fd.n < 0 || fstat(fd.n, &st) < 0)
        return error_hint(
            error_rekind(error_errno(w->kind, w->kind, "cannot read %s %s", w->what, path),
                         w->kind),
            "look at its place and who may read it");
    if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)))
        log_warning("other users may read or write %s %s: chmod 600 %s", w->what, path, path);
    /* A pipe, as the shell's <(...) is: its other end may not have written yet. */
    if (!S_ISREG(st.st_mode) && fcntl(fd.n, F_SETFL, O_RDONLY) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot wait for %s %s", w->what, path);
    AUTO(Secret) text = secret_new(SECRET_FILE_MAX);
    size_t got;
    TRY(file_read_some(fd.n, secret_bytes(text), SECRET_FILE_MAX, path, &got));
    *out = secret_copy(secret_look(text), got);
    return NULL;
}

/* Children never see our secrets' variables; this one's output is a secret itself. */
Error *secret_read_command(const char *command, const SecretWords *w, const Cancel *c, Secret **out)
{
    AUTO_VALUE(StrList) argv = {0};
    AUTO(Proc) p = NULL;
    AUTO(Secret) text = secret_new(SECRET_PRINTED_MAX);
    size_t n = 0;
    int status = 0;
    TRY(proc_split(command, &argv));
    if (!argv.count)
        FAIL(ERR_CONFIG, "the command that prints %s is empty", w->what);
    TRY(proc_start(&(ProcOptions){.argv = &argv, .pipe_out = true}, &p));
    for (bool ended = false; !ended;) {
        bool ready;
        TRY(cancel_poll(c, proc_out(p), POLLIN | POLLHUP, -1, &ready));
        if (n == SECRET_PRINTED_MAX)
            FAIL(w->kind, "%s printed more than %s can be", argv.items[0], w->what);
        ssize_t got = read(proc_out(p), secret_bytes(text) + n, SECRET_PRINTED_MAX - n);
        if (got < 0 && errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot read what %s prints", argv.items[0]);
        ended = !got;
        n += got > 0 ? (size_t)got : 0;
    }
    TRY(proc_wait(p, &status));
    if (status) {
        AUTO(char) said = text_printable(proc_stderr(p));
        return error_hint(ERROR_NEW(w->kind,
                                    "the command that prints %s (%s) failed with status %d: %s",
                                    w->what, argv.items[0], status, said),
                          "run it by hand; it is run without a shell and without a terminal");
    }
    *out = secret_copy(secret_look(text), trimmed(secret_look(text), n));
    return NULL;
}

Secret *secret_take(Config *c, SettingId id)
{
    char *text = config_take_secret(c, id);
    if (!text)
        return NULL;
    size_t all = strlen(text);
    Secret *s = secret_copy(text, trimmed(text, all));
    secret_wipe(text, all);
    free(text);
    return s;
}

SettingId secret_strongest(const Config *c, const SettingId *ids, size_t count)
{
    SettingId chosen = SETTINGS;
    for (size_t i = 0; i < count; i++)
        if (ids[i] != SETTINGS && config_str(c, ids[i]) &&
            (chosen == SETTINGS || config_source(c, ids[i]) > config_source(c, chosen)))
            chosen = ids[i];
    return chosen;
}

void secret_input_of(Config *c, const SecretSettings *s, SecretInput *out)
{
    const SettingId ids[] = {s->file, s->command, s->secret, s->text};
    SettingId chosen = secret_strongest(c, ids, sizeof ids / sizeof *ids);
    if (chosen == SETTINGS)
        return;
    if (chosen == s->file)
        out->file = mem_strdup(config_str(c, chosen));
    else if (chosen == s->command)
        out->command = mem_strdup(config_str(c, chosen));
    else if (chosen == s->secret)
        out->text = secret_take(c, chosen);
    else
        out->text = secret_copy(config_str(c, chosen), strlen(config_str(c, chosen)));
}

void secret_input_clear(SecretInput *i)
{
    free(i->file);
    free(i->command);
    secret_free(i->text);
    *i = (SecretInput){0};
}

bool secret_input_given(const SecretInput *i)
{
    return i->file || i->command || i->text;
}

Error *secret_input_get(const SecretInput *i, const SecretWords *w, const Cancel *c, Secret **out)
{
    AUTO(Secret) got = NULL;
    AUTO(char) file = mem_printf("the file of %s", w->what);
    if (i->file)
        TRY(secret_read_file(i->file, &(SecretWords){file, w->kind}, &got));
    else if (i->command)
        TRY(secret_read_command(i->command, w, c, &got));
    else if (i->text)
        got = secret_copy(secret_look(i->text), secret_length(i->text));
    size_t n = got ? trimmed(secret_look(got), secret_length(got)) : 0;
    if (!n || memchr(secret_look(got), '\0', n))
        FAIL(w->kind, "%s is empty, or no text", w->what);
    *out = secret_copy(secret_look(got), n);
    return NULL;
}
