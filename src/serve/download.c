#include "serve/download.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "serve/errand.h"
#include "serve/turns.h"

#define LENGTHS 256                 /* remembered; then the oldest is forgotten */
#define PORTION ((size_t)128 << 10) /* read at once where nobody gives the room */
#define UNKNOWN UINT64_MAX

typedef struct Length {
    char *tag;
    uint64_t bytes;
} Length;

struct Downloads {
    State *state;
    const Runner *runner;
    Turns *turns;
    const Cancel *stop;
    pthread_mutex_t lock; /* of the lengths */
    Length lengths[LENGTHS];
    size_t next;
};

Downloads *downloads_new(State *state, const Runner *runner, const Cancel *stop)
{
    Downloads *d = mem_new(Downloads);
    pthread_mutex_init(&d->lock, NULL);
    d->state = state;
    d->runner = runner;
    d->stop = stop;
    d->turns = turns_new(DOWNLOADS_AT_ONCE, DOWNLOADS_WAITING);
    return d;
}

void downloads_free(Downloads *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < LENGTHS; i++)
        free(d->lengths[i].tag);
    turns_free(d->turns);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* -- lengths --------------------------------------------------------------------------------------
 */

/* Under the lock; NULL where it is not known. */
static Length *find_length(Downloads *d, const char *tag)
{
    for (size_t i = 0; i < LENGTHS; i++)
        if (d->lengths[i].tag && !strcmp(d->lengths[i].tag, tag))
            return &d->lengths[i];
    return NULL;
}

int64_t download_length(Downloads *d, const char *tag)
{
    pthread_mutex_lock(&d->lock);
    const Length *l = find_length(d, tag);
    int64_t bytes = l ? (int64_t)l->bytes : -1;
    pthread_mutex_unlock(&d->lock);
    return bytes;
}

/* UNKNOWN: what was known is wrong. */
static void remember(Downloads *d, const char *tag, uint64_t bytes)
{
    pthread_mutex_lock(&d->lock);
    Length *l = find_length(d, tag);
    if (!l && bytes != UNKNOWN) {
        l = &d->lengths[d->next++ % LENGTHS];
        free(l->tag);
        l->tag = mem_strdup(tag);
    }
    if (bytes == UNKNOWN && l)
        free(STEAL(l->tag));
    else if (l)
        l->bytes = bytes;
    pthread_mutex_unlock(&d->lock);
}

/* -- one ------------------------------------------------------------------------------------------
 */

typedef struct Export {
    Downloads *d;
    char *tag, *entry;
    StrList words;
    int socket;
    Errand *errand;             /* NULL: none runs */
    Buf first;                  /* read before there was a reply */
    size_t used;                /* of that */
    uint64_t at;                /* so much was read */
    uint64_t skip, left, total; /* left, total: UNKNOWN where that is to be seen */
    uint64_t sent;
    char *failure;
    char *actor, *role, *origin, *action, *object;
} Export;

static void export_free(Export *x)
{
    errand_free(x->errand);
    turns_give(x->d->turns);
    strlist_free(&x->words);
    buf_free(&x->first);
    free(x->tag);
    free(x->entry);
    free(x->failure);
    free(x->actor);
    free(x->role);
    free(x->origin);
    free(x->action);
    free(x->object);
    free(x);
}
DEFINE_AUTO(Export, export_free)

static Error *start(Export *x)
{
    x->at = 0;
    return errand_start(&(ErrandOptions){.runner = x->d->runner,
                                         .entry = x->entry,
                                         .words = &x->words,
                                         .output = true,
                                         .socket = x->socket,
                                         .stop = x->d->stop},
                        &x->errand);
}

/* The next bytes of the export, as they come; *got 0: it has ended well. */
static Error *next(Export *x, void *p, size_t n, size_t *got)
{
    size_t there = x->first.len - x->used;
    if (there) {
        *got = there < n ? there : n;
        memcpy(p, x->first.data + x->used, *got);
        x->used += *got;
    } else {
        TRY(errand_read(x->errand, p, n, got));
    }
    x->at += *got;
    return NULL;
}

/* By an export that goes nowhere. */
static Error *count(Export *x, uint64_t *total)
{
    AUTO_VALUE(Buf) portion = {0};
    TRY(buf_reserve(&portion, PORTION, PORTION));
    TRY(start(x));
    for (size_t got = 1; got;)
        TRY(next(x, portion.data, PORTION, &got));
    *total = x->at;
    remember(x->d, x->tag, x->at);
    errand_free(STEAL(x->errand));
    return NULL;
}

static Error *other_length(Export *x)
{
    remember(x->d, x->tag, UNKNOWN);
    FAIL(ERR_INTERNAL, "%s: the same export had %llu bytes before", x->object,
         (unsigned long long)x->total);
}

