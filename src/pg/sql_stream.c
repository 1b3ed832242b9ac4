#include "pg/sql_stream.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "pg/sql_words.h"

#define WORD_MAX 64 /* longer ones are no keywords */
#define TAG_MAX 64

typedef enum State {
    PLAIN,
    LINE_COMMENT,
    BLOCK_COMMENT,
    STRING,  /* '...' */
    ESCAPES, /* E'...' */
    QUOTED,  /* "..." */
    DOLLAR,  /* $tag$ ... $tag$ */
    COMMAND, /* \... to the end of the line */
    ROWS
} State;

struct SqlStream {
    SqlTake take;
    State state;
    Buf text; /* the statement so far; of COMMAND the line; of ROWS a line that may be the mark */
    size_t line;
    size_t begun, complete; /* dumps of pg_dump, by its own comments */
    bool any;               /* something other than space and comments in the statement */
    bool rows_begun;        /* ROWS: we are behind the line of the COPY itself */
    int depth;              /* of comments, in BLOCK_COMMENT */
    int parens;
    bool standard;     /* backslashes mean nothing in '...' */
    char last;         /* the character before, where two belong together; else 0 */
    char tag[TAG_MAX]; /* DOLLAR: with both dollars; also while it is being read */
    size_t tag_length, matched;
    bool in_tag; /* PLAIN: behind a dollar that may begin a tag */
    /* The word being read, and what the first ones were: only they tell whether ";" ends it. */
    char word[WORD_MAX];
    size_t word_length, words;
    char first[3][WORD_MAX];
    int begins; /* BEGIN ... END, CASE ... END inside the body of a function */
};

SqlStream *sql_stream_new(const SqlTake *take)
{
    SqlStream *s = mem_new(SqlStream);
    s->take = *take;
    s->line = 1;
    s->standard = true;
    return s;
}

void sql_stream_standard(SqlStream *s, bool standard)
{
    s->standard = standard;
}

void sql_stream_free(SqlStream *s)
{
    buf_free(&s->text);
    free(s);
}

static void statement_begin(SqlStream *s)
{
    s->text.len = 0;
    s->any = false;
    s->parens = s->begins = 0;
    s->words = s->word_length = 0;
    s->last = 0;
    s->in_tag = false;
    memset(s->first, 0, sizeof s->first);
}

/* COPY ... FROM stdin ...: its words, outside of parentheses. */
static bool is_copy_from_stdin(const char *sql)
{
    const char *at = sql;
    SqlWord w = sql_word_next(&at);
    if (!sql_word_is(&w, "copy"))
        return false;
    int parens = 0;
    for (w = sql_word_next(&at); w.kind != SQL_END; w = sql_word_next(&at)) {
        parens += sql_word_is_mark(&w, '(') - sql_word_is_mark(&w, ')');
        if (parens || !sql_word_is(&w, "from"))
            continue;
        w = sql_word_next(&at);
        return sql_word_is(&w, "stdin");
    }
    return false;
}

static Error *statement_end(SqlStream *s)
{
    bool copy = false;
    Error *e = NULL;
    if (s->any) {
        AUTO(char) sql = mem_strndup((const char *)s->text.data, s->text.len);
        copy = is_copy_from_stdin(sql);
        e = s->take.statement(s->take.ctx, sql, copy);
    }
    statement_begin(s);
    s->state = copy ? ROWS : PLAIN;
    s->rows_begun = false; /* the rest of its line is no row */
    return e;
}

/* -- words ------------------------------------------------------------------------------------ */

static bool word_is(const SqlStream *s, size_t i, const char *keyword)
{
    return s->words > i && text_equal_nocase(s->first[i], keyword);
}

/* CREATE [OR REPLACE] FUNCTION or PROCEDURE: the only statements with semicolons inside. */
static bool is_routine(const SqlStream *s)
{
    if (!word_is(s, 0, "create"))
        return false;
    if (word_is(s, 1, "function") || word_is(s, 1, "procedure"))
        return true;
    return word_is(s, 1, "or") && word_is(s, 2, "replace");
}

static void word_end(SqlStream *s)
{
    if (!s->word_length)
        return;
    s->word[s->word_length] = 0;
    s->word_length = 0;
    if (s->words < 3)
        memcpy(s->first[s->words], s->word, sizeof s->word);
    s->words++;
    if (!is_routine(s) || s->parens)
        return;
    if (text_equal_nocase(s->word, "begin") || (s->begins && text_equal_nocase(s->word, "case")))
        s->begins++;
    else if (s->begins && text_equal_nocase(s->word, "end"))
        s->begins--;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 128;
}

static void word_add(SqlStream *s, char c)
{
    if (s->word_length < WORD_MAX - 1)
        s->word[s->word_length++] = c;
}

