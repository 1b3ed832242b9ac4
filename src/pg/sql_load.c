#include "pg/sql_load.h"

#include <string.h>

#include "base/buf.h"
#include "pg/copy.h"
#include "pg/sql_stream.h"
#include "pg/sql_words.h"

#define SHOWN 120 /* bytes of a statement in a message */
#define WORDS 6   /* of a statement that are looked at */

/* Kinds of statements that are passed over. */
typedef enum Skip {
    SKIP_NONE,
    SKIP_DATABASE,
    SKIP_ROLE,
    SKIP_TABLESPACE,
    SKIP_SYSTEM,
    SKIP_OWNER,
    SKIP_OWNED,
    SKIP_PRIVILEGE,
    SKIP_SETTING,
    SKIP_STATISTICS,
    SKIP_KINDS
} Skip;

struct SqlLoad {
    Conn *c;
    SqlLoadOptions options;
    SqlStream *stream;
    size_t done;      /* statements */
    size_t connected; /* \connect lines */
    size_t skipped[SKIP_KINDS];
};

/* -- what a statement is ---------------------------------------------------------------------- */

typedef struct Words {
    SqlWord w[WORDS];
    size_t n;
} Words;

static Words first_words(const char *sql)
{
    Words words = {0};
    const char *at = sql;
    while (words.n < WORDS) {
        SqlWord w = sql_word_next(&at);
        if (w.kind == SQL_END)
            break;
        words.w[words.n++] = w;
    }
    return words;
}

static bool is(const Words *w, size_t i, const char *keyword)
{
    return i < w->n && sql_word_is(&w->w[i], keyword);
}

static bool has_word(const char *sql, const char *keyword)
{
    const char *at = sql;
    for (SqlWord w = sql_word_next(&at); w.kind != SQL_END; w = sql_word_next(&at))
        if (sql_word_is(&w, keyword))
            return true;
    return false;
}

/* ALTER ... OWNER TO name, as pg_dump writes it: the last words. */
static bool changes_owner(const char *sql)
{
    const char *at = sql;
    SqlWord before[2] = {0}, w;
    while ((w = sql_word_next(&at)).kind != SQL_END) {
        if (sql_word_is(&before[0], "owner") && sql_word_is(&before[1], "to"))
            return sql_word_next(&at).kind == SQL_END;
        before[0] = before[1];
        before[1] = w;
    }
    return false;
}

static Skip about(const Words *w, size_t i)
{
    if (is(w, i, "database"))
        return SKIP_DATABASE;
    if (is(w, i, "role") || is(w, i, "group") || (is(w, i, "user") && !is(w, i + 1, "mapping")))
        return SKIP_ROLE;
    return is(w, i, "tablespace") ? SKIP_TABLESPACE : SKIP_NONE;
}

/* What GRANT ... ON is about. Only where a name follows is it that: there are tables called
 * "database". */
static Skip granted(const char *sql)
{
    static const struct {
        const char *word;
        Skip skip;
    } kinds[] = {
        {"database", SKIP_DATABASE}, {"tablespace", SKIP_TABLESPACE}, {"parameter", SKIP_SYSTEM}};
    const char *at = sql;
    SqlWord w = sql_word_next(&at);
    while (w.kind != SQL_END && !sql_word_is(&w, "on"))
        w = sql_word_next(&at);
    if (w.kind == SQL_END)
        return SKIP_ROLE; /* a membership */
    w = sql_word_next(&at);
    SqlWord name = sql_word_next(&at);
    bool named = name.kind == SQL_QUOTED || (name.kind == SQL_WORD && !sql_word_is(&name, "to") &&
                                             !sql_word_is(&name, "from"));
    for (size_t i = 0; named && i < sizeof kinds / sizeof *kinds; i++)
        if (sql_word_is(&w, kinds[i].word))
            return kinds[i].skip;
    return SKIP_NONE;
}

static bool sets_role(const Words *w)
{
    size_t at = is(w, 1, "local") || (is(w, 1, "session") && is(w, 2, "role")) ? 2 : 1;
    return is(w, 0, "set") &&
           (is(w, at, "role") || (is(w, at, "session") && is(w, at + 1, "authorization")));
}

