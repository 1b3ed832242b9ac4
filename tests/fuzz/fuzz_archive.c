/* The table of contents of a pg_dump archive. The first byte of the input is the size of the steps
 * in which a second reader gets it; both must come to the same result. */
#include "fuzz.h"
#include "pg/archive.h"
#include "pg/load_statement.h"
#include "pg/restore_pass.h"
#include "pg/toc_stray.h"

typedef struct Source {
    const uint8_t *at, *end;
    size_t step;
} Source;

static Error *read_step(void *ctx, void *p, size_t n, size_t *got)
{
    Source *s = ctx;
    *got = (size_t)(s->end - s->at);
    if (*got > n)
        *got = n;
    if (*got > s->step)
        *got = s->step;
    memcpy(p, s->at, *got);
    s->at += *got;
    return NULL;
}

static bool want_all(void *ctx, const TocEntry *e)
{
    (void)ctx;
    (void)e;
    return true;
}

static void look_at(const Toc *t)
{
    AUTO_VALUE(Buf) list = {0};
    AUTO(char) encoding = toc_encoding(t);
    toc_list(t, want_all, NULL, &list);
    toc_restore_major(t);
    MUST(t->compression_at < t->raw.len);
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        AUTO_VALUE(LoadTarget) target = {0};
        MUST(e->tag && e->desc && e->defn && e->drop && e->schema && e->owner);
        MUST(!e->offset_at || e->offset_at < t->raw.len);
        MUST(toc_find(t, e->dump_id));
        toc_has_block(e);
        for (size_t k = 0; k < e->dep_count; k++)
            toc_find(t, e->deps[k]);
        if (e->copy_stmt && succeeded(load_target_parse(e->copy_stmt, &target)))
            load_via_root(e, &target);
    }
}

static void cut(const Toc *t, RestorePart part)
{
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(Toc) again = NULL;
    RestoreWanted wanted = {part, part == RESTORE_BEHIND ? 18 : 15, part == RESTORE_BEFORE, NULL};
    if (!succeeded(restore_part_cut(t, &wanted, &bytes)))
        return;
    MUST(succeeded(toc_parse(bytes.data, bytes.len, &again)));
    for (size_t i = 0; i < again->count; i++)
        MUST(toc_find(t, again->entries[i].dump_id));
}

/* What it puts in the place of an option is as long: it stays an archive of the same entries. */
static void drop_stray(Toc *t)
{
    AUTO(Toc) again = NULL;
    toc_drop_stray(t);
    MUST(succeeded(toc_parse(t->raw.data, t->raw.len, &again)));
    MUST(again->count == t->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    AUTO(Toc) whole = NULL;
    AUTO(Toc) stepped = NULL;
    bool parsed = succeeded(toc_parse(data + 1, size - 1, &whole));
    if (parsed) {
        look_at(whole);
        cut(whole, RESTORE_BEFORE);
        cut(whole, RESTORE_BEHIND);
        drop_stray(whole);
    }
    Source s = {data + 1, data + size, (size_t)data[0] + 1};
    bool read = succeeded(toc_read(read_step, &s, &stepped));
    MUST(!parsed || (read && stepped->count == whole->count));
    if (read) {
        MUST(stepped->raw.len + stepped->rest.len <= size - 1);
        MUST(memcmp(stepped->raw.data, data + 1, stepped->raw.len) == 0);
    }
    return 0;
}
