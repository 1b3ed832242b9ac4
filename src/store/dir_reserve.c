/* Of the store in a directory: a file of 256 KiB, <root>/tmp/reserve, that is given up where the
 * disk is full and space is to be freed. Deleting takes a few small files first, and a full disk
 * has room for none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "crypto/hash.h"
#include "store/dir_internal.h"

#define RESERVE "reserve"
#define RESERVE_BYTES (256u << 10)
#define RESERVE_LEAST (64u << 10) /* a smaller one helps nobody */
#define PLENTY (4ull * RESERVE_BYTES)

static Error *give_up(const Dir *d, int tmp, bool *done)
{
    *done = unlinkat(tmp, RESERVE, 0) == 0;
    if (!*done)
        return errno == ENOENT ? NULL : dir_failed(d, "delete", "tmp/" RESERVE);
    /* Journals give blocks back only when they have written that down. */
    return fsync(tmp) < 0 ? dir_failed(d, "sync folder", "tmp") : NULL;
}

/* As much as fits. At random: file systems that compress would make nothing of zeros. */
static size_t fill(int fd)
{
    uint8_t block[4096];
    size_t n = 0;
    while (n < RESERVE_BYTES) {
        random_bytes(block, sizeof block);
        ssize_t w = write(fd, block, sizeof block);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            break;
        n += (size_t)w;
    }
    return n;
}

/* With `least` bytes at least; the name changes hands whole. */
static Error *make(const Dir *d, int tmp, size_t least, bool *done)
{
    uint8_t id[16];
    char temp[2 * sizeof id + 1];
    random_bytes(id, sizeof id);
    text_hex(id, sizeof id, temp); /* as an unfinished object, which is swept if this is killed */
    AUTO_VALUE(Fd)
    fd = {openat(tmp, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (fd.n < 0)
        return dir_failed(d, "create a file in", "tmp");
    *done = fill(fd.n) >= least && fsync(fd.n) == 0;
    Error *e = fault_reach("store.reserve.written");
    if (!e && *done && renameat(tmp, temp, tmp, RESERVE) < 0)
        e = dir_failed(d, "create", "tmp/" RESERVE);
    *done = *done && !e;
    if (!*done)
        unlinkat(tmp, temp, 0);
    return e;
}

static bool is_whole(int tmp)
{
    struct stat st;
    return fstatat(tmp, RESERVE, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           st.st_size >= (off_t)RESERVE_BYTES;
}

Error *dir_reserve(Store *s, StoreReserve how, bool *done)
{
    const Dir *d = (Dir *)s;
    AUTO_VALUE(Fd) tmp = {-1};
    uint64_t room;
    *done = false;
    TRY(dir_open_folder(d, "tmp", &tmp));
    if (how == RESERVE_GIVE_UP)
        return give_up(d, tmp.n, done);
    *done = is_whole(tmp.n);
    if (*done)
        return NULL;
    TRY(file_free_space(s->where, &room));
    if (room >= PLENTY)
        return make(d, tmp.n, RESERVE_BYTES, done);
    /* What the run gave up and did not need: others would have it before the next one needs it. */
    return how == RESERVE_TAKE_BACK ? make(d, tmp.n, RESERVE_LEAST, done) : NULL;
}
