/* Jobs, schedules, databases, and whether the service is well. */
#include <string.h>

#include "op/job_doc.h"
#include "serve/api_internal.h"
#include "serve/plan_doc.h"
#include "state/state_event.h"

Error *api_jobs(Ask *a)
{
    static const char *const known[] = {"kind",   "entry",  "database", "status",
                                        "backup", "before", "limit",    NULL};
    AUTO_VALUE(StateJobs) jobs = {0};
    int64_t limit, below;
    StateJobStatus status;
    TRY(api_known_query(a, known));
    TRY(api_number(a, "limit", STATE_LIST_MAX, API_LIMIT, &limit));
    TRY(api_number(a, "before", INT64_MAX, 0, &below));
    StateJobFilter f = {.kind = http_call_query(a->call, "kind"),
                        .entry = http_call_query(a->call, "entry"),
                        .database = http_call_query(a->call, "database"),
                        .backup = http_call_query(a->call, "backup"),
                        .below = below,
                        .limit = (uint32_t)limit};
    const char *wanted = http_call_query(a->call, "status");
    if (wanted && !state_job_status_of(wanted, &status))
        FAIL(ERR_USAGE, "no job has the status \"%s\"", wanted);
    f.statuses = wanted ? 1u << status : 0;
    TRY(state_job_list(a->api->service->state, &f, &jobs));
    Doc *d = doc_object(), *all = doc_array();
    for (size_t i = 0; i < jobs.count; i++)
        doc_push(all, job_doc(&jobs.items[i]));
    doc_set(d, "jobs", all);
    doc_set_bool(d, "more", jobs.more);
    api_reply(a, d);
    return NULL;
}

static Error *number_of(const Ask *a, int64_t *out)
{
    Error *e = text_parse_int(a->part, 1, INT64_MAX, out);
    if (!e)
        return NULL;
    error_free(e);
    FAIL(ERR_NOT_FOUND, "there is no job \"%s\"", a->part);
}

Error *api_job(Ask *a)
{
    static const char *const known[] = {"after", "limit", NULL};
    AUTO(StateJob) job = NULL;
    AUTO_VALUE(StateLog) log = {0};
    int64_t id, after, limit;
    TRY(api_known_query(a, known));
    TRY(api_number(a, "after", INT64_MAX, 0, &after));
    TRY(api_number(a, "limit", STATE_LIST_MAX, STATE_LIST_MAX, &limit));
    TRY(number_of(a, &id));
    TRY(state_job_get(a->api->service->state, id, &job));
    TRY(state_log_read(a->api->service->state, id, after, (uint32_t)limit, &log));
    Doc *d = job_doc(job), *lines = doc_array();
    for (size_t i = 0; i < log.count; i++)
        doc_push(lines, job_line_doc(&log.items[i]));
    doc_set(d, "log", lines);
    doc_set_bool(d, "moreLog", log.more);
    api_reply(a, d);
    return NULL;
}

Error *api_job_cancel(Ask *a)
{
    static const char *const none[] = {NULL};
    int64_t id;
    TRY(api_known_query(a, none));
    TRY(number_of(a, &id));
    TRY(runner_cancel(a->api->service->runner, id));
    api_reply_job(a, id);
    return NULL;
}

Error *api_schedules(Ask *a)
{
    static const char *const none[] = {NULL};
    AUTO_VALUE(Plans) plans = {0};
    TRY(api_known_query(a, none));
    TRY(plans_make(service_config(a->api->service), &plans));
    AUTO(Doc) d = doc_object();
    Doc *all = doc_array();
    doc_set(d, "schedules", all);
    for (size_t i = 0; i < plans.count; i++) {
        AUTO(StateSchedule) row = NULL;
        TRY(state_schedule_get(a->api->service->state, plans.items[i].name, &row));
        doc_push(all, plan_doc(&plans.items[i], row, plans_now()));
    }
    api_reply(a, STEAL(d));
    return NULL;
}

Error *api_databases(Ask *a)
{
    static const char *const none[] = {NULL};
    AUTO(Doc) d = doc_object();
    Doc *all = doc_array();
    TRY(api_known_query(a, none));
    doc_set(d, "databases", all);
    for (size_t i = 0; i < a->config->count; i++) {
        const ServiceEntry *entry = &a->config->entries[i];
        AUTO(StateJob) last = NULL;
        TRY(state_job_last_success(a->api->service->state, "backup", entry->name, entry->database,
                                   &last));
        Doc *one = doc_object();
        doc_set_str(one, "entry", entry->name);
        doc_set_str(one, "database", entry->database);
        doc_set_bool(one, "enabled", config_bool(entry->config, SETTING_ENABLED));
        doc_set_str(one, "schedule", config_str(entry->config, SETTING_SCHEDULE));
        if (last)
            doc_set(one, "lastSuccess", job_doc(last));
        else
            doc_set_null(one, "lastSuccess");
        doc_push(all, one);
    }
    api_reply(a, STEAL(d));
    return NULL;
}

static void reply_well(Ask *a)
{
    Doc *d = doc_object();
    doc_set_str(d, "status", "ok");
    a->reply->status = 200;
    a->reply->body = d;
}

Error *api_healthz(Ask *a)
{
    reply_well(a);
    return NULL;
}

Error *api_readyz(Ask *a)
{
    int64_t newest;
    if (atomic_load(&a->api->service->stopping)) {
        http_refuse(a->reply, 503, "BUSY", "the service is about to stop", NULL);
        return NULL;
    }
    Error *e = state_event_newest(a->api->service->state, &newest);
    if (e) {
        /* What is wrong with it is for those with a token. */
        http_refuse(a->reply, 503, "IO", "the service's state cannot be read", NULL);
        error_drop(e);
        return NULL;
    }
    reply_well(a);
    return NULL;
}
