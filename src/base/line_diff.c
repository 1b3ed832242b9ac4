#include "base/line_diff.h"

#include <string.h>

#define CONTEXT 1

typedef struct Line {
    const char *p;
    size_t n;
} Line;
typedef struct Lines {
    Line *items;
    size_t count, cap;
} Lines;
static void lines_clear(Lines *l)
{
    free(l->items);
}
DEFINE_AUTO_VALUE(Lines, lines_clear)

static void split(const char *text, Lines *out)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = (Line){p, n};
        p += n + (p[n] == '\n');
    }
}

static bool same(const Line *a, const Line *b)
{
    return a->n == b->n && !memcmp(a->p, b->p, a->n);
}

/* What is done with each line, in the order of the output. */
typedef struct Steps {
    struct Step {
        char mark; /* ' ', '-', '+' */
        const Line *line;
    } * items;
    size_t count, cap;
} Steps;
static void steps_clear(Steps *s)
{
    free(s->items);
}
DEFINE_AUTO_VALUE(Steps, steps_clear)

static void add(Steps *s, char mark, const Line *line)
{
    mem_grow(s->items, s->count, s->cap);
    s->items[s->count++] = (struct Step){mark, line};
}

enum { BOTH, GONE, CAME };

/* Lines a[0..n) against b[0..m). way[i * (m + 1) + j] says what to do first with those from i and
 * j on; two rows of lengths are enough to find it. */
static void align(const Line *a, size_t n, const Line *b, size_t m, Steps *out)
{
    size_t i = 0, j = 0;
    if (n && m && (uint64_t)(n + 1) * (m + 1) <= LINE_DIFF_MOST) {
        AUTO(char) way = mem_zalloc((n + 1) * (m + 1));
        uint32_t *below = mem_calloc(m + 1, sizeof *below), *row = mem_calloc(m + 1, sizeof *row);
        for (size_t x = n; x-- > 0;) {
            for (size_t y = m; y-- > 0;) {
                char *w = &way[x * (m + 1) + y];
                *w = same(&a[x], &b[y]) ? BOTH : below[y] >= row[y + 1] ? GONE : CAME;
                row[y] = *w == BOTH ? below[y + 1] + 1 : *w == GONE ? below[y] : row[y + 1];
            }
            uint32_t *swap = below;
            below = row;
            row = swap;
        }
        free(below);
        free(row);
        while (i < n && j < m) {
            char w = way[i * (m + 1) + j];
            if (w == BOTH)
                add(out, ' ', &a[i]);
            else
                add(out, w == GONE ? '-' : '+', w == GONE ? &a[i] : &b[j]);
            i += w != CAME;
            j += w != GONE;
        }
    }
    while (i < n)
        add(out, '-', &a[i++]);
    while (j < m)
        add(out, '+', &b[j++]);
}

static void print(const Steps *s, Buf *out)
{
    size_t shown = 0; /* steps before it are dealt with */
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].mark == ' ')
            continue;
        size_t from = i > shown + CONTEXT ? i - CONTEXT : shown;
        if (from > shown && out->len)
            buf_add_str(out, " ...\n");
        for (size_t k = from; k <= i; k++)
            buf_printf(out, "%c%.*s\n", s->items[k].mark, (int)s->items[k].line->n,
                       s->items[k].line->p);
        shown = i + 1;
        for (size_t k = 0; k < CONTEXT && shown < s->count && s->items[shown].mark == ' '; k++) {
            buf_printf(out, " %.*s\n", (int)s->items[shown].line->n, s->items[shown].line->p);
            shown++;
        }
    }
}

void line_diff(const char *before, const char *after, Buf *out)
{
    AUTO_VALUE(Lines) a = {0};
    AUTO_VALUE(Lines) b = {0};
    AUTO_VALUE(Steps) steps = {0};
    split(before, &a);
    split(after, &b);
    size_t head = 0, n = a.count, m = b.count;
    while (head < n && head < m && same(&a.items[head], &b.items[head]))
        add(&steps, ' ', &a.items[head++]);
    while (n > head && m > head && same(&a.items[n - 1], &b.items[m - 1])) {
        n--;
        m--;
    }
    /* With no lines in common there may be no array at all. */
    align(head ? a.items + head : a.items, n - head, head ? b.items + head : b.items, m - head,
          &steps);
    for (; n < a.count; n++)
        add(&steps, ' ', &a.items[n]);
    print(&steps, out);
}
