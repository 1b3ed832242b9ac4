#include "store/store_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define HASH_STEP (1u << 20)

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '%' || c == '-';
}

bool store_name_valid(const char *name)
{
    size_t part = 0, parts = 1, n = 0;
    for (; name[n]; n++) {
        if (n == STORE_NAME_MAX)
            return false;
        if (name[n] == '/') {
            if (part == 0 || ++parts > STORE_PARTS_MAX)
                return false;
            part = 0;
        } else if (!is_name_char(name[n]) || (part == 0 && name[n] == '.')) {
            return false;
        } else {
            part++;
        }
    }
    return part > 0 && strcmp(name, "tmp") != 0 && !text_starts(name, "tmp/");
}

Error *store_not_found(const Store *s, const char *name)
{
    return ERROR_NEW(ERR_NOT_FOUND, "there is no %s in %s", name, s->where);
}

Error *store_name_taken(const Store *s, const char *name)
{
    return ERROR_NEW(ERR_EXISTS, "there is a %s in %s already", name, s->where);
}

Error *store_too_short(const Store *s, const char *name, uint64_t size, uint64_t offset, size_t n)
{
    return ERROR_NEW(ERR_DAMAGED,
                     "%s in %s is too short: %" PRIu64 " bytes, and %zu are wanted from %" PRIu64,
                     name, s->where, size, n, offset);
}

Error *store_too_large(const Store *s, const char *name, size_t max)
{
    return ERROR_NEW(ERR_LIMIT, "%s in %s is larger than %zu bytes", name, s->where, max);
}

/* A name that no object can have is simply not there. */
static Error *check_present(const Store *s, const char *name)
{
    if (store_name_valid(name))
        return NULL;
    AUTO(char) shown = text_printable(name);
    return store_not_found(s, shown);
}

void store_free(Store *s)
{
    if (!s)
        return;
    free(s->where);
    s->kind->free(s);
}

const char *store_where(const Store *s)
{
    return s->where;
}

Error *store_put_begin(Store *s, const char *name, StorePut **out)
{
    if (!store_name_valid(name)) {
        AUTO(char) shown = text_printable(name);
        FAIL(ERR_INTERNAL, "\"%s\" cannot be the name of an object in %s", shown, s->where);
    }
    StorePut *p = NULL;
    TRY(s->kind->begin(s, name, &p));
    p->store = s;
    p->name = mem_strdup(name);
    *out = p;
    return NULL;
}

Error *store_put_write(StorePut *p, const void *data, size_t n)
{
    if (p->state != PUT_OPEN)
        FAIL(ERR_INTERNAL, "%s is written to after its end", p->name);
    if (n == 0)
        return NULL;
    Error *e = p->store->kind->write(p, data, n);
    if (e)
        p->state = PUT_BROKEN;
    return e;
}

static Error *finish(StorePut *p, bool whole)
{
    if (p->state != PUT_OPEN)
        FAIL(ERR_INTERNAL, "%s is finished after its end", p->name);
    /* Whatever comes of it, there is no second try with the same put. */
    p->state = PUT_BROKEN;
    TRY(p->store->kind->finish(p, whole));
    p->state = PUT_FINISHED;
    return NULL;
}

Error *store_put_finish(StorePut *p)
{
    return finish(p, false);
}

void store_put_free(StorePut *p)
{
    if (!p)
        return;
    free(p->name);
    p->store->kind->put_free(p);
}

/* Whether there is room now; it may have been another thread that made it. */
static bool give_up_reserve(Store *s)
{
    bool done = false;
    if (s->kind->reserve)
        error_drop(s->kind->reserve(s, RESERVE_GIVE_UP, &done));
    if (done)
        atomic_store(&s->gave_reserve, true);
    return atomic_load(&s->gave_reserve);
}

void store_use_reserve(Store *s)
{
    s->uses_reserve = true;
}

void store_keep_reserve(Store *s)
{
    bool done, gave = atomic_load(&s->gave_reserve);
    if (s->kind->reserve)
        error_drop(s->kind->reserve(s, gave ? RESERVE_TAKE_BACK : RESERVE_MAKE, &done));
}

static Error *put_once(Store *s, const char *name, const void *p, size_t n)
{
    AUTO(StorePut) put = NULL;
    TRY(store_put_begin(s, name, &put));
    TRY(store_put_write(put, p, n));
    return finish(put, true);
}

