#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "op/import_work.h"
#include "op/scratch.h"
#include "pg/sql_load.h"

#define READ_SIZE ((size_t)256 << 10)

/* Until the input ends. */
static Error *pour(ImportWork *w, TocRead read, void *ctx, SqlLoad *load)
{
    AUTO_VALUE(Buf) buf = {0};
    TRY(buf_reserve(&buf, READ_SIZE, READ_SIZE));
    for (;;) {
        size_t got;
        TRY(cancel_check(w->cancel));
        TRY(read(ctx, buf.data, READ_SIZE, &got));
        if (!got)
            return NULL;
        TRY(sql_load_write(load, buf.data, got));
        job_add_bytes(w->c->job, got);
    }
}

/* -- archives: pg_restore makes SQL of them ---------------------------------------------------- */

/* A file that pg_restore can open: a compressed one is decompressed into an unlinked one first. */
static Error *plain_file(ImportWork *w, Fd *out)
{
    AUTO_VALUE(ImportInput) in = {.fd = {-1}};
    AUTO_VALUE(Buf) buf = {0};
    TRY(import_input_open(w->path, &in));
    TRY(file_temp(out));
    TRY(buf_reserve(&buf, READ_SIZE, READ_SIZE));
    for (size_t got = 1; got;) {
        TRY(cancel_check(w->cancel));
        TRY(import_input_read(&in, buf.data, READ_SIZE, &got));
        TRY(file_write_all(out->n, buf.data, got, "a temporary file"));
    }
    if (lseek(out->n, 0, SEEK_SET) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot rewind a temporary file");
    return NULL;
}

typedef struct Pipe {
    int fd;
    const char *name;
} Pipe;

static Error *read_pipe(void *ctx, void *p, size_t n, size_t *got)
{
    Pipe *pipe = ctx;
    for (;;) {
        ssize_t r = read(pipe->fd, p, n);
        if (r >= 0) {
            *got = (size_t)r;
            return NULL;
        }
        if (errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot read what %s writes", pipe->name);
    }
}

static Error *load_archive(ImportWork *w, SqlLoad *load)
{
    AUTO(Tool) tool = NULL;
    AUTO_VALUE(StrList) argv = {0};
    AUTO_VALUE(Fd) file = {-1};
    AUTO(Proc) p = NULL;
    char path[PATH_MAX];
    TRY(tools_find(&w->c->tools, TOOL_PG_RESTORE, 0, 0, &tool));
    if (tool->is_command)
        FAIL(ERR_TOOL_MISSING, "the setting for pg_restore is a command: it cannot read %s",
             w->path);
    strlist_copy(&argv, &tool->argv);
    strlist_add(&argv, "--file=-");
    if (w->o->no_owner)
        strlist_add(&argv, "--no-owner");
    if (w->o->no_privileges)
        strlist_add(&argv, "--no-privileges");
    if (w->input.packing != UNPACK_NONE) {
        TRY(plain_file(w, &file));
        strlist_own(&argv, mem_printf("/dev/fd/%d", file.n));
    } else {
        if (!realpath(w->path, path)) /* so that it cannot be taken for an option */
            return error_errno(ERR_IO, ERR_IO, "cannot look at %s", w->path);
        strlist_add(&argv, path);
    }
    TRY(proc_start(&(ProcOptions){.argv = &argv, .pipe_out = true, .pass_fd = file.n}, &p));
    Pipe out = {.fd = proc_out(p), .name = argv.items[0]};
    int status;
    Error *e = pour(w, read_pipe, &out, load);
    if (e)
        return e; /* proc_free ends it */
    TRY(proc_wait(p, &status));
    if (status)
        FAIL(ERR_TOOL_FAILED, "%s could not read %s: %s", argv.items[0], w->path, proc_stderr(p));
    return NULL;
}

/* -- the whole -------------------------------------------------------------------------------- */

static Error *fill(ImportWork *w, const OpContext *scratch, StrList *notes)
{
    AUTO(Conn) c = NULL;
    AUTO(SqlLoad) load = NULL;
    SqlLoadOptions options = {.no_owner = w->o->no_owner, .no_privileges = w->o->no_privileges};
    TRY(conn_open(&(ConnOptions){.url = scratch->db_url,
                                 .dbname = scratch->db_name,
                                 .cancel = w->cancel,
                                 .silence_ms = scratch->silence_ms},
                  &c));
    TRY(sql_load_begin(c, &options, &load));
    job_phase(w->c->job, "loading the dump", 0, 0);
    TRY_CTX(w->form == DUMP_PLAIN ? pour(w, import_input_read, &w->input, load)
                                  : load_archive(w, load),
            "%s", w->path);
    TRY_CTX(sql_load_end(load, notes), "%s", w->path);
    return NULL;
}

static Error *file_time(const char *path, Instant *out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot look at %s", path);
    *out = (Instant)st.st_mtim.tv_sec * 1000;
    return NULL;
}

Error *import_sql(ImportWork *w, StrList *notes, BackupInfo *out)
{
    AUTO_VALUE(Scratch) scratch = {0};
    AUTO_VALUE(BackupOptions) backup = {0};
    BackupAs as = {.database = w->facts.database,
                   .id = w->facts.id,
                   .server = IMPORT_SERVER,
                   .database_version = w->facts.database_version,
                   .at = w->facts.at};
    if (!as.database)
        return error_hint(ERROR_NEW(ERR_USAGE, "%s does not say of which database it is", w->path),
                          "name it with --as");
    if (!w->facts.at_given)
        TRY(file_time(w->path, &as.at));
    TRY_CTX(scratch_create(w->c, as.database, NULL, &scratch),
            "%s goes through a scratch database on the server that --db names", w->path);
    OpContext inner = *w->c;
    inner.db_name = scratch.name;
    TRY(fill(w, &inner, notes));
    backup.as = &as;
    backup.parent = w->o->parent;
    backup.level = w->o->level;
    backup.max_rate = w->o->max_rate;
    backup.timeout_ms = w->o->timeout_ms;
    strlist_copy(&backup.tags, &w->o->tags);
    /* What cannot be dropped afterwards is a warning: the backup is there. */
    return op_backup(&inner, &backup, out);
}
