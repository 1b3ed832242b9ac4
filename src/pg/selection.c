#include "pg/selection.h"

#include <string.h>

#include "pg/encoding.h"
#include "pg/toc_write.h"

void selection_clear(Selection *s)
{
    free(s->marks);
    free(s->homes);
    for (size_t i = 0; i < s->rename_count; i++) {
        free(s->renames[i].schema);
        free(s->renames[i].name);
    }
    free(s->renames);
    strlist_free(&s->left_out);
    *s = (Selection){0};
}

static bool any(const StrList *l)
{
    return l && l->count;
}

bool selection_wanted(const SelectionOptions *o)
{
    return any(o->tables) || any(o->schemas) || any(o->exclude_tables) || o->data_only ||
           o->schema_only;
}

/* What is known while a selection is made. */
typedef struct Work {
    Selection *s;
    const Toc *toc;
    Encoding *encoding; /* of its names; NULL: UTF-8, or bytes that nobody knows */
    Buf schema, name;   /* the last names that were converted */
    int *parents;       /* of partitions */
    bool *excluded;     /* relations by a pattern; then what cannot be without them */
    int *stack;         /* for the closure */
    size_t stacked;
} Work;

static void work_clear(Work *w)
{
    if (w->encoding)
        encoding_free(w->encoding);
    buf_free(&w->schema);
    buf_free(&w->name);
    free(w->parents);
    free(w->excluded);
    free(w->stack);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static const TocEntry *at(const Work *w, int place)
{
    return place < 0 ? NULL : &w->toc->entries[place];
}

static int place_of(const Work *w, const TocEntry *e)
{
    return (int)(e - w->toc->entries);
}

/* What the archive says of itself and of the database: always there, as in every archive. */
static bool is_special(const Work *w, const TocEntry *e, int home)
{
    if (home >= 0 && toc_is(at(w, home), "DATABASE"))
        return true;
    return toc_is(e, "ENCODING") || toc_is(e, "STDSTRINGS") || toc_is(e, "SEARCHPATH") ||
           toc_is(e, "DATABASE") || toc_is(e, "DATABASE PROPERTIES");
}

/* Relations, and tables of extensions, of which an archive has the rows alone. */
static bool is_selectable(const Work *w, size_t i)
{
    const TocEntry *e = &w->toc->entries[i];
    return selection_is_relation(e) || (toc_is_table_data(e) && w->s->homes[i] < 0);
}

/* -- patterns --------------------------------------------------------------------------------- */

/* A name of the archive as it is in UTF-8, which patterns are in; in `room` until that is used
 * again. What is no text stays what it is. */
static const char *in_utf8(Work *w, const char *name, Buf *room)
{
    bool ascii = true;
    for (const char *p = name; *p; p++)
        ascii = ascii && (unsigned char)*p < 0x80;
    if (ascii || !w->encoding)
        return name;
    Error *e = encoding_to_utf8(w->encoding, name, strlen(name), room);
    if (e) {
        error_drop(e);
        return name;
    }
    buf_u8(room, 0);
    return (const char *)room->data;
}

static Error *open_encoding(Work *w)
{
    AUTO(char) name = toc_encoding(w->toc);
    if (!name || !strcmp(name, "UTF8") || !strcmp(name, "SQL_ASCII"))
        return NULL;
    return encoding_open(name, &w->encoding);
}

static Error *no_match(const Work *w, const char *what, const char *pattern, const StrList *names)
{
    const char *near = text_nearest(pattern, (const char *const *)names->items, names->count);
    Error *e = ERROR_NEW(ERR_NOT_FOUND, "the backup of \"%s\" has no %s that matches %s",
                         w->toc->dbname, what, pattern);
    return near ? error_hint(e, "did you mean %s?", near)
                : error_hint(e, "pgstow show ID --tables lists its tables");
}

static Error *no_table(Work *w, const Pattern *p)
{
    AUTO_VALUE(StrList) names = {0};
    for (size_t i = 0; i < w->toc->count; i++) {
        const TocEntry *e = &w->toc->entries[i];
        if (!is_selectable(w, i))
            continue;
        const char *schema = in_utf8(w, e->schema, &w->schema);
        const char *tag = in_utf8(w, e->tag, &w->name);
        AUTO(char) name = p->has_schema ? mem_printf("%s.%s", schema, tag) : mem_strdup(tag);
        strlist_own(&names, text_printable(name));
    }
    return no_match(w, "table", p->text, &names);
}

static Error *add_rename(Work *w, const Pattern *p, const char *new_name, size_t found, int last)
{
    AUTO(char) schema = NULL;
    AUTO(char) name = NULL;
    if (found != 1)
        FAIL(ERR_USAGE, "only one table can get the new name %s, and %s matches %zu", new_name,
             p->text, found);
    const TocEntry *e = at(w, last);
    if (!toc_is(e, "TABLE"))
        FAIL(ERR_USAGE, "%s.%s cannot get a new name: it is no table of the database's own (%s)",
             e->schema, e->tag, e->desc);
    TRY(pattern_name(new_name, &schema, &name));
    for (const char *c = new_name; *c && w->encoding; c++)
        if ((unsigned char)*c >= 0x80)
            FAIL(ERR_USAGE, "the new name %s has to be in ASCII, since the backup is not in UTF-8",
                 new_name);
    Selection *s = w->s;
    for (size_t i = 0; i < s->rename_count; i++)
        if (s->renames[i].entry == e)
            FAIL(ERR_USAGE, "%s.%s is to get two new names", e->schema, e->tag);
    mem_grow(s->renames, s->rename_count, s->rename_cap);
    s->renames[s->rename_count++] = (SelectionRename){
        .entry = e,
        .schema = schema ? STEAL(schema) : mem_strdup(e->schema),
        .name = STEAL(name),
    };
    return NULL;
}

/* Sets flags[i] for each relation that a pattern matches. */
static Error *match_tables(Work *w, const StrList *patterns, bool may_rename, bool *flags)
{
    for (size_t k = 0; patterns && k < patterns->count; k++) {
        const char *text = patterns->items[k];
        const char *equals = may_rename ? pattern_equals(text) : NULL;
        AUTO(char) left = equals ? mem_strndup(text, (size_t)(equals - text)) : mem_strdup(text);
        AUTO_VALUE(Pattern) p = {0};
        TRY(pattern_parse(left, &p));
        size_t found = 0;
        int last = -1;
        for (size_t i = 0; i < w->toc->count; i++) {
            const TocEntry *e = &w->toc->entries[i];
            if (!is_selectable(w, i) || !pattern_matches(&p, in_utf8(w, e->schema, &w->schema),
                                                         in_utf8(w, e->tag, &w->name)))
                continue;
            flags[i] = true;
            last = (int)i;
            found++;
        }
        if (!found)
            return no_table(w, &p);
        if (equals)
            TRY(add_rename(w, &p, equals + 1, found, last));
    }
    return NULL;
}

/* Partitions go with what they are partitions of. */
static void add_partitions(const Work *w, bool *flags)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < w->toc->count; i++)
            if (!flags[i] && w->parents[i] >= 0 && flags[w->parents[i]])
                flags[i] = more = true;
    }
}

