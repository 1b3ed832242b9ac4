/* Syncs that a peer asked for and that died without a word: no job of this service failed of them,
 * so nobody else tells. */
#include <string.h>

#include "op/notify_work.h"
#include "state/state_session.h"

#define LOOKED_AT 200     /* sessions, the newest */
#define OLD_MS 86400000ll /* what died before that is no news any more */

static const char look_at[] =
    "Look whether the peer's service, its host and the network are there (`pgstow peer ping`), and "
    "at what the sync said: `pgstow sync status`. Its database here, or the peer's, holds all of "
    "it or nothing. You are told again when one is COMPLETED.";

/* Nothing was to be changed by it. */
static bool is_trial(const StateSession *s)
{
    AUTO(Doc) d = NULL;
    const char *text = s->options ? s->options : "{}";
    AUTO(Error) e = doc_parse(text, strlen(text), "the session's options", &d);
    return !e && (doc_bool(d, "dryRun", false) || doc_bool(d, "test", false));
}

/* A job that failed was told of by itself. */
static bool was_told(const Telling *c, const StateSession *s)
{
    AUTO(StateJob) job = NULL;
    if (!s->job)
        return false;
    AUTO(Error) e = state_job_get(c->s, s->job, &job);
    return !e && (job->status == JOB_FAILED || job->status == JOB_INTERRUPTED);
}

static Error *tell_dead(const Telling *c, const char *cause, const StateSession *s)
{
    AUTO_VALUE(StrList) more = {0};
    AUTO(char)
    subject =
        mem_printf("the sync of %s that peer %s asked for was broken off", s->database, s->peer);
    strlist_own(&more, mem_printf("session %s, a %s: %s", s->id,
                                  state_session_direction_name(s->direction),
                                  s->error_message ? s->error_message : "it does not say why"));
    if (s->error_hint)
        strlist_add(&more, s->error_hint);
    NoteFacts f = {.event = NOTIFY_FAILURE,
                   .kind = "sync",
                   .entry = s->entry,
                   .database = s->database,
                   .subject = subject,
                   .since = s->ended,
                   .more = &more,
                   .next = look_at};
    return notify_begin(c, cause, s->error_message, &f);
}

static Error *tell_over(const Telling *c, const char *cause, const StateSession *s)
{
    Instant since = 0;
    bool told;
    TRY(notify_end(c, cause, &since));
    AUTO(char)
    subject = mem_printf("the sync of %s that peer %s asks for works again", s->database, s->peer);
    NoteFacts f = {.event = NOTIFY_RECOVERED,
                   .kind = "sync",
                   .entry = s->entry,
                   .database = s->database,
                   .subject = subject,
                   .since = since};
    return since && c->t->on_failure ? notify_tell(c, cause, since, &f, &told) : NULL;
}

/* The newest one of these says how it stands. */
static Error *look(const Telling *c, const StateSession *s, StrList *seen)
{
    Telling one = *c;
    AUTO(char)
    cause = mem_printf("dead-sync/%s/%s/%s/%s", state_session_direction_name(s->direction), s->peer,
                       s->entry, s->database);
    one.t = notifier_find(c->n, s->entry);
    if (!one.t || strlist_has(seen, cause) || is_trial(s))
        return NULL;
    strlist_add(seen, cause);
    if (s->status == SYNC_COMPLETED)
        return tell_over(&one, cause, s);
    if (!s->expired || s->ended < c->now - OLD_MS || was_told(c, s))
        return NULL;
    return tell_dead(&one, cause, s);
}

Error *notify_dead_syncs(const Telling *c)
{
    AUTO_VALUE(StateSessions) l = {0};
    AUTO_VALUE(StrList) seen = {0};
    StateSessionFilter f = {.roles = 1u << SYNC_REMOTE, .limit = LOOKED_AT};
    TRY(state_session_list(c->s, &f, &l));
    for (size_t i = 0; i < l.count; i++)
        if (l.items[i].ended)
            TRY(look(c, &l.items[i], &seen));
    return NULL;
}
