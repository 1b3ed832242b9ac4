#include "state/state_log.h"

#include <string.h>

#include "base/text.h"
#include "state/state_event.h"
#include "state/state_internal.h"

void state_log_clear(StateLog *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].level);
        free(l->items[i].line);
    }
    free(l->items);
    *l = (StateLog){0};
}

/* -- adding ---------------------------------------------------------------------------------------
 */

typedef struct Addition {
    int64_t job;
    const StateLogNew *lines;
    size_t count;
    int64_t first, next, bytes; /* numbers of the first kept line and of the next one; all bytes */
} Addition;

static Error *look(State *s, Addition *c)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s,
                   "SELECT ifnull((SELECT min(n) FROM job_log WHERE job = ?1), 1),"
                   " ifnull((SELECT max(n) FROM job_log WHERE job = ?1), 0) + 1,"
                   " log_bytes FROM job WHERE id = ?1",
                   &q));
    query_int(&q, c->job);
    TRY(query_row(&q, &more));
    if (!more)
        FAIL(ERR_NOT_FOUND, "there is no job %lld", (long long)c->job);
    c->first = query_get_int(&q);
    c->next = query_get_int(&q);
    c->bytes = query_get_int(&q);
    return NULL;
}

static Error *add_line(State *s, Addition *c, const StateLogNew *line)
{
    AUTO_VALUE(Query) q = {0};
    AUTO(char) text = text_cut(line->line, STATE_LOG_LINE_MAX);
    TRY(query_open(s, "INSERT INTO job_log (job, n, at, level, line) VALUES (?, ?, ?, ?, ?)", &q));
    query_int(&q, c->job);
    query_int(&q, c->next++);
    query_int(&q, line->at);
    query_text(&q, line->level);
    query_text(&q, text);
    c->bytes += (int64_t)strlen(text);
    return query_run(&q, NULL);
}

/* From where on the lines are within the bounds; the newest one always stays. */
static Error *drop_old(State *s, Addition *c)
{
    AUTO_VALUE(Query) q = {0};
    AUTO_VALUE(Query) away = {0};
    int64_t keep = c->first;
    TRY(query_open(s,
                   "SELECT n, octets FROM (SELECT n, length(CAST(line AS BLOB)) AS octets"
                   " FROM job_log WHERE job = ? ORDER BY n)",
                   &q));
    query_int(&q, c->job);
    for (bool more;
         keep < c->next - 1 && (c->next - keep > STATE_LOG_LINES || c->bytes > STATE_LOG_BYTES);) {
        TRY(query_row(&q, &more));
        if (!more)
            break;
        keep = query_get_int(&q) + 1;
        c->bytes -= query_get_int(&q);
    }
    if (keep == c->first)
        return NULL;
    query_close(&q);
    TRY(query_open(s, "DELETE FROM job_log WHERE job = ? AND n < ?", &away));
    query_int(&away, c->job);
    query_int(&away, keep);
    return query_run(&away, NULL);
}

static Error *tell(State *s, const Addition *c)
{
    AUTO(char)
    range = mem_printf("{\"after\": %lld, \"until\": %lld}",
                       (long long)(c->next - 1 - (int64_t)c->count), (long long)(c->next - 1));
    return state_event_add(
        s,
        &(StateEventNew){.kind = STATE_EVENT_LOG, .job = c->job, .body = range, .now = clock_now()},
        NULL);
}

static Error *add(State *s, void *ctx)
{
    Addition *c = ctx;
    AUTO_VALUE(Query) q = {0};
    TRY(look(s, c));
    for (size_t i = 0; i < c->count; i++)
        TRY(add_line(s, c, &c->lines[i]));
    TRY(drop_old(s, c));
    TRY(query_open(s, "UPDATE job SET log_bytes = ? WHERE id = ?", &q));
    query_int(&q, c->bytes);
    query_int(&q, c->job);
    TRY(query_run(&q, NULL));
    return tell(s, c);
}

Error *state_log_add(State *s, int64_t job, const StateLogNew *lines, size_t count)
{
    Addition c = {.job = job, .lines = lines, .count = count};
    return count ? state_together(s, add, &c) : NULL;
}

/* -- reading --------------------------------------------------------------------------------------
 */

Error *state_log_take(Query *q, int64_t after, uint32_t limit, StateLog *out)
{
    AUTO_VALUE(StateLog) l = {0};
    for (bool got;;) {
        TRY(query_page(q, l.count, limit, &l.more, &got));
        if (!got)
            break;
        mem_grow(l.items, l.count, l.cap);
        StateLogLine *line = &l.items[l.count++];
        line->n = query_get_int(q);
        line->at = query_get_int(q);
        line->level = query_get_text(q);
        line->line = query_get_text(q);
    }
    /* The newest one is always kept: behind a list without lines nothing is missing. */
    if (l.count && l.items[0].n > after + 1)
        l.dropped = (uint64_t)(l.items[0].n - after - 1);
    *out = l;
    l = (StateLog){0};
    return NULL;
}

Error *state_log_read(State *s, int64_t job, int64_t after, uint32_t limit, StateLog *out)
{
    AUTO_VALUE(Query) q = {0};
    limit = state_limit(limit);
    after = after > 0 ? after : 0;
    TRY(query_open(s,
                   "SELECT n, at, level, line FROM job_log WHERE job = ? AND n > ? ORDER BY n"
                   " LIMIT ?",
                   &q));
    query_int(&q, job);
    query_int(&q, after);
    query_int(&q, limit + 1);
    return state_log_take(&q, after, limit, out);
}
