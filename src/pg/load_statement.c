#include "pg/load_statement.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

void load_target_clear(LoadTarget *t)
{
    free(t->schema);
    free(t->table);
    free(t->text);
    free(t->columns);
    *t = (LoadTarget){0};
}

/* One identifier, quoted or not; *at moves behind it. NULL where there is none. */
static char *identifier(const char **at)
{
    const char *s = *at;
    AUTO_VALUE(Buf) name = {0};
    if (*s == '"') {
        for (s++; *s; s++) {
            if (*s == '"' && *++s != '"') {
                *at = s;
                return buf_steal_str(&name);
            }
            buf_u8(&name, (uint8_t)*s);
        }
        return NULL;
    }
    /* Unquoted names are [a-z0-9_] here: pg_dump quotes all others. */
    size_t n = strcspn(s, " .(\",;\n\t");
    if (!n)
        return NULL;
    *at = s + n;
    return mem_strndup(s, n);
}

/* The end of a list in parentheses, quotes respected; NULL where it does not end. */
static const char *list_end(const char *s)
{
    bool quoted = false;
    for (; *s; s++) {
        if (*s == '"')
            quoted = !quoted;
        else if (*s == ')' && !quoted)
            return s + 1;
    }
    return NULL;
}

Error *load_target_parse(const char *copy_stmt, LoadTarget *out)
{
    AUTO_VALUE(LoadTarget) t = {0};
    const char *s = copy_stmt;
    bool good = text_starts(s, "COPY ");
    if (good) {
        const char *start = s += strlen("COPY ");
        t.schema = identifier(&s);
        if (t.schema && *s == '.') {
            s++;
            t.table = identifier(&s);
        }
        t.text = mem_strndup(start, (size_t)(s - start));
        s += strspn(s, " ");
        const char *end = *s == '(' ? list_end(s) : s;
        good = t.table && end;
        if (good) {
            t.columns = mem_strndup(s, (size_t)(end - s));
            s = end + strspn(end, " ");
            good = !strcmp(s, "FROM stdin;\n") || !strcmp(s, "FROM stdin;");
        }
    }
    if (!good) {
        AUTO(char) shown = text_printable(copy_stmt);
        return error_hint(ERROR_NEW(ERR_ARCHIVE, "not understood: %s", shown),
                          "the archive was made by a pg_dump that this pgstow does not know");
    }
    *out = t;
    t = (LoadTarget){0};
    return NULL;
}

bool load_via_root(const TocEntry *entry, const LoadTarget *target)
{
    return (entry->defn && text_starts(entry->defn, "-- load via partition root")) ||
           strcmp(target->table, entry->tag) || strcmp(target->schema, entry->schema);
}
