/* Sessions: reading them, their names, their log, figures of them. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "state/session_rows.h"

/* -- names ----------------------------------------------------------------------------------------
 */

static const char *const roles[SYNC_ROLES] = {"initiator", "remote"};
static const char *const directions[SYNC_DIRECTIONS] = {"pull", "push"};
static const char *const statuses[SYNC_STATUSES] = {"PREPARING", "BACKING_UP", "TRANSFERRING",
                                                    "RESTORING", "VERIFYING",  "COMPLETED",
                                                    "FAILED",    "CANCELLED"};

static bool find_name(const char *name, const char *const *names, unsigned count, unsigned *out)
{
    for (*out = 0; *out < count; ++*out)
        if (name && !strcmp(name, names[*out]))
            return true;
    return false;
}

const char *state_session_role_name(SyncRole role)
{
    return role < SYNC_ROLES ? roles[role] : "";
}

const char *state_session_direction_name(SyncDirection direction)
{
    return direction < SYNC_DIRECTIONS ? directions[direction] : "";
}

const char *state_session_status_name(SyncStatus status)
{
    return status < SYNC_STATUSES ? statuses[status] : "";
}

bool state_session_role_of(const char *name, SyncRole *out)
{
    unsigned i;
    if (!find_name(name, roles, SYNC_ROLES, &i))
        return false;
    *out = (SyncRole)i;
    return true;
}

bool state_session_direction_of(const char *name, SyncDirection *out)
{
    unsigned i;
    if (!find_name(name, directions, SYNC_DIRECTIONS, &i))
        return false;
    *out = (SyncDirection)i;
    return true;
}

bool state_session_status_of(const char *name, SyncStatus *out)
{
    unsigned i;
    if (!find_name(name, statuses, SYNC_STATUSES, &i))
        return false;
    *out = (SyncStatus)i;
    return true;
}

