#include "pg/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "sql.h"

#define END_MS 10000

struct Dump {
    Proc *proc;
    Toc *toc;
    Cancel *cancel;
    const Conn *conn; /* borrowed, while the table of contents is read */
};

static Error *read_pipe(void *ctx, void *p, size_t n, size_t *got)
{
    Dump *d = ctx;
    for (;;) {
        TRY(conn_poll_child(d->conn, d->cancel, proc_out(d->proc)));
        ssize_t r = read(proc_out(d->proc), p, n);
        if (r < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (r < 0)
            return error_errno(ERR_IO, ERR_IO, "cannot read from pg_dump");
        *got = (size_t)r;
        return NULL;
    }
}

static Error *forbidden(Error *e)
{
    return error_hint(error_rekind(e, ERR_DB_PERMISSION),
                      "`pgstow doctor` prints the GRANTs that a backup user needs; or leave the "
                      "table out with --exclude-table");
}

/* Gives the error the kind and the hint that pg_dump's words stand for. Takes it over. */
static Error *explain(Error *e, const char *said)
{
    if (strstr(said, "permission denied") || strstr(said, "must be owner") ||
        strstr(said, "row-level security"))
        e = forbidden(e);
    /* What --lock-wait-timeout sets for pg_dump's LOCK TABLE is a statement_timeout. */
    else if (strstr(said, "statement timeout") || strstr(said, "lock timeout") ||
             strstr(said, "could not obtain lock") || strstr(said, "deadlock detected"))
        e = error_rekind(e, ERR_DB_CHANGED);
    else if (strstr(said, "server version mismatch"))
        e = error_rekind(e, ERR_TOOL_VERSION);
    if (strstr(said, "max_locks_per_transaction"))
        e = error_hint(e, "the server has no room for so many locks: raise "
                          "max_locks_per_transaction there; `pgstow doctor` says to what");
    return e;
}

static Error *dump_failure(const Tool *tool, int status, const char *text)
{
    AUTO(char) said = mem_strdup(text);
    size_t n = strlen(said);
    while (n && said[n - 1] == '\n')
        said[--n] = 0;
    return explain(ERROR_NEW(ERR_TOOL_FAILED, "pg_dump %s failed (status %d): %s", tool->text,
                             status, n ? said : "it printed nothing"),
                   said);
}

static void add_filters(StrList *argv, const char *flag, const StrList *patterns)
{
    for (size_t i = 0; patterns && i < patterns->count; i++)
        strlist_own(argv, mem_printf("%s=%s", flag, patterns->items[i]));
}

Error *dump_start(const DumpOptions *o, Dump **out)
{
    AUTO_VALUE(StrList) argv = {0}, env = {0};
    strlist_copy(&argv, &o->tool->argv);
    strlist_add(&argv, "--format=custom");
    strlist_add(&argv, "--compress=0");
    strlist_add(&argv, "--no-password");
    strlist_own(&argv, mem_printf("--snapshot=%s", o->snapshot));
    strlist_own(&argv, mem_printf("--encoding=%s", o->encoding));
    strlist_own(&argv, mem_printf("--lock-wait-timeout=%lld", (long long)o->lock_wait_ms));
    add_filters(&argv, "--exclude-table", o->exclude_tables);
    add_filters(&argv, "--exclude-table-data", o->exclude_table_data);
    add_filters(&argv, "--schema", o->schemas);
    TRY(conn_child_env(o->conn, NULL, &env, &argv));
    strlist_add(&env, "LC_ALL=C");

    AUTO(Dump) d = mem_new(Dump);
    d->cancel = o->cancel;
    d->conn = o->conn;
    TRY(proc_start(&(ProcOptions){.argv = &argv, .env = &env, .pipe_out = true}, &d->proc));
    Error *e = toc_read(read_pipe, d, &d->toc);
    if (e && error_kind(e) == ERR_ARCHIVE) {
        /* Too short, or no archive at all: what pg_dump says of it matters more. */
        int status = 0;
        proc_close_out(d->proc);
        e = error_first(e, proc_wait(d->proc, &status));
        if (status && status != 128 + SIGPIPE) {
            error_free(e);
            return dump_failure(o->tool, status, proc_stderr(d->proc));
        }
    }
    if (e)
        return error_context(e, "reading pg_dump's table of contents");
    *out = STEAL(d);
    return NULL;
}

const Toc *dump_toc(const Dump *d)
{
    return d->toc;
}

Error *dump_end(Dump *d, StrList *warnings)
{
    int status;
    proc_close_out(d->proc);
    /* Where the network has failed meanwhile its own cancelling would never end. */
    TRY(proc_end(d->proc, END_MS, &status));
    AUTO(char) text = mem_strdup(proc_stderr(d->proc));
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        /* The pipe that we close on purpose is no failure of its own. */
        bool ours = strstr(line, "Broken pipe") || strstr(line, "terminated by user");
        if (strstr(line, ": error: ") && !ours)
            return explain(ERROR_NEW(ERR_TOOL_FAILED,
                                     "pg_dump reported an error after its table of contents: %s",
                                     line),
                           line);
        if (strstr(line, ": warning: "))
            strlist_add(warnings, line);
    }
    return NULL;
}

/* The first table or sequence that this user may not read, or NULL. */
static Error *ask_forbidden(Conn *c, char **name)
{
    const char *const questions[] = {sql_doctor_unreadable, sql_doctor_row_security};
    *name = NULL;
    for (size_t i = 0; i < sizeof questions / sizeof *questions && !*name; i++) {
        AUTO(Rows) rows = NULL;
        TRY(conn_query(c, questions[i], 0, NULL, &rows));
        if (rows_count(rows))
            *name = mem_strdup(rows_text(rows, 0, 0));
    }
    return NULL;
}

static Error *ask_waiting(Conn *c, bool *waiting)
{
    AUTO(char) answer = NULL;
    TRY(conn_value(c,
                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d "
                   "ON d.oid = l.database WHERE d.datname = pg_catalog.current_database() "
                   "AND NOT l.granted AND l.mode = 'AccessExclusiveLock')",
                   0, NULL, &answer));
    *waiting = !strcmp(answer, "t");
    return NULL;
}

Error *dump_ask_why(Error *e, Conn *c)
{
    const char *said = e ? error_message(e) : "";
    bool reading = strstr(said, "Dumping the contents of table");
    if (!e || error_kind(e) != ERR_TOOL_FAILED || conn_broken(c) ||
        (!reading && !strstr(said, "query failed: ")))
        return e;
    AUTO(char) name = NULL;
    bool waiting = false;
    Error *asking = ask_forbidden(c, &name);
    if (!asking && !name && strstr(said, "uery was: LOCK TABLE"))
        asking = ask_waiting(c, &waiting);
    if (asking)
        return error_first(e, asking);
    if (name)
        return error_context(forbidden(e), "this user may not read all of %s", name);
    return waiting ? error_rekind(e, ERR_DB_CHANGED) : e;
}

void dump_free(Dump *d)
{
    if (d->proc)
        proc_free(d->proc);
    if (d->toc)
        toc_free(d->toc);
    free(d);
}