static Skip skip_of(const SqlLoad *l, const char *sql, const Words *w)
{
    /* Of all databases, and tablespaces too. */
    if ((is(w, 0, "drop") || is(w, 0, "reassign")) && is(w, 1, "owned"))
        return SKIP_OWNED;
    if (l->options.no_owner && sets_role(w))
        return SKIP_OWNER;
    if (is(w, 0, "create") || is(w, 0, "drop") || is(w, 0, "alter")) {
        if (is(w, 0, "alter") && is(w, 1, "system"))
            return SKIP_SYSTEM;
        if (is(w, 0, "alter") && is(w, 1, "default") && is(w, 2, "privileges"))
            return l->options.no_privileges ? SKIP_PRIVILEGE : SKIP_NONE;
        Skip skip = about(w, 1);
        if (skip)
            return skip;
        return l->options.no_owner && is(w, 0, "alter") && changes_owner(sql) ? SKIP_OWNER
                                                                              : SKIP_NONE;
    }
    if (is(w, 0, "comment") && is(w, 1, "on"))
        return about(w, 2);
    if (is(w, 0, "security") && is(w, 1, "label"))
        return is(w, 2, "on") ? about(w, 3) : is(w, 4, "on") ? about(w, 5) : SKIP_NONE;
    if (is(w, 0, "grant") || is(w, 0, "revoke")) {
        Skip skip = granted(sql);
        if (skip)
            return skip;
        return l->options.no_privileges ? SKIP_PRIVILEGE : SKIP_NONE;
    }
    return SKIP_NONE;
}

/* -- doing it --------------------------------------------------------------------------------- */

static char *shown(const char *sql)
{
    const char *at = sql;
    SqlWord w = sql_word_next(&at); /* passes over comments */
    AUTO(char) start = mem_strndup(w.start, strnlen(w.start, SHOWN));
    return text_printable(start);
}

static Error *failed(const SqlLoad *l, const char *sql, Error *e)
{
    AUTO(char) text = shown(sql);
    /* undefined_object, or a wrong value of SET: of a role */
    const char *state = conn_last_sqlstate(l->c);
    if ((!strcmp(state, "42704") || !strcmp(state, "22023")) && strstr(error_message(e), "role"))
        e = error_hint(e, "make the roles that the dump names, or leave owners and privileges out "
                          "with --no-owner and --no-privileges");
    return error_context(e, "the dump's statement \"%s\" failed", text);
}

/* What failed for want of a newer server, and makes no difference: undefined_object of a setting
 * (transaction_timeout), undefined_function that restores statistics. */
static Skip needless_here(const SqlLoad *l, const char *sql, const Words *w)
{
    const char *state = conn_last_sqlstate(l->c);
    if (is(w, 0, "set") && !sets_role(w) && !strcmp(state, "42704"))
        return SKIP_SETTING;
    bool statistics =
        has_word(sql, "pg_restore_relation_stats") || has_word(sql, "pg_restore_attribute_stats");
    return is(w, 0, "select") && statistics && !strcmp(state, "42883") ? SKIP_STATISTICS
                                                                       : SKIP_NONE;
}

static Error *take_statement(void *ctx, const char *sql, bool copy)
{
    SqlLoad *l = ctx;
    Words w = first_words(sql);
    Skip skip = skip_of(l, sql, &w);
    if (skip) {
        l->skipped[skip]++;
        return NULL;
    }
    if (is(&w, 0, "copy") && !copy)
        return error_hint(
            ERROR_NEW(ERR_ARCHIVE, "the dump wants to COPY from or to a file of the server"),
            "that is not done by an import");
    /* conn_query takes one statement alone: what the server would tell apart otherwise than we do,
     * and so get past us, it refuses. */
    AUTO(Rows) rows = NULL;
    Error *e = copy ? copy_in_begin(l->c, sql) : conn_query(l->c, sql, 0, NULL, &rows);
    Skip needless = e ? needless_here(l, sql, &w) : SKIP_NONE;
    if (needless) {
        l->skipped[needless]++;
        error_free(e);
        return NULL;
    }
    if (e)
        return conn_broken(l->c) ? e : failed(l, sql, e);
    sql_stream_standard(l->stream, conn_standard_strings(l->c));
    /* Dumps begin with settings: they alone are no database. */
    l->done += !is(&w, 0, "set") && !is(&w, 0, "select");
    return NULL;
}

