#include "op/diff.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"

typedef struct Work {
    DiffOptions options;
    DiffResult result;
} Work;
static void work_clear(Work *w)
{
    diff_options_clear(&w->options);
    diff_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_diff(Run *run, void *arg)
{
    Work *w = arg;
    return op_diff(&run->op, &w->options, &w->result);
}

static const char change_marks[] = "+-~";

/* -- for people ------------------------------------------------------------------------------- */

/* Lines of a text, indented; what a name or value smuggles in shows as what it is. */
static void print_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        AUTO(char) line = mem_strndup(text, n);
        AUTO(char) shown = text_printable(line);
        printf("      %s\n", shown);
        text += n + (text[n] == '\n');
    }
}

static void print_objects(const char *title, const DiffObject *items, size_t count)
{
    if (count)
        printf("%s\n", title);
    for (size_t i = 0; i < count; i++) {
        const DiffObject *o = &items[i];
        AUTO(char)
        line = mem_printf("%s %s%s%s", o->kind, o->schema, *o->schema ? "." : "", o->name);
        AUTO(char) shown = text_printable(line);
        printf("  %c %s\n", change_marks[o->change], shown);
        print_lines(o->text);
    }
}

static void print_value(Buf *b, const char *value)
{
    buf_printf(b, value ? "'%s'" : "%s", value ? value : "NULL");
}

static void print_row(const DiffRow *r)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < r->count; i++) {
        const DiffValue *v = &r->values[i];
        buf_printf(&b, "%s%s = ", i ? ", " : "", v->column);
        print_value(&b, r->change == DIFF_ADDED ? v->after : v->before);
        if (r->change == DIFF_CHANGED && !v->key) {
            buf_add_str(&b, " -> ");
            print_value(&b, v->after);
        }
    }
    AUTO(char) line = buf_steal_str(&b);
    AUTO(char) shown = text_printable(line);
    printf("      %c %s\n", change_marks[r->change], shown);
}

static void print_columns(const char *what, const StrList *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        AUTO(char) shown = text_printable(columns->items[i]);
        printf("%s%s", i ? ", " : what, shown);
    }
    if (columns->count)
        putchar('\n');
}

static void print_table(const DiffTable *t)
{
    AUTO(char) name = mem_printf("%s.%s", t->schema, t->name);
    AUTO(char) shown = text_printable(name);
    char added[32], removed[32], changed[32];
    printf("  %s: %s added, %s removed, %s changed%s\n", shown, output_count(t->added, added),
           output_count(t->removed, removed), output_count(t->changed, changed),
           t->missing[0]   ? " (a new table)"
           : t->missing[1] ? " (the table is gone)"
           : !t->key.count ? " (no key: whole rows)"
                           : "");
    print_columns("      only in A: ", &t->only[0]);
    print_columns("      only in B: ", &t->only[1]);
    for (size_t i = 0; i < t->found_count; i++)
        print_row(&t->found[i]);
    uint64_t all = t->added + t->removed + t->changed;
    if (t->found_count && all > t->found_count)
        printf("      ... and %s more\n", output_count(all - t->found_count, added));
}

static void print_result(const DiffResult *r, bool quiet)
{
    print_objects("Schema", r->objects, r->object_count);
    print_objects("Sequences", r->sequences, r->sequence_count);
    if (r->table_count)
        puts("Rows");
    for (size_t i = 0; i < r->table_count; i++)
        print_table(&r->tables[i]);
    char added[32], removed[32], changed[32], fetched[32], took[32];
    if (r->large_objects_added || r->large_objects_removed || r->large_objects_changed)
        printf("Large objects: %s added, %s removed, %s changed\n",
               output_count(r->large_objects_added, added),
               output_count(r->large_objects_removed, removed),
               output_count(r->large_objects_changed, changed));
    for (size_t i = 0; i < r->notes.count; i++)
        output_warning(r->notes.items[i]);
    if (!quiet)
        printf("%s -> %s: %s (%s tables without differences); %s of the repository read, %s\n",
               r->names[0], r->names[1], diff_any(r) ? "different" : "no differences",
               output_count(r->same_tables, added), text_size(r->fetched, fetched),
               text_duration(r->ms, took));
}

Error *cmd_DIFF(Run *run)
{
    const Config *c = run->config;
    AUTO_VALUE(Work)
    w = {.options = {.a = run_word(run, 0),
                     .b = run_word(run, 1),
                     .rows = config_bool(c, SETTING_ROWS),
                     .limit = (size_t)config_int(c, SETTING_LIMIT)}};
    strlist_copy(&w.options.tables, config_list(c, SETTING_TABLE));
    strlist_copy(&w.options.schemas, config_list(c, SETTING_PART_SCHEMA));
    TRY(run_with_progress(run, work_diff, &w));
    if (run->json)
        run_result(run, diff_doc(&w.result, w.options.rows));
    else
        print_result(&w.result, run->quiet);
    if (config_bool(c, SETTING_EXIT_CODE) && diff_any(&w.result))
        FAIL(ERR_DIFFERENT, "%s and %s are different", w.result.names[0], w.result.names[1]);
    return NULL;
}
