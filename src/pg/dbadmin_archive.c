#include "pg/dbadmin.h"

#include <string.h>

#include "pg/sql_words.h"

/* One statement with the database's name, if it is there, replaced by "%s" (it follows the word
 * DATABASE) and every % doubled; *behind: what follows the name, in the statement. */
static char *with_place(const char *start, const char *end, const char **behind)
{
    AUTO_VALUE(Buf) b = {0};
    const char *at = start, *name = NULL, *name_end = NULL;
    while (at < end && !name) {
        SqlWord w = sql_word_next(&at);
        if (!sql_word_is(&w, "database"))
            continue;
        w = sql_word_next(&at);
        name = w.start;
        name_end = at;
    }
    if (!name || name_end > end)
        name = name_end = end;
    for (const char *s = start; s < end; s++) {
        if (s == name) {
            buf_add_str(&b, "%s");
            s = name_end - 1;
            continue;
        }
        if (*s == '%')
            buf_u8(&b, '%');
        buf_u8(&b, (uint8_t)*s);
    }
    *behind = name_end;
    return buf_steal_str(&b);
}

/* What must not be done before the database is complete is kept as a trait; all else is a statement
 * for dbadmin_dress. */
static void add_statement(const char *start, const char *end, DbTraits *t)
{
    const char *behind;
    AUTO(char) statement = with_place(start, end, &behind);
    SqlWord word = sql_word_next(&behind), next = sql_word_next(&behind);
    if (sql_word_is(&word, "connection") && sql_word_is(&next, "limit")) {
        behind += strspn(behind, " =");
        t->connection_limit = atoi(behind);
    } else if (sql_word_is(&word, "is_template")) {
        behind += strspn(behind, " =");
        t->is_template = text_starts(behind, "true");
    } else if (sql_word_is(&word, "is") && text_starts(statement, "COMMENT")) {
        free(t->comment);
        t->comment = sql_word_text(&next);
    } else {
        strlist_own(&t->statements, STEAL(statement));
    }
}

static void add_statements(const char *defn, DbTraits *t)
{
    for (const char *at = defn, *start = defn; at && *at;) {
        SqlWord w = sql_word_next(&at);
        if (!sql_word_is_mark(&w, ';'))
            continue;
        add_statement(start, w.start, t);
        start = at += strspn(at, " \n");
    }
}

char *dbadmin_archive_tablespace(const TocEntry *e)
{
    const char *at = e->defn ? e->defn : "";
    for (SqlWord w = sql_word_next(&at); w.kind != SQL_END; w = sql_word_next(&at))
        if (sql_word_is(&w, "tablespace")) {
            w = sql_word_next(&at); /* = */
            w = sql_word_next(&at);
            return sql_word_text(&w);
        }
    return NULL;
}

void dbadmin_archive_traits(const Toc *toc, bool no_owner, bool no_privileges, bool no_tablespaces,
                            DbTraits *out)
{
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        const char *defn = e->defn ? e->defn : "";
        if (toc_is(e, "DATABASE")) {
            if (!no_owner && *e->owner)
                out->owner = mem_strdup(e->owner);
            if (!no_tablespaces)
                out->tablespace = dbadmin_archive_tablespace(e);
        } else if (toc_is(e, "DATABASE PROPERTIES")) {
            add_statements(defn, out);
        } else if (text_starts(e->tag, "DATABASE ") &&
                   (toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL") ||
                    (toc_is(e, "ACL") && !no_privileges))) {
            add_statements(defn, out);
        }
    }
}
