#include "pg/toc_attach.h"

#include <stdio.h>
#include <string.h>

#define TOC_MAX ((size_t)1 << 30) /* as toc_parse allows */
#define DIGITS 12                 /* of a dump id, at most */

typedef enum Turn {
    TURN_ANY,    /* before the data, or without locks that matter */
    TURN_BEFORE, /* before the first that is attached */
    TURN_ATTACH,
    TURN_BEHIND, /* waits for one that is attached */
    TURN_LATER   /* pg_restore makes it in a pass of its own, behind all of these */
} Turn;

typedef struct Turns {
    const Toc *t;
    Turn *of; /* by places in t */
    size_t before;
    const TocEntry *last; /* that is attached */
} Turns;

static void turns_clear(Turns *x)
{
    free(x->of);
}
DEFINE_AUTO_VALUE(Turns, turns_clear)

static bool is_attach(const TocEntry *e)
{
    return toc_is(e, "INDEX ATTACH");
}

/* As pg_restore's own list of what it leaves until privileges are given, and the privileges. */
static bool is_later(const TocEntry *e)
{
    static const char *const kinds[] = {"ACL", "ACL LANGUAGE", "DEFAULT ACL", "EVENT TRIGGER",
                                        "MATERIALIZED VIEW DATA"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (toc_is(e, kinds[i]))
            return true;
    return (toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL")) &&
           text_starts(e->tag, "EVENT TRIGGER ");
}

static Turn first_turn(const TocEntry *e)
{
    if (is_attach(e))
        return TURN_ATTACH;
    if (is_later(e))
        return TURN_LATER;
    return e->section == TOC_POST_DATA || toc_is(e, "STATISTICS DATA") ? TURN_BEFORE : TURN_ANY;
}

/* An entry's turn is no earlier than that of what it depends on. Returns whether it is another. */
static bool put_off(Turns *x, size_t at)
{
    const TocEntry *e = &x->t->entries[at];
    Turn turn = x->of[at];
    for (size_t i = 0; turn != TURN_ATTACH && i < e->dep_count; i++) {
        const TocEntry *d = toc_find(x->t, e->deps[i]);
        Turn other = d ? x->of[d - x->t->entries] : TURN_ANY;
        if (other == TURN_ATTACH)
            other = TURN_BEHIND;
        if (other >= TURN_BEHIND && other > turn)
            turn = other;
    }
    bool changed = turn != x->of[at];
    x->of[at] = turn;
    return changed;
}

static void find_turns(Turns *x)
{
    const Toc *t = x->t;
    x->of = mem_calloc(t->count, sizeof *x->of);
    for (size_t i = 0; i < t->count; i++) {
        x->of[i] = first_turn(&t->entries[i]);
        if (x->of[i] == TURN_ATTACH)
            x->last = &t->entries[i];
    }
    /* pg_dump writes first what others depend on: the second time nothing is left to do. */
    for (bool changed = x->last != NULL; changed;) {
        changed = false;
        for (size_t i = 0; i < t->count; i++)
            changed = put_off(x, i) || changed;
    }
    for (size_t i = 0; i < t->count; i++)
        x->before += x->of[i] == TURN_BEFORE;
}

static void add_dependency(const Toc *t, const TocEntry *on, Buf *out)
{
    char text[DIGITS];
    int n = snprintf(text, sizeof text, "%d", on->dump_id);
    buf_u8(out, 0);
    for (int i = 0; i < t->int_size; i++)
        buf_u8(out, i == 0 ? (uint8_t)n : 0);
    buf_add_str(out, text);
}

/* Behind the entry's own ones. */
static void add_dependencies(const Turns *x, size_t at, const TocEntry *attached, Buf *out)
{
    const Toc *t = x->t;
    if (x->of[at] == TURN_BEHIND)
        add_dependency(t, x->last, out);
    if (x->of[at] != TURN_ATTACH)
        return;
    if (attached)
        add_dependency(t, attached, out);
    for (size_t i = 0; !attached && i < t->count; i++)
        if (x->of[i] == TURN_BEFORE)
            add_dependency(t, &t->entries[i], out);
}

Error *toc_attach_alone(const Toc *t, Buf *raw)
{
    AUTO_VALUE(Turns) x = {.t = t};
    const TocEntry *attached = NULL;
    size_t done = 0, null = 1 + (size_t)t->int_size; /* what the list of dependencies ends with */
    find_turns(&x);
    if (!x.last)
        return NULL;
    TRY(buf_reserve(raw, t->raw.len + (x.before + t->count) * (null + DIGITS), TOC_MAX));
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        if (e->offset_at < done + null || t->raw.data[e->offset_at - null] != 1)
            FAIL(ERR_ARCHIVE, "the archive's entries do not follow each other");
        buf_add(raw, t->raw.data + done, e->offset_at - null - done);
        add_dependencies(&x, i, attached, raw);
        done = e->offset_at - null;
        if (is_attach(e))
            attached = e;
    }
    buf_add(raw, t->raw.data + done, t->raw.len - done);
    return NULL;
}