bool state_session_may_follow(SyncStatus from, SyncStatus to)
{
    if (from >= SYNC_COMPLETED || to >= SYNC_STATUSES)
        return false;
    return to >= from || (from == SYNC_BACKING_UP && to == SYNC_PREPARING);
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

bool state_session_id_valid(const char *id)
{
    size_t n = id ? strlen(id) : 0;
    return n > 0 && n <= SYNC_ID_MAX && strspn(id, LETTERS) > 0 && strspn(id, LETTERS ".-") == n;
}

char *state_session_id_make(Instant now, char *out)
{
    uint8_t raw[3];
    char when[CLOCK_TEXT], hex[2 * sizeof raw + 1];
    random_bytes(raw, sizeof raw);
    text_hex(raw, sizeof raw, hex);
    clock_key(now, when);
    snprintf(out, SYNC_ID_TEXT, "%.8s-%.6s-%s", when, when + 8, hex);
    return out;
}

/* -- rows -----------------------------------------------------------------------------------------
 */

static void session_clear(StateSession *s)
{
    free(s->id);
    free(s->peer);
    free(s->entry);
    free(s->database);
    free(s->target);
    free(s->place);
    free(s->method);
    free(s->phase);
    free(s->error_kind);
    free(s->error_message);
    free(s->error_hint);
    free(s->backup);
    free(s->options);
    free(s->result);
    free(s->actor);
    free(s->boot);
    *s = (StateSession){0};
}

void state_session_free(StateSession *s)
{
    if (s)
        session_clear(s);
    free(s);
}

void state_sessions_clear(StateSessions *l)
{
    for (size_t i = 0; i < l->count; i++)
        session_clear(&l->items[i]);
    free(l->items);
    *l = (StateSessions){0};
}

static Error *take_session(Query *q, StateSession *s)
{
    s->n = query_get_int(q);
    s->id = query_get_text(q);
    AUTO(char) role = query_get_text(q);
    AUTO(char) direction = query_get_text(q);
    AUTO(char) status = query_get_text(q);
    s->attempt = (int)query_get_int(q);
    s->peer = query_get_text(q);
    s->entry = query_get_text(q);
    s->database = query_get_text(q);
    s->target = query_get_text(q);
    s->place = query_get_text(q);
    s->method = query_get_text(q);
    s->phase = query_get_text(q);
    s->bytes_done = (uint64_t)query_get_int(q);
    s->bytes_total = (uint64_t)query_get_int(q);
    s->wire_bytes = (uint64_t)query_get_int(q);
    s->rows_done = (uint64_t)query_get_int(q);
    s->rows_total = (uint64_t)query_get_int(q);
    s->speed = (uint64_t)query_get_int(q);
    s->completion = query_get_int(q);
    s->error_kind = query_get_text(q);
    s->error_message = query_get_text(q);
    s->error_hint = query_get_text(q);
    s->backup = query_get_text(q);
    s->options = query_get_text(q);
    s->result = query_get_text(q);
    s->actor = query_get_text(q);
    s->created = query_get_int(q);
    s->started = query_get_int(q);
    s->ended = query_get_int(q);
    s->heartbeat = query_get_int(q);
    s->beat_mono = query_get_int(q);
    s->pid = query_get_int(q);
    s->pid_start = query_get_int(q);
    s->boot = query_get_text(q);
    s->job = query_get_int(q);
    s->cancel_requested = query_get_int(q) != 0;
    s->expired = query_get_int(q) != 0;
    if (!state_session_role_of(role, &s->role) ||
        !state_session_direction_of(direction, &s->direction) ||
        !state_session_status_of(status, &s->status))
        FAIL(ERR_DAMAGED, "the sync session %s has no status that is known", s->id);
    return NULL;
}

Error *session_rows(Query *q, uint32_t limit, StateSessions *out)
{
    for (bool got;;) {
        TRY(query_page(q, out->count, limit, &out->more, &got));
        if (!got)
            return NULL;
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = (StateSession){0};
        TRY(take_session(q, &out->items[out->count - 1]));
    }
}

Error *session_only(Query *q, StateSession **out)
{
    AUTO(StateSession) one = NULL;
    bool more;
    TRY(query_row(q, &more));
    if (more) {
        one = mem_new(StateSession);
        TRY(take_session(q, one));
    }
    *out = STEAL(one);
    return NULL;
}

Error *session_missing(const char *id)
{
    AUTO(char) shown = text_printable(id ? id : "");
    return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no sync session \"%s\"", shown),
                      "`pgstow sync history` shows those that are known here");
}

Error *session_row(State *s, const char *id, SyncRole role, StateSession **out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(
        s, "SELECT " SESSION_COLUMNS " FROM full_sync_sessions WHERE id = ? AND role = ?", &q));
    query_text(&q, id);
    query_text(&q, state_session_role_name(role));
    return session_only(&q, out);
}

Error *state_session_get(State *s, const char *id, SyncRole role, StateSession **out)
{
    TRY(state_session_expire(s, false, clock_now(), NULL));
    TRY(session_row(s, id, role, out));
    return *out ? NULL : session_missing(id);
}

Error *state_session_list(State *s, const StateSessionFilter *filter, StateSessions *out)
{
    static const StateSessionFilter all = {0};
    const StateSessionFilter *f = filter ? filter : &all;
    AUTO_VALUE(StateSessions) l = {0};
    AUTO_VALUE(Query) q = {0};
    uint32_t limit = state_limit(f->limit);
    TRY(state_session_expire(s, false, clock_now(), NULL));
    TRY(query_open(s,
                   "SELECT " SESSION_COLUMNS " FROM full_sync_sessions"
                   " WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR peer = ?2)"
                   " AND (?3 IS NULL OR entry = ?3) AND (?4 IS NULL OR database = ?4)"
                   " AND (?5 IS NULL OR instr(?5, ' ' || status || ' '))"
                   " AND (?6 IS NULL OR instr(?6, ' ' || role || ' '))"
                   " AND (?7 = 0 OR n < ?7) ORDER BY n DESC LIMIT ?8",
                   &q));
    query_maybe_text(&q, f->id);
    query_maybe_text(&q, f->peer);
    query_maybe_text(&q, f->entry);
    query_maybe_text(&q, f->database);
    query_names(&q, f->statuses, statuses, SYNC_STATUSES);
    query_names(&q, f->roles, roles, SYNC_ROLES);
    query_int(&q, f->below);
    query_int(&q, limit + 1);
    TRY(session_rows(&q, limit, &l));
    *out = l;
    l = (StateSessions){0};
    return NULL;
}