void store_adopt(Store *s, const char *name)
{
    if (s->kind->adopt)
        s->kind->adopt(s, name);
}

Error *store_put(Store *s, const char *name, const void *p, size_t n)
{
    AUTO(Error) full = put_once(s, name, p, n);
    if (!full || error_kind(full) != ERR_REPO_FULL || !s->uses_reserve || !give_up_reserve(s))
        return STEAL(full);
    Error *e = put_once(s, name, p, n);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    error_drop(e); /* the first one came as far as to the name */
    return STEAL(full);
}

Error *store_barrier(Store *s)
{
    return s->kind->barrier(s);
}

Error *store_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    TRY(check_present(s, name));
    TRY(s->kind->get(s, name, offset, p, n));
    atomic_fetch_add(&s->fetched, n);
    return NULL;
}

Error *store_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    TRY(check_present(s, name));
    size_t before = out->len;
    TRY(s->kind->get_all(s, name, max, out));
    atomic_fetch_add(&s->fetched, out->len - before);
    return NULL;
}

uint64_t store_fetched(const Store *s)
{
    return atomic_load(&s->fetched);
}

Error *store_size(Store *s, const char *name, uint64_t *size)
{
    TRY(check_present(s, name));
    return s->kind->size(s, name, size);
}

Error *store_exists(Store *s, const char *name, bool *exists)
{
    uint64_t size;
    *exists = false;
    Error *e = store_size(s, name, &size);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_free(e);
        return NULL;
    }
    *exists = !e;
    return e;
}

Error *store_sizes(Store *s, const StrList *names, uint64_t *sizes)
{
    if (s->kind->sizes && names->count)
        return s->kind->sizes(s, names, sizes);
    for (size_t i = 0; i < names->count; i++) {
        Error *e = store_size(s, names->items[i], &sizes[i]);
        if (e && error_kind(e) != ERR_NOT_FOUND)
            return e;
        if (e)
            sizes[i] = UINT64_MAX;
        error_drop(e);
    }
    return NULL;
}

Error *store_hash(Store *s, const char *name, uint8_t sha256[HASH_BYTES], uint64_t *size)
{
    TRY(check_present(s, name));
    if (s->kind->hash)
        return s->kind->hash(s, name, sha256, size);
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Buf) step = {0};
    TRY(store_size(s, name, size));
    TRY(buf_reserve(&step, HASH_STEP, HASH_STEP));
    for (uint64_t at = 0; at < *size;) {
        size_t n = *size - at < HASH_STEP ? (size_t)(*size - at) : HASH_STEP;
        TRY(store_get(s, name, at, step.data, n));
        hash_add(hash, step.data, n);
        at += n;
    }
    hash_end(hash, sha256);
    return NULL;
}

bool store_is_far(const Store *s)
{
    return s->kind->far;
}

Error *store_ahead(Store *s, const char *name, uint64_t offset, size_t n)
{
    return s->kind->ahead ? s->kind->ahead(s, name, offset, n) : NULL;
}

Error *store_delete(Store *s, const char *name)
{
    TRY(check_present(s, name));
    return s->kind->remove(s, name);
}

Error *store_list_stamped(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    size_t n = strlen(prefix);
    AUTO(char) folder = mem_strndup(prefix, n ? n - 1 : 0);
    if (n && (prefix[n - 1] != '/' || !store_name_valid(folder))) {
        AUTO(char) shown = text_printable(prefix);
        FAIL(ERR_INTERNAL, "\"%s\" cannot be a folder in %s", shown, s->where);
    }
    return s->kind->list(s, prefix, each, ctx);
}

typedef struct Unstamped {
    StoreEach each;
    void *ctx;
} Unstamped;

static Error *without_stamp(void *ctx, const char *name, uint64_t size, uint64_t stamp)
{
    const Unstamped *u = ctx;
    (void)stamp;
    return u->each(u->ctx, name, size);
}

Error *store_list(Store *s, const char *prefix, StoreEach each, void *ctx)
{
    Unstamped u = {each, ctx};
    return store_list_stamped(s, prefix, without_stamp, &u);
}

Error *store_sweep(Store *s, int64_t older_ms, bool dry_run, uint64_t *files, uint64_t *bytes)
{
    *files = *bytes = 0;
    return s->kind->sweep ? s->kind->sweep(s, older_ms, dry_run, files, bytes) : NULL;
}

Error *store_free_space(Store *s, uint64_t *bytes)
{
    return s->kind->free_space(s, bytes);
}
