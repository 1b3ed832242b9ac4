#include <string.h>

#include "repo/check_work.h"
#include "repo/reader.h"

/* Level rebuild: every stream is read as a restore would read it. Streams that lie at the same
 * places with the same digests, as unchanged tables of one day and the next do, are read once. */

typedef struct Task {
    const char *id;
    uint32_t stream;
    uint8_t key[HASH_BYTES];
} Task;

typedef struct Tasks {
    Task *items;
    size_t count, cap;
} Tasks;

static void tasks_clear(Tasks *t)
{
    free(t->items);
}
DEFINE_AUTO_VALUE(Tasks, tasks_clear)

/* What one thread has read last: a manifest of many tables takes longer than a table. */
typedef struct Held {
    const char *id; /* NULL: none yet */
    Manifest *m;    /* NULL where it could not be read, which was reported */
} Held;

static void held_clear(Held *h)
{
    if (h->m)
        manifest_free(h->m);
    *h = (Held){0};
}
DEFINE_AUTO_VALUE(Held, held_clear)

static Error *hold(Check *c, Held *h, const char *id)
{
    if (h->id == id)
        return NULL;
    held_clear(h);
    TRY(check_load(c, id, &h->m));
    h->id = id;
    return NULL;
}

static void hash_u64(Hash *h, uint64_t v)
{
    hash_add(h, &v, sizeof v);
}

/* What reading the stream depends on, besides the packs. */
static void stream_key(const Stream *s, Hash *h, uint8_t out[HASH_BYTES])
{
    hash_u64(h, s->rows_framed);
    for (size_t i = 0; i < s->piece_count; i++) {
        const Piece *p = &s->pieces[i];
        hash_u64(h, p->rows);
        hash_u64(h, p->bytes);
        hash_u64(h, p->chunks);
        hash_add(h, p->digest, HASH_BYTES);
        hash_u64(h, p->recipe.kind);
        hash_add(h, p->recipe.pack.session.b, SESSION_BYTES);
        hash_u64(h, p->recipe.pack.n);
        hash_u64(h, p->recipe.frame);
        hash_add(h, p->recipe.hash.b, CHUNK_ID_BYTES);
        hash_add(h, p->recipe.bytes.data, p->recipe.bytes.len);
    }
    hash_end(h, out);
}

static Error *add_tasks(Check *c, const char *id, Tasks *t, Hash *hash)
{
    AUTO(Manifest) m = NULL;
    TRY(check_load(c, id, &m));
    for (size_t i = 0; m && i < m->stream_count; i++) {
        Task task = {id, (uint32_t)i, {0}};
        stream_key(&m->streams[i], hash, task.key);
        mem_grow(t->items, t->count, t->cap);
        t->items[t->count++] = task;
    }
    return NULL;
}

static int compare_key(const Task *a, const Task *b)
{
    return memcmp(a->key, b->key, HASH_BYTES);
}

/* Of equal ones the oldest backup's first. */
static int by_key(const void *a, const void *b)
{
    const Task *x = a, *y = b;
    int order = compare_key(x, y);
    return order ? order : strcmp(x->id, y->id);
}

/* So many equal tasks, from `first` on. */
typedef struct Same {
    const Task *first;
    size_t count;
} Same;
typedef struct SameList {
    Same *items;
    size_t count, cap;
} SameList;

static void same_list_clear(SameList *l)
{
    free(l->items);
}
DEFINE_AUTO_VALUE(SameList, same_list_clear)

/* Those of one manifest behind each other, in its order. */
static int by_manifest(const void *a, const void *b)
{
    const Task *x = ((const Same *)a)->first, *y = ((const Same *)b)->first;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->stream > y->stream) - (x->stream < y->stream);
}

static Error *read_stream(Check *c, const Manifest *m, const Stream *s, const Cancel *cancel)
{
    AUTO(StreamReader) sr = NULL;
    TRY(stream_reader_open(c->repo, m, s, &sr));
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(cancel_check(cancel));
        TRY(stream_reader_next(sr, &p, &n));
        if (!n)
            return NULL;
        job_add_bytes(c->job, n);
    }
}

/* The tasks items[0..count) are equal: what the first one finds is true of all. */
static Error *rebuild(Check *c, Held *held, Held *others, const Task *items, size_t count,
                      const Cancel *cancel)
{
    size_t problem = NO_PROBLEM;
    TRY(hold(c, held, items->id));
    const Manifest *m = held->m;
    if (!m)
        return NULL;
    const Stream *s = &m->streams[items->stream];
    AUTO(char) label = stream_label(s);
    job_object(c->job, label);
    AUTO(Error) e = read_stream(c, m, s, cancel);
    if (!e)
        return NULL;
    if (!check_is_damage(e))
        return STEAL(e);
    for (size_t i = 0; i < count; i++) {
        Held *holder = items[i].id == items->id ? held : others;
        TRY(hold(c, holder, items[i].id));
        const Manifest *other = holder->m;
        if (!other)
            continue;
        AUTO(char) name = stream_label(&other->streams[items[i].stream]);
        /* Mostly the pack or recipe at fault has been named already. */
        if (check_touched(c, items[i].id, name))
            continue;
        char object[NAME_TEXT];
        if (problem == NO_PROBLEM)
            problem = check_problem(c, name_manifest(items->id, object), error_message(e));
        check_touch(c, problem, items[i].id, name);
    }
    return NULL;
}

static Error *stream_work(void *arg)
{
    CheckTurns *turns = arg;
    const SameList *l = turns->ctx;
    AUTO_VALUE(Held) held = {0};
    AUTO_VALUE(Held) others = {0};
    for (;;) {
        size_t i;
        bool got;
        TRY(check_next(turns, &i, &got));
        if (!got)
            return NULL;
        const Same *same = &l->items[i];
        TRY(rebuild(turns->check, &held, &others, same->first, same->count, turns->cancel));
        job_add_items(turns->check->job, same->count);
    }
}

Error *check_streams(Check *c)
{
    AUTO_VALUE(Tasks) t = {0};
    AUTO_VALUE(SameList) l = {0};
    AUTO(Hash) hash = hash_new();
    for (size_t i = 0; i < c->readable.count; i++)
        if (check_proves(c, i))
            TRY(add_tasks(c, c->readable.items[i], &t, hash));
    mem_sort(t.items, t.count, sizeof *t.items, by_key);
    for (size_t i = 0; i < t.count; i++) {
        if (i && !compare_key(&t.items[i - 1], &t.items[i])) {
            l.items[l.count - 1].count++;
            continue;
        }
        mem_grow(l.items, l.count, l.cap);
        l.items[l.count++] = (Same){&t.items[i], 1};
    }
    mem_sort(l.items, l.count, sizeof *l.items, by_manifest);
    job_phase(c->job, "streams", 0, t.count);
    return check_parallel(c, l.count, stream_work, &l);
}
