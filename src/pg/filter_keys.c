/* What a filter leaves out because of foreign keys. */
#include "pg/filter_parts.h"

/* Whether rows of the target, or of a partition of it, may be left out. */
static bool target_is_partial(const Filter *f, size_t target)
{
    const FilterTable *t = &f->tables[target];
    if (filter_is_leaf(t))
        return t->partial;
    for (size_t i = 0; i < f->relations->count; i++)
        if (f->tables[i].partial && filter_is_under(f, i, target))
            return true;
    return false;
}

/* From parents to children, until nothing changes. */
static void spread(Filter *f)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t e = 0; e < f->edge_count; e++) {
            FilterEdge *edge = &f->edges[e];
            if (edge->follows || edge->period || !f->tables[edge->target].defined ||
                !target_is_partial(f, edge->target))
                continue;
            edge->follows = changed = true;
            for (size_t i = 0; i < f->relations->count; i++) {
                FilterTable *t = &f->tables[i];
                if (t->unit == f->tables[edge->child].unit && filter_is_leaf(t) &&
                    filter_is_under(f, i, edge->child))
                    t->partial = true;
            }
        }
    }
}

/* Units that refer to each other in a circle, by Tarjan's algorithm. */
typedef struct Cycles {
    Filter *f;
    size_t *first, *next; /* edges of a unit, as a list; FILTER_NONE ends it */
    size_t *number, *low; /* by unit; number 0: not visited */
    size_t *stack, depth;
    bool *open; /* on the stack */
    size_t visited;
} Cycles;

static void close_circle(Cycles *c, size_t unit)
{
    bool circle = c->stack[c->depth - 1] != unit;
    for (size_t e = c->first[unit]; e != FILTER_NONE; e = c->next[e])
        circle = circle || c->f->tables[c->f->edges[e].target].unit == unit;
    for (size_t member = FILTER_NONE; member != unit;) {
        member = c->stack[--c->depth];
        c->open[member] = false;
        if (circle)
            c->f->tables[member].cycle = c->f->cycles;
    }
    c->f->cycles += circle;
}

static void visit(Cycles *c, size_t unit)
{
    c->number[unit] = c->low[unit] = ++c->visited;
    c->stack[c->depth++] = unit;
    c->open[unit] = true;
    for (size_t e = c->first[unit]; e != FILTER_NONE; e = c->next[e]) {
        size_t to = c->f->tables[c->f->edges[e].target].unit;
        if (!c->number[to])
            visit(c, to);
        if (c->open[to] && c->low[to] < c->low[unit])
            c->low[unit] = c->low[to];
    }
    if (c->low[unit] == c->number[unit])
        close_circle(c, unit);
}

static void find_cycles(Filter *f)
{
    size_t n = f->relations->count;
    Cycles c = {.f = f,
                .first = mem_calloc(n + 1, sizeof(size_t)),
                .next = mem_calloc(f->edge_count + 1, sizeof(size_t)),
                .number = mem_calloc(n + 1, sizeof(size_t)),
                .low = mem_calloc(n + 1, sizeof(size_t)),
                .stack = mem_calloc(n + 1, sizeof(size_t)),
                .open = mem_calloc(n + 1, sizeof(bool))};
    for (size_t i = 0; i < n; i++)
        c.first[i] = FILTER_NONE;
    for (size_t e = 0; e < f->edge_count; e++) {
        size_t unit = f->tables[f->edges[e].child].unit;
        if (!f->edges[e].follows)
            continue;
        c.next[e] = c.first[unit];
        c.first[unit] = e;
    }
    for (size_t i = 0; i < n; i++)
        if (c.first[i] != FILTER_NONE && !c.number[i])
            visit(&c, i);
    for (size_t i = 0; i < n; i++)
        f->tables[i].cycle = f->tables[f->tables[i].unit].cycle;
    free(c.first);
    free(c.next);
    free(c.number);
    free(c.low);
    free(c.stack);
    free(c.open);
}

void filter_spread(Filter *f)
{
    for (size_t i = 0; i < f->relations->count; i++) {
        FilterTable *t = &f->tables[i];
        /* The rows of an extension's table come with the extension. */
        t->partial = filter_is_leaf(t) && (t->condition || (!t->rows && !t->relation->extension));
    }
    if (!f->cascade)
        return;
    spread(f);
    find_cycles(f);
}
