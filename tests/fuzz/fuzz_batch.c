/* Batches of rows that a peer sends: lines, one batch each, of one session. What is taken is text
 * of COPY that reads back as so many rows of so many columns. */
#include "fuzz.h"
#include "op/sync_batch.h"
#include "op/sync_contents.h"
#include "pg/copy_text.h"

typedef struct Seen {
    size_t columns;
    uint64_t rows;
} Seen;

static Error *take(void *ctx, const char *row, size_t n)
{
    Seen *s = ctx;
    AUTO_VALUE(CopyRow) r = {0};
    MUST(succeeded(copy_row_split(row, n, s->columns, &r)));
    s->rows++;
    return NULL;
}

static bool refused(Error *e)
{
    MUST(!e || error_kind(e) == ERR_USAGE || error_kind(e) == ERR_LIMIT ||
         error_kind(e) == ERR_MISMATCH);
    return !succeeded(e);
}

/* Only what begins and ends with whole rows can be looked at alone. */
static void check_text(const SyncBatch *b, uint32_t before, uint32_t after, const Buf *text,
                       uint64_t rows)
{
    Seen seen = {.columns = b->columns};
    AUTO_VALUE(CopyLines) l = {.take = take, .ctx = &seen};
    MUST(text->len <= b->rows_n + 16);
    if (before != SYNC_BATCH_CLOSED || after != SYNC_BATCH_CLOSED)
        return;
    MUST(succeeded(copy_lines_feed(&l, text->data, text->len)));
    MUST(succeeded(copy_lines_end(&l)));
    MUST(seen.rows == rows);
}

static void one(const char *p, size_t n, uint32_t *open, SyncContents *all)
{
    AUTO_VALUE(SyncBatch) b = {0};
    AUTO_VALUE(Buf) text = {0};
    uint64_t rows;
    uint32_t before = *open;
    if (refused(sync_batch_read(p, n, &b)) || refused(sync_batch_rows(&b, open, &text, &rows)))
        return;
    check_text(&b, before, *open, &text, rows);
    MUST(*open == SYNC_BATCH_CLOSED || *open < b.columns);
    if (!refused(sync_contents_batch(all, b.head)))
        MUST(succeeded(sync_contents_text(all, text.data, text.len, rows)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_VALUE(SyncContents) all = {0};
    uint32_t open = SYNC_BATCH_CLOSED;
    const char *at = (const char *)data, *end = at + size;
    while (size && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        one(at, (size_t)((newline ? newline : end) - at), &open, &all);
        at = newline ? newline + 1 : end;
    }
    (void)refused(sync_contents_end(&all));
    return 0;
}
