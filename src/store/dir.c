/* A store in a directory.
 *
 * Written is what lies in <root>/tmp under a random name; there the file is synced, then linked to
 * its own name, which fails where that exists: put-if-absent without locks, on NFS as well. Below
 * the root no symbolic link is ever followed, so nothing outside can be reached through a name.
 */
#include "store/dir_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "crypto/hash.h"
#include "store/faulty.h"

typedef struct DirPut {
    StorePut base;
    Fd tmp, file;
    char temp[33]; /* its name in tmp; empty once it is gone */
} DirPut;

Error *dir_failed(const Dir *d, const char *verb, const char *name)
{
    bool read_only = errno == EROFS;
    Error *e = error_errno(ERR_REPO_FULL, ERR_REPO_PERMISSION, "cannot %s %s%s%s", verb,
                           d->base.where, *name ? "/" : "", name);
    if (read_only)
        return error_hint(e, "mount the file system that holds %s writable", d->base.where);
    return dir_hint(d->base.where, e);
}

Error *dir_is_link(const Dir *d, const char *name)
{
    return error_hint(ERROR_NEW(ERR_IO, "%s/%s is a symbolic link", d->base.where, name),
                      "put the file or folder itself there: below a repository's own folder no "
                      "links are followed");
}

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* One part at a time, so that none of them may be a link. */
Error *dir_open_folder(const Dir *d, const char *folder, Fd *out)
{
    AUTO_VALUE(Fd) at = {openat(d->root.n, ".", OPEN_FOLDER)};
    if (at.n < 0)
        return dir_failed(d, "open", "");
    AUTO(char) rest = mem_strdup(folder);
    char *save = NULL;
    for (char *part = strtok_r(rest, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        AUTO_VALUE(Fd) next = {openat(at.n, part, OPEN_FOLDER)};
        if (next.n < 0) {
            int code = errno;
            struct stat st;
            if (fstatat(at.n, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
                return dir_is_link(d, folder);
            errno = code;
            if (code == ENOENT || code == ENOTDIR)
                return store_not_found(&d->base, folder);
            return dir_failed(d, "open folder", folder);
        }
        int previous = at.n;
        at.n = next.n;
        next.n = previous;
    }
    *out = at;
    at.n = -1;
    return NULL;
}

/* The folder that an object is in, and the last part of its name. */
static Error *open_parent(const Dir *d, const char *name, Fd *out, const char **last)
{
    const char *slash = strrchr(name, '/');
    AUTO(char) folder = mem_strndup(name, slash ? (size_t)(slash - name) : 0);
    *last = slash ? slash + 1 : name;
    Error *e = dir_open_folder(d, folder, out);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_free(e);
        return store_not_found(&d->base, name);
    }
    return e;
}

/* With the lock held: the folder is there, and its name durable. Whoever else made it just now may
 * not have synced its parent yet, so this is done once for each folder in any case. */
static Error *make_folder(Dir *d, const char *folder)
{
    if (!*folder || strlist_has(&d->folders, folder))
        return NULL;
    const char *slash = strrchr(folder, '/');
    AUTO(char) parent = mem_strndup(folder, slash ? (size_t)(slash - folder) : 0);
    const char *last = slash ? slash + 1 : folder;
    TRY(make_folder(d, parent));
    AUTO_VALUE(Fd) in = {-1};
    TRY(dir_open_folder(d, parent, &in));
    if (mkdirat(in.n, last, 0700) == 0) {
        /* Not through a descriptor: the umask may have left a folder that we cannot open. */
        if (fchmodat(in.n, last, 0700, 0) < 0)
            return dir_failed(d, "set the mode of", folder);
    } else if (errno != EEXIST) {
        return dir_failed(d, "create folder", folder);
    }
    if (fsync(in.n) < 0)
        return dir_failed(d, "sync folder", parent);
    strlist_add(&d->folders, folder);
    return NULL;
}

static Error *ensure_folder(Dir *d, const char *folder)
{
    pthread_mutex_lock(&d->lock);
    Error *e = make_folder(d, folder);
    pthread_mutex_unlock(&d->lock);
    return e;
}

static char *folder_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return mem_strndup(name, slash ? (size_t)(slash - name) : 0);
}

/* To be synced by the next barrier. */
static void note_changed(Dir *d, const char *name)
{
    AUTO(char) folder = folder_of(name);
    pthread_mutex_lock(&d->lock);
    if (!strlist_has(&d->unsynced, folder))
        strlist_own(&d->unsynced, STEAL(folder));
    pthread_mutex_unlock(&d->lock);
}

static void dir_adopt(Store *s, const char *name)
{
    note_changed((Dir *)s, name);
}

static void dir_free(Store *s)
{
    Dir *d = (Dir *)s;
    fd_close(&d->root);
    strlist_free(&d->folders);
    strlist_free(&d->unsynced);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->barrier);
    free(d);
}

