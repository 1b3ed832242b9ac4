#include "pg/assertion.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "pg/sql_stream.h"
#include "pg/sql_words.h"

#define FILE_MAX ((size_t)16 << 20)
#define SHOWN 200u /* characters of a statement or of a row */
#define PORTION 1000

static void assertion_clear(Assertion *a)
{
    free(a->file);
    free(a->sql);
    free(a->detail);
}

void assertion_list_clear(AssertionList *l)
{
    for (size_t i = 0; i < l->count; i++)
        assertion_clear(&l->items[i]);
    free(l->items);
    *l = (AssertionList){0};
}

/* -- a file as statements --------------------------------------------------------------------- */

typedef struct Reading {
    const char *file;
    Conn *c; /* NULL: only counted */
    AssertionList *out;
    size_t statements;
} Reading;

static Error *refuse_command(void *ctx, const char *line)
{
    const Reading *r = ctx;
    return error_hint(ERROR_NEW(ERR_USAGE, "%s: \"%s\" is a command of psql", r->file, line),
                      "only SQL statements can be assertions");
}

static Error *no_rows(void *ctx, const void *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
    return NULL;
}

static Error *no_end(void *ctx)
{
    (void)ctx;
    return NULL;
}

static Error *take_statement(void *ctx, const char *sql, bool copy);

static Error *read_file(Reading *r)
{
    AUTO_VALUE(Buf) text = {0};
    SqlTake take = {.statement = take_statement,
                    .rows = no_rows,
                    .rows_end = no_end,
                    .command = refuse_command,
                    .ctx = r};
    AUTO(SqlStream) s = sql_stream_new(&take);
    TRY(file_read(r->file, FILE_MAX, &text));
    Error *e = sql_stream_write(s, text.data, text.len);
    if (!e)
        e = sql_stream_end(s);
    if (e && error_kind(e) == ERR_ARCHIVE)
        e = error_rekind(e, ERR_USAGE);
    return e ? error_context(e, "%s", r->file) : NULL;
}

/* -- one statement ----------------------------------------------------------------------------- */

static char *cut(const char *text)
{
    size_t n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1]))
        n--;
    if (n <= SHOWN)
        return mem_strndup(text, n);
    n = SHOWN;
    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return mem_printf("%.*s...", (int)n, text);
}

static bool returns_rows(const char *sql)
{
    static const char *const words[] = {"select", "with", "values", "table"};
    const char *at = sql;
    SqlWord w = sql_word_next(&at);
    while (sql_word_is_mark(&w, '('))
        w = sql_word_next(&at);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (sql_word_is(&w, words[i]))
            return true;
    return false;
}

/* "id = 7, name = x" of a row, behind its first column. */
static char *row_text(const Rows *rows, size_t row)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < rows_columns(rows); i++) {
        const char *value = rows_text(rows, row, i);
        buf_printf(&b, "%s%s = %s", i ? ", " : "", rows_column(rows, i), value ? value : "NULL");
    }
    AUTO(char) text = buf_steal_str(&b);
    return cut(text);
}

/* The first row that is not true, as *found (else NULL). */
static Error *look_at(const Rows *rows, uint64_t before, char **found)
{
    for (size_t i = 0; i < rows_count(rows) && !*found; i++) {
        const char *value = rows_columns(rows) ? rows_text(rows, i, 0) : "";
        if (value && !strcmp(value, "t"))
            continue;
        if (value && strcmp(value, "f") != 0)
            return error_hint(
                ERROR_NEW(ERR_USAGE, "its first column is no boolean: \"%.40s\"", value),
                "an assertion returns rows whose first column is true");
        AUTO(char) text = row_text(rows, i);
        *found = mem_printf("row %llu: %s", (unsigned long long)(before + i + 1), text);
    }
    return NULL;
}

