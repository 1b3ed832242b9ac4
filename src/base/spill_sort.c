#include "base/spill_sort.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define HEAD 9 /* u32 key, u32 value, u8 tag in front of a record's bytes */
#define RECORD_MAX (((size_t)1 << 32) + HEAD)
#define RUN_BUFFER_LEAST ((size_t)16 << 10)
#define RUN_BUFFER_MOST ((size_t)256 << 10)

/* A sorted part of the file, and what of it is in memory. */
typedef struct SpillRun {
    uint64_t at, end; /* what has not been read yet */
    Buf buf;
    size_t pos; /* of the present record in buf */
    bool over;
} SpillRun;

struct SpillSort {
    size_t budget;
    Buf arena;
    size_t *offsets; /* of the records in it */
    size_t count, cap;
    Fd file;
    uint64_t written;
    SpillRun *runs;
    size_t run_count, run_cap;
    SpillRun **heap; /* while merging: the run with the least record first */
    size_t heap_count, buffer;
    bool reading;
    size_t next; /* without runs: the next record in memory */
};

SpillSort *spill_sort_new(size_t budget)
{
    SpillSort *s = mem_new(SpillSort);
    s->budget = budget;
    s->file.n = -1;
    return s;
}

void spill_sort_free(SpillSort *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->run_count; i++)
        buf_free(&s->runs[i].buf);
    free(s->runs);
    free(s->heap);
    free(s->offsets);
    buf_free(&s->arena);
    fd_close(&s->file);
    free(s);
}

uint64_t spill_sort_spilled(const SpillSort *s)
{
    return s->written;
}

static SpillRecord record_at(const uint8_t *p)
{
    SpillRecord r;
    memcpy(&r.key_n, p, 4);
    memcpy(&r.value_n, p + 4, 4);
    r.tag = p[8];
    r.key = p + HEAD;
    r.value = r.key + r.key_n;
    return r;
}

static size_t record_size(const uint8_t *p)
{
    SpillRecord r = record_at(p);
    return HEAD + (size_t)r.key_n + r.value_n;
}

static int compare_records(const uint8_t *x, const uint8_t *y)
{
    SpillRecord a = record_at(x), b = record_at(y);
    int order = memcmp(a.key, b.key, a.key_n < b.key_n ? a.key_n : b.key_n);
    if (order)
        return order;
    if (a.key_n != b.key_n)
        return a.key_n < b.key_n ? -1 : 1;
    return (int)a.tag - (int)b.tag;
}

static int compare_offsets(const void *x, const void *y, void *arena)
{
    const uint8_t *base = arena;
    return compare_records(base + *(const size_t *)x, base + *(const size_t *)y);
}

static void sort_arena(SpillSort *s)
{
    if (s->count > 1)
        qsort_r(s->offsets, s->count, sizeof *s->offsets, compare_offsets, s->arena.data);
}

/* -- into the file ---------------------------------------------------------------------------- */

static Error *write_run(SpillSort *s)
{
    AUTO_VALUE(Buf) out = {0};
    if (s->file.n < 0)
        TRY(file_temp(&s->file));
    sort_arena(s);
    SpillRun run = {.at = s->written};
    for (size_t i = 0; i < s->count; i++) {
        const uint8_t *p = s->arena.data + s->offsets[i];
        size_t n = record_size(p);
        TRY(buf_reserve(&out, n, RECORD_MAX + RUN_BUFFER_MOST));
        buf_add(&out, p, n);
        if (out.len >= RUN_BUFFER_MOST || i + 1 == s->count) {
            TRY(file_temp_write(s->file.n, out.data, out.len));
            s->written += out.len;
            out.len = 0;
        }
    }
    run.end = s->written;
    mem_grow(s->runs, s->run_count, s->run_cap);
    s->runs[s->run_count++] = run;
    s->arena.len = 0;
    s->count = 0;
    return NULL;
}

Error *spill_sort_add(SpillSort *s, const SpillRecord *r)
{
    size_t n = HEAD + (size_t)r->key_n + r->value_n;
    if (s->count && s->arena.len + n + (s->count + 1) * sizeof *s->offsets > s->budget)
        TRY(write_run(s));
    TRY(buf_reserve(&s->arena, n, RECORD_MAX + s->budget));
    mem_grow(s->offsets, s->count, s->cap);
    s->offsets[s->count++] = s->arena.len;
    buf_add(&s->arena, &r->key_n, 4);
    buf_add(&s->arena, &r->value_n, 4);
    buf_u8(&s->arena, r->tag);
    buf_add(&s->arena, r->key, r->key_n);
    buf_add(&s->arena, r->value, r->value_n);
    return NULL;
}