static void choose(Work *w, size_t i)
{
    w->s->marks[i] = SELECTION_CHOSEN;
}

static bool is_schema_of(Work *w, const TocEntry *e, const Pattern *p)
{
    if (toc_is(e, "SCHEMA"))
        return pattern_matches_name(p, in_utf8(w, e->tag, &w->name));
    /* "SCHEMA public": a schema that the archive need not make. */
    if ((toc_is(e, "COMMENT") || toc_is(e, "ACL")) && text_starts(e->tag, "SCHEMA "))
        return pattern_matches_name(p, in_utf8(w, e->tag + strlen("SCHEMA "), &w->name));
    return *e->schema && pattern_matches_name(p, in_utf8(w, e->schema, &w->schema));
}

static Error *choose_schemas(Work *w, const StrList *patterns)
{
    for (size_t k = 0; patterns && k < patterns->count; k++) {
        AUTO_VALUE(Pattern) p = {0};
        AUTO_VALUE(StrList) names = {0};
        TRY(pattern_parse_single(patterns->items[k], &p));
        bool found = false;
        for (size_t i = 0; i < w->toc->count; i++) {
            const TocEntry *e = &w->toc->entries[i];
            const char *own = toc_is(e, "SCHEMA") ? e->tag : e->schema;
            const char *schema = in_utf8(w, own, &w->schema);
            if (*schema && !strlist_has(&names, schema))
                strlist_add(&names, schema);
            if (text_starts(e->desc, "PUBLICATION") || !is_schema_of(w, e, &p))
                continue;
            found = true;
            /* What belongs to something goes with that. */
            if (w->s->homes[i] < 0)
                choose(w, i);
        }
        if (!found)
            return no_match(w, "schema", p.text, &names);
    }
    return NULL;
}

