#include "state/state_outbox.h"

#include <string.h>

#include "state/state_internal.h"

static const char *const names[OUTBOX_STATUSES] = {"open", "sent", "given-up"};

const char *state_outbox_status_name(StateOutboxStatus status)
{
    return status < OUTBOX_STATUSES ? names[status] : "";
}

void state_outbox_clear(StateOutbox *l)
{
    for (size_t i = 0; i < l->count; i++) {
        StateNote *n = &l->items[i];
        free(n->cause);
        free(n->channel);
        free(n->event);
        free(n->payload);
        free(n->error);
    }
    free(l->items);
    *l = (StateOutbox){0};
}

#define COLUMNS                                                                                    \
    "id, cause, channel, event, payload, created, attempts, next_try, status, ended, error"

static Error *take_note(Query *q, StateNote *n)
{
    n->id = query_get_int(q);
    n->cause = query_get_text(q);
    n->channel = query_get_text(q);
    n->event = query_get_text(q);
    n->payload = query_get_text(q);
    n->created = query_get_int(q);
    n->attempts = (int)query_get_int(q);
    n->next_try = query_get_int(q);
    AUTO(char) status = query_get_text(q);
    n->ended = query_get_int(q);
    n->error = query_get_text(q);
    for (unsigned i = 0; i < OUTBOX_STATUSES; i++) {
        if (status && !strcmp(status, names[i])) {
            n->status = (StateOutboxStatus)i;
            return NULL;
        }
    }
    FAIL(ERR_DAMAGED, "notification %lld has no status that is known", (long long)n->id);
}

static Error *take_notes(Query *q, uint32_t limit, StateOutbox *out)
{
    for (bool got;;) {
        TRY(query_page(q, out->count, limit, &out->more, &got));
        if (!got)
            return NULL;
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = (StateNote){0};
        TRY(take_note(q, &out->items[out->count - 1]));
    }
}

Error *state_outbox_put(State *s, const StateNoteNew *note, bool *added)
{
    AUTO_VALUE(Query) q = {0};
    int64_t changed;
    size_t n = note->payload ? strlen(note->payload) : 0;
    if (n > STATE_PAYLOAD_MAX)
        FAIL(ERR_LIMIT, "a notification of %zu bytes is larger than %d", n, STATE_PAYLOAD_MAX);
    TRY(query_open(s,
                   "INSERT INTO outbox (cause, channel, event, payload, created, next_try, status)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?5, 'open')"
                   " ON CONFLICT (cause, channel) WHERE status = 'open' DO NOTHING",
                   &q));
    query_text(&q, note->cause);
    query_text(&q, note->channel);
    query_text(&q, note->event);
    query_whole_text(&q, note->payload ? note->payload : "");
    query_int(&q, note->now);
    TRY(query_run(&q, &changed));
    if (added)
        *added = changed > 0;
    return NULL;
}

/* -- sending --------------------------------------------------------------------------------------
 */

typedef struct Taking {
    Instant now;
    int64_t lease_ms;
    uint32_t limit;
    StateOutbox found;
} Taking;

static Error *lease(State *s, StateNote *n, const Taking *c)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "UPDATE outbox SET attempts = attempts + 1, next_try = ? WHERE id = ?", &q));
    n->attempts++;
    n->next_try = c->now + c->lease_ms;
    query_int(&q, n->next_try);
    query_int(&q, n->id);
    return query_run(&q, NULL);
}

static Error *read_due(State *s, Taking *c)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM outbox WHERE status = 'open' AND next_try <= ?"
                   " ORDER BY next_try, id LIMIT ?",
                   &q));
    query_int(&q, c->now);
    query_int(&q, c->limit + 1);
    return take_notes(&q, c->limit, &c->found);
}

static Error *take(State *s, void *ctx)
{
    Taking *c = ctx;
    TRY(read_due(s, c));
    for (size_t i = 0; i < c->found.count; i++)
        TRY(lease(s, &c->found.items[i], c));
    return NULL;
}

Error *state_outbox_take(State *s, Instant now, int64_t lease_ms, uint32_t limit, StateOutbox *out)
{
    Taking c = {.now = now, .lease_ms = lease_ms, .limit = state_limit(limit)};
    Error *e = state_together(s, take, &c);
    if (e) {
        state_outbox_clear(&c.found);
        return e;
    }
    *out = c.found;
    return NULL;
}

static Error *end(State *s, int64_t id, StateOutboxStatus status, const char *error, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "UPDATE outbox SET status = ?, error = ?, ended = ?, next_try = NULL"
                   " WHERE id = ? AND status = 'open'",
                   &q));
    query_text(&q, names[status]);
    query_maybe_text(&q, error);
    query_int(&q, now);
    query_int(&q, id);
    return query_run(&q, NULL);
}

Error *state_outbox_sent(State *s, int64_t id, Instant now)
{
    return end(s, id, OUTBOX_SENT, NULL, now);
}

Error *state_outbox_give_up(State *s, int64_t id, const char *error, Instant now)
{
    return end(s, id, OUTBOX_GIVEN_UP, error, now);
}

Error *state_outbox_failed(State *s, int64_t id, const char *error, Instant next_try)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "UPDATE outbox SET error = ?, next_try = ? WHERE id = ? AND status = 'open'",
                   &q));
    query_maybe_text(&q, error);
    query_int(&q, next_try);
    query_int(&q, id);
    return query_run(&q, NULL);
}

Error *state_outbox_next(State *s, Instant *out)
{
    return state_number(s, "SELECT min(next_try) FROM outbox WHERE status = 'open'", out);
}

Error *state_outbox_list(State *s, unsigned statuses, int64_t below, uint32_t limit,
                         StateOutbox *out)
{
    AUTO_VALUE(StateOutbox) l = {0};
    AUTO_VALUE(Query) q = {0};
    limit = state_limit(limit);
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM outbox"
                   " WHERE (?1 IS NULL OR instr(?1, ' ' || status || ' '))"
                   " AND id < ifnull(?2, 0x7fffffffffffffff) ORDER BY id DESC LIMIT ?3",
                   &q));
    query_names(&q, statuses, names, OUTBOX_STATUSES);
    query_maybe_int(&q, below);
    query_int(&q, limit + 1);
    TRY(take_notes(&q, limit, &l));
    *out = l;
    l = (StateOutbox){0};
    return NULL;
}