static void dir_put_free(StorePut *put)
{
    DirPut *p = (DirPut *)put;
    if (*p->temp)
        unlinkat(p->tmp.n, p->temp, 0);
    fd_close(&p->tmp);
    fd_close(&p->file);
    free(p);
}

static Error *dir_begin(Store *s, const char *name, StorePut **out)
{
    Dir *d = (Dir *)s;
    AUTO(char) folder = folder_of(name);
    TRY(ensure_folder(d, folder));
    TRY(ensure_folder(d, "tmp"));
    AUTO_VALUE(Fd) tmp = {-1};
    TRY(dir_open_folder(d, "tmp", &tmp));
    uint8_t id[16];
    char temp[33];
    random_bytes(id, sizeof id);
    text_hex(id, sizeof id, temp);
    AUTO_VALUE(Fd)
    file = {openat(tmp.n, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (file.n < 0)
        return dir_failed(d, "create a file in", "tmp");
    DirPut *p = mem_new(DirPut);
    p->tmp = tmp;
    p->file = file;
    tmp.n = file.n = -1;
    memcpy(p->temp, temp, sizeof temp);
    /* Whatever the umask says. */
    if (fchmod(p->file.n, 0600) < 0) {
        Error *e = dir_failed(d, "set the mode of a file in", "tmp");
        dir_put_free(&p->base);
        return e;
    }
    *out = &p->base;
    return NULL;
}

static Error *dir_write(StorePut *put, const void *data, size_t n)
{
    Error *e = file_write_all(((DirPut *)put)->file.n, data, n, put->name);
    return e ? dir_hint(put->store->where, e) : NULL;
}

/* A link that NFS made though its answer got lost and the repeated call found the name there. The
 * count of links would prove nothing: whoever copies a repository by hard links (cp -l) adds some.
 */
static bool is_same_file(int fd, int folder, const char *name)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* For file systems without hard links (exFAT, some FUSE). */
static Error *name_by_rename(DirPut *p, int folder, const char *last)
{
    const Dir *d = (Dir *)p->base.store;
#if defined(__linux__) && defined(RENAME_NOREPLACE)
    if (renameat2(p->tmp.n, p->temp, folder, last, RENAME_NOREPLACE) == 0) {
        *p->temp = 0;
        return NULL;
    }
    if (errno == EEXIST)
        return store_name_taken(&d->base, p->base.name);
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return dir_failed(d, "create", p->base.name);
#else
    (void)folder;
    (void)last;
#endif
    return error_hint(ERROR_NEW(ERR_IO,
                                "cannot create %s/%s: its file system has neither hard "
                                "links nor renaming that never replaces",
                                d->base.where, p->base.name),
                      "move the repository to another file system");
}

static Error *give_name(DirPut *p, int folder, const char *last)
{
    const Dir *d = (Dir *)p->base.store;
    if (linkat(p->tmp.n, p->temp, folder, last, 0) < 0) {
        if (errno == EPERM || errno == ENOTSUP || errno == EOPNOTSUPP || errno == ENOSYS ||
            errno == EMLINK)
            return name_by_rename(p, folder, last);
        if (errno != EEXIST)
            return dir_failed(d, "create", p->base.name);
        if (!is_same_file(p->file.n, folder, last))
            return store_name_taken(&d->base, p->base.name);
    }
    /* A second name that stays behind in tmp is rubbish at worst. */
    if (unlinkat(p->tmp.n, p->temp, 0) == 0)
        *p->temp = 0;
    return NULL;
}

static Error *dir_finish(StorePut *put, bool whole)
{
    DirPut *p = (DirPut *)put;
    Dir *d = (Dir *)put->store;
    if (fsync(p->file.n) < 0)
        return dir_failed(d, "sync", put->name);
    FAULT_POINT(whole ? "store.put.written" : "store.finish.synced");
    AUTO_VALUE(Fd) folder = {-1};
    const char *last;
    TRY(open_parent(d, put->name, &folder, &last));
    TRY(give_name(p, folder.n, last));
    note_changed(d, put->name);
    FAULT_POINT(whole ? "store.put.linked" : "store.finish.linked");
    if (whole && fsync(folder.n) < 0)
        return dir_failed(d, "sync the folder of", put->name);
    return NULL;
}

static Error *sync_folder(const Dir *d, const char *folder)
{
    AUTO_VALUE(Fd) fd = {-1};
    TRY(dir_open_folder(d, folder, &fd));
    return fsync(fd.n) < 0 ? dir_failed(d, "sync folder", folder) : NULL;
}

/* With the barrier held. */
static Error *sync_changed(Dir *d)
{
    FAULT_POINT("store.barrier");
    pthread_mutex_lock(&d->lock);
    AUTO_VALUE(StrList) folders = d->unsynced;
    d->unsynced = (StrList){0};
    pthread_mutex_unlock(&d->lock);
    if (d->sync_failed)
        FAIL(ERR_IO, "an earlier sync of a folder of %s failed", d->base.where);
    for (size_t i = 0; i < folders.count; i++) {
        Error *e = sync_folder(d, folders.items[i]);
        d->sync_failed = e != NULL;
        TRY(e);
    }
    return NULL;
}

static Error *dir_barrier(Store *s)
{
    Dir *d = (Dir *)s;
    pthread_mutex_lock(&d->barrier);
    Error *e = sync_changed(d);
    pthread_mutex_unlock(&d->barrier);
    return e;
}

static Error *open_object(const Dir *d, const char *name, Fd *out, uint64_t *size)
{
    AUTO_VALUE(Fd) folder = {-1};
    const char *last;
    TRY(open_parent(d, name, &folder, &last));
    /* O_NONBLOCK: a FIFO that somebody put there must not hold us. */
    AUTO_VALUE(Fd) fd = {openat(folder.n, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (fd.n < 0 && errno == ENOENT)
        return store_not_found(&d->base, name);
    if (fd.n < 0 && errno == ELOOP)
        return dir_is_link(d, name);
    struct stat st;
    if (fd.n < 0 || fstat(fd.n, &st) < 0)
        return dir_failed(d, "open", name);
    if (S_ISDIR(st.st_mode))
        return store_not_found(&d->base, name);
    if (!S_ISREG(st.st_mode))
        FAIL(ERR_IO, "%s/%s is not a file", d->base.where, name);
    *size = (uint64_t)st.st_size;
    *out = fd;
    fd.n = -1;
    return NULL;
}

static Error *read_at(const Dir *d, int fd, const char *name, uint64_t offset, void *p, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, (char *)p + got, n - got, (off_t)(offset + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return dir_failed(d, "read", name);
        if (r == 0)
            return store_too_short(&d->base, name, offset + got, offset, n);
        got += (size_t)r;
    }
    return NULL;
}

static Error *dir_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    const Dir *d = (Dir *)s;
    AUTO_VALUE(Fd) fd = {-1};
    uint64_t size;
    TRY(open_object(d, name, &fd, &size));
    if (offset > size || n > size - offset)
        return store_too_short(s, name, size, offset, n);
    return read_at(d, fd.n, name, offset, p, n);
}

static Error *dir_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    const Dir *d = (Dir *)s;
    AUTO_VALUE(Fd) fd = {-1};
    uint64_t size;
    TRY(open_object(d, name, &fd, &size));
    if (size > max)
        return store_too_large(s, name, max);
    TRY_CTX(buf_reserve(out, (size_t)size, SIZE_MAX / 4), "%s", name);
    TRY(read_at(d, fd.n, name, 0, out->data + out->len, (size_t)size));
    out->len += (size_t)size;
    return NULL;
}

static Error *dir_size(Store *s, const char *name, uint64_t *size)
{
    AUTO_VALUE(Fd) fd = {-1};
    return open_object((Dir *)s, name, &fd, size);
}

static Error *dir_remove(Store *s, const char *name)
{
    Dir *d = (Dir *)s;
    AUTO_VALUE(Fd) folder = {-1};
    const char *last;
    TRY(open_parent(d, name, &folder, &last));
    FAULT_POINT("store.delete");
    if (unlinkat(folder.n, last, 0) < 0) {
        if (errno == ENOENT || errno == EISDIR)
            return store_not_found(s, name);
        return dir_failed(d, "delete", name);
    }
    note_changed(d, name);
    return NULL;
}

static Error *dir_sweep(Store *s, int64_t older_ms, bool dry_run, uint64_t *files, uint64_t *bytes)
{
    Error *e = dir_sweep_tmp(((Dir *)s)->root.n, s->where, older_ms, dry_run, files, bytes);
    return e ? dir_hint(s->where, e) : NULL;
}

static Error *dir_free_space(Store *s, uint64_t *bytes)
{
    Error *e = file_free_space(s->where, bytes);
    return e ? dir_hint(s->where, e) : NULL;
}

static const StoreKind dir_kind = {
    .free = dir_free,
    .begin = dir_begin,
    .write = dir_write,
    .finish = dir_finish,
    .put_free = dir_put_free,
    .adopt = dir_adopt,
    .barrier = dir_barrier,
    .get = dir_get,
    .get_all = dir_get_all,
    .size = dir_size,
    .remove = dir_remove,
    .list = dir_list,
    .sweep = dir_sweep,
    .reserve = dir_reserve,
    .free_space = dir_free_space,
};

/* Makes the root's own name durable, and those of its parents, which may be as new. One above them
 * that may not be read was there before. */
static Error *sync_parents(const Dir *d)
{
    AUTO_VALUE(Fd) at = {openat(d->root.n, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    for (struct stat st, above = {0}; at.n >= 0; above = st) {
        if (fstat(at.n, &st) < 0 || fsync(at.n) < 0)
            return dir_failed(d, "sync the folder above", "");
        if (st.st_ino == above.st_ino && st.st_dev == above.st_dev)
            break;
        int up = openat(at.n, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fd_close(&at);
        at.n = up;
    }
    return NULL;
}

Error *store_open_dir(const char *path, bool create, Store **out)
{
    AUTO(Store) s = NULL;
    Dir *d = mem_new(Dir);
    d->base.kind = &dir_kind;
    d->base.where = mem_strdup(path);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->barrier, NULL);
    s = &d->base;
    d->root.n = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->root.n < 0 && errno == ENOENT && create) {
        Error *e = file_make_dir(path, 0700);
        if (e)
            return dir_hint(d->base.where, e);
        if (chmod(path, 0700) < 0)
            return dir_failed(d, "set the mode of", "");
        d->root.n = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->root.n >= 0)
            TRY(sync_parents(d));
    }
    if (d->root.n < 0 && errno == ENOENT)
        return error_hint(
            ERROR_NEW(ERR_REPO_NOT_FOUND, "there is no folder %s", path),
            "name the repository with --repo or BACKUP_DIR; the first backup makes it");
    if (d->root.n < 0 && errno == ENOTDIR)
        return error_hint(ERROR_NEW(ERR_IO, "%s is not a folder", path),
                          "name another place for the repository with --repo or BACKUP_DIR");
    if (d->root.n < 0)
        return dir_failed(d, "open", "");
    *out = store_under_test(STEAL(s));
    return NULL;
}