/* -- out of the file -------------------------------------------------------------------------- */

/* At least n bytes from the present record on, as far as the run has them. */
static Error *fill(SpillSort *s, SpillRun *r, size_t n)
{
    size_t have = r->buf.len - r->pos;
    if (have >= n)
        return NULL;
    if (have)
        memmove(r->buf.data, r->buf.data + r->pos, have);
    r->buf.len = have;
    r->pos = 0;
    size_t wanted = n > s->buffer ? n : s->buffer;
    TRY(buf_reserve(&r->buf, wanted - have, RECORD_MAX + RUN_BUFFER_MOST));
    while (r->buf.len < wanted && r->at < r->end) {
        uint64_t left = r->end - r->at;
        size_t ask = wanted - r->buf.len < left ? wanted - r->buf.len : (size_t)left;
        ssize_t got = pread(s->file.n, r->buf.data + r->buf.len, ask, (off_t)r->at);
        if (got <= 0)
            return error_errno(ERR_IO, ERR_IO, "reading the temporary file");
        r->buf.len += (size_t)got;
        r->at += (uint64_t)got;
    }
    if (r->buf.len < n)
        FAIL(ERR_IO, "the temporary file is shorter than what was written to it");
    return NULL;
}

/* Makes the record at the run's place whole in memory, or says that there is none. */
static Error *load(SpillSort *s, SpillRun *r)
{
    r->over = r->pos == r->buf.len && r->at == r->end;
    if (r->over)
        return NULL;
    TRY(fill(s, r, HEAD));
    return fill(s, r, record_size(r->buf.data + r->pos));
}

static bool less(const SpillRun *a, const SpillRun *b)
{
    return compare_records(a->buf.data + a->pos, b->buf.data + b->pos) < 0;
}

static void sift(SpillSort *s, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < s->heap_count && less(s->heap[left], s->heap[least]))
            least = left;
        if (right < s->heap_count && less(s->heap[right], s->heap[least]))
            least = right;
        if (least == i)
            return;
        SpillRun *swap = s->heap[i];
        s->heap[i] = s->heap[least];
        s->heap[least] = swap;
        i = least;
    }
}

static Error *begin(SpillSort *s)
{
    s->reading = true;
    if (!s->run_count) {
        sort_arena(s);
        return NULL;
    }
    if (s->count)
        TRY(write_run(s));
    buf_free(&s->arena);
    s->buffer = s->budget / s->run_count;
    s->buffer = s->buffer < RUN_BUFFER_LEAST  ? RUN_BUFFER_LEAST
                : s->buffer > RUN_BUFFER_MOST ? RUN_BUFFER_MOST
                                              : s->buffer;
    s->heap = mem_calloc(s->run_count, sizeof *s->heap);
    for (size_t i = 0; i < s->run_count; i++) {
        TRY(load(s, &s->runs[i]));
        if (!s->runs[i].over)
            s->heap[s->heap_count++] = &s->runs[i];
    }
    for (size_t i = s->heap_count / 2 + 1; i-- > 0;)
        sift(s, i);
    s->next = 0; /* no record was given out yet */
    return NULL;
}

/* Past the record that was given out last. */
static Error *advance(SpillSort *s)
{
    SpillRun *r = s->heap[0];
    r->pos += record_size(r->buf.data + r->pos);
    TRY(load(s, r));
    if (r->over)
        s->heap[0] = s->heap[--s->heap_count];
    sift(s, 0);
    return NULL;
}

Error *spill_sort_next(SpillSort *s, SpillRecord *out, bool *end)
{
    if (!s->reading)
        TRY(begin(s));
    if (!s->run_count) {
        *end = s->next == s->count;
        if (!*end)
            *out = record_at(s->arena.data + s->offsets[s->next++]);
        return NULL;
    }
    if (s->next++ && s->heap_count)
        TRY(advance(s));
    *end = !s->heap_count;
    if (!*end)
        *out = record_at(s->heap[0]->buf.data + s->heap[0]->pos);
    return NULL;
}
