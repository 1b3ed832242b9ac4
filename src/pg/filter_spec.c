#include "pg/filter_spec.h"

#include <ctype.h>
#include <string.h>

#include "pg/sql_words.h"

void filter_spec_clear(FilterSpec *s)
{
    strlist_free(&s->name);
    free(s->text);
}

/* What would end the expression and begin something else. */
static const char *expression_fault(const char *text)
{
    int depth = 0;
    bool any = false;
    for (const char *at = text;;) {
        SqlWord w = sql_word_next(&at);
        if (w.kind == SQL_END)
            break;
        any = true;
        depth += sql_word_is_mark(&w, '(') - sql_word_is_mark(&w, ')');
        if (depth < 0)
            return "a closing parenthesis has no opening one";
        if (sql_word_is_mark(&w, ';'))
            return "it is one expression, and a semicolon ends that";
    }
    return !any ? "it is empty" : depth ? "an opening parenthesis has no closing one" : NULL;
}

Error *filter_spec_parse(const char *option, const char *given, size_t least, size_t most,
                         FilterSpec *out)
{
    const char *form = most > 2 ? "'schema.table.column: expression'" : "'schema.table: condition'";
    AUTO_VALUE(FilterSpec) s = {.option = option};
    const char *at = given;
    for (;;) {
        SqlWord w = sql_word_next(&at);
        if (w.kind != SQL_WORD && w.kind != SQL_QUOTED)
            break;
        strlist_own(&s.name, sql_word_text(&w));
        w = sql_word_next(&at);
        if (sql_word_is_mark(&w, '.'))
            continue;
        if (sql_word_is_mark(&w, ':') && *at != ':' && s.name.count >= least &&
            s.name.count <= most) {
            const char *fault = expression_fault(at);
            if (fault)
                FAIL(ERR_USAGE, "%s %s: %s", option, given, fault);
            s.text = mem_strdup(at + strspn(at, " \t\r\n"));
            *out = s;
            s = (FilterSpec){0};
            return NULL;
        }
        break;
    }
    return error_hint(ERROR_NEW(ERR_USAGE, "%s %s is not of the form %s", option, given, form),
                      "names with other characters than letters, digits and _ stand in double "
                      "quotes");
}

/* Where a word tells the time: behind it, and as which type the instant stands there; NULL where
 * it does not. */
static const char *time_word(const SqlWord *w, const char *after, const char **end)
{
    static const struct {
        const char *word;
        bool call;
        const char *type;
    } words[] = {
        {"now", true, "timestamptz"},
        {"transaction_timestamp", true, "timestamptz"},
        {"statement_timestamp", true, "timestamptz"},
        {"clock_timestamp", true, "timestamptz"},
        {"current_timestamp", false, "timestamptz"},
        {"localtimestamp", false, "timestamptz::pg_catalog.timestamp"},
        {"current_date", false, "timestamptz::pg_catalog.date"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!sql_word_is(w, words[i].word))
            continue;
        const char *at = after;
        SqlWord open = sql_word_next(&at);
        bool called = sql_word_is_mark(&open, '(');
        *end = after;
        if (called) {
            SqlWord close = sql_word_next(&at);
            *end = at;
            if (!sql_word_is_mark(&close, ')'))
                return NULL; /* current_timestamp(3) */
        }
        return called == words[i].call ? words[i].type : NULL;
    }
    return NULL;
}

char *filter_fix_time(const char *expression, const char *now)
{
    AUTO(char) literal = text_sql_literal(now);
    AUTO_VALUE(Buf) b = {0};
    bool behind_dot = false;
    for (const char *at = expression, *from = expression;;) {
        SqlWord w = sql_word_next(&at);
        const char *end = at;
        const char *type = behind_dot ? NULL : time_word(&w, at, &end);
        behind_dot = sql_word_is_mark(&w, '.');
        buf_add(&b, from, (size_t)(w.start - from));
        if (type)
            buf_printf(&b, "(%s::pg_catalog.%s)", literal, type);
        else
            buf_add(&b, w.start, w.n);
        from = at = type ? end : at;
        if (w.kind == SQL_END)
            return buf_steal_str(&b);
    }
}

void filter_functions(const char *expression, StrList *out)
{
    AUTO(char) last = NULL; /* the name so far: "f", "a.", "a.f" */
    for (const char *at = expression;;) {
        SqlWord w = sql_word_next(&at);
        if (w.kind == SQL_END)
            return;
        bool name = w.kind == SQL_WORD || w.kind == SQL_QUOTED;
        AUTO(char) text = name ? sql_word_text(&w) : NULL;
        for (char *c = text; c && w.kind == SQL_WORD && *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (last && sql_word_is_mark(&w, '('))
            strlist_own(out, STEAL(last));
        char *longer = !last                          ? STEAL(text)
                       : sql_word_is_mark(&w, '.')    ? mem_printf("%s.", last)
                       : name && text_ends(last, ".") ? mem_printf("%s%s", last, text)
                                                      : STEAL(text);
        free(last);
        last = longer;
    }
}
