/* What each entry of a table of contents belongs to. */
#include "pg/selection.h"

#include <string.h>

#include "pg/sql_words.h"

bool selection_is_relation(const TocEntry *e)
{
    return toc_is(e, "TABLE") || toc_is(e, "FOREIGN TABLE") || toc_is(e, "VIEW") ||
           toc_is(e, "MATERIALIZED VIEW") || toc_is(e, "SEQUENCE");
}

static int place(const Toc *t, const TocEntry *e)
{
    return (int)(e - t->entries);
}

/* The first of its dependencies of this kind (NULL: of any). */
static int first_dep(const Toc *t, const TocEntry *e, const char *desc)
{
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(t, e->deps[i]);
        if (d && d != e && (!desc || toc_is(d, desc)))
            return place(t, d);
    }
    return -1;
}

static bool holds_entries(const TocEntry *e)
{
    return selection_is_relation(e) || toc_is(e, "DOMAIN");
}

/* Of several relations that it depends on the one whose name its tag begins with ("orders
 * orders_pkey"); the longest such name, since names may have spaces. */
static int dep_by_tag(const Toc *t, const TocEntry *e)
{
    int found = -1;
    size_t longest = 0;
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(t, e->deps[i]);
        size_t n = d ? strlen(d->tag) : 0;
        if (d && holds_entries(d) && !strcmp(d->schema, e->schema) && n > longest &&
            !strncmp(e->tag, d->tag, n) && (e->tag[n] == ' ' || !e->tag[n])) {
            found = place(t, d);
            longest = n;
        }
    }
    return found;
}

/* Schema and name at *at, as pg_dump writes them: "schema.name". */
static bool read_name(const char **at, char **schema, char **name)
{
    SqlWord a = sql_word_next(at), dot = sql_word_next(at), b = sql_word_next(at);
    if ((a.kind != SQL_WORD && a.kind != SQL_QUOTED) || !sql_word_is_mark(&dot, '.') ||
        (b.kind != SQL_WORD && b.kind != SQL_QUOTED))
        return false;
    *schema = sql_word_text(&a);
    *name = sql_word_text(&b);
    return true;
}

/* The relation that it depends on and that stands behind this keyword of its definition. */
static int dep_behind(const Toc *t, const TocEntry *e, const char *keyword)
{
    const char *at = e->defn;
    for (;;) {
        SqlWord w = sql_word_next(&at);
        if (w.kind == SQL_END)
            return -1;
        if (sql_word_is(&w, keyword))
            break;
    }
    const char *ahead = at;
    SqlWord only = sql_word_next(&ahead);
    if (sql_word_is(&only, "only"))
        at = ahead;
    AUTO(char) schema = NULL;
    AUTO(char) name = NULL;
    if (!read_name(&at, &schema, &name))
        return -1;
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(t, e->deps[i]);
        if (d && selection_is_relation(d) && !strcmp(d->schema, schema) && !strcmp(d->tag, name))
            return place(t, d);
    }
    return -1;
}

/* The only relation among its dependencies; -1 where there are several, or none. */
static int only_relation(const Toc *t, const TocEntry *e)
{
    int found = -1;
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(t, e->deps[i]);
        if (!d || !holds_entries(d) || place(t, d) == found)
            continue;
        if (found >= 0)
            return -1;
        found = place(t, d);
    }
    return found;
}

static int home_of(const Toc *t, const TocEntry *e)
{
    static const char *const tagged[] = {"TABLE DATA",       "MATERIALIZED VIEW DATA",
                                         "DEFAULT",          "CONSTRAINT",
                                         "CHECK CONSTRAINT", "FK CONSTRAINT",
                                         "TRIGGER",          "RULE",
                                         "POLICY",           "ROW SECURITY"};
    if (toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL") || toc_is(e, "ACL") ||
        toc_is(e, "STATISTICS DATA") || toc_is(e, "INDEX ATTACH"))
        return first_dep(t, e, NULL);
    if (toc_is(e, "SEQUENCE SET") || toc_is(e, "SEQUENCE OWNED BY"))
        return first_dep(t, e, "SEQUENCE");
    if (toc_is(e, "SEQUENCE")) {
        int table = first_dep(t, e, "TABLE");
        return table >= 0 ? table : first_dep(t, e, "FOREIGN TABLE");
    }
    if (toc_is(e, "INDEX") || toc_is(e, "STATISTICS")) {
        int one = only_relation(t, e);
        return one >= 0 ? one : dep_behind(t, e, toc_is(e, "INDEX") ? "on" : "from");
    }
    if (toc_is(e, "FK CONSTRAINT")) {
        int behind = dep_behind(t, e, "table");
        return behind >= 0 ? behind : dep_by_tag(t, e);
    }
    if (toc_is(e, "TABLE ATTACH"))
        return dep_by_tag(t, e);
    if (toc_is(e, "PUBLICATION TABLE"))
        return only_relation(t, e);
    for (size_t i = 0; i < sizeof tagged / sizeof *tagged; i++)
        if (toc_is(e, tagged[i])) {
            int by_tag = dep_by_tag(t, e);
            return by_tag >= 0 ? by_tag : only_relation(t, e);
        }
    return -1;
}

int *selection_homes(const Toc *t)
{
    int *homes = mem_calloc(t->count + 1, sizeof *homes);
    for (size_t i = 0; i < t->count; i++)
        homes[i] = home_of(t, &t->entries[i]);
    return homes;
}

/* Of a TABLE ATTACH the table that is not the partition. */
static void note_attach(const Toc *t, const TocEntry *e, int child, int *parents)
{
    for (size_t i = 0; child >= 0 && i < e->dep_count; i++) {
        const TocEntry *d = toc_find(t, e->deps[i]);
        if (d && toc_is(d, "TABLE") && place(t, d) != child)
            parents[child] = place(t, d);
    }
}

int *selection_parents(const Toc *t)
{
    int *parents = mem_calloc(t->count + 1, sizeof *parents);
    for (size_t i = 0; i < t->count; i++)
        parents[i] = -1;
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        if (toc_is(e, "TABLE ATTACH"))
            note_attach(t, e, dep_by_tag(t, e), parents);
        /* Before 14 pg_dump attached in the table's own definition. */
        else if (toc_is(e, "TABLE") && strstr(e->defn, "ATTACH PARTITION"))
            note_attach(t, e, (int)i, parents);
    }
    return parents;
}
