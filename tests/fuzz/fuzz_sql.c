/* SQL that pg_dump wrote, read as words: the target of a COPY, the roles that statements name. And
 * what pg_restore says. */
#include "fuzz.h"
#include "pg/load_statement.h"
#include "pg/restore_pass.h"
#include "pg/source.h"
#include "pg/sql_words.h"

static void hear(const char *text)
{
    AUTO_VALUE(RestoreSaid) said = {0};
    AUTO(char) lines = mem_strdup(text);
    char *save = NULL;
    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        restore_said_line(&said, line);
    MUST(!succeeded(restore_said_error(&said, 1)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char) text = input_text(data, size);
    AUTO_VALUE(LoadTarget) target = {0};
    AUTO_VALUE(StrList) roles = {0};
    if (succeeded(load_target_parse(text, &target)))
        MUST(target.table && *target.table && target.text && target.columns);
    sql_roles(text, &roles);
    AUTO(char) columns = source_columns(text);
    hear(text);
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