/* -- one character after another -------------------------------------------------------------- */

/* Behind a dollar: the tag goes on, or is complete, or it was none. True where c belongs to it. */
static bool take_tag(SqlStream *s, char c)
{
    bool fits = s->tag_length + 2 < TAG_MAX;
    bool digit_first = s->tag_length == 1 && isdigit((unsigned char)c);
    if (c == '$' && fits) {
        s->tag[s->tag_length++] = c;
        s->in_tag = false;
        s->state = DOLLAR;
        s->matched = 0;
        return true;
    }
    if (is_word(c) && fits && !digit_first) {
        s->tag[s->tag_length++] = c;
        return true;
    }
    s->in_tag = false;
    return false;
}

static Error *take_plain(SqlStream *s, char c)
{
    if (s->in_tag && take_tag(s, c)) {
        buf_u8(&s->text, (uint8_t)c);
        return NULL;
    }
    char before = s->last;
    s->last = c;
    /* A command stands where a statement could begin. */
    if (c == '\\' && !s->any) {
        s->text.len = 0;
        buf_u8(&s->text, (uint8_t)c);
        s->state = COMMAND;
        return NULL;
    }
    if (is_word(c) && !(c == '$' && !s->word_length)) {
        word_add(s, c);
        s->any = true;
        buf_u8(&s->text, (uint8_t)c);
        return NULL;
    }
    bool escapes = s->word_length == 1 && (s->word[0] == 'e' || s->word[0] == 'E');
    word_end(s);
    if (c == ';' && !s->parens && !s->begins)
        return statement_end(s);
    buf_u8(&s->text, (uint8_t)c);
    if (c == '-' && before == '-') {
        s->state = LINE_COMMENT;
    } else if (c == '*' && before == '/') {
        s->state = BLOCK_COMMENT;
        s->depth = 1;
        s->last = 0;
    } else if (c == '\'') {
        s->state = escapes || !s->standard ? ESCAPES : STRING;
        s->last = 0;
        s->any = true;
    } else if (c == '"') {
        s->state = QUOTED;
        s->any = true;
    } else if (c == '$') {
        s->in_tag = true;
        s->tag[0] = '$';
        s->tag_length = 1;
        s->any = true;
    } else if (c == '(') {
        s->parens++;
        s->any = true;
    } else if (c == ')') {
        s->parens -= s->parens > 0;
        s->any = true;
    } else if (!isspace((unsigned char)c) && c != '-' && c != '/') {
        s->any = true;
    }
    return NULL;
}

static void take_block_comment(SqlStream *s, char c)
{
    char before = s->last;
    s->last = c;
    if (before == '/' && c == '*') {
        s->depth++;
        s->last = 0;
    } else if (before == '*' && c == '/') {
        s->last = 0;
        if (--s->depth == 0)
            s->state = PLAIN;
    }
}

/* A doubled quote ends the string and begins another: the same in the end. */
static void take_string(SqlStream *s, char c)
{
    if (s->state == ESCAPES && s->last == '\\') {
        s->last = 0;
        return;
    }
    s->last = c;
    if (c == '\'') {
        /* 'a''b' after E: the second half has escapes too, which word_length tells. */
        if (s->state == ESCAPES)
            word_add(s, 'e');
        s->state = PLAIN;
        s->last = 0;
    }
}

static void take_dollar(SqlStream *s, char c)
{
    if (c == s->tag[s->matched]) {
        if (++s->matched == s->tag_length) {
            s->state = PLAIN;
            s->last = 0;
        }
    } else {
        s->matched = c == '$';
    }
}

static Error *take_command(SqlStream *s, char c)
{
    if (c != '\n') {
        buf_u8(&s->text, (uint8_t)c);
        return NULL;
    }
    while (s->text.len && s->text.data[s->text.len - 1] == '\r')
        s->text.len--;
    AUTO(char) line = buf_steal_str(&s->text);
    s->state = PLAIN;
    statement_begin(s);
    return s->take.command(s->take.ctx, line);
}

static bool is_comment(const SqlStream *s, const char *comment)
{
    const uint8_t *p = s->text.data;
    size_t end = s->text.len - 1, n = strlen(comment); /* before the newline */
    if (end && p[end - 1] == '\r')
        end--;
    return end >= n && !memcmp(p + end - n, comment, n) && (end == n || p[end - n - 1] == '\n');
}

/* The first and the last line of what pg_dump writes. */
static void notice_comment(SqlStream *s)
{
    s->begun += is_comment(s, "-- PostgreSQL database dump");
    s->complete += is_comment(s, "-- PostgreSQL database dump complete");
}

