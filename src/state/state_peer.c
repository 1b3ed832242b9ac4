#include "state/state_peer.h"

#include "state/state_internal.h"

void state_peers_clear(StatePeers *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].name);
        free(l->items[i].facts);
    }
    free(l->items);
    *l = (StatePeers){0};
}

Error *state_peer_add(State *s, const char *name, const char *facts, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    int64_t there;
    TRY(state_number(s, "SELECT count(*) FROM peer", &there));
    if (there >= STATE_PEERS_MAX)
        FAIL(ERR_LIMIT, "there are %d peers already", STATE_PEERS_MAX);
    TRY(query_open(s, "INSERT INTO peer (name, facts, created) VALUES (?, ?, ?)", &q));
    query_text(&q, name);
    query_text(&q, facts);
    query_int(&q, now);
    Error *e = query_run(&q, NULL);
    if (e && error_kind(e) == ERR_EXISTS) {
        error_drop(e);
        return error_hint(ERROR_NEW(ERR_EXISTS, "there is a peer named %s", name),
                          "remove it first, or choose another name");
    }
    return e;
}

Error *state_peer_remove(State *s, const char *name)
{
    AUTO_VALUE(Query) q = {0};
    int64_t changed;
    TRY(query_open(s, "DELETE FROM peer WHERE name = ?", &q));
    query_text(&q, name);
    TRY(query_run(&q, &changed));
    if (!changed)
        FAIL(ERR_NOT_FOUND, "no peer named %s was added here", name);
    return NULL;
}

Error *state_peer_list(State *s, StatePeers *out)
{
    AUTO_VALUE(StatePeers) l = {0};
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "SELECT name, facts, created FROM peer ORDER BY name", &q));
    for (bool more;;) {
        TRY(query_row(&q, &more));
        if (!more)
            break;
        mem_grow(l.items, l.count, l.cap);
        StatePeer *p = &l.items[l.count++];
        *p = (StatePeer){.name = query_get_text(&q), .facts = query_get_text(&q)};
        p->created = query_get_int(&q);
    }
    *out = l;
    l = (StatePeers){0};
    return NULL;
}

Error *state_peer_raise_floor(State *s, const char *node, Instant until)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "INSERT INTO peer_floor (node, until) VALUES (?, ?) ON CONFLICT (node)"
                   " DO UPDATE SET until = max(until, excluded.until)",
                   &q));
    query_text(&q, node);
    query_int(&q, until);
    return query_run(&q, NULL);
}

Error *state_peer_floor(State *s, const char *node, Instant *until)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    *until = 0;
    TRY(query_open(s, "SELECT until FROM peer_floor WHERE node = ?", &q));
    query_text(&q, node);
    TRY(query_row(&q, &more));
    if (more)
        *until = query_get_int(&q);
    return NULL;
}
