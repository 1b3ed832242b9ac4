#include "pg/toc_search_path.h"

#include <string.h>

#define TOC_MAX ((size_t)1 << 30) /* as toc_parse allows */

char *search_path_value(const StrList *schemas)
{
    AUTO_VALUE(Buf) value = {0};
    for (size_t i = 0; i < schemas->count; i++) {
        AUTO(char) name = text_sql_ident(schemas->items[i]);
        buf_printf(&value, "%s%s", i ? ", " : "", name);
    }
    return buf_steal_str(&value);
}

/* A string as archives have it: an Int for its length, then its bytes. */
static void put_str(const Toc *t, const char *s, Buf *out)
{
    size_t n = strlen(s);
    buf_u8(out, 0);
    for (int i = 0; i < t->int_size; i++)
        buf_u8(out, i < 8 ? (uint8_t)((uint64_t)n >> (8 * i)) : 0);
    buf_add_str(out, s);
}

Error *toc_set_search_path(Toc **toc, const StrList *schemas)
{
    const Toc *t = *toc;
    const TocEntry *e = toc_first(t, "SEARCHPATH");
    if (!e || !*e->defn)
        FAIL(ERR_ARCHIVE, "the archive says nothing of a search_path");
    AUTO_VALUE(Buf) old = {0};
    AUTO_VALUE(Buf) raw = {0};
    put_str(t, e->defn, &old);
    uint8_t *at = memmem(t->raw.data + e->at, e->relkind_at - e->at, old.data, old.len);
    if (!at)
        FAIL(ERR_ARCHIVE, "the archive's SEARCHPATH entry is not understood");
    AUTO(char) value = search_path_value(schemas);
    AUTO(char) literal = text_sql_literal(value);
    AUTO(char)
    statement = mem_printf("SELECT pg_catalog.set_config('search_path', %s, false);\n", literal);
    size_t before = (size_t)(at - t->raw.data), behind = before + old.len;
    TRY(buf_reserve(&raw, t->raw.len + strlen(statement) + 16, TOC_MAX));
    buf_add(&raw, t->raw.data, before);
    put_str(t, statement, &raw);
    buf_add(&raw, t->raw.data + behind, t->raw.len - behind);
    AUTO(Toc) made = NULL;
    TRY(toc_parse(raw.data, raw.len, &made));
    toc_free(*toc);
    *toc = STEAL(made);
    return NULL;
}
