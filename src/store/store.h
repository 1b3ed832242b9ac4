/* A store: named bytes. The contract is one that an object store can keep: put-if-absent, ranged
 * get, list, delete, size; no rename, no append, no locks. Names are relative, '/'-separated, of
 * [A-Za-z0-9._%-] parts that do not begin with a dot, at most 16 of them and 512 bytes; the first
 * is not "tmp". A put of another name is ERR_INTERNAL; to all else such an object is not there.
 * All functions are thread-safe, but one StorePut belongs to one thread.
 *
 * Errors: ERR_NOT_FOUND (no such name), ERR_EXISTS (put), ERR_REPO_PERMISSION, ERR_REPO_FULL,
 * ERR_IO.
 */
#ifndef PGSTOW_STORE_STORE_H
#define PGSTOW_STORE_STORE_H

#include <stdint.h>
#include "base/buf.h"
#include "base/text.h"
#include "crypto/hash.h"

typedef struct Store Store;
typedef struct StorePut StorePut; /* an object being written; visible only after store_put_finish */

#define STORE_NAME_MAX 512
/* Whether an object could have this name. */
bool store_name_valid(const char *name);

/* A directory. `create` makes it (0700) where it is missing; otherwise ERR_REPO_NOT_FOUND; ERR_IO
 * where it is no folder. Its own temporary files are in <path>/tmp. A writer that died leaves some
 * there: they are never visible as objects. */
Error *store_open_dir(const char *path, bool create, Store **out) MUST_CHECK;
Store *store_open_memory(void); /* for tests */
void store_free(Store *s);
DEFINE_AUTO(Store, store_free)
const char *store_where(const Store *s); /* for messages: the path */

/* The whole object at once, absent before: ERR_EXISTS otherwise. When it returns the object is
 * durable. On "exists" after a retry inside the store, contents are compared and equal ones count
 * as success of this very put only if the bytes carry something unique to the writer; callers see
 * to that. */
Error *store_put(Store *s, const char *name, const void *p, size_t n) MUST_CHECK;
/* Piecewise, for packs. Nothing is visible until finish (put-if-absent, contents durable); free
 * without finish drops it. Visibility survives power loss only after store_barrier. */
Error *store_put_begin(Store *s, const char *name, StorePut **out) MUST_CHECK;
Error *store_put_write(StorePut *p, const void *data, size_t n) MUST_CHECK;
Error *store_put_finish(StorePut *p) MUST_CHECK; /* then still free it */
void store_put_free(StorePut *p);
DEFINE_AUTO(StorePut, store_put_free)
/* An object that another process finished, perhaps without living to its barrier: the next one here
 * makes its name durable too. */
void store_adopt(Store *s, const char *name);
/* Everything finished or adopted before is durable, names included. */
Error *store_barrier(Store *s) MUST_CHECK;

/* Exactly n bytes from offset; ERR_DAMAGED where the object is shorter. */
Error *store_get(Store *s, const char *name, uint64_t offset, void *p, size_t n) MUST_CHECK;
/* The whole object, at most max bytes (ERR_LIMIT), appended to out. */
Error *store_get_all(Store *s, const char *name, size_t max, Buf *out) MUST_CHECK;
Error *store_size(Store *s, const char *name, uint64_t *size) MUST_CHECK;
/* By opening it, not by stat. */
Error *store_exists(Store *s, const char *name, bool *exists) MUST_CHECK;
Error *store_delete(Store *s,
                    const char *name) MUST_CHECK; /* ERR_NOT_FOUND where it is not there */
/* Each object under the prefix (a folder with '/' at its end, or ""), in byte order of the names;
 * an error from `each` ends it. */
typedef Error *(*StoreEach)(void *ctx, const char *name, uint64_t size);
Error *store_list(Store *s, const char *prefix, StoreEach each, void *ctx) MUST_CHECK;
/* The same, with a stamp of each: another one where an object was replaced or written into since. A
 * stamp means something beside an equal name and size only. */
typedef Error *(*StoreEachStamped)(void *ctx, const char *name, uint64_t size, uint64_t stamp);
Error *store_list_stamped(Store *s, const char *prefix, StoreEachStamped each,
                          void *ctx) MUST_CHECK;
/* Removes what puts left behind that never finished, untouched for so long: counted in *files and
 * *bytes, with dry_run only that. */
Error *store_sweep(Store *s, int64_t older_ms, bool dry_run, uint64_t *files,
                   uint64_t *bytes) MUST_CHECK;
/* A store whose room ends may keep some of it back (one in a directory: 256 KiB that are no object)
 * for whoever frees space and has to put a few small objects first. From here on a store_put that
 * finds no room (ERR_REPO_FULL) gives it up, and tries once more. */
void store_use_reserve(Store *s);
/* At the end of a run that wrote or freed: keeps room back, as far as there is some. What goes
 * wrong with that is nobody's matter. */
void store_keep_reserve(Store *s);
/* Sizes of several, in their order; UINT64_MAX for what is not there. */
Error *store_sizes(Store *s, const StrList *names, uint64_t *sizes) MUST_CHECK;
/* The SHA-256 of a whole object, read from end to end where it lies. */
Error *store_hash(Store *s, const char *name, uint8_t sha256[HASH_BYTES],
                  uint64_t *size) MUST_CHECK;
/* Whether every look at it is a request to another host: what can be had elsewhere is better had
 * there. */
bool store_is_far(const Store *s);
/* The calling thread will soon read this range in parts, mostly from its beginning to its end: one
 * that is far fetches it at once. At most STORE_AHEAD_MAX bytes of it, and until the thread's next
 * call; n == 0: no longer. */
#define STORE_AHEAD_MAX (4u << 20)
Error *store_ahead(Store *s, const char *name, uint64_t offset, size_t n) MUST_CHECK;
/* Bytes that were read of objects since it was opened, by any thread. */
uint64_t store_fetched(const Store *s);
/* Bytes free; UINT64_MAX where a store knows no limit. */
Error *store_free_space(Store *s, uint64_t *bytes) MUST_CHECK;

#endif
