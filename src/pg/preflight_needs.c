#include <string.h>

#include "pg/dbadmin.h"
#include "pg/preflight.h"
#include "pg/sql_words.h"

void needs_clear(Needs *n)
{
    strlist_free(&n->owners);
    strlist_free(&n->roles);
    strlist_free(&n->extensions);
    strlist_free(&n->tablespaces);
    strlist_free(&n->superuser);
}

static void add_once(StrList *l, const char *s)
{
    if (*s && !strlist_has(l, s))
        strlist_add(l, s);
}

/* Whether the entry says something of the database itself, which pg_restore leaves out. */
static bool is_of_database(const TocEntry *e)
{
    return toc_is(e, "DATABASE") || toc_is(e, "DATABASE PROPERTIES") ||
           (text_starts(e->tag, "DATABASE ") &&
            (toc_is(e, "ACL") || toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL")));
}

/* Roles that stand in the entry's definition. */
static bool names_roles(const TocEntry *e, const NeedsOptions *o)
{
    if (toc_is(e, "ACL") || toc_is(e, "DEFAULT ACL"))
        return !o->no_privileges;
    return toc_is(e, "POLICY") || toc_is(e, "USER MAPPING") || toc_is(e, "DATABASE PROPERTIES");
}

static bool wants_superuser(const TocEntry *e)
{
    static const char *const kinds[] = {
        "EVENT TRIGGER",      "ACCESS METHOD",        "TRANSFORM",
        "SUBSCRIPTION",       "OPERATOR FAMILY",      "OPERATOR CLASS",
        "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "FOREIGN DATA WRAPPER"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (toc_is(e, kinds[i]))
            return true;
    return false;
}

void preflight_needs(const Toc *toc, const NeedsOptions *o, Needs *out)
{
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (is_of_database(e) && !o->new_database)
            continue;
        if (!o->no_owner)
            add_once(&out->owners, e->owner);
        if (names_roles(e, o))
            sql_roles(e->defn ? e->defn : "", &out->roles);
        if (!o->no_tablespaces) {
            AUTO(char) of_database = toc_is(e, "DATABASE") ? dbadmin_archive_tablespace(e) : NULL;
            add_once(&out->tablespaces, of_database ? of_database : e->tablespace);
        }
        if (toc_is(e, "EXTENSION"))
            add_once(&out->extensions, e->tag);
        if (wants_superuser(e))
            strlist_own(&out->superuser, mem_printf("%s %s", e->desc, e->tag));
    }
}
