/* Dumps that others made: custom archives with their blocks, toc.dat, plain SQL, compressed bytes.
 */
#include "codec/unpack.h"
#include "fuzz.h"
#include "pg/archive_blocks.h"
#include "pg/sql_stream.h"

typedef struct Input {
    const uint8_t *at;
    size_t left;
} Input;

static Error *read_input(void *ctx, void *p, size_t n, size_t *got)
{
    Input *in = ctx;
    *got = in->left < n ? in->left : n;
    if (*got)
        memcpy(p, in->at, *got);
    in->at += *got;
    in->left -= *got;
    return NULL;
}

static Error *begin(void *ctx, const TocEntry *e)
{
    (void)ctx;
    MUST(toc_has_block(e));
    return NULL;
}

static Error *bytes(void *ctx, const void *p, size_t n)
{
    size_t *all = ctx;
    *all += n;
    MUST(!n || p);
    /* A bomb is the caller's to bound. */
    return *all > (64u << 20) ? ERROR_NEW(ERR_LIMIT, "enough") : NULL;
}

static Error *end(void *ctx)
{
    (void)ctx;
    return NULL;
}

static Error *object(void *ctx, uint32_t oid)
{
    (void)ctx;
    MUST(oid);
    return NULL;
}

static Error *statement(void *ctx, const char *sql, bool copy)
{
    (void)copy;
    return bytes(ctx, sql, strlen(sql));
}

static Error *command(void *ctx, const char *line)
{
    MUST(*line == '\\' && !strchr(line, '\n'));
    return bytes(ctx, line, strlen(line));
}

static void try_archive(const uint8_t *data, size_t size)
{
    Input in = {data, size};
    size_t all = 0;
    AUTO(Toc) t = NULL;
    if (!succeeded(toc_read(read_input, &in, &t)))
        return;
    toc_forget_offsets(t);
    ArchiveTake take = {begin, bytes, end, object, end, &all};
    succeeded(archive_blocks_read(t, read_input, &in, &take));
}

static void try_directory(const uint8_t *data, size_t size)
{
    AUTO(Toc) t = NULL;
    AUTO_VALUE(StrList) files = {0};
    if (succeeded(toc_parse_directory(data, size, &files, &t)))
        MUST(files.count == t->count);
}

static void try_sql(const uint8_t *data, size_t size)
{
    size_t all = 0;
    SqlTake take = {statement, bytes, end, command, &all};
    AUTO(SqlStream) s = sql_stream_new(&take);
    size_t half = size / 2;
    if (succeeded(sql_stream_write(s, data, half)) &&
        succeeded(sql_stream_write(s, data + half, size - half)))
        succeeded(sql_stream_end(s));
    MUST(all <= size + 1); /* a comment without its newline gets one */
}

static void try_packed(const uint8_t *data, size_t size)
{
    UnpackForm form = unpack_sniff(data, size);
    size_t all = 0;
    AUTO(Unpack) u = NULL;
    MUST(succeeded(unpack_open(form == UNPACK_NONE ? UNPACK_ZLIB : form, bytes, &all, &u)));
    if (succeeded(unpack_write(u, data, size)))
        succeeded(unpack_finish(u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_archive(data, size);
    try_directory(data, size);
    try_sql(data, size);
    try_packed(data, size);
    return 0;
}
