#include "op/history.h"

#include <pwd.h>
#include <unistd.h>

#include "base/log.h"
#include "op/job_part.h"

struct History {
    State *state;
    int64_t job;
};

static void history_free(History *h)
{
    if (h)
        state_close(h->state);
    free(h);
}
DEFINE_AUTO(History, history_free)

/* Where there is no state nothing is amiss. */
static void shrug(Error *e)
{
    if (e && error_kind(e) != ERR_NOT_FOUND)
        log_warning("the history has nothing of this run: %s", error_message(e));
    error_drop(e);
}

char *history_user(void)
{
    struct passwd entry, *found = NULL;
    char room[4096];
    if (getpwuid_r(geteuid(), &entry, room, sizeof room, &found) == 0 && found)
        return mem_strdup(found->pw_name);
    return mem_printf("%u", (unsigned)geteuid());
}

static Error *begin(const HistoryRun *run, History *h)
{
    AUTO(char) user = history_user();
    StateJobNew job = {.kind = run->kind,
                       .entry = run->entry,
                       .database = run->database,
                       .trigger = "cli",
                       .actor = user,
                       .arguments = run->arguments,
                       .now = clock_now()};
    bool started;
    TRY(state_open(run->folder, &(StateOptions){.existing = true}, &h->state));
    TRY(state_job_create(h->state, &job, &h->job));
    return state_job_start(h->state, h->job, getpid(), clock_now(), &started);
}

History *history_begin(const HistoryRun *run)
{
    if (getenv("PGSTOW_JOB"))
        return NULL;
    AUTO(History) h = mem_new(History);
    Error *e = begin(run, h);
    if (!e)
        return STEAL(h);
    shrug(e);
    return NULL;
}

void history_part(History *h, const Doc *part)
{
    if (h)
        shrug(job_part_record(h->state, h->job, part));
}

void history_end(History *h, const HistoryEnd *end)
{
    AUTO(History) owned = h;
    if (!h)
        return;
    StateJobEnd how = {.status = JOB_SUCCEEDED,
                       .backup = end->backup,
                       .result = end->result,
                       .progress = end->progress,
                       .now = clock_now()};
    if (end->error) {
        const ErrorKindInfo *kind = error_kind_info(error_kind(end->error));
        how.status = error_kind(end->error) == ERR_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
        how.error_kind = kind->name;
        how.error_message = error_message(end->error);
        how.error_hint = error_hint_text(end->error);
        how.exit_status = kind->exit_status;
    }
    shrug(state_job_finish(h->state, h->job, &how, NULL));
}