/* Row by row of a cursor, so that a statement may return any number. */
static Error *run_query(Conn *c, const char *sql, char **found)
{
    AUTO(char)
    declare = mem_printf("DECLARE pgstow_assertion NO SCROLL CURSOR FOR %s\n", sql);
    TRY(conn_exec(c, declare));
    for (uint64_t before = 0; !*found;) {
        AUTO(Rows) rows = NULL;
        AUTO(char) fetch = mem_printf("FETCH FORWARD %d FROM pgstow_assertion", PORTION);
        TRY(conn_query(c, fetch, 0, NULL, &rows));
        if (!rows_count(rows))
            break;
        TRY(look_at(rows, before, found));
        before += rows_count(rows);
    }
    return conn_exec(c, "CLOSE pgstow_assertion");
}

/* Whether an error says something of the data, and not of the server, the user or the statement. */
static bool is_answer(const Conn *c, const Error *e)
{
    static const char *const others[] = {"08", "53", "57", "58", "42601", "42501", "25"};
    const char *state = conn_last_sqlstate(c);
    if (conn_broken(c) || error_kind(e) == ERR_USAGE || !*state)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (text_starts(state, others[i]))
            return false;
    return true;
}

static Error *run_one(Conn *c, const char *sql, Assertion *out)
{
    TRY(conn_exec(c, "SAVEPOINT pgstow_assertion"));
    Error *e = returns_rows(sql) ? run_query(c, sql, &out->detail) : conn_exec(c, sql);
    if (!e && !conn_in_transaction(c))
        e = error_hint(ERROR_NEW(ERR_USAGE, "it ends the transaction in which assertions run"),
                       "leave BEGIN and COMMIT out");
    if (!e) {
        out->good = !out->detail;
        return conn_exec(c, "RELEASE SAVEPOINT pgstow_assertion");
    }
    if (!is_answer(c, e))
        return error_kind(e) == ERR_DB ? error_rekind(e, ERR_USAGE) : e;
    out->detail = mem_strdup(error_message(e));
    error_free(e);
    return conn_exec(c, "ROLLBACK TO SAVEPOINT pgstow_assertion; "
                        "RELEASE SAVEPOINT pgstow_assertion");
}

static Error *take_statement(void *ctx, const char *sql, bool copy)
{
    Reading *r = ctx;
    const char *at = sql;
    SqlWord first = sql_word_next(&at);
    if (first.kind == SQL_END)
        return NULL;
    r->statements++;
    if (copy)
        FAIL(ERR_USAGE, "statement %zu is a COPY FROM stdin, which is no assertion", r->statements);
    if (!r->c)
        return NULL;
    Assertion a = {.file = mem_strdup(r->file), .number = r->statements, .sql = cut(first.start)};
    Error *e = run_one(r->c, sql, &a);
    if (e) { /* it neither holds nor fails */
        e = error_context(e, "statement %zu (%s)", r->statements, a.sql);
        assertion_clear(&a);
        return e;
    }
    mem_grow(r->out->items, r->out->count, r->out->cap);
    r->out->items[r->out->count++] = a;
    return NULL;
}

/* -- files ------------------------------------------------------------------------------------- */

Error *assertion_check_files(const StrList *files)
{
    for (size_t i = 0; files && i < files->count; i++) {
        Reading r = {.file = files->items[i]};
        Error *e = read_file(&r);
        /* Not to be taken for a backup that is not there. */
        TRY(e && error_kind(e) == ERR_NOT_FOUND ? error_rekind(e, ERR_USAGE) : e);
        if (!r.statements)
            return error_hint(ERROR_NEW(ERR_USAGE, "%s has no statement", r.file),
                              "an assertion that asserts nothing would always hold");
    }
    return NULL;
}

Error *assertion_run(Conn *c, const char *file, AssertionList *out)
{
    Reading r = {.file = file, .c = c, .out = out};
    TRY(conn_exec(c, "BEGIN; SET LOCAL search_path = \"$user\", public"));
    TRY(read_file(&r));
    return conn_exec(c, "ROLLBACK");
}
