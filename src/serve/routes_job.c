/* Jobs, schedules, databases. */
#include <string.h>

#include "op/job_doc.h"
#include "op/job_part.h"
#include "serve/api_internal.h"
#include "serve/plan_doc.h"

Error *api_jobs(Ask *a)
{
    AUTO_VALUE(StateJobs) jobs = {0};
    StateJobStatus status = JOB_QUEUED;
    StateJobFilter f = {.kind = api_text(a, "kind"),
                        .entry = api_text(a, "entry"),
                        .database = api_text(a, "database"),
                        .backup = api_text(a, "backup"),
                        .below = api_int(a, "before", 0),
                        .limit = (uint32_t)api_int(a, "limit", API_LIMIT)};
    const char *wanted = api_text(a, "status");
    if (wanted && state_job_status_of(wanted, &status))
        f.statuses = 1u << status;
    TRY(state_job_list(a->api->service->state, &f, &jobs));
    api_reply(a, job_list_doc(&jobs));
    return NULL;
}

Error *api_job_number(const Ask *a, int64_t *out)
{
    Error *e = text_parse_int(a->part, 1, INT64_MAX, out);
    if (!e)
        return NULL;
    error_free(e);
    FAIL(ERR_NOT_FOUND, "there is no job \"%s\"", a->part);
}

Error *api_job(Ask *a)
{
    AUTO(StateJob) job = NULL;
    AUTO_VALUE(StateLog) log = {0};
    int64_t id;
    TRY(api_job_number(a, &id));
    TRY(state_job_get(a->api->service->state, id, &job));
    TRY(state_log_read(a->api->service->state, id, api_int(a, "after", 0),
                       (uint32_t)api_int(a, "limit", STATE_LIST_MAX), &log));
    Doc *d = job_doc(job);
    log_doc_set(d, &log);
    api_reply(a, d);
    return NULL;
}

Error *api_job_cancel(Ask *a)
{
    int64_t id;
    TRY(api_job_number(a, &id));
    TRY(runner_cancel(a->api->service->runner, id));
    api_reply_job(a, id);
    return NULL;
}

Error *api_schedules(Ask *a)
{
    AUTO_VALUE(Plans) plans = {0};
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

static Error *add_database(Ask *a, const ServiceEntry *entry, const char *name, Doc *all)
{
    State *state = a->api->service->state;
    AUTO(StateJob) last = NULL;
    AUTO_VALUE(StateJobs) newest = {0};
    StateJobFilter ended = {.kind = "backup",
                            .entry = entry->name,
                            .database = name,
                            .statuses = ~(1u << JOB_QUEUED | 1u << JOB_RUNNING),
                            .limit = 1};
    TRY(state_job_last_success(state, "backup", entry->name, name, &last));
    TRY(state_job_list(state, &ended, &newest));
    Doc *one = doc_object();
    doc_set_str(one, "entry", entry->name);
    doc_set_str(one, "database", name);
    doc_set_bool(one, "enabled", config_bool(entry->config, SETTING_ENABLED));
    doc_set_str(one, "schedule", config_str(entry->config, SETTING_SCHEDULE));
    doc_set_str(one, "lastStatus",
                newest.count ? state_job_status_name(newest.items[0].status) : NULL);
    if (last)
        doc_set(one, "lastSuccess", job_doc(last));
    else
        doc_set_null(one, "lastSuccess");
    doc_push(all, one);
    return NULL;
}

/* Behind an entry with all databases of a server those that its last run has found. */
Error *api_databases(Ask *a)
{
    AUTO(Doc) d = doc_object();
    Doc *all = doc_array();
    doc_set(d, "databases", all);
    for (size_t i = 0; i < a->config->count; i++) {
        const ServiceEntry *entry = &a->config->entries[i];
        AUTO_VALUE(StrList) names = {0};
        bool known;
        TRY(add_database(a, entry, entry->database, all));
        if (!config_bool(entry->config, SETTING_ALL_DATABASES))
            continue;
        TRY(parts_known(a->api->service->state, entry->name, 0, &names, &known));
        for (size_t k = 0; k < names.count; k++)
            TRY(add_database(a, entry, names.items[k], all));
    }
    api_reply(a, STEAL(d));
    return NULL;
}
