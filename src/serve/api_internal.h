/* What the routes share. */
#ifndef PGSTOW_SERVE_API_INTERNAL_H
#define PGSTOW_SERVE_API_INTERNAL_H

#include "repo/catalog.h"
#include "serve/api.h"
#include "serve/auth.h"
#include "serve/http.h"

#define API_LIMIT 100 /* items of a list where no limit is asked for */
#define API_PREFIX "/api/v1"

struct Api {
    Service *service;
    Auth *auth;
    Http *http;
    pthread_mutex_t repository; /* one at a time reads one: it may cost memory */
};

/* A request under way. */
typedef struct Ask {
    Api *api;
    const HttpCall *call;
    HttpReply *reply;
    ServiceConfig *config;
    const StateToken *who; /* NULL where the route takes no token */
    const char *part;      /* what stands for {...} in the path; NULL */
    char *object;          /* for the audit log: what it is about; owned */
} Ask;

/* Fills the reply in, or returns the error that becomes it. */
typedef Error *(*ApiHandler)(Ask *a);
typedef struct Route {
    const char *method;
    const char *path;   /* below API_PREFIX where it begins with "/v1"; "{}" is any one segment */
    int role;           /* a StateRole; -1: no token */
    const char *action; /* of the audit log; NULL where it changes nothing */
    ApiHandler handler;
} Route;

/* The reply: 200 with this document (taken over) and an ETag. */
void api_reply(Ask *a, Doc *d);
/* 202, for a job that was begun or is asked to end. */
void api_reply_job(Ask *a, int64_t job);
/* Hands the words to the runner, in the name of who asks. */
Error *api_submit(Ask *a, const char *kind, const ServiceEntry *entry, const StrList *words,
                  int64_t timeout_ms) MUST_CHECK;
/* A number of the query in [1, max]; `fallback` where there is none. ERR_USAGE. */
Error *api_number(const Ask *a, const char *name, int64_t max, int64_t fallback,
                  int64_t *out) MUST_CHECK;
/* ERR_USAGE where the query has a name that is none of these (NULL at the end), or one twice. */
Error *api_known_query(const Ask *a, const char *const *names) MUST_CHECK;

Error *api_backups(Ask *a) MUST_CHECK;
Error *api_backup(Ask *a) MUST_CHECK;
Error *api_backup_create(Ask *a) MUST_CHECK;
Error *api_backup_delete(Ask *a) MUST_CHECK;
Error *api_jobs(Ask *a) MUST_CHECK;
Error *api_job(Ask *a) MUST_CHECK;
Error *api_job_cancel(Ask *a) MUST_CHECK;
Error *api_schedules(Ask *a) MUST_CHECK;
Error *api_databases(Ask *a) MUST_CHECK;
Error *api_healthz(Ask *a) MUST_CHECK;
Error *api_readyz(Ask *a) MUST_CHECK;

#endif
