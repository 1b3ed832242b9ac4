/* What the API can do. docs/generated/openapi.json is made from this. */
#include "serve/api_internal.h"
#include "serve/exposition.h"
#include "state/state.h"
#include "state/state_session.h"
#include "store/peer_wire.h"
#include "store/store.h"

/* -- what is asked --------------------------------------------------------------------------------
 */

#define ENTRY_MAX 63
#define DATABASE_MAX 63 /* bytes of a name in PostgreSQL */
#define ENTRY                                                                                      \
    {                                                                                              \
        "entry", FIELD_TEXT, 0,                                                                    \
            "which of `databases:`; it may be left out where there is only one", 0, ENTRY_MAX      \
    }
#define LIMIT(most)                                                                                \
    {                                                                                              \
        "limit", FIELD_INTEGER, 0, "at most so many, 100 where nothing is said", 1, most           \
    }
#define BEFORE                                                                                     \
    {                                                                                              \
        "before", FIELD_INTEGER, 0,                                                                \
            "only those with smaller ids: the last one's of the page before", 1                    \
    }
#define SINCE(what)                                                                                \
    {                                                                                              \
        "since", FIELD_TIME, 0, "only those " what " at this time or later"                        \
    }
#define UNTIL(what)                                                                                \
    {                                                                                              \
        "until", FIELD_TIME, 0, "only those " what " before this time"                             \
    }

static const Field backups_query[] = {
    {"database", FIELD_TEXT, 0, "only those of the database of this name"},
    {"entry", FIELD_TEXT, 0, "only those of this one of `databases:`"},
    SINCE("made"),
    UNTIL("made"),
    LIMIT(1000),
    {0}};
static const Field entry_only[] = {ENTRY, {0}};
static const Field jobs_query[] = {
    {"kind", FIELD_TEXT, 0, "only those of this kind: backup, restore, verify, drill, ..."},
    {"entry", FIELD_TEXT, 0, "only those of this one of `databases:`"},
    {"database", FIELD_TEXT, 0, "only those of the database of this name"},
    {"status", FIELD_CHOICE, 0, "only those with this status", .choices = choice_job_statuses},
    {"backup", FIELD_TEXT, 0, "only those that made or used the backup of this id"},
    BEFORE,
    LIMIT(STATE_LIST_MAX),
    {0}};
static const Field job_query[] = {
    {"after", FIELD_INTEGER, 0, "only lines of the log behind the one of this number"},
    {"limit", FIELD_INTEGER, 0, "at most so many lines of the log, 1000 where nothing is said", 1,
     STATE_LIST_MAX},
    {0}};

static const char *const levels[] = {"quick", "data", "rebuild", NULL};

#define IDS                                                                                        \
    {                                                                                              \
        "ids", FIELD_TEXT, FIELD_LIST, "only these backups, by their whole ids", 1                 \
    }
static const Field verify_body[] = {ENTRY,
                                    {"level", FIELD_CHOICE, 0,
                                     "how thoroughly; as verify.level where nothing is said",
                                     .choices = levels},
                                    IDS,
                                    {0}};
static const Field drill_body[] = {ENTRY, IDS, {0}};
static const Field cleanup_body[] = {ENTRY,
                                     {"database", FIELD_TEXT, 0,
                                      "only the backups of this one, by the entry's rules", 1,
                                      DATABASE_MAX},
                                     {"dryRun", FIELD_BOOL, 0, "only say what would be done"},
                                     {0}};
static const Field check_query[] = {
    ENTRY, {"maxAge", FIELD_SPAN, 0, "how old it may be; 26h where nothing is said"}, {0}};
static const Field config_query[] = {
    {"entry", FIELD_TEXT, 0, "with what this one of `databases:` says", 0, ENTRY_MAX}, {0}};
static const Field audit_query[] = {
    {"actor", FIELD_TEXT, 0, "only those of this token or system user"},
    {"action", FIELD_TEXT, 0, "only those of this kind: backup.create, token.add, ..."},
    {"object", FIELD_TEXT, 0, "only those about this: a backup's id, an entry, a token's name"},
    {"outcome", FIELD_CHOICE, 0, "only those with this outcome", .choices = choice_outcomes},
    SINCE("asked"),
    UNTIL("asked"),
    BEFORE,
    LIMIT(STATE_LIST_MAX),
    {0}};
static const char *const types[] = {"full", NULL};
static const Field rows_query[] = {
    {"type", FIELD_CHOICE, FIELD_REQUIRED, "full: all rows", .choices = types}, ENTRY, {0}};
#define LEVEL(least, what)                                                                         \
    {                                                                                              \
        "compression", FIELD_INTEGER, 0, "zlib's level; " what, least, 9                           \
    }
