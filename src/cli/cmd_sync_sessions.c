/* sync status|history|cancel|clear-stuck: the sessions of this host. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_sync.h"
#include "cli/confirm.h"
#include "cli/log_print.h"
#include "op/sync_session_doc.h"
#include "op/sync_stop.h"

#define NAMES_WIDTH 12 /* of what is known of one */
#define NO_STATE "the first sync makes it; server.stateDir says where it is"

static Error *refuse_more(const Run *run, size_t most)
{
    if (run->args->word_count <= most)
        return NULL;
    AUTO(char) shown = text_printable(run_word(run, most));
    FAIL(ERR_USAGE, "sync %s takes no \"%s\"", run_word(run, 0), shown);
}

/* -- how they are shown ---------------------------------------------------------------------------
 */

static char *took(const StateSession *s)
{
    char text[32];
    int64_t ms = (s->ended ? s->ended : clock_now()) - s->started;
    return mem_strdup(text_duration(ms > 0 ? ms : 0, text));
}

/* "1.2 GB of 3.4 GB", "17 of 20 rows", or "". */
static char *progress_text(const StateSession *s)
{
    char a[32], b[32];
    /* What was done in less time than passes between two reports was not counted. */
    if (s->ended && !s->bytes_done && !s->rows_done)
        return mem_strdup("");
    if (s->bytes_total)
        return mem_printf("%s of %s", text_size(s->bytes_done, a), text_size(s->bytes_total, b));
    if (s->rows_total)
        return mem_printf("%s of %s rows", output_count(s->rows_done, a),
                          output_count(s->rows_total, b));
    if (s->bytes_done)
        return mem_strdup(text_size(s->bytes_done, a));
    return mem_strdup("");
}

static char *left_text(const StateSession *s)
{
    char a[32];
    int64_t ms = s->completion ? s->completion - clock_now() : 0;
    return mem_strdup(ms > 0 ? text_duration(ms, a) : "");
}

static char *what_text(const StateSession *s)
{
    if (s->error_message)
        return mem_strdup(s->error_message);
    if (s->ended)
        return mem_strdup(s->backup ? s->backup : "");
    AUTO(char) done = progress_text(s);
    AUTO(char) left = left_text(s);
    const char *phase = s->cancel_requested ? "is being cancelled" : s->phase ? s->phase : "";
    return mem_printf("%s%s%s%s%s%s", phase, *phase && *done ? ", " : "", done,
                      (*phase || *done) && *left ? ", " : "", left, *left ? " left" : "");
}

static void print_table(const StateSessions *l)
{
    static const char *const headings[] = {"SESSION", "WAY",     "PEER",  "DATABASE", "STATUS",
                                           "METHOD",  "STARTED", ">TOOK", ">WIRE",    "WHAT"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < l->count; i++) {
        const StateSession *s = &l->items[i];
        char text[CLOCK_TEXT], size[32];
        table_add(&t, s->id);
        table_own(&t, mem_printf("%s%s", state_session_direction_name(s->direction),
                                 s->role == SYNC_REMOTE ? " (asked by peer)" : ""));
        table_add(&t, s->peer);
        table_add(&t, *s->entry ? s->entry : *s->database ? s->database : "-");
        table_add(&t, state_session_status_name(s->status));
        table_add(&t, *s->method ? s->method : "-");
        table_add(&t, clock_human(s->started, text));
        table_own(&t, took(s));
        table_add(&t, s->wire_bytes ? text_size(s->wire_bytes, size) : "-");
        table_own(&t, what_text(s));
    }
    table_print(&t);
}

static void print_bytes(const char *name, uint64_t bytes, const char *behind)
{
    char text[32];
    if (!bytes)
        return;
    AUTO(char) shown = mem_printf("%s%s", text_size(bytes, text), behind);
    output_fact(NAMES_WIDTH, name, shown);
}

static void print_session(const StateSession *s)
{
    AUTO(char)
    way = mem_printf("%s, %s here", state_session_direction_name(s->direction),
                     state_session_role_name(s->role));
    AUTO(char) attempt = s->attempt > 1 ? mem_printf("%d", s->attempt) : NULL;
    AUTO(char) job = s->job ? mem_printf("%lld", (long long)s->job) : NULL;
    AUTO(char) long_it_took = took(s);
    AUTO(char) done = progress_text(s);
    AUTO(char) left = left_text(s);
    char count[32];
    output_fact(NAMES_WIDTH, "session", s->id);
    output_fact(NAMES_WIDTH, "way", way);
    output_fact(NAMES_WIDTH, "peer", s->peer);
    output_fact(NAMES_WIDTH, "entry", s->entry);
    output_fact(NAMES_WIDTH, "database", s->database);
    output_fact(NAMES_WIDTH, "status", state_session_status_name(s->status));
    output_fact(NAMES_WIDTH, "", s->cancel_requested && !s->ended ? "it is being cancelled" : NULL);
    output_fact(NAMES_WIDTH, "phase", s->phase);
    output_fact(NAMES_WIDTH, "method", s->method);
    output_fact(NAMES_WIDTH, "attempt", attempt);
    output_fact(NAMES_WIDTH, "done", done);
    output_fact(NAMES_WIDTH, "rows", s->rows_done ? output_count(s->rows_done, count) : NULL);
    print_bytes("on the wire", s->wire_bytes, "");
    print_bytes("speed", s->speed, "/s");
    output_fact(NAMES_WIDTH, "time left", left);
    output_time(NAMES_WIDTH, "started", s->started);
    output_time(NAMES_WIDTH, "ended", s->ended);
    output_fact(NAMES_WIDTH, "took", long_it_took);
    if (!s->ended)
        output_time(NAMES_WIDTH, "heartbeat", s->heartbeat);
    output_fact(NAMES_WIDTH, "backup", s->backup);
    output_fact(NAMES_WIDTH, "job", job);
    output_fact(NAMES_WIDTH, "by", s->actor);
    output_fact(NAMES_WIDTH, "error", s->error_kind);
    output_fact(NAMES_WIDTH, "", s->error_message);
    output_fact(NAMES_WIDTH, "hint", s->error_hint);
}

