/* sync rows SESSION/ATTEMPT[/gzip]: what a service has a child do for a peer that pulls rows. On
 * standard output a batch a line; where something fails behind the first, a line with the error. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cmd_sync.h"
#include "op/sync_rows.h"
#include "op/sync_rows_pack.h"

typedef struct Rows {
    SyncHost host;
    char *session;
    int64_t attempt;
    bool packed; /* each line is a gzip stream */
    bool begun;  /* a line has been written */
    Buf line;
    SyncRowsSum sum;
} Rows;
static void rows_end(Rows *r)
{
    free(r->session);
    buf_free(&r->line);
    sync_rows_sum_clear(&r->sum);
}
DEFINE_AUTO_VALUE(Rows, rows_end)

static Error *put(Rows *r, const char *text, size_t n)
{
    if (r->packed) {
        TRY(sync_rows_pack(text, n, true, &r->line));
        return file_write_all(STDOUT_FILENO, r->line.data, r->line.len, "standard output");
    }
    TRY(file_write_all(STDOUT_FILENO, text, n, "standard output"));
    return file_write_all(STDOUT_FILENO, "\n", 1, "standard output");
}

static Error *put_batch(void *ctx, const SyncRowsBatch *batch)
{
    Rows *r = ctx;
    r->begun = true;
    return put(r, batch->json, batch->n);
}

static Error *work(Run *run, void *arg)
{
    Rows *r = arg;
    (void)run;
    return op_sync_rows_serve(&r->host, r->session, (uint64_t)r->attempt, put_batch, r, &r->sum);
}

/* Whoever reads has but the output. */
static void put_error(Rows *r, const Error *e)
{
    AUTO(Doc) d = doc_object();
    doc_set(d, "error", doc_error(e));
    AUTO(char) text = doc_print(d, false);
    error_drop(put(r, text, strlen(text)));
}

Error *sync_run_rows(Run *run)
{
    AUTO_VALUE(Rows) r = {.host = sync_host(run)};
    const char *word;
    TRY(sync_word(run, "session", &word));
    const char *slash = strchr(word, '/');
    if (!slash)
        FAIL(ERR_USAGE, "sync rows: SESSION/ATTEMPT is expected");
    r.session = mem_strndup(word, (size_t)(slash - word));
    r.packed = text_ends(slash, "/gzip");
    AUTO(char) number = mem_strndup(slash + 1, strcspn(slash + 1, "/"));
    TRY(text_parse_int(number, 1, INT64_MAX, &r.attempt));
    Error *e = run_with_progress(run, work, &r);
    if (e && r.begun)
        put_error(&r, e);
    return e;
}