/* The last byte goes out when the child has ended well: until then nobody has the whole of it. */
static Error *see_its_end(Export *x)
{
    uint8_t byte;
    size_t more;
    TRY(next(x, &byte, 1, &more));
    return more || x->at != x->total ? other_length(x) : NULL;
}

static Error *read_part(Export *x, uint8_t *p, size_t n, size_t *got)
{
    while (x->left) {
        size_t part;
        TRY(next(x, p, n, &part));
        if (!part && x->total != UNKNOWN)
            return other_length(x);
        if (!part) {
            remember(x->d, x->tag, x->at);
            x->left = 0;
            break;
        }
        size_t dropped = x->skip < part ? (size_t)x->skip : part;
        x->skip -= dropped;
        part -= dropped;
        if (!part)
            continue;
        if (dropped)
            memmove(p, p + dropped, part);
        if (part > x->left)
            part = (size_t)x->left;
        if (x->left != UNKNOWN)
            x->left -= part;
        if (!x->left && x->at >= x->total)
            TRY(see_its_end(x));
        *got = part;
        x->sent += part;
        return NULL;
    }
    *got = 0;
    return NULL;
}

static Error *stream_read(void *ctx, void *p, size_t n, size_t *got)
{
    Export *x = ctx;
    Error *e = read_part(x, p, n, got);
    if (e && !x->failure)
        x->failure = mem_strdup(error_message(e));
    if (e && error_kind(e) != ERR_CANCELLED)
        log_warning("the download of %s was broken off: %s", x->object, error_message(e));
    return e;
}

static void stream_end(void *ctx, bool whole)
{
    AUTO(Export) x = ctx;
    AUTO(Doc) d = doc_object();
    doc_set_int(d, "bytes", (int64_t)x->sent);
    if (!whole)
        doc_set_str(d, "error", x->failure ? x->failure : "the client has gone, or took nothing");
    AUTO(char) detail = doc_print(d, false);
    AUTO(Error)
    e = state_audit_add(x->d->state,
                        &(StateAuditNew){.actor = x->actor,
                                         .role = x->role,
                                         .origin = x->origin,
                                         .action = x->action,
                                         .object = x->object,
                                         .outcome = whole ? "done" : "failed",
                                         .detail = detail,
                                         .now = clock_now()},
                        NULL);
    if (e)
        log_warning("%s: %s", x->object, error_message(e));
}

/* -- its beginning --------------------------------------------------------------------------------
 */

/* Has a turn. */
static Export *export_new(Downloads *d, const DownloadRequest *r)
{
    Export *x = mem_new(Export);
    x->d = d;
    x->tag = mem_strdup(r->tag);
    x->entry = mem_strdup(r->entry);
    strlist_copy(&x->words, r->words);
    x->socket = r->socket;
    x->left = UNKNOWN;
    x->actor = mem_strdup(r->who->actor);
    x->role = mem_strdup(r->who->role);
    x->origin = mem_strdup(r->who->origin);
    x->action = mem_strdup(r->who->action);
    x->object = mem_strdup(r->who->object);
    return x;
}

/* Which part of how much. */
static Error *choose(Export *x, const HttpRange *range, Download *out)
{
    int64_t known = download_length(x->d, x->tag);
    x->total = known < 0 ? UNKNOWN : (uint64_t)known;
    /* All that there is, so there is no need to know first how much that will be. */
    bool all = range && !range->suffix && !range->first && range->last == UINT64_MAX;
    if (range && (known >= 0 || !all)) {
        if (known < 0)
            TRY(count(x, &x->total));
        out->total = x->total;
        out->beyond = !http_range_within(range, x->total, &out->from, &out->to);
        out->partial = !out->beyond;
        x->skip = out->from;
        x->left = out->to - out->from;
    } else if (known >= 0) {
        x->left = x->total;
    }
    return NULL;
}

Error *download_begin(Downloads *d, const DownloadRequest *r, Download *out)
{
    *out = (Download){0};
    TRY(turns_take(d->turns, r->socket, d->stop, &out->crowded));
    if (out->crowded)
        return NULL;
    AUTO(Export) x = export_new(d, r);
    TRY(choose(x, r->range, out));
    if (out->beyond)
        return NULL;
    TRY(buf_reserve(&x->first, PORTION, PORTION));
    TRY(start(x));
    TRY(errand_read(x->errand, x->first.data, PORTION, &x->first.len));
    out->stream = (HttpStream){.read = stream_read,
                               .end = stream_end,
                               .length = x->left == UNKNOWN ? -1 : (int64_t)x->left};
    out->stream.ctx = STEAL(x);
    return NULL;
}
