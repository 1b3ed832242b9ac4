/* What a directory store tells the disk, and what may be left of it when the power fails.
 *
 * Included by one test program, it stands between the store and the system: openat, write, fsync,
 * mkdirat, linkat, renameat2 and unlinkat are carried out and noted. disk_cut then makes the store
 * that would be found after so many of them. What POSIX promises is all that counts: the contents
 * of a file once it was synced, the names in a folder once the folder was; every other name may be
 * there or not, each by itself, and a file that was written to since its last sync may hold
 * anything.
 */
#ifndef PGSTOW_TESTS_STORE_DISK_H
#define PGSTOW_TESTS_STORE_DISK_H

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

typedef struct DiskEvent {
    enum { DISK_CREATE, DISK_FOLDER, DISK_NAME, DISK_REMOVE, DISK_WRITE, DISK_SYNC } what;
    size_t node, in; /* the file or folder; the folder that the name is in */
    char *name;
    Buf bytes; /* of a file that is synced: what it holds */
} DiskEvent;

typedef struct DiskNode {
    dev_t dev;
    ino_t ino;
    bool folder;
} DiskNode;

static struct Disk {
    pthread_mutex_t lock;
    bool on;
    DiskNode *nodes; /* the root is the first */
    size_t node_count, node_cap;
    DiskEvent *events;
    size_t count, cap;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* -- noting ----------------------------------------------------------------------------------- */

static size_t disk_add_node(const struct stat *st)
{
    mem_grow(disk.nodes, disk.node_count, disk.node_cap);
    disk.nodes[disk.node_count] = (DiskNode){st->st_dev, st->st_ino, S_ISDIR(st->st_mode)};
    return disk.node_count++;
}

/* The youngest one of this number: numbers are used again. SIZE_MAX where it is none of ours. */
static size_t disk_node(const struct stat *st)
{
    for (size_t i = disk.node_count; i-- > 0;)
        if (disk.nodes[i].ino == st->st_ino && disk.nodes[i].dev == st->st_dev)
            return i;
    return SIZE_MAX;
}

static size_t disk_node_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? disk_node(&st) : SIZE_MAX;
}

static DiskEvent *disk_note(int what, size_t node, size_t in, const char *name)
{
    mem_grow(disk.events, disk.count, disk.cap);
    DiskEvent *e = &disk.events[disk.count++];
    *e = (DiskEvent){.what = what, .node = node, .in = in, .name = name ? mem_strdup(name) : NULL};
    return e;
}

/* Runs `call` and then `noting` where it succeeded and we are listening; the result is `call`'s. */
#define DISK_HOOK(type, call, noting)                                                              \
    do {                                                                                           \
        pthread_mutex_lock(&disk.lock);                                                            \
        type result_ = (type)(call);                                                               \
        int code_ = errno;                                                                         \
        if (disk.on && result_ >= 0) {                                                             \
            noting;                                                                                \
        }                                                                                          \
        pthread_mutex_unlock(&disk.lock);                                                          \
        errno = code_;                                                                             \
        return result_;                                                                            \
    } while (0)

