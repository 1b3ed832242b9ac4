/* What the files of the store in a directory share. */
#ifndef PGSTOW_STORE_DIR_INTERNAL_H
#define PGSTOW_STORE_DIR_INTERNAL_H

#include <pthread.h>

#include "base/file.h"
#include "base/text.h"
#include "store/store_internal.h"

typedef struct Dir {
    Store base;
    Fd root;
    pthread_mutex_t lock;    /* over the lists */
    pthread_mutex_t barrier; /* held for the whole of a barrier, so that none ends before another
                                one that took its folders has synced them */
    StrList folders;         /* known to be there, their own names durable */
    StrList unsynced;        /* with names that came or went since the last barrier */
    bool sync_failed;        /* for good: after a failed fsync the next one proves nothing */
} Dir;

/* What to do about an error that the system gave for something in a store's directory. */
Error *dir_hint(const char *where, Error *e) MUST_CHECK;
/* An error from errno, of what is called `name` below the root; "" is the root. */
Error *dir_failed(const Dir *d, const char *verb, const char *name) MUST_CHECK;
/* What is called so is a symbolic link. */
Error *dir_is_link(const Dir *d, const char *name) MUST_CHECK;
/* Opens a folder; "" is the root. ERR_NOT_FOUND where there is none. */
Error *dir_open_folder(const Dir *d, const char *folder, Fd *out) MUST_CHECK;

/* StoreKind's list. */
Error *dir_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx) MUST_CHECK;
/* StoreKind's reserve. */
Error *dir_reserve(Store *s, StoreReserve how, bool *done) MUST_CHECK;
/* Of <root>/tmp. */
Error *dir_sweep_tmp(int root, const char *where, int64_t older_ms, bool dry_run, uint64_t *files,
                     uint64_t *bytes) MUST_CHECK;

#endif
