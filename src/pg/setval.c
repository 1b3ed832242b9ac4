#include "pg/setval.h"

#include "pg/sql_words.h"

bool setval_read(const TocEntry *e, int64_t *value, bool *called)
{
    const char *at = e->defn;
    bool found = false;
    Buf number = {0};
    for (SqlWord w = sql_word_next(&at); w.kind != SQL_END; w = sql_word_next(&at)) {
        if (w.kind == SQL_STRING && !found)
            found = true;
        else if (found && (sql_word_is(&w, "true") || sql_word_is(&w, "false")))
            *called = sql_word_is(&w, "true");
        else if (found && w.kind != SQL_STRING && !sql_word_is_mark(&w, ',') &&
                 !sql_word_is_mark(&w, ')') && !sql_word_is_mark(&w, ';'))
            buf_add(&number, w.start, w.n);
    }
    AUTO(char) text = buf_steal_str(&number);
    AUTO(Error) bad = text_parse_int(text, INT64_MIN, INT64_MAX, value);
    return found && !bad;
}
