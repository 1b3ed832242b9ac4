#include "cli/findings.h"

#include <stdio.h>
#include <string.h>

static const char *level_name(FindingLevel level)
{
    static const char *const names[] = {"ok", "note", "warning", "problem"};
    return names[level];
}

/* Lines of a text that may have several, each indented. */
static void print_lines(const char *first, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        printf("%s%.*s\n", first, (int)n, text);
        text += n + (text[n] == '\n');
        first = "           ";
    }
}

void findings_print(const FindingList *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const Finding *f = &l->items[i];
        char head[128];
        snprintf(head, sizeof head, "%-9s  %s: ", level_name(f->level), f->title);
        print_lines(head, f->detail);
        if (f->remedy)
            print_lines("           -> ", f->remedy);
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
