#include "pg/sql_words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_part(char c)
{
    return is_name_start(c) || isdigit((unsigned char)c) || c == '$';
}

/* Behind a comment that begins at s; such comments nest. */
static const char *comment_end(const char *s)
{
    int depth = 1;
    for (s += 2; *s && depth; s++) {
        bool opens = s[0] == '/' && s[1] == '*', closes = s[0] == '*' && s[1] == '/';
        depth += opens - closes;
        s += opens || closes;
    }
    return s;
}

static const char *skip_space(const char *s)
{
    for (;;) {
        s += strspn(s, " \t\r\n\f\v");
        if (s[0] == '-' && s[1] == '-')
            s += strcspn(s, "\r\n");
        else if (s[0] == '/' && s[1] == '*')
            s = comment_end(s);
        else
            return s;
    }
}

/* Behind a quoted run whose opening quote stands at s; a doubled quote is part of it. */
static const char *quoted_end(const char *s, bool backslashes)
{
    char quote = *s++;
    for (; *s; s++) {
        if (backslashes && *s == '\\' && s[1])
            s++;
        else if (*s == quote && *++s != quote)
            return s;
    }
    return s;
}

/* Where a string goes on: behind a line break, and nothing but space and line comments, another
 * quote; or NULL. */
static const char *continued(const char *s)
{
    for (bool line = false;; s++) {
        if (s[0] == '-' && s[1] == '-')
            s += strcspn(s, "\r\n");
        if (*s == '\'')
            return line ? s : NULL;
        if (!*s || !strchr(" \t\r\n\f\v", *s))
            return NULL;
        line = line || *s == '\n' || *s == '\r';
    }
}

/* Of E'...': what goes on is read as it began. (Of a plain string it is another plain one.) */
static const char *escaped_end(const char *s)
{
    const char *end;
    do
        end = quoted_end(s, true);
    while ((s = continued(end)));
    return end;
}

/* Behind $tag$ ... $tag$, or NULL where no such thing begins at s. */
static const char *dollar_end(const char *s)
{
    size_t n = 1;
    while (is_name_part(s[n]) && s[n] != '$')
        n++;
    if (s[n] != '$')
        return NULL;
    AUTO(char) tag = mem_strndup(s, n + 1);
    const char *end = strstr(s + n + 1, tag);
    return end ? end + n + 1 : s + strlen(s);
}

SqlWord sql_word_next(const char **at)
{
    const char *s = skip_space(*at), *end;
    SqlWord w = {.kind = SQL_MARK, .start = s};
    if (!*s) {
        w.kind = SQL_END;
        end = s;
    } else if (*s == '"') {
        w.kind = SQL_QUOTED;
        end = quoted_end(s, false);
    } else if (*s == '\'' || ((*s == 'E' || *s == 'e') && s[1] == '\'')) {
        w.kind = SQL_STRING;
        end = *s == '\'' ? quoted_end(s, false) : escaped_end(s + 1);
    } else if (*s == '$' && (end = dollar_end(s))) {
        w.kind = SQL_STRING;
    } else if (is_name_start(*s)) {
        w.kind = SQL_WORD;
        for (end = s; is_name_part(*end);)
            end++;
    } else {
        end = s + 1;
    }
    w.n = (size_t)(end - s);
    *at = end;
    return w;
}

bool sql_word_is(const SqlWord *w, const char *keyword)
{
    return w->kind == SQL_WORD && w->n == strlen(keyword) && !strncasecmp(w->start, keyword, w->n);
}

bool sql_word_is_mark(const SqlWord *w, char mark)
{
    return w->kind == SQL_MARK && *w->start == mark;
}

char *sql_word_text(const SqlWord *w)
{
    if (w->kind == SQL_WORD || w->n < 2)
        return mem_strndup(w->start, w->n);
    AUTO_VALUE(Buf) b = {0};
    char quote = *w->start;
    for (size_t i = 1; i + 1 < w->n; i++) {
        buf_u8(&b, (uint8_t)w->start[i]);
        if (w->start[i] == quote)
            i++;
    }
    return buf_steal_str(&b);
}

/* A word in the place of a role that is none. */
static bool is_pseudo_role(const SqlWord *w)
{
    static const char *const words[] = {"public", "current_user", "session_user", "current_role",
                                        "user"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (sql_word_is(w, words[i]))
            return true;
    return false;
}

/* "a, b, c": the first word is read already. */
static void add_role_list(const char **at, SqlWord w, StrList *out)
{
    for (;;) {
        if (sql_word_is(&w, "group"))
            w = sql_word_next(at);
        if (w.kind != SQL_WORD && w.kind != SQL_QUOTED)
            return;
        AUTO(char) name = sql_word_text(&w);
        if (!is_pseudo_role(&w) && !strlist_has(out, name))
            strlist_add(out, name);
        const char *ahead = *at;
        w = sql_word_next(&ahead);
        if (!sql_word_is_mark(&w, ','))
            return;
        w = sql_word_next(&ahead);
        *at = ahead;
    }
}

/* Words behind which roles stand, by the statement's beginning; keywords that are names would be
 * quoted, so that they are found where they are what they say. */
static const struct {
    const char *first, *second;
    const char *before[4];
} statements_with_roles[] = {
    {"grant", NULL, {"to", NULL}},
    {"revoke", NULL, {"from", NULL}},
    {"alter", "default", {"role", "user", "to", "from"}},
    {"alter", "role", {"role", NULL}},
    {"set", "session", {"authorization", NULL}},
    {"create", "policy", {"to", NULL}},
    {"create", "user", {"for", NULL}},
};

void sql_roles(const char *at, StrList *out)
{
    enum { COUNT = sizeof statements_with_roles / sizeof *statements_with_roles };
    while (*skip_space(at)) {
        const char *start = at;
        SqlWord first = sql_word_next(&at), second = sql_word_next(&at);
        size_t kind = 0;
        while (kind < COUNT && !(sql_word_is(&first, statements_with_roles[kind].first) &&
                                 (!statements_with_roles[kind].second ||
                                  sql_word_is(&second, statements_with_roles[kind].second))))
            kind++;
        int depth = 0;
        at = start;
        for (;;) {
            SqlWord w = sql_word_next(&at);
            if (w.kind == SQL_END || sql_word_is_mark(&w, ';'))
                break;
            depth += sql_word_is_mark(&w, '(') - sql_word_is_mark(&w, ')');
            for (size_t i = 0; kind < COUNT && depth == 0 && i < 4; i++) {
                const char *before = statements_with_roles[kind].before[i];
                if (before && sql_word_is(&w, before)) {
                    add_role_list(&at, sql_word_next(&at), out);
                    break;
                }
            }
        }
    }
}

char *sql_array(const StrList *names)
{
    AUTO_VALUE(Buf) b = {0};
    buf_u8(&b, '{');
    for (size_t i = 0; i < names->count; i++) {
        buf_add_str(&b, i ? ",\"" : "\"");
        for (const char *s = names->items[i]; *s; s++) {
            if (*s == '"' || *s == '\\')
                buf_u8(&b, '\\');
            buf_u8(&b, (uint8_t)*s);
        }
        buf_u8(&b, '"');
    }
    buf_u8(&b, '}');
    return buf_steal_str(&b);
}
