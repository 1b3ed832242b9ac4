#include "op/export_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void export_file_clear(ExportFile *o)
{
    if (o->temp)
        unlink(o->temp);
    fd_close(&o->file);
    free(o->temp);
    *o = (ExportFile){.file = {-1}, .fd = -1};
}

Error *export_file_write(void *ctx, const void *p, size_t n)
{
    ExportFile *o = ctx;
    o->bytes += n;
    return file_write_all(o->fd, p, n, o->name);
}

bool export_file_can_seek(const ExportFile *o)
{
    return o->temp != NULL;
}

Error *export_file_rewrite(void *ctx, const void *p, size_t n)
{
    ExportFile *o = ctx;
    if (lseek(o->fd, 0, SEEK_SET) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot seek in %s", o->name);
    return file_write_all(o->fd, p, n, o->name);
}

static Error *refuse_existing(const ExportFile *o)
{
    struct stat st;
    if (lstat(o->path, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return error_hint(ERROR_NEW(ERR_EXISTS, "%s is not a regular file", o->path),
                          "-o - writes to standard output");
    if (!o->overwrite)
        return error_hint(ERROR_NEW(ERR_EXISTS, "%s exists already", o->path),
                          "choose another name, or --overwrite");
    return NULL;
}

Error *export_file_open(const char *path, bool overwrite, ExportFile *out)
{
    *out = (ExportFile){.file = {-1}, .fd = -1, .path = path, .name = path, .overwrite = overwrite};
    if (!strcmp(path, "-")) {
        out->name = "standard output";
        out->fd = STDOUT_FILENO;
        return NULL;
    }
    TRY(refuse_existing(out));
    AUTO(char) temp = mem_printf("%s.XXXXXX", path);
    out->fd = out->file.n = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
    if (out->fd < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot create %s", path);
    out->temp = STEAL(temp);
    return NULL;
}

Error *export_file_finish(ExportFile *o)
{
    if (!o->temp)
        return NULL;
    if (fsync(o->fd) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot write %s", o->path);
    /* link() never replaces a file that came meanwhile. Where links are not to be had: */
    bool linked = !o->overwrite && link(o->temp, o->path) == 0;
    if (!linked) {
        TRY(refuse_existing(o));
        if (rename(o->temp, o->path) < 0)
            return error_errno(ERR_IO, ERR_IO, "cannot rename the export to %s", o->path);
        free(STEAL(o->temp));
    }
    return file_sync_folder_of(o->path);
}
