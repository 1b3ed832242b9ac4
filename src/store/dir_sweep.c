/* Of the store in a directory: what killed runs left behind in <root>/tmp, and hints. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "store/dir_internal.h"

Error *dir_hint(const char *where, Error *e)
{
    if (error_kind(e) == ERR_REPO_FULL)
        return error_hint(e, "make room on the disk (or raise the quota) that holds %s", where);
    if (error_kind(e) != ERR_REPO_PERMISSION)
        return e;
    char room[4096];
    struct passwd user, *found = NULL;
    if (getpwuid_r(geteuid(), &user, room, sizeof room, &found) == 0 && found)
        return error_hint(e, "the user %s must be able to read and write %s and all in it",
                          found->pw_name, where);
    return error_hint(e, "the user with number %ld must be able to read and write %s and all in it",
                      (long)geteuid(), where);
}

static void close_dir(DIR *dir)
{
    closedir(dir);
}
DEFINE_AUTO(DIR, close_dir)

static Error *failed(const char *verb, const char *where)
{
    return error_errno(ERR_REPO_FULL, ERR_REPO_PERMISSION, "cannot %s %s/tmp", verb, where);
}

/* The file system's own idea of now: its files bear its times, and a host's clock may be wrong. */
static Error *ask_time(int folder, const char *where, int64_t *now)
{
    uint8_t id[16];
    char name[2 * sizeof id + 1];
    struct stat st;
    random_bytes(id, sizeof id);
    text_hex(id, sizeof id, name);
    AUTO_VALUE(Fd)
    fd = {openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (fd.n < 0)
        return failed("create a file in", where);
    int bad = fstat(fd.n, &st);
    unlinkat(folder, name, 0);
    if (bad < 0)
        return failed("look at a file in", where);
    *now = st.st_mtim.tv_sec;
    return NULL;
}

/* Only what has a temporary file's name. */
static bool is_temporary(const char *name)
{
    return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

/* One that its owner still writes is touched all the time; should it go all the same, then the
 * owner's link fails, and nothing else. */
Error *dir_sweep_tmp(int root, const char *where, int64_t older_ms, bool dry_run, uint64_t *files,
                     uint64_t *bytes)
{
    AUTO_VALUE(Fd) fd = {openat(root, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    int64_t now = 0;
    if (fd.n < 0 && errno == ENOENT)
        return NULL;
    if (fd.n < 0)
        return failed("open", where);
    /* A dry run may look at what it may not write. */
    if (dry_run)
        now = clock_now() / 1000;
    else
        TRY(ask_time(fd.n, where, &now));
    AUTO(DIR) dir = fdopendir(fd.n);
    if (!dir)
        return failed("read", where);
    int folder = fd.n;
    fd.n = -1;
    for (const struct dirent *entry; errno = 0, (entry = readdir(dir));) {
        struct stat st;
        if (!is_temporary(entry->d_name) ||
            fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
            (now - st.st_mtim.tv_sec) * 1000 <= older_ms)
            continue;
        if (!dry_run && unlinkat(folder, entry->d_name, 0) < 0 && errno != ENOENT)
            return failed("delete an unfinished file in", where);
        ++*files;
        *bytes += (uint64_t)st.st_size;
    }
    return errno ? failed("read", where) : NULL;
}
