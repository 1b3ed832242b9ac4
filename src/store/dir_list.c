/* What there is in a store in a directory: the walk through its folders, in order. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "store/dir_internal.h"

/* One name in a folder. Folders end with '/', as they do in the names of what is in them: sorted
 * so, walking them in order gives the objects in order. */
typedef struct Entry {
    char *name;
    uint64_t size, stamp;
} Entry;

typedef struct Entries {
    Entry *items;
    size_t count, cap;
} Entries;

static void entries_free(Entries *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i].name);
    free(l->items);
}
DEFINE_AUTO_VALUE(Entries, entries_free)

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

static void close_dir(DIR *dir)
{
    closedir(dir);
}
DEFINE_AUTO(DIR, close_dir)

/* Whatever is done to a file sets the time of its change, which nobody can set otherwise. */
static uint64_t stamp_of(const struct stat *st)
{
    uint64_t changed = (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec;
    return changed ^ ((uint64_t)st->st_ino * UINT64_C(0x9e3779b97f4a7c15));
}

/* prefix: the folder's name with '/' at its end, or "". */
static Error *add_entry(const Dir *d, int folder, const char *prefix, const char *last, Entries *l)
{
    AUTO(char) name = mem_printf("%s%s", prefix, last);
    struct stat st;
    /* Not ours, or our own tmp: no object can have such a name. */
    if (!store_name_valid(name))
        return NULL;
    if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? NULL : dir_failed(d, "look at", name);
    /* Passing over it would hide whatever somebody moved away and linked to. */
    if (S_ISLNK(st.st_mode))
        return dir_is_link(d, name);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return NULL;
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = (Entry){S_ISDIR(st.st_mode) ? mem_printf("%s/", name) : STEAL(name),
                                   (uint64_t)st.st_size, stamp_of(&st)};
    return NULL;
}

/* ERR_NOT_FOUND where there is no such folder. */
static Error *read_entries(const Dir *d, const char *prefix, Entries *l)
{
    AUTO_VALUE(Fd) fd = {-1};
    TRY(dir_open_folder(d, prefix, &fd));
    AUTO(DIR) dir = fdopendir(fd.n);
    if (!dir)
        return dir_failed(d, "read folder", prefix);
    int folder = fd.n;
    fd.n = -1;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno)
            return dir_failed(d, "read folder", prefix);
        if (!entry)
            break;
        TRY(add_entry(d, folder, prefix, entry->d_name, l));
    }
    mem_sort(l->items, l->count, sizeof *l->items, compare_entries);
    return NULL;
}

/* As deep as a name has parts, which is limited. */
static Error *walk(const Dir *d, const char *prefix, StoreEachStamped each, void *ctx)
{
    AUTO_VALUE(Entries) entries = {0};
    Error *e = read_entries(d, prefix, &entries);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    for (size_t i = 0; i < entries.count; i++) {
        const Entry *entry = &entries.items[i];
        TRY(text_ends(entry->name, "/") ? walk(d, entry->name, each, ctx)
                                        : each(ctx, entry->name, entry->size, entry->stamp));
    }
    return NULL;
}

Error *dir_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    const Dir *d = (Dir *)s;
    struct stat st;
    if (fstat(d->root.n, &st) < 0)
        return dir_failed(d, "look at", "");
    /* A deleted folder that is still open reads as an empty one. */
    if (st.st_nlink == 0)
        FAIL(ERR_REPO_NOT_FOUND, "%s was deleted meanwhile", s->where);
    return walk(d, prefix, each, ctx);
}
