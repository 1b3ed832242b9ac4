/* The audit log: every change that was asked for, by whom, from where, and what came of it. It is
 * only added to: the database itself refuses to change or delete an entry, but for retention
 * (state_retain.h), which must first say up to which entry; a number is never used again. */
#ifndef PGSTOW_STATE_STATE_AUDIT_H
#define PGSTOW_STATE_STATE_AUDIT_H

#include "state/state.h"

typedef struct StateAuditEntry {
    int64_t id;
    Instant at;
    char *actor;   /* token's or system user's name; empty where nobody was recognised */
    char *role;    /* "viewer", "operator", "admin"; or empty */
    char *origin;  /* address, or "cli" */
    char *action;  /* "backup.create", "token.revoke", ... */
    char *object;  /* what it was about: a backup's id, a database, a token's name */
    char *outcome; /* "done", "refused", "failed"; "begun", where its end is another entry */
    char *detail;  /* JSON or words, or NULL; no secret is ever in it */
} StateAuditEntry;

typedef struct StateAudit {
    StateAuditEntry *items;
    size_t count, cap;
    bool more; /* there are further ones; the last one's id is the cursor to them */
} StateAudit;
void state_audit_clear(StateAudit *l);
DEFINE_AUTO_VALUE(StateAudit, state_audit_clear)

/* Borrowed; NULL is the empty text. */
typedef struct StateAuditNew {
    const char *actor, *role, *origin, *action, *object, *outcome, *detail;
    Instant now;
} StateAuditNew;
Error *state_audit_add(State *s, const StateAuditNew *entry, int64_t *id_or_null) MUST_CHECK;

/* What is NULL or 0 does not matter. */
typedef struct StateAuditFilter {
    const char *actor, *action, *object, *outcome;
    Instant since, until; /* in [since, until) */
    int64_t below;        /* ids below this one: the cursor */
    uint32_t limit;
} StateAuditFilter;
/* The newest first. filter may be NULL. */
Error *state_audit_list(State *s, const StateAuditFilter *filter, StateAudit *out) MUST_CHECK;

#endif