static Error *take_rows(void *ctx, const void *p, size_t n)
{
    SqlLoad *l = ctx;
    return copy_in_write(l->c, p, n);
}

static Error *take_rows_end(void *ctx)
{
    SqlLoad *l = ctx;
    uint64_t rows;
    return copy_in_end(l->c, &rows);
}

static Error *take_command(void *ctx, const char *line)
{
    SqlLoad *l = ctx;
    size_t n = strcspn(line, " \t");
    AUTO(char) name = mem_strndup(line, n);
    if (!strcmp(name, "\\restrict") || !strcmp(name, "\\unrestrict"))
        return NULL; /* pg_dump's guard against commands in names */
    if (!strcmp(name, "\\encoding")) {
        AUTO(char) value = text_sql_literal(line + n + strspn(line + n, " \t"));
        return conn_execf(l->c, "SET client_encoding = %s", value);
    }
    if (!strcmp(name, "\\connect") || !strcmp(name, "\\c")) {
        if (++l->connected == 1 && !l->done)
            return NULL;
        return error_hint(ERROR_NEW(ERR_ARCHIVE, "the dump holds several databases: %s", line),
                          "it was made by pg_dumpall: cut it into one file for each database, or "
                          "load it into a server and back that up with --all-databases");
    }
    AUTO(char) text = text_printable(line);
    return error_hint(ERROR_NEW(ERR_ARCHIVE, "the dump holds a command of psql: %s", text),
                      "an import runs none of them; if it is needed, load the dump by psql and "
                      "back that database up");
}

Error *sql_load_begin(Conn *c, const SqlLoadOptions *options, SqlLoad **out)
{
    AUTO(SqlLoad) l = mem_new(SqlLoad);
    l->c = c;
    l->options = *options;
    l->stream = sql_stream_new(&(SqlTake){.statement = take_statement,
                                          .rows = take_rows,
                                          .rows_end = take_rows_end,
                                          .command = take_command,
                                          .ctx = l});
    /* What psql would have: dumps by hand rely on it. */
    TRY(conn_exec(c, "SET search_path TO \"$user\", public; SET standard_conforming_strings = on; "
                     "SET statement_timeout = 0; SET lock_timeout = 0; "
                     "SET synchronous_commit = off; SET default_transaction_read_only = off"));
    *out = STEAL(l);
    return NULL;
}

Error *sql_load_write(SqlLoad *l, const void *p, size_t n)
{
    return sql_stream_write(l->stream, p, n);
}

Error *sql_load_end(SqlLoad *l, StrList *notes)
{
    static const char *const kinds[SKIP_KINDS] = {
        [SKIP_DATABASE] = "about the database itself (its settings and privileges too)",
        [SKIP_ROLE] = "about roles and memberships",
        [SKIP_TABLESPACE] = "about tablespaces",
        [SKIP_SYSTEM] = "about the server's settings",
        [SKIP_OWNER] = "about owners",
        [SKIP_OWNED] = "about all that a role owns, anywhere",
        [SKIP_PRIVILEGE] = "about privileges",
        [SKIP_SETTING] = "that set what this server does not know",
        [SKIP_STATISTICS] = "with statistics that this server cannot take",
    };
    TRY(sql_stream_end(l->stream));
    if (conn_in_transaction(l->c))
        FAIL(ERR_ARCHIVE, "it ends inside a transaction, of which nothing would stay: it is cut "
                          "short");
    if (!l->done)
        FAIL(ERR_ARCHIVE, "there is no statement in it that makes anything");
    for (size_t i = 1; i < SKIP_KINDS; i++)
        if (l->skipped[i])
            strlist_own(notes,
                        mem_printf("statements passed over %s: %zu", kinds[i], l->skipped[i]));
    return conn_exec(l->c, "RESET ALL");
}

void sql_load_free(SqlLoad *l)
{
    if (l->stream)
        sql_stream_free(l->stream);
    free(l);
}
