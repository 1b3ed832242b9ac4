#include "pg/toc_as.h"

#include <string.h>

#include "pg/toc_write.h"

/* As pg_restore --create tells them: DATABASE, DATABASE PROPERTIES, and the entries about it. */
static bool not_of_database(void *ctx, const TocEntry *e)
{
    (void)ctx;
    return !toc_is(e, "DATABASE") && !toc_is(e, "DATABASE PROPERTIES") &&
           !(text_starts(e->tag, "DATABASE ") &&
             (toc_is(e, "COMMENT") || toc_is(e, "SECURITY LABEL") || toc_is(e, "ACL")));
}

/* An Int of the archive. */
static void put_int(const Toc *t, size_t n, Buf *out)
{
    buf_u8(out, 0);
    for (int i = 0; i < t->int_size; i++)
        buf_u8(out, i < 8 ? (uint8_t)((uint64_t)n >> (8 * i)) : 0);
}

Error *toc_as(const Toc *t, const char *dbname, Toc **out)
{
    AUTO(Toc) kept = NULL;
    AUTO_VALUE(Buf) bytes = {0};
    TRY(toc_rewrite(t, &(TocShape){.want = not_of_database}, &kept));
    /* Behind the time, seven Ints, stands the name. */
    size_t width = 1 + (size_t)kept->int_size;
    size_t name_at = kept->time_at + 7 * width;
    size_t behind = name_at + width + strlen(kept->dbname);
    buf_add(&bytes, kept->raw.data, name_at);
    put_int(kept, strlen(dbname), &bytes);
    buf_add_str(&bytes, dbname);
    buf_add(&bytes, kept->raw.data + behind, kept->raw.len - behind);
    return toc_parse(bytes.data, bytes.len, out);
}
