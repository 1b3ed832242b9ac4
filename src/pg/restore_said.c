#include <string.h>

#include "pg/restore_pass.h"
#include "pg/toc_search_path.h"

void restore_said_clear(RestoreSaid *s)
{
    free(s->entry);
    free(s->error);
    free(s->detail);
    free(s->context);
    free(s->hint);
    free(s->last);
    free(s->refused);
    strlist_free(&s->warnings);
    *s = (RestoreSaid){0};
}

/* "3344; 0 26467 MATERIALIZED VIEW DATA one postgres": what is behind the three numbers. */
static char *entry_name(const char *line)
{
    for (int i = 0; i < 3; i++) {
        line += strspn(line, "0123456789;");
        line += strspn(line, " ");
    }
    return text_printable(line);
}

static bool begins(const char *line, const char *mark, const char **rest)
{
    *rest = line + strlen(mark);
    return text_starts(line, mark);
}

static void keep_once(char **to, const char *text)
{
    if (!*to)
        *to = text_printable(text);
}

#define QUERY "could not execute query: "

/* Several jobs on an old server all say this at the same time, and the beginnings of their lines
 * get mixed; what is behind QUERY comes in one piece. The words around the name may be in the
 * server's own language. */
static bool is_refusal(const RestoreSaid *s, const char *error)
{
    return s->old_server && strstr(error, QUERY) && strstr(error, "transaction_timeout");
}

/* For the same reason a line without QUERY may be no error there. One that is ends pg_restore, and
 * stays as the last that it said. */
static bool is_error(const RestoreSaid *s, const char *error)
{
    return !s->old_server || strstr(error, QUERY);
}

void restore_said_line(RestoreSaid *s, const char *line)
{
    const char *rest;
    if (s->old_server && begins(line, "pg_restore: warning: errors ignored on restore: ", &rest)) {
        s->ignored = atoi(rest);
    } else if (begins(line, "pg_restore: error: ", &rest) && is_refusal(s, rest)) {
        keep_once(&s->refused, rest);
    } else if (begins(line, "pg_restore: warning: ", &rest)) {
        strlist_own(&s->warnings, text_printable(rest));
    } else if (begins(line, "pg_restore: error: ", &rest) && is_error(s, rest)) {
        keep_once(&s->error, text_starts(rest, QUERY) ? rest + strlen(QUERY) : rest);
    } else if (!s->error && begins(line, "pg_restore: from TOC entry ", &rest)) {
        free(s->entry);
        s->entry = entry_name(rest);
    } else if (s->error && begins(line, "DETAIL:  ", &rest)) {
        keep_once(&s->detail, rest);
    } else if (s->error && begins(line, "CONTEXT:  ", &rest)) {
        keep_once(&s->context, rest);
    } else if (s->error && begins(line, "HINT:  ", &rest)) {
        keep_once(&s->hint, rest);
    } else if (!s->error && *line) {
        free(s->last);
        s->last = text_printable(line);
    }
}

bool restore_said_only_refused(const RestoreSaid *s, int sessions)
{
    return !s->error && s->refused && s->ignored == sessions;
}

Error *restore_said_error(const RestoreSaid *s, int status)
{
    AUTO(char) none = mem_printf("it ended with status %d and said nothing", status);
    /* Without an error of its own: a message of a shell, of docker ... */
    const char *what = s->error ? s->error : s->ignored ? s->refused : s->last;
    what = what ? what : none;
    ErrorKind kind = ERR_TOOL_FAILED;
    if (strstr(what, "No space left on device"))
        kind = ERR_DB_FULL;
    else if (strstr(what, "server closed the connection") || strstr(what, "connection to server"))
        kind = ERR_CONNECT;
    Error *e =
        ERROR_NEW(kind, "pg_restore failed%s%s: %s%s%s%s%s", s->entry ? " at " : "",
                  s->entry ? s->entry : "", what, s->detail ? "; " : "", s->detail ? s->detail : "",
                  s->context ? "; " : "", s->context ? s->context : "");
    /* In English only: of what pg_restore says, nothing else tells this error from others. */
    if (s->context && s->error && strstr(s->error, "does not exist"))
        return error_hint(e, SEARCH_PATH_HINT);
    return s->hint ? error_hint(e, "%s", s->hint) : e;
}