static const Field dump_query[] = {LEVEL(0, "0, as where nothing is said, stores rows as they are"),
                                   {0}};
static const Field sql_query[] = {LEVEL(1, "6 where nothing is said"), {0}};
static const char *const modes[] = {"replace", "inPlace", "upsert", "mirror", "insert", NULL};
static const Field restore_body[] = {
    {"entry", FIELD_TEXT, 0,
     "into the server of this one of `databases:`, which has the same repository; else of the one "
     "to which the backup belongs",
     0, ENTRY_MAX},
    {"toDb", FIELD_TEXT, 0, "into the database of this name; else the entry's", 1, DATABASE_MAX},
    {"tables", FIELD_TEXT, FIELD_LIST, "only these: patterns as --table takes them", 1},
    {"schemas", FIELD_TEXT, FIELD_LIST, "only these: patterns as --schema takes them", 1},
    {"mode", FIELD_CHOICE, 0,
     "replace and inPlace: instead of what the database has; upsert, mirror and insert: rows, into "
     "the tables that are there; else into a new or empty database, or what is chosen beside what "
     "is there",
     .choices = modes},
    {"confirm", FIELD_TEXT, 0,
     "the database's name: needed where it has contents that would be lost or changed", 1,
     DATABASE_MAX},
    {0}};
static const Field tokens_query[] = {BEFORE, LIMIT(STATE_LIST_MAX), {0}};
static const Field token_body[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED,
     "its name: letters, digits, \"_\", \"-\" and \".\", the first a letter or a digit", 1,
     ENTRY_MAX},
    {"role", FIELD_CHOICE, FIELD_REQUIRED, "what it may do", .choices = choice_roles},
    {"expires", FIELD_TEXT, 0, "when it ends: a time, or how long from now (12h, 90d); else never",
     1, 64},
    {0}};

static const char *const sync_methods[] = {"auto", "backup", "http", NULL};
static const char *const sync_merges[] = {"upsert", "mirror", "insert", NULL};
#define SESSION_ID_MAX 64
static const Field sync_body[] = {
    {"direction", FIELD_CHOICE, 0, "pull: from the peer; push: to it. Needed unless one is resumed",
     .choices = choice_sync_directions},
    {"peer", FIELD_TEXT, 0, "the peer's name. Needed unless one is resumed", 1, ENTRY_MAX},
    ENTRY,
    {"peerEntry", FIELD_TEXT, 0, "the database there: one of the peer's `databases:`", 1,
     ENTRY_MAX},
    {"sessionId", FIELD_TEXT, 0, "what it is to be called; else it gets a name made of the time", 1,
     SESSION_ID_MAX},
    {"resume", FIELD_BOOL, 0, "go on with the session of this id, with what it was begun with"},
    {"method", FIELD_CHOICE, 0, "as sync.method where nothing is said", .choices = sync_methods},
    {"merge", FIELD_CHOICE, 0, "as sync.merge where nothing is said", .choices = sync_merges},
    {"onConflict", FIELD_TEXT, 0, "as --on-conflict takes it: source, target, newest:COLUMN, fail",
     1},
    {"delta", FIELD_BOOL, 0, "apply only what differs from the last sync"},
    {"where", FIELD_TEXT, FIELD_LIST, "as --where takes it: TABLE:CONDITION", 1},
    {"excludeTables", FIELD_TEXT, FIELD_LIST, "as --exclude-table takes it", 1},
    {"masks", FIELD_TEXT, FIELD_LIST, "as --mask takes it: COLUMN:EXPRESSION", 1},
    {"cascade", FIELD_BOOL, 0, "leave out rows too that refer to rows that are left out"},
    {"ignoreExtraColumns", FIELD_BOOL, 0, "go on where the target lacks columns"},
    {"safetyBackup", FIELD_BOOL, 0, "false: no backup of the target before it is changed"},
    {"verify", FIELD_BOOL, 0, "false: do not compare what was merged with the source"},
    {"compress", FIELD_BOOL, 0, "false: compress nothing"},
    {"maxRate", FIELD_TEXT, 0, "bytes a second at most: 20MB", 1, 32},
    {"dryRun", FIELD_BOOL, 0, "only say what would be sent and changed"},
    {0}};
static const Field syncs_query[] = {
    {"sessionId", FIELD_TEXT, 0, "only those of this id", 1, SESSION_ID_MAX},
    {"status", FIELD_CHOICE, 0, "only those with this status", .choices = choice_sync_statuses},
    {"live", FIELD_BOOL, 0, "only those that have not ended"},
    {"role", FIELD_CHOICE, 0, "only those of which this service is this side",
     .choices = choice_sync_roles},
    {"peer", FIELD_TEXT, 0, "only those with this peer"},
    {"entry", FIELD_TEXT, 0, "only those of this one of `databases:`"},
    {"before", FIELD_INTEGER, 0,
     "only those with smaller numbers: the last one's of the page "
     "before",
     1},
    LIMIT(STATE_LIST_MAX),
    {0}};
