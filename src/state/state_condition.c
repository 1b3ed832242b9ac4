#include "state/state_condition.h"

#include "state/state_internal.h"

static void condition_clear(StateCondition *c)
{
    free(c->name);
    free(c->detail);
    *c = (StateCondition){0};
}

void state_condition_free(StateCondition *c)
{
    if (c)
        condition_clear(c);
    free(c);
}

void state_conditions_clear(StateConditions *l)
{
    for (size_t i = 0; i < l->count; i++)
        condition_clear(&l->items[i]);
    free(l->items);
    *l = (StateConditions){0};
}

#define COLUMNS "name, since, last_seen, notified, detail"

static void take_condition(Query *q, StateCondition *c)
{
    c->name = query_get_text(q);
    c->since = query_get_int(q);
    c->last_seen = query_get_int(q);
    c->notified = query_get_int(q);
    c->detail = query_get_text(q);
}

static Error *take_only(Query *q, StateCondition **out)
{
    bool more;
    TRY(query_row(q, &more));
    *out = NULL;
    if (more)
        take_condition(q, *out = mem_new(StateCondition));
    return NULL;
}

typedef struct Setting {
    const char *name, *detail;
    Instant now;
    bool began;
} Setting;

static Error *set(State *s, void *ctx)
{
    Setting *c = ctx;
    int64_t changed;
    AUTO_VALUE(Query) q = {0};
    AUTO_VALUE(Query) add = {0};
    TRY(query_open(s, "UPDATE condition SET last_seen = ?, detail = ? WHERE name = ?", &q));
    query_int(&q, c->now);
    query_maybe_text(&q, c->detail);
    query_text(&q, c->name);
    TRY(query_run(&q, &changed));
    c->began = changed == 0;
    if (!c->began)
        return NULL;
    TRY(query_open(
        s, "INSERT INTO condition (name, since, last_seen, detail) VALUES (?1, ?2, ?2, ?3)", &add));
    query_text(&add, c->name);
    query_int(&add, c->now);
    query_maybe_text(&add, c->detail);
    return query_run(&add, NULL);
}

Error *state_condition_set(State *s, const char *name, const char *detail, Instant now, bool *began)
{
    Setting c = {name, detail, now, false};
    TRY(state_together(s, set, &c));
    *began = c.began;
    return NULL;
}

Error *state_condition_end(State *s, const char *name, StateCondition **was)
{
    AUTO(StateCondition) c = NULL;
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, "DELETE FROM condition WHERE name = ? RETURNING " COLUMNS, &q));
    query_text(&q, name);
    TRY(take_only(&q, &c));
    if (c) /* it is done only when the statement has come to its end */
        TRY(query_row(&q, &more));
    *was = STEAL(c);
    return NULL;
}

Error *state_condition_notified(State *s, const char *name, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "UPDATE condition SET notified = ? WHERE name = ?", &q));
    query_int(&q, now);
    query_text(&q, name);
    return query_run(&q, NULL);
}

Error *state_condition_get(State *s, const char *name, StateCondition **out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "SELECT " COLUMNS " FROM condition WHERE name = ?", &q));
    query_text(&q, name);
    return take_only(&q, out);
}

Error *state_condition_list(State *s, StateConditions *out)
{
    AUTO_VALUE(StateConditions) l = {0};
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "SELECT " COLUMNS " FROM condition ORDER BY name", &q));
    for (bool more;;) {
        TRY(query_row(&q, &more));
        if (!more)
            break;
        mem_grow(l.items, l.count, l.cap);
        take_condition(&q, &l.items[l.count++]);
    }
    *out = l;
    l = (StateConditions){0};
    return NULL;
}
