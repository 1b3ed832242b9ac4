/* A private folder for the tests of stores. */
#ifndef PGSTOW_TESTS_STORE_SETUP_H
#define PGSTOW_TESTS_STORE_SETUP_H

#include "../unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

static char setup_folder[] = "/tmp/pgstow-store-XXXXXX";

static inline int setup_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline int setup_make(void **state)
{
    (void)state;
    return mkdtemp(setup_folder) ? 0 : -1;
}

static inline int setup_drop(void **state)
{
    (void)state;
    return nftw(setup_folder, setup_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline char *setup_path(const char *name)
{
    return file_join(setup_folder, name);
}

/* The names of all objects, a space behind each. */
static inline Error *setup_add_name(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    buf_printf(ctx, "%s ", name);
    return NULL;
}

static inline void assert_objects(Store *s, const char *prefix, const char *expected)
{
    AUTO_VALUE(Buf) names = {0};
    OK(store_list(s, prefix, setup_add_name, &names));
    AUTO(char) text = buf_steal_str(&names);
    assert_string_equal(text, expected);
}

#endif