static const Field sync_cancel_query[] = {
    {"sessionId", FIELD_TEXT, FIELD_REQUIRED, "which one", 1, SESSION_ID_MAX}, {0}};

/* -- what peers ask for a sync --------------------------------------------------------------------
 */

#define SESSION                                                                                    \
    {                                                                                              \
        "sessionId", FIELD_TEXT, FIELD_REQUIRED, "which sync", 1, SYNC_ID_MAX                      \
    }
#define SYNC_WORDS_MAX 16384 /* bytes of an error's message, or its hint */
static const Field sync_rows_query[] = {
    SESSION,
    {"attempt", FIELD_INTEGER, 0, "what the batches bear as \"attempt\"; 1 where nothing is said",
     1},
    {0}};
static const Field sync_session_query[] = {SESSION, {0}};
static const Field sync_follow_query[] = {SESSION,
                                          {"wait", FIELD_INTEGER, 0,
                                           "answer when it is done, or after so many milliseconds",
                                           0, PEER_WAIT_MAX_MS},
                                          {0}};
static const Field sync_open_body[] = {
    SESSION,
    ENTRY,
    {"resume", FIELD_BOOL, 0, "also one that has ended, but for a COMPLETED one"},
    {"options", FIELD_OBJECT, FIELD_REQUIRED, "what is wanted: direction, filters, merge ..."},
    {"protocol", FIELD_INTEGER, 0, "what both must agree on; another than here is refused"},
    {0}};
static const Field sync_backup_body[] = {
    SESSION,
    ENTRY,
    {"wait", FIELD_BOOL, 0, "answer when the backup is made, as where nothing is said"},
    {0}};
static const Field sync_restore_body[] = {
    SESSION,
    {"backupId", FIELD_TEXT, 0, "which one; without it the rows that came by http", 1},
    {0}};
static const Field sync_report_body[] = {
    SESSION,
    {"status", FIELD_CHOICE, FIELD_REQUIRED, "where the peer is", .choices = choice_sync_statuses},
    {"phase", FIELD_TEXT, 0, "what it does"},
    {"bytesDone", FIELD_INTEGER, 0, "of that", 0},
    {"bytesTotal", FIELD_INTEGER, 0, "of that; 0: not known", 0},
    {"kind", FIELD_TEXT, 0, "of the error that it ended with"},
    {"error", FIELD_TEXT, 0, "its message", 0, SYNC_WORDS_MAX},
    {"hint", FIELD_TEXT, 0, "what to do", 0, SYNC_WORDS_MAX},
    {"result", FIELD_OBJECT, 0, "what was done, where it is COMPLETED"},
    {"backupId", FIELD_TEXT, 0, "what a trial has pushed: it is deleted", 1},
    {0}};
#define OBJECT_NAME                                                                                \
    {                                                                                              \
        "name", FIELD_TEXT, 0, "which object of the repository", 1, STORE_NAME_MAX                 \
    }
#define UPLOAD                                                                                     \
    {                                                                                              \
        "upload", FIELD_TEXT, 0, "what tells one writing of it from another", 0, 64                \
    }
static const Field sync_download_query[] = {
    SESSION,
    OBJECT_NAME,
    {"offset", FIELD_INTEGER, 0, "with length: from which byte on"},
    {"length", FIELD_INTEGER, 0, "so many bytes at most, with their SHA-256 in " PEER_HASH_HEADER,
     0, PEER_PIECE},
    {"hash", FIELD_BOOL, 0, "its size and SHA-256 instead, as JSON"},
    {"list", FIELD_TEXT, 0, "the objects under this folder, such as packs/", 1, STORE_NAME_MAX},
    {"after", FIELD_TEXT, 0, "of a list: behind this name", 0, STORE_NAME_MAX},
    {"with", FIELD_INTEGER, 0, "of a list: so many of the first bytes of each", 0, PEER_HEAD_MAX},
    {0}};
static const Field sync_look_up_query[] = {
    SESSION,
    {"with", FIELD_INTEGER, 0, "so many of the first bytes of each", 0, PEER_HEAD_MAX},
    {0}};
static const Field sync_receive_query[] = {
    SESSION,
    OBJECT_NAME,
    UPLOAD,
    {"offset", FIELD_INTEGER, 0, "where this piece begins"},
    {"sha256", FIELD_TEXT, 0, "of this piece", 64, 64},
    {"whole", FIELD_TEXT, 0, "this piece is the last: the SHA-256 of all of it", 64, 64},
    {"adopt", FIELD_BOOL, 0, "no piece, but names on lines, which are made durable"},
    {0}};