/* -- what goes along -------------------------------------------------------------------------- */

static bool is_key_or_index(const TocEntry *e)
{
    return toc_is(e, "INDEX") || toc_is(e, "CONSTRAINT");
}

/* Whether e cannot be made without its dependency d. */
static bool is_needed_by(const Work *w, const TocEntry *e, const TocEntry *d)
{
    int home = w->s->homes[place_of(w, e)];
    if (toc_is(e, "FK CONSTRAINT") || text_starts(e->desc, "PUBLICATION") ||
        text_ends(e->desc, " ATTACH") || toc_is(e, "MATERIALIZED VIEW DATA"))
        return at(w, home) == d;
    /* A partition can be a table by itself. */
    if (toc_is(e, "TABLE") && at(w, w->parents[place_of(w, e)]) == d)
        return strstr(e->defn, "ATTACH PARTITION") != NULL;
    if (is_key_or_index(e) && is_key_or_index(d))
        return false;
    /* Its OWNED BY stands in an entry of its own; not so an identity's. */
    if (toc_is(e, "SEQUENCE") && at(w, home) == d)
        return text_starts(e->defn, "ALTER TABLE");
    return true;
}

static bool depends_on_unchosen(const Work *w, const TocEntry *e)
{
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(w->toc, e->deps[i]);
        if (d && d != e && (selection_is_relation(d) || is_key_or_index(d)) &&
            w->s->marks[place_of(w, d)] != SELECTION_CHOSEN)
            return true;
    }
    return false;
}

/* What a chosen entry's followers are. */
static SelectionMark follower_mark(const Work *w, const TocEntry *e)
{
    if (toc_is(e, "FK CONSTRAINT") || toc_is(e, "TABLE ATTACH"))
        return depends_on_unchosen(w, e) ? SELECTION_REFERS : SELECTION_CHOSEN;
    if (text_starts(e->desc, "PUBLICATION") ||
        (toc_is(e, "INDEX ATTACH") && depends_on_unchosen(w, e)))
        return SELECTION_OUT;
    return SELECTION_CHOSEN;
}

/* Entries go with what they belong to; again and again, since that may belong to something. */
static void add_followers(Work *w)
{
    Selection *s = w->s;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < w->toc->count; i++) {
            int home = s->homes[i];
            if (s->marks[i] != SELECTION_OUT || w->excluded[i] || home < 0 ||
                s->marks[home] != SELECTION_CHOSEN)
                continue;
            const TocEntry *e = &w->toc->entries[i];
            /* The sequence may have been chosen without its table. */
            if (toc_is(e, "SEQUENCE OWNED BY") && s->homes[home] >= 0 &&
                s->marks[s->homes[home]] != SELECTION_CHOSEN)
                continue;
            s->marks[i] = follower_mark(w, e);
            more = more || s->marks[i] != SELECTION_OUT;
        }
    }
}

/* -- what was excluded, and what cannot be without it ----------------------------------------- */

static void leave_out(Work *w, size_t i, const TocEntry *because)
{
    const TocEntry *e = &w->toc->entries[i];
    w->excluded[i] = true;
    w->s->marks[i] = SELECTION_OUT;
    int home = w->s->homes[i];
    /* What goes with its table needs no word. */
    if (text_ends(e->desc, " ATTACH") ||
        (home >= 0 && (at(w, home) == because || w->excluded[home])))
        return;
    strlist_own(&w->s->left_out,
                mem_printf("%s %s%s%s is left out: it needs %s %s%s%s, which is excluded", e->desc,
                           e->schema, *e->schema ? "." : "", e->tag, because->desc, because->schema,
                           *because->schema ? "." : "", because->tag));
}

static void spread_exclusions(Work *w)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < w->toc->count; i++) {
            const TocEntry *e = &w->toc->entries[i];
            if (w->excluded[i])
                continue;
            int home = w->s->homes[i];
            if (home >= 0 && w->excluded[home]) {
                leave_out(w, i, at(w, home));
                more = true;
            }
            for (size_t k = 0; k < e->dep_count && !w->excluded[i]; k++) {
                const TocEntry *d = toc_find(w->toc, e->deps[k]);
                if (!d || d == e || !w->excluded[place_of(w, d)] ||
                    !(is_needed_by(w, e, d) || text_ends(e->desc, " ATTACH")))
                    continue;
                leave_out(w, i, d);
                more = true;
            }
        }
    }
}

/* -- what is needed besides ------------------------------------------------------------------- */

