#include "state/state_token.h"

#include <string.h>

#include "state/state_internal.h"

#define USED_EVERY_MS 60000

static const char *const names[STATE_ROLES] = {"viewer", "operator", "admin"};

const char *state_role_name(StateRole role)
{
    return role < STATE_ROLES ? names[role] : "";
}

bool state_role_of(const char *name, StateRole *out)
{
    for (unsigned i = 0; i < STATE_ROLES; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *out = (StateRole)i;
        return true;
    }
    return false;
}

static void token_clear(StateToken *t)
{
    free(t->name);
    free(t->last_from);
    *t = (StateToken){0};
}

void state_token_free(StateToken *t)
{
    if (t)
        token_clear(t);
    free(t);
}

void state_tokens_clear(StateTokens *l)
{
    for (size_t i = 0; i < l->count; i++)
        token_clear(&l->items[i]);
    free(l->items);
    *l = (StateTokens){0};
}

#define COLUMNS "id, name, role, created, expires, revoked, last_used, last_from"

/* One whose role is not known is refused, never taken for another. */
static Error *take_token(Query *q, StateToken *t)
{
    t->id = query_get_int(q);
    t->name = query_get_text(q);
    AUTO(char) role = query_get_text(q);
    t->created = query_get_int(q);
    t->expires = query_get_int(q);
    t->revoked = query_get_int(q);
    t->last_used = query_get_int(q);
    t->last_from = query_get_text(q);
    if (!role || !state_role_of(role, &t->role))
        FAIL(ERR_DAMAGED, "token %lld has no role that is known", (long long)t->id);
    return NULL;
}

Error *state_token_add(State *s, const StateTokenNew *token, int64_t *id)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(
        s, "INSERT INTO token (name, hash, role, created, expires) VALUES (?, ?, ?, ?, ?)", &q));
    query_text(&q, token->name);
    query_blob(&q, token->hash, STATE_TOKEN_HASH);
    query_text(&q, state_role_name(token->role));
    query_int(&q, token->now);
    query_maybe_int(&q, token->expires);
    Error *e = query_run(&q, NULL);
    if (e && error_kind(e) == ERR_EXISTS) {
        error_drop(e);
        return error_hint(ERROR_NEW(ERR_EXISTS, "there is a token named %s", token->name),
                          "revoke it first, or choose another name");
    }
    TRY(e);
    if (id)
        *id = query_last_id(&q);
    return NULL;
}

Error *state_token_check(State *s, const uint8_t hash[STATE_TOKEN_HASH], Instant now,
                         StateToken **out)
{
    AUTO(StateToken) t = NULL;
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM token WHERE hash = ? AND revoked IS NULL"
                   " AND (expires IS NULL OR expires > ?)",
                   &q));
    query_blob(&q, hash, STATE_TOKEN_HASH);
    query_int(&q, now);
    TRY(query_row(&q, &more));
    if (more) {
        t = mem_new(StateToken);
        TRY(take_token(&q, t));
    }
    *out = STEAL(t);
    return NULL;
}

/* Looked at before it is written: a transaction that changes nothing still takes the lock. */
static Error *used_lately(State *s, int64_t id, Instant now, bool *lately)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "SELECT 1 FROM token WHERE id = ? AND last_used > ? AND last_used <= ?", &q));
    query_int(&q, id);
    query_int(&q, now - USED_EVERY_MS);
    query_int(&q, now);
    return query_row(&q, lately);
}

Error *state_token_used(State *s, int64_t id, const char *from, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    bool lately;
    TRY(used_lately(s, id, now, &lately));
    if (lately)
        return NULL;
    TRY(query_open(s, "UPDATE token SET last_used = ?, last_from = ? WHERE id = ?", &q));
    query_int(&q, now);
    query_maybe_text(&q, from);
    query_int(&q, id);
    return query_run(&q, NULL);
}

Error *state_token_revoke(State *s, const char *name, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    int64_t changed;
    TRY(query_open(s, "UPDATE token SET revoked = ? WHERE name = ? AND revoked IS NULL", &q));
    query_int(&q, now);
    query_text(&q, name);
    TRY(query_run(&q, &changed));
    if (!changed)
        FAIL(ERR_NOT_FOUND, "there is no token named %s that could be revoked", name);
    return NULL;
}

Error *state_token_list(State *s, int64_t below, uint32_t limit, StateTokens *out)
{
    AUTO_VALUE(StateTokens) l = {0};
    AUTO_VALUE(Query) q = {0};
    limit = state_limit(limit);
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM token WHERE id < ifnull(?, 0x7fffffffffffffff)"
                   " ORDER BY id DESC LIMIT ?",
                   &q));
    query_maybe_int(&q, below);
    query_int(&q, limit + 1);
    for (bool got;;) {
        TRY(query_page(&q, l.count, limit, &l.more, &got));
        if (!got)
            break;
        mem_grow(l.items, l.count, l.cap);
        l.items[l.count++] = (StateToken){0};
        TRY(take_token(&q, &l.items[l.count - 1]));
    }
    *out = l;
    l = (StateTokens){0};
    return NULL;
}
