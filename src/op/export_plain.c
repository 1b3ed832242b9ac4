/* SQL, as pg_dump prints it: written by stock pg_restore, which reads the archive from a pipe. So
 * it is right in every version, and with large objects, privileges and whatever comes. */
#include "op/export_work.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "crypto/hash.h"
#include "flow/group.h"
#include "pg/restore_pass.h"

#define HEAD_MAX ((size_t)4096) /* the settings stand within this */
#define PORTION ((size_t)64 << 10)

typedef struct Pipe {
    ExportWork *work;
    const Toc *shaped;
    Proc *proc;
} Pipe;

static Error *pipe_write(void *ctx, const void *p, size_t n)
{
    Pipe *x = ctx;
    return file_write_all(proc_in(x->proc), p, n, "pg_restore");
}

static Error *feed_archive(void *arg)
{
    Pipe *x = arg;
    ArchiveOutput output = {.write = pipe_write, .ctx = x};
    Error *e = export_custom(x->work, x->shaped, &output);
    if (e)
        proc_signal(x->proc, SIGTERM); /* it would wait for more */
    else
        proc_close_in(x->proc);
    return e;
}

/* The SQL is for a server like the one backed up: a newer pg_restore sets what that one does not
 * know. */
static void drop_unknown_settings(const Toc *toc, Buf *head)
{
    static const char line[] = "\nSET transaction_timeout = 0;\n";
    size_t n = sizeof line - 2; /* the newline behind it stays */
    uint8_t *at = head->len ? memmem(head->data, head->len, line, sizeof line - 1) : NULL;
    if (!at || atoi(toc->server_version) >= 17)
        return;
    memmove(at, at + n, head->len - (size_t)(at - head->data) - n);
    head->len -= n;
}

static Error *copy_sql(Pipe *x, TextOut *out)
{
    AUTO_VALUE(Buf) head = {0};
    AUTO_VALUE(Buf) portion = {0};
    Cancel *cancel = job_cancel(x->work->c->job);
    bool ready, in_head = true;
    TRY(buf_reserve(&portion, PORTION, PORTION));
    for (size_t got = 1; got;) {
        TRY(cancel_poll(cancel, proc_out(x->proc), POLLIN, -1, &ready));
        ssize_t n = read(proc_out(x->proc), portion.data, PORTION);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(ERR_IO, ERR_IO, "cannot read from pg_restore");
        got = (size_t)n;
        if (in_head)
            buf_add(&head, portion.data, got);
        else
            TRY(text_out_add(out, portion.data, got));
        if (in_head && (head.len >= HEAD_MAX || !got)) {
            drop_unknown_settings(x->shaped, &head);
            TRY(text_out_add(out, head.data, head.len));
            in_head = false;
        }
    }
    return NULL;
}

static void hear(void *ctx, const char *line)
{
    restore_said_line(ctx, line);
}

/* What went wrong: pg_restore, or what it was given (then it complains only of that), or reading
 * its words. */
static Error *judge(Error *copying, Error *feeding, const RestoreSaid *said, int status)
{
    bool fed = !feeding || error_kind(feeding) == ERR_IO; /* a pipe that broke says nothing */
    if (!copying && fed && status) {
        error_free(feeding);
        return restore_said_error(said, status);
    }
    return fed ? error_first(copying, feeding) : error_first(feeding, copying);
}

static Error *run(Pipe *x, const StrList *argv, RestoreSaid *said, TextOut *out)
{
    AUTO(Proc) p = NULL;
    AUTO(Group) feeder = NULL;
    ProcOptions options = {
        .argv = argv, .pipe_in = true, .pipe_out = true, .line = hear, .ctx = said};
    TRY(proc_start(&options, &p));
    x->proc = p;
    TRY(group_new(job_cancel(x->work->c->job), &feeder));
    TRY(group_start(feeder, feed_archive, x));
    Error *copying = copy_sql(x, out);
    if (copying)
        proc_signal(p, SIGTERM); /* so that the feeder's pipe breaks */
    /* It reads on to the end of the archive, or is gone. */
    Error *feeding = group_join(feeder);
    proc_close_in(p);
    int status = 0;
    Error *waiting = proc_wait(p, &status);
    return error_first(judge(copying, feeding, said, status), waiting);
}

/* The oldest tool that will do: it is nearest to the server that was backed up. */
static Error *find_tool(const ExportWork *w, const Toc *shaped, Tool **out)
{
    int major = w->o->restore_major ? w->o->restore_major : atoi(shaped->server_version);
    return tools_find(&w->c->tools, TOOL_PG_RESTORE, major * 10000, toc_restore_major(shaped), out);
}

/* Since CVE-2025-8714 pg_restore writes a word into its SQL (\restrict) that nobody can foresee who
 * wrote the data, and makes it by chance. By the manifest, which is a hash of the data, it is as
 * unforeseeable, and the SQL of a backup is always the same: a download can be resumed. */
static void fix_restrict_key(const ExportWork *w, const Tool *tool, StrList *argv)
{
    static const int first[][2] = {{13, 22}, {14, 19}, {15, 14}, {16, 10}, {17, 6}};
    uint8_t digest[HASH_BYTES];
    char key[2 * HASH_BYTES + 1];
    bool knows = tool->major >= 18;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        knows |= tool->major == first[i][0] && tool->version % 10000 >= first[i][1];
    if (!knows)
        return;
    AUTO(char) seed = mem_printf("restrict %s", w->backup.manifest->info.checksum);
    AUTO(Hash) h = hash_new();
    hash_once(h, seed, strlen(seed), digest);
    text_hex(digest, HASH_BYTES, key);
    strlist_own(argv, mem_printf("--restrict-key=%s", key));
}

Error *export_plain(ExportWork *w, const Toc *shaped, TextOut *out)
{
    AUTO(Tool) tool = NULL;
    AUTO_VALUE(StrList) argv = {0};
    AUTO_VALUE(RestoreSaid) said = {0};
    Pipe x = {.work = w, .shaped = shaped};
    TRY(find_tool(w, shaped, &tool));
    strlist_copy(&argv, &tool->argv);
    strlist_add(&argv, "--format=custom");
    strlist_add(&argv, "--file=-");
    fix_restrict_key(w, tool, &argv);
    /* Large objects are written within a transaction. One around everything goes well with
     * psql -1, where one of their own would end psql's. */
    if (toc_first(shaped, "BLOBS"))
        strlist_add(&argv, "--single-transaction");
    TRY(run(&x, &argv, &said, out));
    for (size_t i = 0; i < said.warnings.count; i++)
        export_warn(w, "pg_restore: %s", said.warnings.items[i]);
    return NULL;
}
