#include "op/export_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define MARK "toc.dat" /* what an earlier export has in it */

static void remove_flat(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));)
        unlinkat(dirfd(dir), d->d_name, 0);
    closedir(dir);
    rmdir(path);
}

void export_folder_clear(ExportFolder *f)
{
    fd_close(&f->file);
    if (f->temp)
        remove_flat(f->temp);
    free(f->temp);
    free(f->path);
    free(f->file_name);
    *f = (ExportFolder){.file = {-1}};
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    size_t entries = 0;
    while (dir && readdir(dir))
        entries++;
    if (dir)
        closedir(dir);
    return dir && entries <= 2; /* . and .. */
}

/* Nothing but what an export in this format is made of: no file of somebody's own goes with it. */
static bool is_export(const char *path)
{
    static const char *const endings[] = {".dat", ".dat.gz", ".dat.lz4", ".dat.zst", ".toc"};
    AUTO(char) mark = file_join(path, MARK);
    DIR *dir = file_exists(mark) ? opendir(path) : NULL;
    bool good = dir != NULL;
    for (struct dirent *d; good && (d = readdir(dir));) {
        struct stat st;
        bool dots = !strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."), named = dots;
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
            named = named || text_ends(d->d_name, endings[i]);
        good = named && (dots || (!fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
                                  S_ISREG(st.st_mode)));
    }
    if (dir)
        closedir(dir);
    return good;
}

/* *occupied: there is an earlier export that may be replaced. */
static Error *look_at_place(const ExportFolder *f, bool *occupied)
{
    struct stat st;
    *occupied = false;
    if (lstat(f->path, &st) < 0 || (S_ISDIR(st.st_mode) && is_empty(f->path)))
        return NULL;
    if (!S_ISDIR(st.st_mode))
        return error_hint(ERROR_NEW(ERR_EXISTS, "%s is there, and is no folder", f->path),
                          "choose another name");
    *occupied = f->overwrite && is_export(f->path);
    if (*occupied)
        return NULL;
    return error_hint(
        ERROR_NEW(ERR_EXISTS, "the folder %s is there and is not empty", f->path),
        f->overwrite ? "it is no earlier export, or holds more than that, so it is not overwritten"
                     : "choose another name, or --overwrite");
}

Error *export_folder_open(const char *path, bool overwrite, ExportFolder *out)
{
    AUTO_VALUE(ExportFolder) f = {.file = {-1}, .overwrite = overwrite};
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    f.path = mem_strndup(path, n);
    bool occupied;
    TRY(look_at_place(&f, &occupied));
    AUTO(char) temp = mem_printf("%s.XXXXXX", f.path);
    if (!mkdtemp(temp)) /* mode 0700 */
        return error_errno(ERR_IO, ERR_IO, "cannot create the folder %s", f.path);
    f.temp = STEAL(temp);
    *out = f;
    f = (ExportFolder){.file = {-1}};
    return NULL;
}

Error *export_folder_begin(ExportFolder *f, const char *name)
{
    AUTO(char) path = file_join(f->temp, name);
    f->file.n = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (f->file.n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot create %s/%s", f->path, name);
    free(f->file_name);
    f->file_name = file_join(f->path, name);
    return NULL;
}

Error *export_folder_write(void *ctx, const void *p, size_t n)
{
    ExportFolder *f = ctx;
    f->bytes += n;
    return file_write_all(f->file.n, p, n, f->file_name);
}

Error *export_folder_end(ExportFolder *f)
{
    if (fsync(f->file.n) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot write %s", f->file_name);
    fd_close(&f->file);
    return NULL;
}

Error *export_folder_finish(ExportFolder *f)
{
    bool occupied;
    TRY(file_sync_folder(f->temp));
    TRY(look_at_place(f, &occupied));
    /* rename() takes the place of an empty folder only; an earlier export changes places with this
     * one, and goes then. */
    int failed = occupied ? renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_EXCHANGE)
                          : rename(f->temp, f->path);
    if (failed)
        return error_errno(ERR_IO, ERR_IO, "cannot rename the export to %s", f->path);
    if (occupied)
        remove_flat(f->temp);
    free(STEAL(f->temp));
    return file_sync_folder_of(f->path);
}
