/* sync rows SESSION/ATTEMPT: what a service has a child do for a peer that pulls rows. On standard
 * output a batch a line; where something fails behind the first, a line with the error. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cmd_sync.h"
#include "op/sync_rows.h"

typedef struct Rows {
    SyncHost host;
    char *session;
    int64_t attempt;
    bool begun; /* a line has been written */
    SyncRowsSum sum;
} Rows;
static void rows_end(Rows *r)
{
    free(r->session);
    sync_rows_sum_clear(&r->sum);
}
DEFINE_AUTO_VALUE(Rows, rows_end)

static Error *put_line(void *ctx, const SyncRowsBatch *batch)
{
    Rows *r = ctx;
    r->begun = true;
    TRY(file_write_all(STDOUT_FILENO, batch->json, batch->n, "standard output"));
    return file_write_all(STDOUT_FILENO, "\n", 1, "standard output");
}

static Error *work(Run *run, void *arg)
{
    Rows *r = arg;
    (void)run;
    return op_sync_rows_serve(&r->host, r->session, (uint64_t)r->attempt, put_line, r, &r->sum);
}

/* Whoever reads has but the output. */
static void put_error(const Error *e)
{
    AUTO(Doc) d = doc_object();
    doc_set(d, "error", doc_error(e));
    AUTO(char) text = doc_print(d, false);
    AUTO(char) line = mem_printf("%s\n", text);
    error_drop(file_write_all(STDOUT_FILENO, line, strlen(line), "standard output"));
}

Error *sync_run_rows(Run *run)
{
    AUTO_VALUE(Rows) r = {.host = sync_host(run)};
    const char *word;
    TRY(sync_word(run, "session", &word));
    const char *slash = strrchr(word, '/');
    if (!slash)
        FAIL(ERR_USAGE, "sync rows: SESSION/ATTEMPT is expected");
    r.session = mem_strndup(word, (size_t)(slash - word));
    TRY(text_parse_int(slash + 1, 1, INT64_MAX, &r.attempt));
    Error *e = run_with_progress(run, work, &r);
    if (e && r.begun)
        put_error(e);
    return e;
}
