#include "store/faulty.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/store_internal.h"

/* Calls are counted over all the stores that have the same plan. */
typedef struct Plan {
    pthread_mutex_t lock; /* over all below */
    uint64_t calls, at;
    StoreFaultKind kind;
    bool reached, gone;
    int list; /* where calls are noted, or -1 */
} Plan;

typedef struct Faulty {
    Store base;
    Store *inner;
    Plan *plan, own;
} Faulty;

typedef struct FaultyPut {
    StorePut base;
    StorePut *inner;
} FaultyPut;

static const char *const names[] = {
    [STORE_FAULT_NONE] = "none",     [STORE_FAULT_IO] = "io",
    [STORE_FAULT_DENIED] = "denied", [STORE_FAULT_FULL] = "full",
    [STORE_FAULT_SHORT] = "short",   [STORE_FAULT_LATE] = "late",
    [STORE_FAULT_EXISTS] = "exists", [STORE_FAULT_GONE] = "gone",
    [STORE_FAULT_LOST] = "lost",     [STORE_FAULT_KILL] = "kill",
    [STORE_FAULT_KILLED] = "killed",
};

const char *store_faulty_name(StoreFaultKind kind)
{
    return names[kind];
}

/* -- the plan --------------------------------------------------------------------------------- */

/* Counts a call and says how it is to go wrong. */
static StoreFaultKind count(Store *s, const char *what, const char *name)
{
    Plan *f = ((Faulty *)s)->plan;
    StoreFaultKind kind = STORE_FAULT_NONE;
    pthread_mutex_lock(&f->lock);
    f->calls++;
    if (f->list >= 0)
        dprintf(f->list, "%llu %s %s\n", (unsigned long long)f->calls, what, name);
    if (f->gone) {
        kind = STORE_FAULT_GONE;
    } else if (f->calls == f->at) {
        kind = f->kind;
        f->reached = true;
        f->gone = kind == STORE_FAULT_GONE || kind == STORE_FAULT_LOST;
    }
    pthread_mutex_unlock(&f->lock);
    return kind;
}

/* What happens instead of the call; NULL where it is to be carried out. */
static Error *before(StoreFaultKind kind, const char *what, const char *name)
{
    switch (kind) {
    case STORE_FAULT_KILL:
        kill(getpid(), SIGKILL);
        return NULL;
    case STORE_FAULT_DENIED:
        return ERROR_NEW(ERR_REPO_PERMISSION, "injected: no permission to %s %s", what, name);
    case STORE_FAULT_FULL:
        return ERROR_NEW(ERR_REPO_FULL, "injected: no space to %s %s", what, name);
    case STORE_FAULT_IO:
    case STORE_FAULT_GONE:
        return ERROR_NEW(ERR_IO, "injected: %s of %s failed", what, name);
    default:
        return NULL;
    }
}

/* What is said of a call that was carried out, or half of it. */
static Error *after(StoreFaultKind kind, Error *e, const char *what, const char *name)
{
    if (kind == STORE_FAULT_KILLED)
        kill(getpid(), SIGKILL);
    if (e)
        return e;
    if (kind == STORE_FAULT_EXISTS)
        return ERROR_NEW(ERR_EXISTS, "injected: %s of %s, which is there already", what, name);
    if (kind == STORE_FAULT_LATE || kind == STORE_FAULT_LOST || kind == STORE_FAULT_SHORT)
        return ERROR_NEW(ERR_IO, "injected: after %s of %s", what, name);
    return NULL;
}

/* Around a call that is either carried out or not. */
#define THROUGH(s, what, name, call)                                                               \
    do {                                                                                           \
        StoreFaultKind kind_ = count(s, what, name);                                               \
        TRY(before(kind_, what, name));                                                            \
        return after(kind_, call, what, name);                                                     \
    } while (0)

static Store *inner_of(Store *s)
{
    return ((Faulty *)s)->inner;
}

/* -- puts ------------------------------------------------------------------------------------- */

