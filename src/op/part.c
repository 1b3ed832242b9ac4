#include "op/part.h"

#include <string.h>

#include "pg/encoding.h"

void part_clear(Part *p)
{
    selection_clear(&p->selection);
    if (p->whole)
        toc_free(p->whole);
    *p = (Part){0};
}

bool part_is_data(const Stream *s)
{
    return s->kind == STREAM_TABLE || s->kind == STREAM_LARGE_OBJECTS;
}

Error *part_entry(const Part *p, const BackupRead *b, const Stream *s, const TocEntry **out)
{
    const Toc *whole = p->whole ? p->whole : b->toc;
    const TocEntry *e = toc_find(whole, (int)s->dump_id);
    if (!e || !toc_has_block(e) || (s->kind == STREAM_TABLE) != toc_is_table_data(e))
        FAIL(ERR_DAMAGED, "backup %s: the rows of %s.%s have no place in its archive", b->id,
             s->schema, s->name);
    *out = p->whole ? toc_find(b->toc, (int)s->dump_id) : e;
    return NULL;
}

Error *part_choose(BackupRead *b, const SelectionOptions *o, Part *out)
{
    if (!selection_wanted(o))
        return NULL;
    AUTO_VALUE(Part) p = {0};
    AUTO(Toc) cut = NULL;
    TRY(selection_make(b->toc, o, &p.selection));
    TRY(selection_cut(&p.selection, &cut));
    p.whole = b->toc;
    b->toc = STEAL(cut);
    for (size_t i = 0; i < b->manifest->stream_count; i++) {
        const Stream *s = &b->manifest->streams[i];
        const TocEntry *e = NULL;
        if (part_is_data(s))
            TRY(part_entry(&p, b, s, &e));
        if (!e)
            continue;
        p.tables += s->kind == STREAM_TABLE;
        p.rows += s->rows;
        p.bytes += s->bytes;
    }
    *out = p;
    p = (Part){0};
    return NULL;
}

char *part_text(const char *archive_encoding, const char *text)
{
    AUTO(Encoding) encoding = NULL;
    AUTO_VALUE(Buf) out = {0};
    if (!archive_encoding || !strcmp(archive_encoding, "UTF8"))
        return mem_strdup(text);
    Error *e = encoding_open(archive_encoding, &encoding);
    if (!e)
        e = encoding_to_utf8(encoding, text, strlen(text), &out);
    if (!e)
        return buf_steal_str(&out);
    error_drop(e);
    return text_printable(text);
}

void part_list(const Part *p, const BackupRead *b, SelectionMark mark, StrList *out)
{
    for (size_t i = 0; p->whole && i < p->whole->count; i++) {
        const TocEntry *e = &p->whole->entries[i];
        const TocEntry *home = selection_home(&p->selection, e);
        bool data = p->selection.options.data_only && mark == SELECTION_CHOSEN;
        bool special = toc_is(e, "ENCODING") || toc_is(e, "STDSTRINGS") ||
                       toc_is(e, "SEARCHPATH") || text_starts(e->desc, "DATABASE");
        if (p->selection.marks[i] != mark || special || (home && !data))
            continue;
        AUTO(char)
        name = mem_printf("%s %s%s%s", e->desc, e->schema, *e->schema ? "." : "", e->tag);
        strlist_own(out, part_text(b->encoding, name));
    }
}
