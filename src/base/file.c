#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static Error *failed(const char *verb, const char *path)
{
    return error_errno(ERR_REPO_FULL, ERR_REPO_PERMISSION, "cannot %s %s", verb, path);
}

void fd_close(Fd *fd)
{
    if (fd->n >= 0)
        close(fd->n);
    fd->n = -1;
}

Error *file_write_all(int fd, const void *p, size_t n, const char *name)
{
    const char *at = p;
    while (n) {
        ssize_t w = write(fd, at, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return failed("write", name);
        at += w;
        n -= (size_t)w;
    }
    return NULL;
}

Error *file_read_some(int fd, void *p, size_t n, const char *name, size_t *got)
{
    *got = 0;
    while (*got < n) {
        ssize_t r = read(fd, (char *)p + *got, n - *got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return failed("read", name);
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return NULL;
}

Error *file_read(const char *path, size_t max, Buf *out)
{
    AUTO_VALUE(Fd) fd = {open(path, O_RDONLY | O_CLOEXEC)};
    if (fd.n < 0 && (errno == ENOENT || errno == ENOTDIR))
        FAIL(ERR_NOT_FOUND, "there is no file %s", path);
    if (fd.n < 0)
        return failed("open", path);
    for (;;) {
        size_t got;
        TRY_CTX(buf_reserve(out, 65537, max + 65537), "%s", path);
        TRY(file_read_some(fd.n, out->data + out->len, 65536, path, &got));
        out->len += got;
        out->data[out->len] = 0;
        if (out->len > max)
            FAIL(ERR_LIMIT, "%s is larger than %zu bytes", path, max);
        if (got < 65536)
            return NULL;
    }
}

Error *file_sync_folder(const char *path)
{
    AUTO_VALUE(Fd) fd = {open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (fd.n < 0 || fsync(fd.n) < 0)
        return failed("sync folder", path);
    return NULL;
}

Error *file_sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO(char)
    dir = slash ? mem_strndup(path, (size_t)(slash - path) + (slash == path)) : mem_strdup(".");
    return file_sync_folder(dir);
}

Error *file_write_atomic(const char *path, const void *p, size_t n, mode_t mode)
{
    AUTO(char) temp = mem_printf("%s.XXXXXX", path);
    AUTO_VALUE(Fd) fd = {mkstemp(temp)};
    if (fd.n < 0)
        return failed("create", temp);
    Error *e = fchmod(fd.n, mode) < 0 ? failed("set the mode of", temp) : NULL;
    if (!e)
        e = file_write_all(fd.n, p, n, temp);
    if (!e && fsync(fd.n) < 0)
        e = failed("sync", temp);
    if (!e && rename(temp, path) < 0)
        e = failed("rename to", path);
    if (e) {
        unlink(temp);
        return e;
    }
    return file_sync_folder_of(path);
}

Error *file_try_atomic(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        FAIL(ERR_IO, "%s is no file that could be replaced", path);
    AUTO(char) temp = mem_printf("%s.XXXXXX", path);
    AUTO_VALUE(Fd) fd = {mkstemp(temp)};
    if (fd.n < 0)
        return failed("create", temp);
    return unlink(temp) < 0 ? failed("remove", temp) : NULL;
}

Error *file_make_dir(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST) {
        struct stat st;
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            FAIL(ERR_IO, "%s is not a folder", path);
        return NULL;
    }
    const char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash || slash == path)
        return failed("create folder", path);
    AUTO(char) parent = mem_strndup(path, (size_t)(slash - path));
    TRY(file_make_dir(parent, mode));
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return failed("create folder", path);
    return NULL;
}

bool file_exists(const char *path)
{
    AUTO_VALUE(Fd) fd = {open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    return fd.n >= 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool file_is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *file_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return mem_printf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

char *file_real_path(const char *path)
{
    char *real = realpath(path, NULL);
    size_t n = strlen(path);
    if (real || errno != ENOENT)
        return real;
    while (n && path[n - 1] == '/')
        n--;
    const char *slash = memrchr(path, '/', n);
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    AUTO(char) last = mem_strndup(path + folder, n - folder);
    AUTO(char) parent = folder ? mem_strndup(path, folder) : mem_strdup(".");
    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return NULL;
    AUTO(char) above = file_real_path(parent);
    return above ? file_join(above, last) : NULL;
}

static const char *temp_folder(void)
{
    const char *dir = getenv("TMPDIR");
    return dir && *dir ? dir : "/tmp";
}

/* Its disk is not the repository's. Takes the error over. */
static Error *temp_failed(Error *e)
{
    return error_hint(error_rekind(e, ERR_IO), "make room in %s, or let TMPDIR name another folder",
                      temp_folder());
}

Error *file_temp(Fd *out)
{
    AUTO(char) path = file_join(temp_folder(), "pgstow-XXXXXX");
    out->n = mkstemp(path);
    if (out->n < 0)
        return temp_failed(error_errno(ERR_IO, ERR_IO, "cannot create a temporary file"));
    unlink(path);
    return NULL;
}

Error *file_temp_write(int fd, const void *p, size_t n)
{
    Error *e = file_write_all(fd, p, n, "a temporary file");
    return e ? temp_failed(e) : NULL;
}

Error *file_temp_with(const Buf *b, Fd *out)
{
    TRY(file_temp(out));
    TRY(file_temp_write(out->n, b->data, b->len));
    if (lseek(out->n, 0, SEEK_SET) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot rewind a temporary file");
    return NULL;
}

Error *file_temp_dir(char **path)
{
    AUTO(char) made = file_join(temp_folder(), "pgstow-XXXXXX");
    if (!mkdtemp(made))
        return failed("make a temporary folder", made);
    *path = STEAL(made);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

Error *file_remove_tree(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
        return failed("remove", path);
    return NULL;
}

Error *file_free_space(const char *path, uint64_t *bytes)
{
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return failed("ask for the free space of", path);
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return NULL;
}