/* -- figures --------------------------------------------------------------------------------------
 */

void state_session_figures_clear(StateSessionFigures *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].peer);
        free(l->items[i].database);
    }
    free(l->items);
    *l = (StateSessionFigures){0};
}

static Error *add_counts(State *s, StateSessionFigure *f)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT status, count(*) FROM full_sync_sessions WHERE peer = ? AND database = ?"
                   " AND direction = ? AND role = ? GROUP BY status",
                   &q));
    query_text(&q, f->peer);
    query_text(&q, f->database);
    query_text(&q, directions[f->direction]);
    query_text(&q, roles[f->role]);
    for (bool more;;) {
        SyncStatus status;
        TRY(query_row(&q, &more));
        if (!more)
            return NULL;
        AUTO(char) name = query_get_text(&q);
        if (state_session_status_of(name, &status))
            f->counts[status] = (uint64_t)query_get_int(&q);
    }
}

static Error *read_figures(State *s, StateSessionFigures *out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT peer, database, direction, role,"
                   " max(CASE WHEN " SESSION_SYNCED " THEN ended END), sum(wire_bytes)"
                   " FROM full_sync_sessions GROUP BY peer, database, direction, role"
                   " ORDER BY peer, database, direction, role LIMIT ?",
                   &q));
    query_int(&q, STATE_LIST_MAX);
    for (bool more;;) {
        TRY(query_row(&q, &more));
        if (!more)
            return NULL;
        mem_grow(out->items, out->count, out->cap);
        StateSessionFigure *f = &out->items[out->count++];
        *f = (StateSessionFigure){0};
        f->peer = query_get_text(&q);
        f->database = query_get_text(&q);
        AUTO(char) direction = query_get_text(&q);
        AUTO(char) role = query_get_text(&q);
        f->last_success = query_get_int(&q);
        f->wire_bytes = (uint64_t)query_get_int(&q);
        if (!state_session_direction_of(direction, &f->direction) ||
            !state_session_role_of(role, &f->role))
            FAIL(ERR_DAMAGED, "a sync session with %s has no role that is known", f->peer);
    }
}

Error *state_session_figures(State *s, StateSessionFigures *out)
{
    AUTO_VALUE(StateSessionFigures) l = {0};
    TRY(read_figures(s, &l));
    for (size_t i = 0; i < l.count; i++)
        TRY(add_counts(s, &l.items[i]));
    *out = l;
    l = (StateSessionFigures){0};
    return NULL;
}

/* -- what it has said -----------------------------------------------------------------------------
 */

Error *state_session_log_read(State *s, const char *id, SyncRole role, int64_t after,
                              uint32_t limit, StateLog *out)
{
    AUTO_VALUE(Query) q = {0};
    limit = state_limit(limit);
    after = after > 0 ? after : 0;
    TRY(query_open(s,
                   "SELECT l.n, l.at, l.level, l.line FROM full_sync_log l"
                   " JOIN full_sync_sessions s ON s.n = l.session"
                   " WHERE s.id = ? AND s.role = ? AND l.n > ? ORDER BY l.n LIMIT ?",
                   &q));
    query_text(&q, id);
    query_text(&q, state_session_role_name(role));
    query_int(&q, after);
    query_int(&q, limit + 1);
    return state_log_take(&q, after, limit, out);
}
