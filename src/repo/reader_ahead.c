#include "repo/reader_ahead.h"

#include "flow/group.h"

#define BLOCK_BYTES ((size_t)256 << 10)
#define AHEAD_BYTES ((size_t)4 << 20)

struct ReaderAhead {
    StreamReader *reader; /* the thread's, until it is joined */
    bool alone;           /* a small stream, which is no work for a thread */
    Group *group;         /* NULL once it is joined */
    Queue *blocks;        /* of Buf *, in order; closed behind the last */
    Buf *held;            /* what was handed out last */
};

static void block_free(void *block)
{
    Buf *b = block;
    if (!b)
        return;
    buf_free(b);
    free(b);
}

/* Takes the block over. */
static Error *hand_over(ReaderAhead *ra, Buf **block)
{
    if (!*block)
        return NULL;
    Buf *b = STEAL(*block);
    if (queue_push(ra->blocks, b, b->len))
        return NULL;
    block_free(b);
    return ERROR_NEW(ERR_CANCELLED, "stopped");
}

static Error *fill(ReaderAhead *ra, Buf **block)
{
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(cancel_check(group_cancel(ra->group)));
        TRY(stream_reader_next(ra->reader, &p, &n));
        if (!n)
            return hand_over(ra, block);
        if (*block && (*block)->len + n > BLOCK_BYTES)
            TRY(hand_over(ra, block));
        if (!*block)
            *block = mem_new(Buf);
        TRY(buf_reserve(*block, n > BLOCK_BYTES ? n : BLOCK_BYTES, SIZE_MAX / 2));
        buf_add(*block, p, n);
    }
}

static Error *read_ahead(void *arg)
{
    ReaderAhead *ra = arg;
    Buf *block = NULL;
    Error *e = fill(ra, &block);
    block_free(block);
    if (!e)
        queue_close(ra->blocks);
    return e;
}

void reader_ahead_free(ReaderAhead *ra)
{
    if (!ra)
        return;
    if (ra->blocks)
        queue_abort(ra->blocks);
    group_free(ra->group);
    queue_free(ra->blocks);
    stream_reader_free(ra->reader);
    block_free(ra->held);
    free(ra);
}

Error *reader_ahead_open(Repo *r, const Manifest *m, const Stream *s, Cancel *cancel,
                         ReaderAhead **out)
{
    AUTO(ReaderAhead) ra = mem_new(ReaderAhead);
    TRY(stream_reader_open(r, m, s, &ra->reader));
    ra->alone = s->bytes <= BLOCK_BYTES;
    if (ra->alone) {
        *out = STEAL(ra);
        return NULL;
    }
    ra->blocks = queue_new(AHEAD_BYTES, block_free);
    TRY(group_new(cancel, &ra->group));
    group_watch(ra->group, ra->blocks);
    TRY(group_start(ra->group, read_ahead, ra));
    *out = STEAL(ra);
    return NULL;
}

Error *reader_ahead_next(ReaderAhead *ra, const uint8_t **p, size_t *n)
{
    void *next = NULL;
    if (ra->alone)
        return stream_reader_next(ra->reader, p, n);
    block_free(STEAL(ra->held));
    *n = 0;
    if (!ra->group)
        return NULL;
    if (!queue_pop(ra->blocks, &next)) {
        Error *e = group_join(ra->group);
        group_free(STEAL(ra->group));
        return e;
    }
    ra->held = next;
    *p = ra->held->data;
    *n = ra->held->len;
    return NULL;
}

uint64_t reader_ahead_fetched(const ReaderAhead *ra)
{
    return stream_reader_fetched(ra->reader);
}
