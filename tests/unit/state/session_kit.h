/* For the tests of sync sessions: opening, ending and looking at one. */
#ifndef PGSTOW_TESTS_STATE_SESSION_KIT_H
#define PGSTOW_TESTS_STATE_SESSION_KIT_H

#include "kit.h"

#include "base/text.h"
#include "state/state_session.h"

static inline StateSessionNew wanted(const char *id, const char *target)
{
    return (StateSessionNew){.id = id,
                             .role = SYNC_INITIATOR,
                             .direction = SYNC_PULL,
                             .peer = "berlin",
                             .database = "shop",
                             .target = target,
                             .pid = getpid(),
                             .now = KIT_NOW};
}

/* Opened; its handle. */
static inline StateSessionRef opened(State *s, const StateSessionNew *new)
{
    AUTO(StateSession) one = NULL;
    OK(state_session_open(s, new, &one));
    assert_string_equal(one->id, new->id);
    assert_int_equal(one->status, SYNC_PREPARING);
    return (StateSessionRef){new->id, new->role, one->attempt};
}

static inline StateSession *got(State *s, const char *id)
{
    StateSession *one = NULL;
    OK(state_session_get(s, id, SYNC_INITIATOR, &one));
    return one;
}

static inline SyncStatus status_of(State *s, const char *id)
{
    AUTO(StateSession) one = got(s, id);
    return one->status;
}

static inline void end_as(State *s, const StateSessionRef *ref, SyncStatus status)
{
    bool ended;
    OK(state_session_end(s, ref,
                         &(StateSessionEnd){.status = status,
                                            .error_kind = "NETWORK",
                                            .error_message = "broken off",
                                            .now = KIT_NOW + 5},
                         &ended));
    assert_true(ended);
}

/* As if nothing had been heard of it for so long. */
static inline void silence(int64_t ms)
{
    AUTO(char)
    sql = mem_printf("UPDATE full_sync_sessions SET beat_mono = beat_mono - %lld,"
                     " heartbeat = heartbeat - %lld",
                     (long long)ms, (long long)ms);
    assert_int_equal(kit_sql(sql), SQLITE_OK);
}

#endif
