#include "state/state_schedule.h"

#include "state/state_internal.h"

static void schedule_clear(StateSchedule *c)
{
    free(c->name);
    free(c->last_result);
    *c = (StateSchedule){0};
}

void state_schedule_free(StateSchedule *c)
{
    if (c)
        schedule_clear(c);
    free(c);
}

void state_schedules_clear(StateSchedules *l)
{
    for (size_t i = 0; i < l->count; i++)
        schedule_clear(&l->items[i]);
    free(l->items);
    *l = (StateSchedules){0};
}

#define COLUMNS "name, last_due, last_started, last_job, last_result, next_planned"

static void take_schedule(Query *q, StateSchedule *c)
{
    c->name = query_get_text(q);
    c->last_due = query_get_int(q);
    c->last_started = query_get_int(q);
    c->last_job = query_get_int(q);
    c->last_result = query_get_text(q);
    c->next_planned = query_get_int(q);
}

Error *state_schedule_put(State *s, const StateSchedule *c)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "INSERT INTO schedule (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)"
                   " ON CONFLICT (name) DO UPDATE SET last_due = excluded.last_due,"
                   " last_started = excluded.last_started, last_job = excluded.last_job,"
                   " last_result = excluded.last_result, next_planned = excluded.next_planned",
                   &q));
    query_text(&q, c->name);
    query_maybe_int(&q, c->last_due);
    query_maybe_int(&q, c->last_started);
    query_maybe_int(&q, c->last_job);
    query_maybe_text(&q, c->last_result);
    query_maybe_int(&q, c->next_planned);
    return query_run(&q, NULL);
}

Error *state_schedule_get(State *s, const char *name, StateSchedule **out)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, "SELECT " COLUMNS " FROM schedule WHERE name = ?", &q));
    query_text(&q, name);
    TRY(query_row(&q, &more));
    *out = NULL;
    if (more)
        take_schedule(&q, *out = mem_new(StateSchedule));
    return NULL;
}

Error *state_schedule_list(State *s, StateSchedules *out)
{
    AUTO_VALUE(StateSchedules) l = {0};
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "SELECT " COLUMNS " FROM schedule ORDER BY name", &q));
    for (bool more;;) {
        TRY(query_row(&q, &more));
        if (!more)
            break;
        mem_grow(l.items, l.count, l.cap);
        take_schedule(&q, &l.items[l.count++]);
    }
    *out = l;
    l = (StateSchedules){0};
    return NULL;
}

Error *state_schedule_forget(State *s, const char *name)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "DELETE FROM schedule WHERE name = ?", &q));
    query_text(&q, name);
    return query_run(&q, NULL);
}
