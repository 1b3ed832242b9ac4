#include "op/job_cancel.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>

#include "base/proc_id.h"

bool op_job_lives(const StateJob *job)
{
    AUTO(char) boot = proc_id_boot();
    return job->pid > 0 && job->boot && !strcmp(job->boot, boot) &&
           proc_id_is_alive(job->pid, job->pid_start);
}

Error *op_cancel_job(State *s, int64_t id, Instant now)
{
    AUTO(StateJob) job = NULL;
    long long n = (long long)id;
    TRY(state_job_get(s, id, &job));
    if (job->status == JOB_QUEUED) {
        bool finished;
        StateJobEnd end = {.status = JOB_CANCELLED, .exit_status = -1, .now = now};
        TRY(state_job_finish(s, id, &end, &finished));
        if (finished)
            return NULL;
    } else if (job->status == JOB_RUNNING) {
        if (!op_job_lives(job))
            FAIL(ERR_PREFLIGHT, "the process of job %lld cannot be reached from here", n);
        if (kill((pid_t)job->pid, SIGTERM) == 0 || errno == ESRCH)
            return NULL;
        return error_errno(ERR_IO, ERR_REPO_PERMISSION, "job %lld cannot be stopped", n);
    }
    FAIL(ERR_EXISTS, "job %lld has ended already", n);
}
