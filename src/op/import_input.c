#include "op/import_input.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE ((size_t)16 << 10) /* compressed: may become a thousand times as much */
#define LOOK 4096                /* bytes that tell the form */
#define PORTION_MAX ((size_t)64 << 20)

const char *dump_form_name(DumpForm form)
{
    static const char *const names[] = {"unknown", "custom", "directory", "tar", "plain"};
    return names[form];
}

void import_input_clear(ImportInput *in)
{
    if (in->unpack)
        unpack_free(in->unpack);
    fd_close(&in->fd);
    buf_free(&in->buf);
    *in = (ImportInput){.fd = {-1}};
}

static Error *take(void *ctx, const void *p, size_t n)
{
    ImportInput *in = ctx;
    TRY(buf_reserve(&in->buf, n, PORTION_MAX));
    buf_add(&in->buf, p, n);
    return NULL;
}

/* One slice more, where there is one. */
static Error *fill(ImportInput *in)
{
    char slice[SLICE];
    size_t got;
    if (in->at) {
        memmove(in->buf.data, in->buf.data + in->at, in->buf.len - in->at);
        in->buf.len -= in->at;
        in->at = 0;
    }
    TRY(file_read_some(in->fd.n, slice, sizeof slice, in->path, &got));
    if (got)
        TRY_CTX(unpack_write(in->unpack, slice, got), "%s", in->path);
    in->end = got < sizeof slice;
    if (in->end)
        TRY_CTX(unpack_finish(in->unpack), "%s", in->path);
    return NULL;
}

Error *import_input_open(const char *path, ImportInput *out)
{
    AUTO_VALUE(ImportInput) in = {.fd = {-1}, .path = path};
    struct stat st;
    char magic[8];
    in.fd.n = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in.fd.n < 0 || fstat(in.fd.n, &st) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot open %s", path);
    if (!S_ISREG(st.st_mode))
        FAIL(ERR_USAGE, "%s is neither a file nor a folder", path);
    size_t got;
    TRY(file_read_some(in.fd.n, magic, sizeof magic, path, &got));
    in.packing = unpack_sniff(magic, got);
    if (lseek(in.fd.n, 0, SEEK_SET) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot rewind %s", path);
    *out = in;
    in = (ImportInput){.fd = {-1}};
    /* It keeps where the bytes go to: the place must be the final one. */
    return unpack_open(out->packing, take, out, &out->unpack);
}

Error *import_input_read(void *ctx, void *p, size_t n, size_t *got)
{
    ImportInput *in = ctx;
    while (in->at == in->buf.len && !in->end)
        TRY(fill(in));
    size_t left = in->buf.len - in->at;
    *got = left < n ? left : n;
    if (*got)
        memcpy(p, in->buf.data + in->at, *got);
    in->at += *got;
    return NULL;
}

Error *import_input_form(ImportInput *in, DumpForm *form)
{
    enum { FORMAT_AT = 10, FORMAT_CUSTOM = 1, TAR_AT = 257 };
    while (in->buf.len - in->at < LOOK && !in->end)
        TRY(fill(in));
    const uint8_t *p = in->buf.data + in->at;
    size_t n = in->buf.len - in->at;
    *form = DUMP_UNKNOWN;
    if (n > FORMAT_AT && !memcmp(p, "PGDMP", 5)) {
        if (p[FORMAT_AT] == FORMAT_CUSTOM)
            *form = DUMP_CUSTOM; /* else a toc.dat without its folder */
    } else if (n > TAR_AT + 5 && !memcmp(p + TAR_AT, "ustar", 5)) {
        *form = DUMP_TAR;
    } else if (n && !memchr(p, 0, n < LOOK ? n : LOOK)) {
        *form = DUMP_PLAIN;
        if (n > 3 && !memcmp(p, "\xef\xbb\xbf", 3)) /* editors on Windows; psql skips it too */
            in->at += 3;
    }
    return NULL;
}