static Error *read_log(State *state, const void *of, int64_t after, StateLog *out)
{
    const StateSession *s = of;
    return state_session_log_read(state, s->id, s->role, after, 0, out);
}

/* -- status, history ------------------------------------------------------------------------------
 */

static Error *show(Run *run, State *state, const char *id)
{
    AUTO_VALUE(StateSessions) l = {0};
    AUTO(Doc) d = doc_object();
    Doc *all = doc_array();
    doc_set(d, "sessions", all);
    TRY(state_session_list(state, &(StateSessionFilter){.id = id}, &l));
    if (!l.count) {
        AUTO(StateSession) none = NULL;
        return state_session_get(state, id, SYNC_INITIATOR, &none);
    }
    for (size_t i = 0; i < l.count; i++) {
        Doc *one = run->json ? sync_session_doc(&l.items[i]) : NULL;
        Doc *lines = one ? doc_array() : NULL;
        if (one) {
            doc_set(one, "log", lines);
            doc_push(all, one);
        } else {
            print_session(&l.items[i]);
        }
        TRY(log_print(state, read_log, &l.items[i], lines));
        if (!run->json && i + 1 < l.count)
            putchar('\n');
    }
    if (run->json)
        run_result(run, STEAL(d));
    return NULL;
}

static Error *list(Run *run, State *state, const StateSessionFilter *f, const char *none)
{
    AUTO_VALUE(StateSessions) l = {0};
    TRY(state_session_list(state, f, &l));
    if (run->json)
        run_result(run, sync_session_list_doc(&l));
    else if (l.count)
        print_table(&l);
    else
        puts(none);
    return NULL;
}

Error *sync_status(Run *run)
{
    AUTO(State) state = NULL;
    const char *id = run_word(run, 1);
    TRY(run_state(run, NO_STATE, &state));
    if (id)
        return show(run, state, id);
    return list(run, state, &(StateSessionFilter){.statuses = SYNC_LIVE},
                "no sync is under way: pgstow sync history shows those that were");
}

Error *sync_history(Run *run)
{
    AUTO(State) state = NULL;
    uint32_t limit = (uint32_t)config_int(run->config, SETTING_JOBS_LIMIT);
    TRY(refuse_more(run, 1));
    TRY(run_state(run, NO_STATE, &state));
    return list(run, state, &(StateSessionFilter){.limit = limit}, "there has been no sync yet");
}

/* -- cancel, clear-stuck --------------------------------------------------------------------------
 */

static void tell(Run *run, const StateSessions *l, bool dead, const char *none)
{
    if (run->json) {
        run_result(run, sync_session_list_doc(l));
        return;
    }
    if (!l->count)
        puts(none);
    for (size_t i = 0; i < l->count; i++) {
        const StateSession *s = &l->items[i];
        AUTO(char) why = text_printable(dead && s->error_message ? s->error_message : "");
        if (s->ended)
            printf("%s (%s, peer %s) is %s%s%s\n", s->id,
                   state_session_direction_name(s->direction), s->peer,
                   state_session_status_name(s->status), *why ? ": " : "", why);
        else
            printf("%s (%s, peer %s) was asked to stop: pgstow sync status %s\n", s->id,
                   state_session_direction_name(s->direction), s->peer, s->id);
    }
}

Error *sync_cancel(Run *run)
{
    AUTO(State) state = NULL;
    AUTO_VALUE(StateSessions) l = {0};
    const char *id;
    TRY(sync_word(run, "session", &id));
    TRY(run_state(run, NO_STATE, &state));
    TRY(op_sync_cancel(state, id, NULL, NULL, clock_now(), &l));
    tell(run, &l, false, "");
    return NULL;
}

/* One that is named may live: it is asked about. */
static Error *clear_named(Run *run, State *state, const char *id, StateSessions *out)
{
    AUTO_VALUE(StateSessions) dead = {0};
    TRY(state_session_expire(state, false, clock_now(), &dead));
    for (size_t i = 0; i < dead.count; i++) {
        if (strcmp(dead.items[i].id, id) != 0)
            continue;
        *out = dead;
        dead = (StateSessions){0};
        return NULL;
    }
    AUTO_VALUE(StateSessions) l = {0};
    TRY(state_session_list(state, &(StateSessionFilter){.id = id, .statuses = SYNC_LIVE}, &l));
    AUTO(char)
    question =
        mem_printf("The sync session %s lives. Clear it, and so stop whoever works for it?", id);
    if (l.count)
        TRY(confirm_ask(question, run->yes, false, run->cancel));
    return op_sync_clear(state, id, clock_now(), out);
}

Error *sync_clear_stuck(Run *run)
{
    AUTO(State) state = NULL;
    AUTO_VALUE(StateSessions) l = {0};
    const char *id = run_word(run, 1);
    TRY(run_state(run, NO_STATE, &state));
    if (id)
        TRY(clear_named(run, state, id, &l));
    else
        TRY(state_session_expire(state, false, clock_now(), &l));
    tell(run, &l, true, "no session is stuck: whoever works for one gives signs of life");
    return NULL;
}
