/* What the routes share. */
#ifndef PGSTOW_SERVE_API_INTERNAL_H
#define PGSTOW_SERVE_API_INTERNAL_H

#include "repo/catalog.h"
#include "serve/answers.h"
#include "serve/api.h"
#include "serve/auth.h"
#include "serve/download.h"
#include "serve/events.h"
#include "serve/http.h"
#include "serve/metrics.h"
#include "serve/peer_auth.h"
#include "serve/route.h"
#include "serve/turns.h"

#define SYNC_ROWS_AT_ONCE 8 /* streams of rows, each a child */
#define SYNC_ROWS_WAITING 16
#define API_LIMIT 100 /* items of a list where no limit is asked for */
#define API_PREFIX "/api/v1"

struct Api {
    Service *service;
    Auth *auth;
    PeerAuth *peers;
    Metrics *metrics;
    Answers *answers;
    int64_t counted; /* when api_tick last had them count, by clock_mono_ms */
    Http *http;
    Events *events;
    pthread_mutex_t repository; /* for what is not kept of one: one at a time, it may cost memory */
    struct SyncStores *sync_stores; /* what sync sessions have open, and may: serve/sync_rights.h */
    struct SyncRights *sync_rights;
    pthread_mutex_t syncs; /* of sessions that peers open, and of their jobs: one for each */
    Cancel *stop;          /* requested where no reply is to go on */
    Downloads *downloads;
    Turns *row_turns;         /* of streams of rows */
    struct Failures *refused; /* requests of those who have not proven who they are */
};

/* A request under way. */
struct Ask {
    Api *api;
    const HttpCall *call;
    HttpReply *reply;
    ServiceConfig *config;
    const StateToken *who;  /* NULL where the route takes no token */
    const PeerCaller *peer; /* who asks, of a route for peers; NULL of others */
    const char *actor;      /* whose name a job that is begun bears: the token's, the peer's */
    const char *part;       /* what stands for {...} in the path; NULL */
    Doc *body;              /* as its route's row wants it; NULL where there is none; owned */
    char *object;           /* for the audit log: what it is about; owned */
    bool audited;           /* the handler has seen to the audit log itself */
};

/* -- what was asked ------------------------------------------------------------------------------
 */

/* Everything that the row has, and nothing else, each of its type: ERR_USAGE. */
Error *api_read_input(Ask *a, const Route *r) MUST_CHECK;
/* Values of the query or the body, by their names in the row; borrowed. */
const char *api_text(const Ask *a, const char *name); /* NULL where it is not there */
int64_t api_int(const Ask *a, const char *name, int64_t fallback);
bool api_bool(const Ask *a, const char *name); /* false where it is not there */
Instant api_time(const Ask *a, const char *name, Instant fallback);
int64_t api_span(const Ask *a, const char *name, int64_t fallback); /* milliseconds */
const Doc *api_list(const Ask *a, const char *name);                /* NULL where it is not there */

/* The one of `databases:`; name NULL: there is only one. ERR_NOT_FOUND, ERR_USAGE. */
Error *api_entry(const Ask *a, const char *name, const ServiceEntry **out) MUST_CHECK;
/* What a request's "entry" names. */
Error *api_asked_entry(const Ask *a, const ServiceEntry **out) MUST_CHECK;

/* A backup that a request means. */
typedef struct ApiBackup {
    BackupInfo info;
    const ServiceEntry *entry; /* to which its database belongs */
} ApiBackup;
void api_backup_clear(ApiBackup *b);
DEFINE_AUTO_VALUE(ApiBackup, api_backup_clear)
/* Of exactly this id, in any form that its name has as a file: no beginning of one, no "latest".
 * ERR_NOT_FOUND. */
Error *api_find_backup(Ask *a, const char *name, ApiBackup *out) MUST_CHECK;
/* The newest good one of the whole database of an entry. ERR_NOT_FOUND. */
Error *api_newest_backup(Ask *a, const ServiceEntry *entry, ApiBackup *out) MUST_CHECK;
/* The job that the path names. ERR_NOT_FOUND where it cannot be one. */
Error *api_job_number(const Ask *a, int64_t *out) MUST_CHECK;

/* -- what is answered ----------------------------------------------------------------------------
 */

/* The reply: 200 with this document (taken over) and an ETag. */
void api_reply(Ask *a, Doc *d);
/* 202, for a job that was begun or is asked to end. */
void api_reply_job(Ask *a, int64_t job);
/* Hands it to the runner, in the name of who asks: trigger and actor are filled in. */
Error *api_begin(Ask *a, JobRequest *request) MUST_CHECK;
/* The same for a run on an entry's database. */
Error *api_submit(Ask *a, const char *kind, const ServiceEntry *entry, const StrList *words,
                  int64_t timeout_ms) MUST_CHECK;

#define API_HANDLER(name) Error *name(Ask *a) MUST_CHECK;
API_HANDLER(api_backups)
API_HANDLER(api_backup)
API_HANDLER(api_backup_create)
API_HANDLER(api_backup_delete)
API_HANDLER(api_backup_restore)
API_HANDLER(api_download)
API_HANDLER(api_rows)
API_HANDLER(api_jobs)
API_HANDLER(api_job)
API_HANDLER(api_job_cancel)
API_HANDLER(api_schedules)
API_HANDLER(api_databases)
API_HANDLER(api_events)
API_HANDLER(api_job_events)
API_HANDLER(api_healthz)
API_HANDLER(api_readyz)
API_HANDLER(api_openapi)
API_HANDLER(api_metrics)
API_HANDLER(api_pin)
API_HANDLER(api_unpin)
API_HANDLER(api_undelete)
API_HANDLER(api_trash)
API_HANDLER(api_verify)
API_HANDLER(api_drill)
API_HANDLER(api_cleanup)
API_HANDLER(api_validate)
API_HANDLER(api_doctor)
API_HANDLER(api_schedule_run)
API_HANDLER(api_stats)
API_HANDLER(api_check)
API_HANDLER(api_config)
API_HANDLER(api_audit)
API_HANDLER(api_tokens)
API_HANDLER(api_token_add)
API_HANDLER(api_token_revoke)
API_HANDLER(api_sync_open)
API_HANDLER(api_sync_look)
API_HANDLER(api_sync_report)
API_HANDLER(api_sync_schema)
API_HANDLER(api_sync_backup)
API_HANDLER(api_sync_backup_progress)
API_HANDLER(api_sync_restore)
API_HANDLER(api_sync_download)
API_HANDLER(api_sync_look_up)
API_HANDLER(api_sync_put)
API_HANDLER(api_sync_have)
API_HANDLER(api_sync_remove)
API_HANDLER(api_sync_start)
API_HANDLER(api_sync_list)
API_HANDLER(api_sync_cancel)
API_HANDLER(api_sync_session)
API_HANDLER(api_sync_session_cancel)
API_HANDLER(api_peer)
API_HANDLER(api_sync_receive)
API_HANDLER(api_sync_received)
API_HANDLER(api_sync_rows)
#undef API_HANDLER

/* Removes the spools of rows whose sync has ended. */
void sync_rows_tick(Api *api);

#endif