static const Field sync_received_query[] = {SESSION, OBJECT_NAME, UPLOAD, {0}};
static const Field sync_remove_query[] = {SESSION, OBJECT_NAME, {0}};
#define SYNC_STATE(what)                                                                           \
    {                                                                                              \
        {                                                                                          \
            200, "SyncState", what                                                                 \
        }                                                                                          \
    }
#define KINDS_SYNC_STORE (KIND(NOT_FOUND) | KIND(FENCED) | KINDS_REPO | KIND(LIMIT))
#define KINDS_SYNC (KIND(NOT_FOUND) | KIND(BUSY) | KIND(EXISTS))

/* -- the routes -----------------------------------------------------------------------------------
 */

#define A_BACKUP "the backup's whole id; also followed by .dump, .sql.gz, .json or .metadata.json"
#define AN_ID "the backup's whole id"
#define A_JOB "the job's number"
#define DOWNLOAD_HELP                                                                              \
    "A strong ETag: If-None-Match, and Range with If-Range. It is made while it is sent; where "   \
    "that "                                                                                        \
    "fails on the way, the connection is broken off. A few are made at once, others wait."
#define SENT(type)                                                                                 \
    {                                                                                              \
        {200, NULL, "all of it", type}, {206, NULL, "the part that Range asks for", type},         \
            {304, NULL, "it is what If-None-Match names", type},                                   \
        {                                                                                          \
            503, "Error", "too many wait already (then with Retry-After), or a tool is missing"    \
        }                                                                                          \
    }
#define KINDS_DOWNLOAD (KINDS_REPO | KINDS_TOOLS | KIND(NOT_FOUND) | KIND(RANGE) | KIND(BUSY))
#define DOWNLOAD(form, name, what, type, wishes)                                                   \
    {                                                                                              \
        "GET", "/api/v1/backups/{backup}." form, ROLE_OPERATOR, "backup.download", api_download,   \
            .id = name, .summary = what, .help = DOWNLOAD_HELP, .part = AN_ID, .query = wishes,    \
            .answers = SENT(type), .errors = KINDS_DOWNLOAD                                        \
    }
#define BEGUN                                                                                      \
    {                                                                                              \
        {                                                                                          \
            202, "JobBegun", "a job will do it"                                                    \
        }                                                                                          \
    }
#define WELL                                                                                       \
    {                                                                                              \
        {                                                                                          \
            200, "Health", "all is well"                                                           \
        }                                                                                          \
    }

#define A_SESSION "the session's id"
#define SYNC_ROUTES(path, name)                                                                    \
    {"POST",                                                                                       \
     path,                                                                                         \
     ROLE_ADMIN,                                                                                   \
     "sync.start",                                                                                 \
     api_sync_start,                                                                               \
     .id = "start" name,                                                                           \
     .summary = "Sync a database with a peer's",                                                   \
     .help =                                                                                       \
         "409 where another sync into the same database is under way: the message has its id.",    \
     .body = sync_body,                                                                            \
     .answers = {{202, "SyncBegun", "a job will do it"}},                                          \
     .errors = KIND(NOT_FOUND) | KIND(BUSY) | KIND(EXISTS)},                                       \
        {"GET",                                                                                    \
         path,                                                                                     \
         ROLE_VIEWER,                                                                              \
         NULL,                                                                                     \
         api_sync_list,                                                                            \
         .id = "list" name "s",                                                                    \
         .summary = "The syncs that this service takes part in, the newest first",                 \
         .query = syncs_query,                                                                     \
         .answers = {{200, "SyncSessionList", "the sessions"}}},                                   \
        {"DELETE",                                                                                 \
         path,                                                                                     \
         ROLE_OPERATOR,                                                                            \
         "sync.cancel",                                                                            \
         api_sync_cancel,                                                                          \
         .id = "cancel" name,                                                                      \
         .summary = "Stop a sync",                                                                 \
         .query = sync_cancel_query,                                                               \
         .answers = {{202, "SyncSessionList", "it is asked to stop, or has"}},                     \
         .errors = KIND(NOT_FOUND) | KIND(EXISTS) | KIND(PREFLIGHT)},                              \
        {"GET",                                                                                    \
         path "/{session}",                                                                        \
         ROLE_VIEWER,                                                                              \
         NULL,                                                                                     \
         api_sync_session,                                                                         \
         .id = "get" name,                                                                         \
         .summary = "A sync with its log",                                                         \
         .part = A_SESSION,                                                                        \
         .query = job_query,                                                                       \
         .answers = {{200, "SyncSessionLogs", "the session"}},                                     \
         .errors = KIND(NOT_FOUND)},                                                               \
    {                                                                                              \
        "DELETE", path "/{session}", ROLE_OPERATOR, "sync.cancel", api_sync_session_cancel,        \
            .id = "stop" name, .summary = "Stop a sync", .part = A_SESSION,                        \
            .answers = {{202, "SyncSessionList", "it is asked to stop, or has"}},                  \
            .errors = KIND(NOT_FOUND) | KIND(EXISTS) | KIND(PREFLIGHT)                             \
    }