static void faulty_put_free(StorePut *put)
{
    store_put_free(((FaultyPut *)put)->inner);
    free(put);
}

static Error *faulty_begin(Store *s, const char *name, StorePut **out)
{
    StoreFaultKind kind = count(s, "begin", name);
    TRY(before(kind, "begin", name));
    AUTO(StorePut) inner = NULL;
    TRY(after(kind, store_put_begin(inner_of(s), name, &inner), "begin", name));
    FaultyPut *p = mem_new(FaultyPut);
    p->inner = STEAL(inner);
    *out = &p->base;
    return NULL;
}

static Error *faulty_write(StorePut *put, const void *data, size_t n)
{
    StoreFaultKind kind = count(put->store, "write", put->name);
    /* A disk that fills up takes what still fits. */
    if (kind == STORE_FAULT_FULL)
        TRY(store_put_write(((FaultyPut *)put)->inner, data, n / 2));
    TRY(before(kind, "write", put->name));
    return after(
        kind,
        store_put_write(((FaultyPut *)put)->inner, data, kind == STORE_FAULT_SHORT ? n / 2 : n),
        "write", put->name);
}

static Error *faulty_finish(StorePut *put, bool whole)
{
    StorePut *inner = ((FaultyPut *)put)->inner;
    const char *what = whole ? "put" : "finish";
    StoreFaultKind kind = count(put->store, what, put->name);
    /* Nothing is ever half visible: contract. */
    TRY(before(kind == STORE_FAULT_SHORT ? STORE_FAULT_IO : kind, what, put->name));
    return after(kind, inner->store->kind->finish(inner, whole), what, put->name);
}

static void faulty_adopt(Store *s, const char *name)
{
    /* It cannot fail; dying in it can be asked for. */
    Error *e = before(count(s, "adopt", name), "adopt", name);
    if (!e)
        store_adopt(inner_of(s), name);
    error_free(e);
}

static Error *faulty_barrier(Store *s)
{
    THROUGH(s, "barrier", "-", store_barrier(inner_of(s)));
}

/* -- the others ------------------------------------------------------------------------------- */

static Error *faulty_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    StoreFaultKind kind = count(s, "get", name);
    TRY(before(kind, "get", name));
    return after(kind,
                 store_get(inner_of(s), name, offset, p, kind == STORE_FAULT_SHORT ? n / 2 : n),
                 "get", name);
}

static Error *faulty_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    StoreFaultKind kind = count(s, "get_all", name);
    size_t had = out->len;
    TRY(before(kind, "get_all", name));
    Error *e = store_get_all(inner_of(s), name, max, out);
    if (!e && kind == STORE_FAULT_SHORT)
        out->len = had + (out->len - had) / 2;
    return after(kind, e, "get_all", name);
}

static Error *faulty_size(Store *s, const char *name, uint64_t *size)
{
    THROUGH(s, "size", name, store_size(inner_of(s), name, size));
}

static Error *faulty_remove(Store *s, const char *name)
{
    THROUGH(s, "delete", name, store_delete(inner_of(s), name));
}

typedef struct HalfList {
    StoreEachStamped each;
    void *ctx;
    uint64_t seen, wanted;
} HalfList;

static Error *count_one(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    (void)size;
    ((HalfList *)ctx)->wanted++;
    return NULL;
}

static Error *hand_on(void *ctx, const char *name, uint64_t size, uint64_t stamp)
{
    HalfList *h = ctx;
    if (h->seen++ == h->wanted)
        return ERROR_NEW(ERR_IO, "injected: half of a list");
    return h->each(h->ctx, name, size, stamp);
}

static Error *faulty_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    const char *shown = *prefix ? prefix : "-";
    StoreFaultKind kind = count(s, "list", shown);
    TRY(before(kind, "list", shown));
    if (kind != STORE_FAULT_SHORT)
        return after(kind, store_list_stamped(inner_of(s), prefix, each, ctx), "list", shown);
    HalfList half = {each, ctx, 0, 0};
    TRY(store_list(inner_of(s), prefix, count_one, &half));
    half.wanted /= 2;
    return after(kind, store_list_stamped(inner_of(s), prefix, hand_on, &half), "list", shown);
}