static void disk_note_new(int what, int folder, const char *name)
{
    struct stat st;
    size_t in = disk_node_of(folder);
    if (in != SIZE_MAX && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        disk_note(what, disk_add_node(&st), in, name);
}

/* The store opens its root by `open`, and everything below by these. */
int openat(int folder, const char *name, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    DISK_HOOK(int, syscall(SYS_openat, folder, name, flags, mode),
              if (flags & O_CREAT) disk_note_new(DISK_CREATE, folder, name));
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    DISK_HOOK(int, syscall(SYS_mkdirat, folder, name, mode),
              disk_note_new(DISK_FOLDER, folder, name));
}

ssize_t write(int fd, const void *p, size_t n)
{
    DISK_HOOK(ssize_t, syscall(SYS_write, fd, p, n), size_t node = disk_node_of(fd);
              if (node != SIZE_MAX) disk_note(DISK_WRITE, node, 0, NULL));
}

static void disk_note_sync(int fd)
{
    size_t node = disk_node_of(fd);
    if (node == SIZE_MAX)
        return;
    DiskEvent *e = disk_note(DISK_SYNC, node, 0, NULL);
    struct stat st;
    if (disk.nodes[node].folder || fstat(fd, &st) < 0 || !st.st_size)
        return;
    /* It is open for writing alone. */
    AUTO(char) path = mem_printf("/proc/self/fd/%d", fd);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(reading >= 0);
    OK(buf_reserve(&e->bytes, (size_t)st.st_size, SIZE_MAX / 4));
    assert_int_equal(pread(reading, e->bytes.data, (size_t)st.st_size, 0), st.st_size);
    e->bytes.len = (size_t)st.st_size;
    close(reading);
}

int fsync(int fd)
{
    DISK_HOOK(int, syscall(SYS_fsync, fd), disk_note_sync(fd));
}

static void disk_note_name(int folder, const char *name)
{
    struct stat st;
    size_t in = disk_node_of(folder);
    if (in != SIZE_MAX && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        disk_note(DISK_NAME, disk_node(&st), in, name);
}

static void disk_note_removed(int folder, const char *name)
{
    size_t in = disk_node_of(folder);
    if (in != SIZE_MAX)
        disk_note(DISK_REMOVE, SIZE_MAX, in, name);
}

int linkat(int from, const char *old, int to, const char *name, int flags)
{
    DISK_HOOK(int, syscall(SYS_linkat, from, old, to, name, flags), disk_note_name(to, name));
}

int renameat2(int from, const char *old, int to, const char *name, unsigned flags)
{
    DISK_HOOK(int, syscall(SYS_renameat2, from, old, to, name, flags), disk_note_name(to, name);
              disk_note_removed(from, old));
}

int unlinkat(int folder, const char *name, int flags)
{
    DISK_HOOK(int, syscall(SYS_unlinkat, folder, name, flags), disk_note_removed(folder, name));
}

static inline void disk_listen(const char *root)
{
    struct stat st;
    assert_int_equal(stat(root, &st), 0);
    disk_add_node(&st);
    disk.on = true;
}

static inline void disk_forget(void)
{
    disk.on = false;
    for (size_t i = 0; i < disk.count; i++) {
        free(disk.events[i].name);
        buf_free(&disk.events[i].bytes);
    }
    free(disk.events);
    free(disk.nodes);
    disk.events = NULL;
    disk.nodes = NULL;
    disk.count = disk.cap = disk.node_count = disk.node_cap = 0;
}

/* -- the cut ---------------------------------------------------------------------------------- */

typedef struct DiskCut {
    size_t at;
    int luck; /* 0: every name that may be there is, 1: none is, more: each by chance */
    size_t undecided;
    Store *found;
} DiskCut;

static inline bool disk_synced(const DiskCut *c, size_t from, size_t node)
{
    for (size_t i = from + 1; i < c->at; i++)
        if (disk.events[i].what == DISK_SYNC && disk.events[i].node == node)
            return true;
    return false;
}

static inline bool disk_lucky(const DiskCut *c, size_t event)
{
    uint64_t x = (event + 1) * 0x9e3779b97f4a7c15ull * (uint64_t)(c->luck + 1);
    return c->luck == 0 || (c->luck > 1 && (x >> 40) % 2 == 0);
}

/* A file under a name that readers see. */
static inline void disk_find_file(const DiskCut *c, size_t node, const char *name)
{
    const Buf *bytes = NULL;
    bool torn = true;
    for (size_t i = 0; i < c->at; i++) {
        const DiskEvent *e = &disk.events[i];
        if (e->node != node)
            continue;
        if (e->what == DISK_WRITE)
            torn = true;
        if (e->what == DISK_SYNC) {
            bytes = &e->bytes;
            torn = false;
        }
    }
    if (torn)
        print_error("after %zu events %s may be there and hold anything\n", c->at, name);
    assert_false(torn);
    OK(store_put(c->found, name, bytes->data, bytes->len));
}

static inline void disk_find_folder(DiskCut *c, size_t folder, const char *prefix)
{
    for (size_t i = 0; i < c->at; i++) {
        const DiskEvent *first = &disk.events[i];
        bool names = first->what <= DISK_REMOVE, seen = !names || first->in != folder;
        for (size_t k = 0; k < i && !seen; k++)
            seen = disk.events[k].what <= DISK_REMOVE && disk.events[k].in == folder &&
                   !strcmp(disk.events[k].name, first->name);
        if (seen)
            continue;
        const DiskEvent *last = NULL;
        for (size_t k = i; k < c->at; k++) {
            const DiskEvent *e = &disk.events[k];
            if (e->what > DISK_REMOVE || e->in != folder || strcmp(e->name, first->name) != 0)
                continue;
            bool durable = disk_synced(c, k, folder);
            c->undecided += !durable;
            if (durable || disk_lucky(c, k))
                last = e;
        }
        if (!last || last->what == DISK_REMOVE)
            continue;
        AUTO(char) name = mem_printf("%s%s", prefix, first->name);
        AUTO(char) below = mem_printf("%s/", name);
        if (!strcmp(name, "tmp"))
            continue;
        if (disk.nodes[last->node].folder)
            disk_find_folder(c, last->node, below);
        else
            disk_find_file(c, last->node, name);
    }
}

/* The objects that are found; the caller frees. */
static inline Store *disk_cut(size_t at, int luck, size_t *undecided)
{
    DiskCut c = {.at = at, .luck = luck, .found = store_open_memory()};
    disk_find_folder(&c, 0, "");
    *undecided = c.undecided;
    return c.found;
}

#endif
