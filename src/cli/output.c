#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/events.h"
#include "cli/progress.h"

void table_clear(Table *t)
{
    strlist_free(&t->cells);
}

void table_head(Table *t, size_t columns, const char *const *headings)
{
    t->columns = columns;
    for (size_t i = 0; i < columns; i++)
        strlist_add(&t->cells, headings[i]);
}

void table_own(Table *t, char *cell)
{
    table_add(t, cell);
    free(cell);
}

void table_add(Table *t, const char *cell)
{
    strlist_own(&t->cells, text_printable(cell));
}

/* Columns that a text takes: characters, not bytes (wide ones count as one). */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void table_print(const Table *t)
{
    size_t *widest = mem_calloc(t->columns, sizeof *widest);
    for (size_t i = 0; i < t->cells.count; i++) {
        size_t column = i % t->columns;
        size_t w = width_of(t->cells.items[i]) - (i == column && t->cells.items[i][0] == '>');
        widest[column] = w > widest[column] ? w : widest[column];
    }
    for (size_t i = 0; i < t->cells.count; i++) {
        size_t column = i % t->columns;
        bool right = t->cells.items[column][0] == '>';
        const char *text = t->cells.items[i] + (i == column && right);
        int pad = (int)(widest[column] - width_of(text));
        bool last = column + 1 == t->columns;
        bool before_nothing = column + 2 == t->columns && !t->cells.items[i + 1][0];
        if (right)
            printf("%*s%s", pad, "", text);
        else
            printf("%s%*s", text, last || before_nothing ? 0 : pad, "");
        fputs(last ? "\n" : before_nothing ? "" : "  ", stdout);
    }
    free(widest);
}

void output_fact(int width, const char *name, const char *value)
{
    for (const char *at = value; at && *at; name = "") {
        size_t n = strcspn(at, "\n");
        AUTO(char) line = mem_strndup(at, n);
        AUTO(char) shown = text_printable(line);
        printf("%-*s %s\n", width, name, shown);
        at += n + (at[n] != 0);
    }
}

void output_time(int width, const char *name, Instant t)
{
    char text[CLOCK_TEXT];
    if (t)
        output_fact(width, name, clock_human(t, text));
}

void output_json(const Doc *d)
{
    AUTO(char) text = doc_print(d, isatty(STDOUT_FILENO));
    puts(text);
}

void output_error(const Error *e)
{
    const char *hint = error_hint_text(e);
    progress_hide();
    fprintf(stderr, "pgstow: %s\n", error_message(e));
    for (const Error *cause = error_cause_of(e); cause; cause = error_cause_of(cause))
        fprintf(stderr, "  because: %s\n", error_message(cause));
    if (hint)
        fprintf(stderr, "hint: %s\n", hint);
    if (error_kind(e) == ERR_INTERNAL)
        fprintf(stderr, "  (at %s; please report it)\n", error_place(e));
}

void output_warning(const char *text)
{
    AUTO(char) shown = text_printable(text);
    events_log(LOG_WARNING, text);
    progress_hide();
    fprintf(stderr, "warning: %s\n", shown);
}

Error *output_finish(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_errno(ERR_IO, ERR_IO, "the result could not be written to standard output");
    return NULL;
}

#define SAID_MAX 100

/* A run may open a repository, read a key file, look at a host's memory several times over: what
 * there is to be warned of is said the first time. By one thread at a time: see log_write. */
static bool said_before(const char *warning)
{
    static StrList said;
    if (strlist_has(&said, warning))
        return true;
    if (said.count < SAID_MAX)
        strlist_add(&said, warning);
    return false;
}

static void show(void *ctx, LogLevel level, const char *message)
{
    (void)ctx;
    if (level == LOG_WARNING && said_before(message))
        return;
    events_log(level, message);
    progress_hide();
    fprintf(stderr, "%s%s\n",
            level == LOG_WARNING ? "warning: "
            : level == LOG_DEBUG ? "debug: "
                                 : "",
            message);
}

void output_log(bool verbose)
{
    log_set_sink(show, NULL, verbose ? LOG_DEBUG : LOG_WARNING);
}

char *output_count(uint64_t n, char *out)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *p = out;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = 0;
    return out;
}
