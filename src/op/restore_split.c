#include "op/restore_split.h"

#include <string.h>

#include "base/fault.h"
#include "flow/group.h"

#define SPLIT_BYTES ((uint64_t)32 << 20) /* less is not worth it */
#define TURN_BYTES ((size_t)256 << 10)   /* of whole rows, until it is the next lane's turn */
#define QUEUE_BYTES ((size_t)512 << 10)  /* how far the lanes may be apart, each */
#define LANES_MAX 8                      /* more stand in line to make the table longer */

typedef struct Split Split;

typedef struct Lane {
    Split *split;
    Queue *blocks; /* of Buf * */
    Conn *conn;    /* its thread's, until that is joined */
    uint64_t rows; /* that the server took */
    bool again, by_name;
} Lane;

struct Split {
    RestoreWork *w;
    const char *dbname;
    const LoadTable *table;
    Group *group;
    Lane lanes[LANES_MAX];
    unsigned count, turn; /* turn: whose it is */
    size_t taken;         /* bytes in this turn */
};

static void block_free(void *block)
{
    buf_free(block);
    free(block);
}

static void split_clear(Split *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->lanes[i].conn) {
            load_table_abort(s->lanes[i].conn);
            conn_free(s->lanes[i].conn);
        }
    group_free(s->group); /* whose Cancel the connections looked at */
    for (unsigned i = 0; i < s->count; i++)
        queue_free(s->lanes[i].blocks);
}
DEFINE_AUTO_VALUE(Split, split_clear)

bool restore_split_pays(const RestoreWork *w, uint64_t bytes, uint64_t besides)
{
    unsigned jobs = op_jobs(w->c);
    const char *least = fault_setting("PGSTOW_SPLIT_BYTES");
    return jobs > 1 && bytes >= (least ? strtoull(least, NULL, 10) : SPLIT_BYTES) &&
           bytes > besides / (jobs - 1);
}

/* -- a lane ----------------------------------------------------------------------------------- */

static Error *fill(Lane *lane)
{
    const Split *s = lane->split;
    Cancel *cancel = group_cancel(s->group);
    TRY(conn_open_like(s->w->admin, s->dbname, cancel, &lane->conn));
    TRY(load_session(lane->conn, s->w->backup.encoding, s->w->o->role));
    TRY(load_search_path(lane->conn, s->w->o->search_path));
    TRY(load_share_begin(lane->conn, s->table));
    for (void *block; queue_pop(lane->blocks, &block);) {
        const Buf *b = block;
        Error *e = copy_in_write(lane->conn, b->data, b->len);
        block_free(block);
        TRY(e);
    }
    TRY(cancel_check(cancel)); /* and not because that was all */
    FAULT_POINT("restore.split.lane");
    return load_share_end(lane->conn, &lane->rows);
}

static Error *lane_work(void *arg)
{
    Lane *lane = arg;
    Error *e = fill(lane);
    lane->again = e && lane->conn && load_failed_on_rows(lane->conn);
    lane->by_name = e && lane->conn && load_failed_on_name(lane->conn);
    return e;
}

/* -- dealing ---------------------------------------------------------------------------------- */

static Error *push(Split *s, const uint8_t *p, size_t n)
{
    if (!n)
        return NULL;
    Buf *b = mem_new(Buf);
    Error *e = buf_reserve(b, n, SIZE_MAX / 2);
    if (!e) {
        buf_add(b, p, n);
        if (queue_push(s->lanes[s->turn].blocks, b, n))
            return NULL;
        e = ERROR_NEW(ERR_CANCELLED, "stopped");
    }
    block_free(b);
    return e;
}

/* The turn ends behind a row: one that is longer than a turn goes to one lane as a whole. */
static Error *deal(void *to, const void *data, size_t n)
{
    Split *s = to;
    const uint8_t *p = data;
    size_t here = n;
    bool over = false;
    if (s->taken + n >= TURN_BYTES) {
        const uint8_t *newline = memrchr(p, '\n', n);
        over = newline != NULL;
        here = over ? (size_t)(newline - p) + 1 : n;
    }
    TRY(push(s, p, here));
    s->taken += here;
    if (!over)
        return NULL;
    FAULT_POINT("restore.split.turn");
    s->turn = (s->turn + 1) % s->count;
    s->taken = n - here;
    return push(s, p + here, n - here);
}

static Error *deal_all(Split *s, const Stream *stream, SplitOutcome *out)
{
    for (unsigned i = 0; i < s->count; i++)
        TRY(group_start(s->group, lane_work, &s->lanes[i]));
    TRY(backup_read_stream(&s->w->backup, stream, group_cancel(s->group), deal, s, &out->fetched));
    for (unsigned i = 0; i < s->count; i++)
        queue_close(s->lanes[i].blocks);
    return NULL;
}

/* -- all of it -------------------------------------------------------------------------------- */

static Error *open_lanes(Split *s)
{
    unsigned jobs = op_jobs(s->w->c);
    TRY(group_new(s->w->cancel, &s->group));
    for (s->count = 0; s->count < jobs && s->count < LANES_MAX; s->count++) {
        Lane *lane = &s->lanes[s->count];
        *lane = (Lane){.split = s, .blocks = queue_new(QUEUE_BYTES, block_free)};
        group_watch(s->group, lane->blocks);
    }
    return NULL;
}

static Error *check_rows(const Split *s, uint64_t expected)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < s->count; i++)
        rows += s->lanes[i].rows;
    return load_check_rows(s->table, rows, expected);
}

/* Only when all have all of theirs. */
static Error *commit(Split *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        FAULT_POINT("restore.split.commit");
        TRY(load_share_commit(s->lanes[i].conn));
    }
    return NULL;
}

Error *restore_split_load(RestoreWork *w, const char *dbname, Conn *prepared, const Stream *stream,
                          const LoadTable *t, SplitOutcome *out)
{
    AUTO_VALUE(Split) s = {.w = w, .dbname = dbname, .table = t};
    *out = (SplitOutcome){0};
    TRY(load_table_empty(prepared, t));
    TRY(open_lanes(&s));
    group_fail(s.group, deal_all(&s, stream, out));
    Error *e = group_join(s.group);
    for (unsigned i = 0; e && i < s.count; i++) {
        out->again = out->again || s.lanes[i].again;
        out->by_name = out->by_name || s.lanes[i].by_name;
    }
    TRY(e);
    TRY(check_rows(&s, stream->rows));
    return commit(&s);
}
