/* SQL that pg_dump wrote, read as words: the target of a COPY, the roles that statements name. */
#include "fuzz.h"
#include "pg/load_statement.h"
#include "pg/sql_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char) text = input_text(data, size);
    AUTO_VALUE(LoadTarget) target = {0};
    AUTO_VALUE(StrList) roles = {0};
    if (succeeded(load_target_parse(text, &target)))
        MUST(target.table && *target.table && target.text && target.columns);
    sql_roles(text, &roles);
    const char *at = text, *end = text + strlen(text);
    for (;;) {
        const char *before = at;
        SqlWord w = sql_word_next(&at);
        MUST(at <= end);
        if (w.kind == SQL_END)
            break;
        MUST(at > before && w.start >= text && w.n <= (size_t)(end - w.start));
        AUTO(char) word = sql_word_text(&w);
        MUST(word);
    }
    return 0;
}