static Error *take_char(SqlStream *s, char c)
{
    if (s->state == PLAIN)
        return take_plain(s, c);
    if (s->state == COMMAND)
        return take_command(s, c);
    buf_u8(&s->text, (uint8_t)c);
    switch (s->state) {
    case LINE_COMMENT:
        if (c == '\n') {
            notice_comment(s);
            s->state = PLAIN;
        }
        s->last = 0;
        break;
    case BLOCK_COMMENT:
        take_block_comment(s, c);
        break;
    case STRING:
    case ESCAPES:
        take_string(s, c);
        break;
    case QUOTED:
        if (c == '"')
            s->state = PLAIN;
        s->last = 0;
        break;
    default:
        take_dollar(s, c);
        break;
    }
    return NULL;
}

/* -- rows ------------------------------------------------------------------------------------- */

static Error *rows_line(SqlStream *s, const char *line, size_t n)
{
    bool mark = (n == 3 && !memcmp(line, "\\.\n", 3)) || (n == 4 && !memcmp(line, "\\.\r\n", 4));
    if (!mark)
        return s->take.rows(s->take.ctx, line, n);
    s->state = PLAIN;
    return s->take.rows_end(s->take.ctx);
}

/* The rest of COPY's own line: it is no row. */
static Error *take_rest(SqlStream *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n && !s->any; i++) {
        bool dash = p[i] == '-';
        s->any = dash && s->last == '-'; /* a comment to its end */
        if (!s->any && !dash && (s->last || !isspace((unsigned char)p[i])))
            FAIL(ERR_ARCHIVE, "more than a COPY ... FROM stdin stands on its line");
        s->last = dash ? '-' : 0;
    }
    if (p[n - 1] != '\n')
        return NULL;
    s->rows_begun = true;
    s->any = false;
    s->last = 0;
    return NULL;
}

/* Whole lines are handed on at once, up to one that begins with a backslash, which may be the mark.
 * *used: bytes that belonged to the rows. */
static Error *take_rows(SqlStream *s, const char *p, size_t n, size_t *used)
{
    const char *newline = memchr(p, '\n', n);
    *used = newline ? (size_t)(newline - p) + 1 : n;
    s->line += newline != NULL;
    if (!s->rows_begun && !s->text.len)
        return take_rest(s, p, *used);
    TRY(buf_reserve(&s->text, *used, SQL_STATEMENT_MAX));
    buf_add(&s->text, p, *used);
    if (!newline)
        return NULL;
    Error *e = rows_line(s, (const char *)s->text.data, s->text.len);
    s->text.len = 0;
    return e;
}

/* -- all of it -------------------------------------------------------------------------------- */

static Error *place(const SqlStream *s, Error *e)
{
    return e ? error_context(e, "line %zu", s->line) : NULL;
}

Error *sql_stream_write(SqlStream *s, const void *data, size_t n)
{
    const char *p = data, *end = n ? p + n : p;
    while (p < end) {
        if (s->state == ROWS) {
            size_t used;
            TRY(place(s, take_rows(s, p, (size_t)(end - p), &used)));
            p += used;
            continue;
        }
        if (!*p)
            return place(s, ERROR_NEW(ERR_ARCHIVE, "a zero byte: this is no SQL"));
        TRY(place(s, buf_reserve(&s->text, 1, SQL_STATEMENT_MAX)));
        s->line += *p == '\n';
        TRY(place(s, take_char(s, *p++)));
    }
    return NULL;
}

Error *sql_stream_end(SqlStream *s)
{
    if (s->state == COMMAND)
        return take_command(s, '\n');
    if (s->state == ROWS && s->text.len == 2 && !memcmp(s->text.data, "\\.", 2)) {
        s->text.len = 0;
        s->state = PLAIN;
        return s->take.rows_end(s->take.ctx);
    }
    static const char *const inside[] = {
        [BLOCK_COMMENT] = "a comment", [STRING] = "a string", [ESCAPES] = "a string",
        [QUOTED] = "a quoted name",    [DOLLAR] = "a string", [ROWS] = "the rows of a COPY",
    };
    if (s->state != PLAIN && s->state != LINE_COMMENT)
        return place(s, ERROR_NEW(ERR_ARCHIVE, "the text ends inside %s: it is cut short",
                                  inside[s->state]));
    if (s->state == LINE_COMMENT)
        TRY(take_char(s, '\n'));
    if (s->begun > s->complete)
        return error_hint(place(s, ERROR_NEW(ERR_ARCHIVE, "the dump is cut short: pg_dump's last "
                                                          "line is not there")),
                          "if nothing but that line is missing, append it: -- PostgreSQL database "
                          "dump complete");
    word_end(s);
    return place(s, statement_end(s));
}