static Error *faulty_free_space(Store *s, uint64_t *bytes)
{
    THROUGH(s, "space", "-", store_free_space(inner_of(s), bytes));
}

/* No call: what goes wrong with it is passed over. */
static Error *faulty_reserve(Store *s, StoreReserve how, bool *done)
{
    Store *inner = inner_of(s);
    *done = false;
    return inner->kind->reserve && !((Faulty *)s)->plan->gone
               ? inner->kind->reserve(inner, how, done)
               : NULL;
}

static void faulty_free(Store *s)
{
    Faulty *f = (Faulty *)s;
    store_free(f->inner);
    pthread_mutex_destroy(&f->own.lock);
    free(f);
}

static const StoreKind faulty_kind = {
    .free = faulty_free,
    .begin = faulty_begin,
    .write = faulty_write,
    .finish = faulty_finish,
    .put_free = faulty_put_free,
    .adopt = faulty_adopt,
    .barrier = faulty_barrier,
    .get = faulty_get,
    .get_all = faulty_get_all,
    .size = faulty_size,
    .remove = faulty_remove,
    .list = faulty_list,
    .reserve = faulty_reserve,
    .free_space = faulty_free_space,
};

/* -- making it -------------------------------------------------------------------------------- */

Store *store_faulty(Store *inner, uint64_t at, StoreFaultKind kind)
{
    Faulty *f = mem_new(Faulty);
    f->base.kind = &faulty_kind;
    f->base.where = mem_strdup(store_where(inner));
    f->inner = inner;
    f->plan = &f->own;
    f->own.list = -1;
    pthread_mutex_init(&f->own.lock, NULL);
    store_faulty_plan(&f->base, at, kind);
    return &f->base;
}

void store_faulty_plan(Store *s, uint64_t at, StoreFaultKind kind)
{
    Plan *f = ((Faulty *)s)->plan;
    pthread_mutex_lock(&f->lock);
    f->calls = 0;
    f->at = at;
    f->kind = kind;
    f->reached = f->gone = false;
    pthread_mutex_unlock(&f->lock);
}

uint64_t store_faulty_calls(Store *s)
{
    Plan *f = ((Faulty *)s)->plan;
    pthread_mutex_lock(&f->lock);
    uint64_t calls = f->calls;
    pthread_mutex_unlock(&f->lock);
    return calls;
}

bool store_faulty_reached(Store *s)
{
    Plan *f = ((Faulty *)s)->plan;
    pthread_mutex_lock(&f->lock);
    bool reached = f->reached;
    pthread_mutex_unlock(&f->lock);
    return reached;
}

static StoreFaultKind parse_kind(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return (StoreFaultKind)i;
    fprintf(stderr, "PGSTOW_STORE_FAULT: \"%s\" is no kind of fault\n", name);
    abort();
}

/* Of the environment, for all stores of the process. */
static Plan plan = {.lock = PTHREAD_MUTEX_INITIALIZER, .list = -1};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_plan(void)
{
    const char *fault = getenv("PGSTOW_STORE_FAULT"), *list = getenv("PGSTOW_STORE_LIST");
    unsigned long long at = 0;
    char kind[16] = "none";
    if (fault && sscanf(fault, "%llu:%15[a-z]", &at, kind) != 2) {
        fprintf(stderr, "PGSTOW_STORE_FAULT: \"%s\" is not N:KIND\n", fault);
        abort();
    }
    plan.at = at;
    plan.kind = parse_kind(kind);
    if (list)
        plan.list = open(list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

Store *store_under_test(Store *s)
{
    if (!getenv("PGSTOW_STORE_FAULT") && !getenv("PGSTOW_STORE_LIST"))
        return s;
    pthread_once(&once, load_plan);
    Faulty *f = (Faulty *)store_faulty(s, 0, STORE_FAULT_NONE);
    f->plan = &plan;
    return &f->base;
}
