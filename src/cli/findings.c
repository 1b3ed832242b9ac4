#include "cli/findings.h"

#include <stdio.h>
#include <string.h>

static const char *level_name(FindingLevel level)
{
    static const char *const names[] = {"ok", "note", "warning", "problem"};
    return names[level];
}

#define INDENT "           "

/* A text that may have several lines; all but the first are indented. */
static void print_lines(const char *text)
{
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, "\n");
        printf("%s%.*s\n", first ? "" : INDENT, (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void findings_print(const FindingList *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const Finding *f = &l->items[i];
        printf("%-9s  %s: ", level_name(f->level), f->title);
        print_lines(f->detail);
        if (!f->remedy)
            continue;
        /* Several lines are commands to be copied: nothing stands in front of them. */
        fputs(strchr(f->remedy, '\n') ? INDENT : INDENT "-> ", stdout);
        print_lines(f->remedy);
    }
}

Doc *findings_doc(const FindingList *l)
{
    Doc *all = doc_array();
    for (size_t i = 0; i < l->count; i++) {
        Doc *d = doc_object();
        doc_set_str(d, "level", level_name(l->items[i].level));
        doc_set_str(d, "title", l->items[i].title);
        doc_set_str(d, "detail", l->items[i].detail);
        doc_set_str(d, "remedy", l->items[i].remedy);
        doc_push(all, d);
    }
    return all;
}