static const Route routes[] = {
    {"GET", "/healthz", ROLE_NOBODY, NULL, api_healthz, .id = "getHealth",
     .summary = "Whether the service answers", .answers = WELL},
    {"GET", "/readyz", ROLE_NOBODY, NULL, api_readyz, .id = "getReadiness",
     .summary = "Whether the service can do its work",
     .help = "503 where its state cannot be read, or it is about to stop.",
     .answers = {{200, "Health", "all is well"}, {503, "Error", "it cannot"}}},
    {"GET", "/openapi.json", ROLE_VIEWER, NULL, api_openapi, .id = "getOpenApi",
     .summary = "This document", .answers = {{200, NULL, "an OpenAPI document"}}},
    {"GET", "/metrics", ROLE_VIEWER, NULL, api_metrics, .id = "getMetrics",
     .summary = "What Prometheus reads",
     .help = "No token is needed where server.metricsPublic is set. docs/metrics.md has the names.",
     .answers = {{200, NULL, "all metrics", EXPOSITION_TYPE}}},
    {"GET", "/api/v1/backups", ROLE_VIEWER, NULL, api_backups, .id = "listBackups",
     .summary = "The backups, the newest first", .query = backups_query,
     .answers = {{200, "BackupList", "the backups"}}, .errors = KINDS_REPO},
    {"POST", "/api/v1/backups", ROLE_OPERATOR, "backup.create", api_backup_create,
     .id = "createBackup", .summary = "Make a backup", .body = entry_only, .answers = BEGUN,
     .errors = KIND(NOT_FOUND) | KIND(BUSY)},
    {"GET", "/api/v1/backups/{backup}.metadata.json", ROLE_VIEWER, NULL, api_backup,
     .id = "getBackupMetadata", .summary = "What is known of a backup", .part = AN_ID,
     .answers = {{200, "Backup", "what is known of it"}}, .errors = KINDS_REPO},
    DOWNLOAD("dump", "downloadDump", "A backup's data, as an archive for pg_restore",
             "application/octet-stream", dump_query),
    DOWNLOAD("sql.gz", "downloadSql", "A backup's data, as SQL for psql, compressed by gzip",
             "application/gzip", sql_query),
    DOWNLOAD("json", "downloadRows", "A backup's rows, a JSON object a line",
             "application/x-ndjson", NULL),
    {"GET", "/api/backup", ROLE_OPERATOR, "backup.download", api_rows, .id = "downloadNewestRows",
     .summary = "The rows of the newest good backup, a JSON object a line", .help = DOWNLOAD_HELP,
     .query = rows_query, .answers = SENT("application/x-ndjson"), .errors = KINDS_DOWNLOAD},
    {"POST", "/api/v1/backups/restore/{backup}", ROLE_ADMIN, "backup.restore", api_backup_restore,
     .id = "restoreBackup", .summary = "Restore a backup into a database", .part = A_BACKUP,
     .body = restore_body, .answers = BEGUN,
     .errors = KINDS_REPO | KINDS_DATABASE | KINDS_TOOLS | KIND(PREFLIGHT) | KIND(CONFIRM) |
               KIND(BUSY) | KIND(TIMEOUT)},
    {"GET", "/api/v1/backups/{backup}", ROLE_VIEWER, NULL, api_backup, .id = "getBackup",
     .summary = "What is known of a backup", .part = A_BACKUP,
     .answers = {{200, "Backup", "what is known of it"}}, .errors = KINDS_REPO},
    {"DELETE", "/api/v1/backups/{backup}", ROLE_ADMIN, "backup.delete", api_backup_delete,
     .id = "deleteBackup", .summary = "Delete a backup",
     .help = "It lies in the trash first, from where it can be brought back.", .part = A_BACKUP,
     .answers = BEGUN, .errors = KINDS_REPO | KIND(PINNED) | KIND(BUSY)},
    {"GET", "/api/v1/jobs", ROLE_VIEWER, NULL, api_jobs, .id = "listJobs",
     .summary = "The jobs, the newest first", .query = jobs_query,
     .answers = {{200, "JobList", "the jobs"}}},
    {"GET", "/api/v1/jobs/{job}", ROLE_VIEWER, NULL, api_job, .id = "getJob",
     .summary = "A job with its log", .part = A_JOB, .query = job_query,
     .answers = {{200, "JobWithLog", "the job"}}},
    {"DELETE", "/api/v1/jobs/{job}", ROLE_OPERATOR, "job.cancel", api_job_cancel, .id = "cancelJob",
     .summary = "Stop a job", .part = A_JOB, .answers = {{202, "JobBegun", "it is asked to end"}},
     .errors = KIND(EXISTS) | KIND(PREFLIGHT)},
    SYNC_ROUTES("/api/admin/sync/full-sync", "FullSync"),
    SYNC_ROUTES("/api/admin/sync/initial-load", "InitialLoad"),
    {"GET", "/api/v1/events", ROLE_VIEWER, NULL, api_events, .id = "followJobs",
     .summary = "What happens to jobs, as it happens",
     .help = "Server-sent events: queued, started, progress, log, ended, lost. Last-Event-ID goes "
             "on where a stream was broken off.",
     .answers = {{200, NULL, "the events", "text/event-stream"}}, .errors = KIND(BUSY)},
    {"GET", "/api/v1/jobs/{job}/events", ROLE_VIEWER, NULL, api_job_events, .id = "followJob",
     .summary = "What happens to a job, as it happens",
     .help = "Server-sent events: job, with its log, then those of followJobs, to its end.",
     .part = A_JOB,
     .answers = {{200, NULL, "the events", "text/event-stream"},
                 {204, NULL, "it has ended, and its end was seen"}},
     .errors = KIND(BUSY)},
    {"GET", "/api/v1/schedules", ROLE_VIEWER, NULL, api_schedules, .id = "listSchedules",
     .summary = "The schedules, each with its last run and its next",
     .answers = {{200, "ScheduleList", "the schedules"}}},
    {"GET", "/api/v1/databases", ROLE_VIEWER, NULL, api_databases, .id = "listDatabases",
     .summary = "The entries of `databases:`, each with its last good backup's job",
     .answers = {{200, "DatabaseList", "the entries"}}},
    {"POST", "/api/v1/backups/{backup}/pin", ROLE_OPERATOR, "backup.pin", api_pin,
     .id = "pinBackup", .summary = "Keep a backup from being deleted", .part = A_BACKUP,
     .answers = BEGUN, .errors = KINDS_REPO | KIND(BUSY)},
    {"DELETE", "/api/v1/backups/{backup}/pin", ROLE_ADMIN, "backup.unpin", api_unpin,
     .id = "unpinBackup", .summary = "Let a pinned backup go again", .part = A_BACKUP,
     .answers = BEGUN, .errors = KINDS_REPO | KIND(BUSY)},
    {"POST", "/api/v1/backups/{backup}/undelete", ROLE_OPERATOR, "backup.undelete", api_undelete,
     .id = "undeleteBackup", .summary = "Bring a deleted backup back",
     .part = "the deleted backup's whole id", .answers = BEGUN, .errors = KINDS_REPO | KIND(BUSY)},
    {"GET", "/api/v1/trash", ROLE_VIEWER, NULL, api_trash, .id = "listTrash",
     .summary = "The deleted backups that can still be brought back", .query = entry_only,
     .answers = {{200, "Trash", "the deleted backups"}}, .errors = KINDS_REPO | KIND(NOT_FOUND)},
    {"POST", "/api/v1/verify", ROLE_OPERATOR, "verify", api_verify, .id = "verify",
     .summary = "Check that what is stored is whole",
     .help = "All of the entry's repository where no ids are given. What was found is the job's "
             "result.",
     .body = verify_body, .answers = BEGUN, .errors = KINDS_REPO | KIND(NOT_FOUND) | KIND(BUSY)},
    {"POST", "/api/v1/drill", ROLE_OPERATOR, "drill", api_drill, .id = "drill",
     .summary = "Restore into a scratch database, and compare",
     .help = "The newest good backup of the entry's database where no ids are given.",
     .body = drill_body, .answers = BEGUN, .errors = KINDS_REPO | KIND(NOT_FOUND) | KIND(BUSY)},
    {"POST", "/api/v1/cleanup", ROLE_OPERATOR, "cleanup", api_cleanup, .id = "cleanup",
     .summary = "Delete old backups by the entry's rules, and free their space",
     .body = cleanup_body, .answers = BEGUN, .errors = KINDS_REPO | KIND(NOT_FOUND) | KIND(BUSY)},
    {"POST", "/api/v1/validate", ROLE_OPERATOR, "validate", api_validate, .id = "validate",
     .summary = "Look whether the live database is consistent",
     .help = "What was found is the job's result.", .body = entry_only, .answers = BEGUN,
     .errors = KIND(NOT_FOUND) | KIND(BUSY)},
    {"POST", "/api/v1/doctor", ROLE_OPERATOR, "doctor", api_doctor, .id = "doctor",
     .summary = "Look whether everything that a backup needs is there",
     .help = "What was found is the job's result.", .body = entry_only, .answers = BEGUN,
     .errors = KIND(NOT_FOUND) | KIND(BUSY)},
    {"POST", "/api/v1/schedules/{schedule}/run", ROLE_OPERATOR, "schedule.run", api_schedule_run,
     .id = "runSchedule", .summary = "Do now what a schedule does",
     .part = "the schedule's name, the \"/\" in it as %2F", .answers = BEGUN, .errors = KIND(BUSY)},
    {"GET", "/api/v1/stats", ROLE_VIEWER, NULL, api_stats, .id = "getStats",
     .summary = "What each database costs in the entry's repository", .query = entry_only,
     .answers = {{200, "Stats", "what it costs"}}, .errors = KINDS_REPO | KIND(NOT_FOUND)},
    {"GET", "/api/v1/check", ROLE_VIEWER, NULL, api_check, .id = "check",
     .summary = "Whether the newest good backup of the entry is young enough",
     .help = "503 with STALE where it is not: for monitors.", .query = check_query,
     .answers = {{200, "Check", "it is"}}, .errors = KINDS_REPO | KIND(NOT_FOUND) | KIND(STALE)},
    {"GET", "/api/v1/config", ROLE_ADMIN, NULL, api_config, .id = "getConfig",
     .summary = "The settings that count, and where each comes from", .help = "Never a secret.",
     .query = config_query, .answers = {{200, "Config", "the settings"}},
     .errors = KIND(NOT_FOUND)},
    {"GET", "/api/v1/audit", ROLE_ADMIN, NULL, api_audit, .id = "listAudit",
     .summary = "The audit log, the newest first", .query = audit_query,
     .answers = {{200, "AuditList", "the entries"}}},
    {"GET", "/api/v1/tokens", ROLE_ADMIN, NULL, api_tokens, .id = "listTokens",
     .summary = "The tokens, the newest first, also those that have ended", .query = tokens_query,
     .answers = {{200, "TokenList", "the tokens, without their texts"}}},
    {"POST", "/api/v1/tokens", ROLE_ADMIN, "token.add", api_token_add, .id = "addToken",
     .summary = "Make a token", .help = "Its text is in this answer and can never be read again.",
     .body = token_body, .answers = {{201, "NewToken", "the token"}}, .errors = KIND(EXISTS)},
    {"DELETE", "/api/v1/tokens/{token}", ROLE_ADMIN, "token.revoke", api_token_revoke,
     .id = "revokeToken", .summary = "End a token at once", .part = "the token's name",
     .answers = {{200, "RevokedToken", "it is over"}}},
    {"POST", "/api/sync/session", ROLE_PEER, "sync.open", api_sync_open, .id = "openSync",
     .summary = "Open a session for a sync", .body = sync_open_body,
     .answers = SYNC_STATE("it is open; or COMPLETED, where it was resumed after that"),
     .errors = KINDS_SYNC | KINDS_REPO | KIND(REPO_FULL) | KIND(PREFLIGHT)},
    {"GET", "/api/sync/session", ROLE_PEER, NULL, api_sync_look, .id = "getSync",
     .summary = "How far a session is", .query = sync_follow_query,
     .answers = SYNC_STATE("the session"), .errors = KIND(NOT_FOUND)},
    {"POST", "/api/sync/report", ROLE_PEER, NULL, api_sync_report, .id = "reportSync",
     .summary = "Tell how far the asking side is, or how it has ended", .body = sync_report_body,
     .answers = SYNC_STATE("the session here"), .errors = KIND(NOT_FOUND)},
    {"GET", "/api/sync/schema", ROLE_PEER, NULL, api_sync_schema, .id = "getSyncSchema",
     .summary = "What the tables of the session's database are like", .query = sync_session_query,
     .answers = {{200, "SyncSchema", "the tables"}}, .errors = KIND(NOT_FOUND) | KINDS_DATABASE},
    {"POST", "/api/sync/initiate-backup", ROLE_PEER, "sync.backup", api_sync_backup,
     .id = "initiateSyncBackup", .summary = "Make the backup that is pulled",
     .help = "A session that is not there is opened. Asked again it is the same backup.",
     .body = sync_backup_body,
     .answers = {{200, "SyncState", "it is made"},
                 {202, "SyncState", "it is being made"},
                 {500, "SyncState", "it could not be made: \"error\" and \"hint\" say why"}},
     .errors = KINDS_SYNC | KINDS_DATABASE | KINDS_REPO | KIND(RATE) | KIND(REPO_FULL)},
    {"GET", "/api/sync/backup-progress", ROLE_PEER, NULL, api_sync_backup_progress,
     .id = "getSyncBackupProgress", .summary = "How far that is", .query = sync_follow_query,
     .answers = SYNC_STATE("the session"), .errors = KIND(NOT_FOUND)},
    {"POST", "/api/sync/restore-backup", ROLE_PEER, "sync.restore", api_sync_restore,
     .id = "restoreSyncBackup", .summary = "Write what was pushed into the database",
     .help = "All of it or nothing, and once: asked again it is the same run.",
     .body = sync_restore_body,
     .answers = {{202, "SyncState", "a job does it"}, {200, "SyncState", "it is done already"}},
     .errors = KINDS_SYNC | KIND(RATE)},
    {"POST", "/api/sync/receive", ROLE_PEER, "sync.receive", api_sync_receive,
     .id = "receiveSyncRows", .summary = "Keep a batch of the rows that are pushed",
     .help = "A JSON object of at most 8 MiB, as docs/sync.md has it (\"Method http\"). The answer "
             "comes when it is on the disk; sent again it is the same answer.",
     .bytes = true, .answers = {{200, "SyncRows", "it is kept"}},
     .errors = KIND(NOT_FOUND) | KIND(PREFLIGHT) | KIND(MISMATCH) | KIND(FENCED) | KIND(LIMIT) |
               KIND(REPO_FULL) | KIND(RATE)},
    {"GET", "/api/sync/receive", ROLE_PEER, NULL, api_sync_received, .id = "getSyncRows",
     .summary = "Which of the pushed rows are kept", .query = sync_session_query,
     .answers = {{200, "SyncRows", "what is here"}}, .errors = KIND(NOT_FOUND) | KIND(RATE)},
    {"GET", "/api/sync/rows", ROLE_PEER, "sync.rows", api_sync_rows, .id = "sendSyncRows",
     .summary = "The rows that are pulled, a batch a line",
     .help = "All of one snapshot. Complete with the line that has \"last\": true; a line that has "
             "\"error\" says why there is no further one.",
     .query = sync_rows_query, .answers = {{200, NULL, "the batches", "application/x-ndjson"}},
     .errors = KINDS_SYNC | KINDS_DATABASE | KIND(DB_CHANGED) | KIND(FENCED) | KIND(RATE)},
    {"GET", PEER_GET, ROLE_PEER, NULL, api_sync_download, .id = "downloadSyncBackup",
     .summary = "Objects of the repository that the session's backup lies in",
     .help =
         "Without a name or a list: what the backup is made of, as JSON. Lists are in a form of "
         "their own: docs/sync.md.",
     .query = sync_download_query,
     .answers = {{200, NULL, "the object, or a list", "application/octet-stream"},
                 {206, NULL, "the part that Range asks for", "application/octet-stream"}},
     .errors = KINDS_SYNC_STORE | KIND(RANGE)},
    {"POST", PEER_GET, ROLE_PEER, NULL, api_sync_look_up, .id = "lookUpSyncObjects",
     .summary = "Which of many objects are there, and how large they are",
     .help = "The body has their names, each on a line.", .query = sync_look_up_query,
     .answers = {{200, NULL, "a list", "application/octet-stream"}}, .errors = KINDS_SYNC_STORE,
     .bytes = true},
    {"POST", PEER_PUT, ROLE_PEER, NULL, api_sync_put, .id = "receiveSyncBackup",
     .summary = "Put an object into the repository, in pieces",
     .help = "The body is a piece of at most 4 MiB. Until the last one the object is not there; "
             "nothing that is there is ever replaced. A piece that came already is a success.",
     .query = sync_receive_query, .answers = {{200, "SyncReceived", "it is here, and durable"}},
     .errors = KINDS_SYNC_STORE | KIND(EXISTS) | KIND(CONFLICT) | KIND(NETWORK) | KIND(REPO_FULL) |
               KIND(RATE) | KIND(DAMAGED),
     .bytes = true},
    {"GET", PEER_PUT, ROLE_PEER, NULL, api_sync_have, .id = "receivedSyncBackup",
     .summary = "How much of an object is here", .query = sync_received_query,
     .answers = {{200, "SyncReceived", "so much"}}, .errors = KINDS_SYNC_STORE},
    {"DELETE", PEER_PUT, ROLE_PEER, NULL, api_sync_remove, .id = "removeSyncObject",
     .summary = "Delete a session of the repository that this peer has put",
     .query = sync_remove_query, .answers = {{200, "SyncReceived", "it is gone"}},
     .errors = KINDS_SYNC_STORE},
    {"GET", "/api/sync/peer", ROLE_PEER, NULL, api_peer, .id = "getPeer",
     .summary = "What a peer has: version, time, tools, databases",
     .answers = {{200, "Peer", "what it has"}}},
};

const Route *route_at(size_t i)
{
    return i < sizeof routes / sizeof *routes ? &routes[i] : NULL;
}