static void need(Work *w, const TocEntry *d)
{
    int i = place_of(w, d);
    if (w->s->marks[i] != SELECTION_OUT || w->excluded[i])
        return;
    w->s->marks[i] = SELECTION_NEEDED;
    w->stack[w->stacked++] = i;
}

/* What a needed object is not itself without. */
static bool belongs_to_needed(const TocEntry *e)
{
    return toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL") || toc_is(e, "ACL") ||
           toc_is(e, "SEQUENCE SET") || toc_is(e, "CHECK CONSTRAINT") ||
           toc_is(e, "MATERIALIZED VIEW DATA") || /* one that reads it may want it filled */
           (toc_is(e, "RULE") && text_ends(e->tag, " _RETURN"));
}

/* Each entry comes onto the stack once. */
static void close_over(Work *w)
{
    while (w->stacked) {
        const TocEntry *e = at(w, w->stack[--w->stacked]);
        for (size_t k = 0; k < e->dep_count; k++) {
            const TocEntry *d = toc_find(w->toc, e->deps[k]);
            if (d && d != e && is_needed_by(w, e, d))
                need(w, d);
        }
    }
}

static bool is_in(const Work *w, const TocEntry *e)
{
    return w->s->marks[place_of(w, e)] != SELECTION_OUT;
}

/* What types can do, the archive notes with the types alone: a key over them needs their operator
 * class, a view perhaps a cast. */
static bool serves_a_type(const Work *w, const TocEntry *e)
{
    if (!toc_is(e, "OPERATOR CLASS") && !toc_is(e, "CAST"))
        return false;
    for (size_t k = 0; k < e->dep_count; k++) {
        const TocEntry *d = toc_find(w->toc, e->deps[k]);
        if (d && (toc_is(d, "TYPE") || toc_is(d, "DOMAIN")) && is_in(w, d))
            return true;
    }
    return false;
}

/* The operators of an exclusion constraint come out of an extension, and it does not say which. */
static bool has_exclusion(const Work *w)
{
    for (size_t i = 0; i < w->toc->count; i++)
        if (w->s->marks[i] == SELECTION_CHOSEN && toc_is(&w->toc->entries[i], "CONSTRAINT") &&
            strstr(w->toc->entries[i].defn, " EXCLUDE USING "))
            return true;
    return false;
}

static void add_needed(Work *w)
{
    Selection *s = w->s;
    bool extensions = has_exclusion(w);
    w->stack = mem_calloc(w->toc->count + 1, sizeof *w->stack);
    for (size_t i = 0; i < w->toc->count; i++)
        if (s->marks[i] == SELECTION_CHOSEN || s->marks[i] == SELECTION_REFERS)
            w->stack[w->stacked++] = (int)i;
    do {
        close_over(w);
        for (size_t i = 0; i < w->toc->count; i++) {
            const TocEntry *e = &w->toc->entries[i];
            bool follows = s->homes[i] >= 0 && s->marks[s->homes[i]] == SELECTION_NEEDED &&
                           belongs_to_needed(e);
            if (follows || (extensions && toc_is(e, "EXTENSION")) || serves_a_type(w, e))
                need(w, e);
        }
    } while (w->stacked);
}

/* -- rows or definitions alone ---------------------------------------------------------------- */

