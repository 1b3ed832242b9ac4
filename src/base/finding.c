#include "base/finding.h"

void finding_add(FindingList *l, FindingLevel level, const char *title, const char *detail,
                 const char *remedy)
{
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] =
        (Finding){level, mem_strdup(title), mem_strdup(detail), mem_strdup(remedy)};
}

void finding_add_error(FindingList *l, const char *title, Error *e)
{
    finding_add(l, FINDING_PROBLEM, title, error_message(e), error_hint_text(e));
    error_free(e);
}

bool finding_has_problem(const FindingList *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].level == FINDING_PROBLEM)
            return true;
    return false;
}

void finding_list_clear(FindingList *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].title);
        free(l->items[i].detail);
        free(l->items[i].remedy);
    }
    free(l->items);
    *l = (FindingList){0};
}
