#include "state/state_audit.h"

#include "state/state_internal.h"

void state_audit_clear(StateAudit *l)
{
    for (size_t i = 0; i < l->count; i++) {
        StateAuditEntry *e = &l->items[i];
        free(e->actor);
        free(e->role);
        free(e->origin);
        free(e->action);
        free(e->object);
        free(e->outcome);
        free(e->detail);
    }
    free(l->items);
    *l = (StateAudit){0};
}

Error *state_audit_add(State *s, const StateAuditNew *entry, int64_t *id)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "INSERT INTO audit (at, actor, role, origin, action, object, outcome, detail)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   &q));
    query_int(&q, entry->now);
    query_text(&q, entry->actor);
    query_text(&q, entry->role);
    query_text(&q, entry->origin);
    query_text(&q, entry->action);
    query_text(&q, entry->object);
    query_text(&q, entry->outcome);
    query_maybe_text(&q, entry->detail);
    TRY(query_run(&q, NULL));
    if (id)
        *id = query_last_id(&q);
    return NULL;
}

Error *state_audit_list(State *s, const StateAuditFilter *filter, StateAudit *out)
{
    static const StateAuditFilter any = {0};
    const StateAuditFilter *f = filter ? filter : &any;
    uint32_t limit = state_limit(f->limit);
    AUTO_VALUE(StateAudit) l = {0};
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT id, at, actor, role, origin, action, object, outcome, detail FROM audit"
                   " WHERE (?1 IS NULL OR actor = ?1) AND (?2 IS NULL OR action = ?2)"
                   " AND (?3 IS NULL OR object = ?3) AND (?4 IS NULL OR outcome = ?4)"
                   " AND (?5 IS NULL OR at >= ?5) AND (?6 IS NULL OR at < ?6)"
                   " AND id < ifnull(?7, 0x7fffffffffffffff) ORDER BY id DESC LIMIT ?8",
                   &q));
    query_maybe_text(&q, f->actor);
    query_maybe_text(&q, f->action);
    query_maybe_text(&q, f->object);
    query_maybe_text(&q, f->outcome);
    query_maybe_int(&q, f->since);
    query_maybe_int(&q, f->until);
    query_maybe_int(&q, f->below);
    query_int(&q, limit + 1);
    for (bool got;;) {
        TRY(query_page(&q, l.count, limit, &l.more, &got));
        if (!got)
            break;
        mem_grow(l.items, l.count, l.cap);
        StateAuditEntry *e = &l.items[l.count++];
        e->id = query_get_int(&q);
        e->at = query_get_int(&q);
        e->actor = query_get_text(&q);
        e->role = query_get_text(&q);
        e->origin = query_get_text(&q);
        e->action = query_get_text(&q);
        e->object = query_get_text(&q);
        e->outcome = query_get_text(&q);
        e->detail = query_get_text(&q);
    }
    *out = l;
    l = (StateAudit){0};
    return NULL;
}