static bool is_large_object(const TocEntry *e)
{
    return text_starts(e->desc, "BLOB") ||
           ((toc_is(e, "ACL") || toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL")) &&
            text_starts(e->tag, "LARGE OBJECT"));
}

static bool is_data(const TocEntry *e)
{
    return toc_is_table_data(e) || toc_is(e, "SEQUENCE SET") || is_large_object(e) ||
           toc_is(e, "MATERIALIZED VIEW DATA");
}

static void keep_part(Work *w)
{
    Selection *s = w->s;
    for (size_t i = 0; i < w->toc->count; i++) {
        const TocEntry *e = &w->toc->entries[i];
        bool data = is_data(e), statistics = toc_is(e, "STATISTICS DATA");
        if (is_special(w, e, s->homes[i]))
            continue;
        if ((s->options.schema_only && (data || statistics)) ||
            (s->options.data_only && (!data || s->marks[i] == SELECTION_NEEDED)))
            s->marks[i] = SELECTION_OUT;
    }
}

static Error *check_some(const Work *w)
{
    for (size_t i = 0; i < w->toc->count; i++)
        if (w->s->marks[i] == SELECTION_CHOSEN &&
            !is_special(w, &w->toc->entries[i], w->s->homes[i]))
            return NULL;
    FAIL(ERR_NOT_FOUND, "the backup of \"%s\" has nothing of what was asked for%s", w->toc->dbname,
         w->s->options.data_only ? ": what was named has no rows of its own" : "");
}

/* -- all of it -------------------------------------------------------------------------------- */

static Error *choose_all(Work *w)
{
    const SelectionOptions *o = &w->s->options;
    size_t n = w->toc->count;
    bool *flags = mem_calloc(n + 1, sizeof *flags);
    Error *e = match_tables(w, o->exclude_tables, false, w->excluded);
    if (!e)
        e = match_tables(w, o->tables, true, flags);
    if (!e) {
        add_partitions(w, w->excluded);
        add_partitions(w, flags);
        e = choose_schemas(w, o->schemas);
    }
    bool whole = !any(o->tables) && !any(o->schemas);
    for (size_t i = 0; !e && i < n; i++)
        if (whole || flags[i] || is_special(w, &w->toc->entries[i], w->s->homes[i]))
            choose(w, i);
    free(flags);
    return e;
}

/* An identity's sequence is part of its column, and cannot be chosen without the table. */
static void drop_lone_identities(Work *w)
{
    Selection *s = w->s;
    for (size_t i = 0; i < w->toc->count; i++) {
        const TocEntry *e = &w->toc->entries[i];
        if (toc_is(e, "SEQUENCE") && s->homes[i] >= 0 && s->marks[i] == SELECTION_CHOSEN &&
            s->marks[s->homes[i]] != SELECTION_CHOSEN && text_starts(e->defn, "ALTER TABLE"))
            s->marks[i] = SELECTION_OUT;
    }
}

static Error *make(Work *w)
{
    TRY(choose_all(w));
    for (size_t i = 0; i < w->toc->count; i++)
        if (w->excluded[i])
            w->s->marks[i] = SELECTION_OUT;
    spread_exclusions(w);
    drop_lone_identities(w);
    add_followers(w);
    for (size_t i = 0; i < w->toc->count; i++)
        if (w->s->marks[i] == SELECTION_CHOSEN && toc_is(&w->toc->entries[i], "FK CONSTRAINT") &&
            depends_on_unchosen(w, &w->toc->entries[i]))
            w->s->marks[i] = SELECTION_REFERS;
    add_needed(w);
    keep_part(w);
    return check_some(w);
}

Error *selection_make(const Toc *toc, const SelectionOptions *o, Selection *out)
{
    AUTO_VALUE(Selection) s = {.toc = toc, .options = *o};
    AUTO_VALUE(Work) w = {.s = &s, .toc = toc};
    if (o->data_only && o->schema_only)
        FAIL(ERR_USAGE, "--data-only and --schema-only exclude each other");
    s.marks = mem_calloc(toc->count + 1, sizeof *s.marks);
    s.homes = selection_homes(toc);
    w.parents = selection_parents(toc);
    w.excluded = mem_calloc(toc->count + 1, sizeof *w.excluded);
    TRY(open_encoding(&w));
    TRY(make(&w));
    *out = s;
    s = (Selection){0};
    return NULL;
}

SelectionMark selection_mark(const Selection *s, const TocEntry *e)
{
    return s->marks[e - s->toc->entries];
}

const TocEntry *selection_home(const Selection *s, const TocEntry *e)
{
    int home = s->homes[e - s->toc->entries];
    return home < 0 ? NULL : &s->toc->entries[home];
}

static bool wants(void *ctx, const TocEntry *e)
{
    SelectionMark mark = selection_mark(ctx, e);
    return mark == SELECTION_CHOSEN || mark == SELECTION_NEEDED;
}

Error *selection_cut(const Selection *s, Toc **out)
{
    return toc_rewrite(s->toc, &(TocShape){.want = wants, .ctx = (void *)s}, out);
}

void selection_notes(const Selection *s, StrList *out)
{
    strlist_copy(out, &s->left_out);
    for (size_t i = 0; i < s->toc->count; i++) {
        const TocEntry *e = &s->toc->entries[i];
        if (s->marks[i] == SELECTION_REFERS)
            strlist_own(out, mem_printf("%s %s.%s is left out: it refers to a table that is not "
                                        "chosen",
                                        e->desc, e->schema, e->tag));
        else if (s->marks[i] == SELECTION_NEEDED && toc_is(e, "TABLE"))
            strlist_own(out, mem_printf("table %s.%s is there without rows: what was chosen needs "
                                        "it",
                                        e->schema, e->tag));
    }
}
