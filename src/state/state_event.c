#include "state/state_event.h"

#include "state/state_internal.h"

void state_events_clear(StateEvents *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].kind);
        free(l->items[i].body);
    }
    free(l->items);
    *l = (StateEvents){0};
}

typedef struct Addition {
    const StateEventNew *event;
    int64_t id;
} Addition;

static Error *drop_old(State *s, int64_t newest)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "DELETE FROM event WHERE id <= ?", &q));
    query_int(&q, newest - STATE_EVENTS_KEPT);
    return query_run(&q, NULL);
}

static Error *add(State *s, void *ctx)
{
    Addition *c = ctx;
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "INSERT INTO event (at, kind, job, body) VALUES (?, ?, ?, ?)", &q));
    query_int(&q, c->event->now);
    query_text(&q, c->event->kind);
    query_maybe_int(&q, c->event->job);
    query_maybe_text(&q, c->event->body);
    TRY(query_run(&q, NULL));
    c->id = query_last_id(&q);
    return drop_old(s, c->id);
}

Error *state_event_add(State *s, const StateEventNew *event, int64_t *id)
{
    Addition c = {.event = event};
    TRY(state_together(s, add, &c));
    if (id)
        *id = c.id;
    return NULL;
}

Error *state_event_newest(State *s, int64_t *id)
{
    return state_number(s, "SELECT seq FROM sqlite_sequence WHERE name = 'event'", id);
}

/* Both numbers by one statement, so that they are of one moment. */
static Error *is_lost(State *s, int64_t after, bool *lost)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s,
                   "SELECT ifnull((SELECT min(id) FROM event), newest + 1), newest FROM"
                   " (SELECT ifnull(max(seq), 0) AS newest FROM sqlite_sequence"
                   " WHERE name = 'event')",
                   &q));
    TRY(query_row(&q, &more));
    int64_t oldest = query_get_int(&q), newest = query_get_int(&q);
    *lost = after + 1 < oldest || after > newest;
    return NULL;
}

Error *state_event_since(State *s, int64_t after, uint32_t limit, StateEvents *out)
{
    AUTO_VALUE(StateEvents) l = {0};
    AUTO_VALUE(Query) q = {0};
    limit = state_limit(limit);
    TRY(query_open(s, "SELECT id, at, kind, job, body FROM event WHERE id > ? ORDER BY id LIMIT ?",
                   &q));
    query_int(&q, after);
    query_int(&q, limit + 1);
    for (bool got;;) {
        TRY(query_page(&q, l.count, limit, &l.more, &got));
        if (!got)
            break;
        mem_grow(l.items, l.count, l.cap);
        StateEvent *e = &l.items[l.count++];
        e->id = query_get_int(&q);
        e->at = query_get_int(&q);
        e->kind = query_get_text(&q);
        e->job = query_get_int(&q);
        e->body = query_get_text(&q);
    }
    /* Asked last: what was dropped meanwhile counts as lost, too. */
    TRY(is_lost(s, after, &l.lost));
    *out = l;
    l = (StateEvents){0};
    return NULL;
}
