/* The objects that the API answers with. A test holds every answer that it gets against these. */
#include "serve/route.h"

#define ALWAYS FIELD_REQUIRED
#define MAYBE (FIELD_REQUIRED | FIELD_NULL) /* always there, perhaps null */
#define LIST (FIELD_REQUIRED | FIELD_LIST)

const char *const choice_job_statuses[] = {"queued",    "running",     "succeeded", "failed",
                                           "cancelled", "interrupted", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
const char *const choice_roles[] = {"viewer", "operator", "admin", NULL};
const char *const choice_outcomes[] = {"begun", "done", "refused", "failed", NULL};
const char *const choice_sync_statuses[] = {"PREPARING", "BACKING_UP", "TRANSFERRING",
                                            "RESTORING", "VERIFYING",  "COMPLETED",
                                            "FAILED",    "CANCELLED",  NULL};
const char *const choice_sync_roles[] = {"initiator", "remote", NULL};
const char *const choice_sync_directions[] = {"pull", "push", NULL};
static const char *const token_states[] = {"valid", "expired", "revoked", NULL};
static const char *const well[] = {"ok", NULL};

static const Field error_fields[] = {
    {"error", FIELD_OBJECT, ALWAYS, "what went wrong", .schema = "ErrorFacts"},
    {"success", FIELD_BOOL, 0, "false; told to peers"},
    {0}};
static const Field error_facts[] = {
    {"kind", FIELD_TEXT, ALWAYS, "the kind, which belongs to a status: docs/generated/errors.md"},
    {"message", FIELD_TEXT, ALWAYS, "what happened, to what"},
    {"hint", FIELD_TEXT, MAYBE, "what to do next"},
    {0}};
static const Field health[] = {{"status", FIELD_CHOICE, ALWAYS, "how it is", .choices = well}, {0}};
static const Field job_begun[] = {
    {"job", FIELD_INTEGER, ALWAYS, "the job's number; Location has where to look"}, {0}};

/* -- backups --------------------------------------------------------------------------------------
 */

static const Field backup[] = {
    {"id", FIELD_TEXT, ALWAYS, "its id"},
    {"key", FIELD_TEXT, ALWAYS, "the same time as yyyyMMddHHmmss, unique within its database"},
    {"entry", FIELD_TEXT, ALWAYS, "the one of `databases:` that it belongs to; may be empty"},
    {"database", FIELD_TEXT, ALWAYS, "the database's name"},
    {"timestamp", FIELD_TIME, ALWAYS, "the moment whose state it has"},
    {"size", FIELD_INTEGER, ALWAYS, "stored bytes that it refers to"},
    {"logicalSize", FIELD_INTEGER, ALWAYS, "bytes of its rows as text"},
    {"newBytes", FIELD_INTEGER, ALWAYS, "bytes that it added to the repository"},
    {"rewritten", FIELD_INTEGER, ALWAYS, "of these, what was there and was written anew"},
    {"tables", FIELD_INTEGER, ALWAYS, "how many tables"},
    {"rows", FIELD_INTEGER, ALWAYS, "how many rows"},
    {"largeObjects", FIELD_INTEGER, ALWAYS, "how many large objects"},
    {"sequence", FIELD_INTEGER, ALWAYS, "its place among the backups of its database"},
    {"compressed", FIELD_BOOL, ALWAYS, "whether it is compressed"},
    {"encrypted", FIELD_BOOL, ALWAYS, "whether it is encrypted"},
    {"databaseVersion", FIELD_TEXT, ALWAYS, "the server's version"},
    {"toolVersion", FIELD_TEXT, ALWAYS, "pg_dump's version"},
    {"pgstowVersion", FIELD_TEXT, ALWAYS, "the version of pgstow that made it"},
    {"server", FIELD_TEXT, ALWAYS, "the server's address"},
    {"systemIdentifier", FIELD_TEXT, ALWAYS, "the server's own identifier"},
    {"encoding", FIELD_TEXT, ALWAYS, "the database's encoding"},
    {"collate", FIELD_TEXT, ALWAYS, "its collation"},
    {"ctype", FIELD_TEXT, ALWAYS, "its character classes"},
    {"filter", FIELD_TEXT, ALWAYS, "what was left out; empty where nothing was"},
    {"parent", FIELD_TEXT, ALWAYS, "the backup that it was deduplicated against; or empty"},
    {"predecessorHash", FIELD_TEXT, ALWAYS, "the SHA-256 of the one before it; or empty"},
    {"databaseOid", FIELD_INTEGER, ALWAYS, "the database's OID"},
    {"started", FIELD_TIME, ALWAYS, "when it was begun"},
    {"finished", FIELD_TIME, ALWAYS, "when it was done"},
    {"duration", FIELD_INTEGER, ALWAYS, "milliseconds that it took"},
    {"tags", FIELD_TEXTS, ALWAYS, "its tags"},
    {"warnings", FIELD_TEXT, LIST, "what was odd"},
    {"copiedFrom", FIELD_OBJECT, 0, "where it was copied from", .schema = "CopiedFrom"},
    {"globals", FIELD_BOOL, 0, "it has the server's roles and tablespaces"},
    {"rolePasswords", FIELD_BOOL, 0, "it has the roles' password hashes"},
    {"masked", FIELD_TEXT, FIELD_LIST, "columns with other values than the database's"},
    {"checksum", FIELD_TEXT, MAYBE, "the SHA-256 of its manifest, where that was read"},
    {"pinned", FIELD_BOOL, ALWAYS, "neither cleanup nor delete takes it"},
    {"lastProof", FIELD_OBJECT, MAYBE, "when it was last verified", .schema = "Proof"},
    {"lastDrill", FIELD_OBJECT, 0, "its last good drill", .schema = "Drill"},
    {0}};
static const Field copied_from[] = {
    {"repository", FIELD_TEXT, MAYBE, "the other repository's id"},
    {"id", FIELD_TEXT, MAYBE, "the id that it has there"},
    {"checksum", FIELD_TEXT, MAYBE, "the SHA-256 of the manifest there"},
    {0}};
static const Field proof[] = {{"level", FIELD_TEXT, ALWAYS, "quick, data, rebuild or drill"},
                              {"good", FIELD_BOOL, ALWAYS, "whether it was found good"},
                              {"time", FIELD_TIME, ALWAYS, "when"},
                              {0}};
static const Field drill[] = {
    {"time", FIELD_TIME, ALWAYS, "when"},
    {"restoreTime", FIELD_INTEGER, ALWAYS, "milliseconds that its restore took"},
    {0}};
static const Field backup_list[] = {
    {"backups", FIELD_OBJECT, LIST, "the newest first", .schema = "Backup"},
    {"damaged", FIELD_TEXT, LIST, "backups that cannot be read: \"id: why\""},
    {"more", FIELD_BOOL, ALWAYS, "there are further ones"},
    {0}};

/* -- jobs, schedules, databases -------------------------------------------------------------------
 */

#define JOB_FIELDS                                                                                 \
    {"id", FIELD_INTEGER, ALWAYS, "its number"},                                                   \
        {"kind", FIELD_TEXT, ALWAYS, "backup, restore, verify, drill, cleanup, ..."},              \
        {"entry", FIELD_TEXT, ALWAYS, "the one of `databases:`; may be empty"},                    \
        {"database", FIELD_TEXT, ALWAYS, "the database's name; may be empty"},                     \
        {"status", FIELD_CHOICE, ALWAYS, "how far it is", .choices = choice_job_statuses},         \
        {"trigger", FIELD_TEXT, ALWAYS, "schedule, api, cli, catch-up or retry"},                  \
        {"actor", FIELD_TEXT, ALWAYS, "the token's or system user's name"},                        \
        {"arguments", FIELD_OBJECT, 0, "its command line"},                                        \
        {"created", FIELD_TIME, MAYBE, "when it was asked for"},                                   \
        {"started", FIELD_TIME, MAYBE, "when it began"},                                           \
        {"ended", FIELD_TIME, MAYBE, "when it ended"},                                             \
        {"progress", FIELD_OBJECT, ALWAYS, "the last that it told", .schema = "Progress"},         \
        {"backup", FIELD_TEXT, MAYBE, "the id of the backup that it made or used"},                \
        {"attempt", FIELD_INTEGER, ALWAYS, "from 1"},                                              \
        {"retryOf", FIELD_INTEGER, 0, "the job that it repeats"},                                  \
        {"exitStatus", FIELD_INTEGER, 0, "its process's"},                                         \
        {"result", FIELD_OBJECT, 0, "what the command prints with --json"},                        \
    {                                                                                              \
        "error", FIELD_OBJECT, 0, "why it failed", .schema = "JobError"                            \
    }

static const Field job[] = {JOB_FIELDS, {0}};
static const Field job_with_log[] = {
    JOB_FIELDS,
    {"log", FIELD_OBJECT, LIST, "what it said, the oldest first", .schema = "LogLine"},
    {"moreLog", FIELD_BOOL, ALWAYS, "there are further lines"},
    {0}};
static const Field job_error[] = {{"kind", FIELD_TEXT, MAYBE, "as an error's"},
                                  {"message", FIELD_TEXT, ALWAYS, "as an error's"},
                                  {"hint", FIELD_TEXT, MAYBE, "as an error's"},
                                  {0}};
static const Field progress[] = {
    {"phase", FIELD_TEXT, MAYBE, "what it does"},
    {"object", FIELD_TEXT, MAYBE, "the table worked on"},
    {"bytesDone", FIELD_INTEGER, ALWAYS, "bytes dealt with"},
    {"bytesTotal", FIELD_INTEGER, ALWAYS, "of so many; 0: not known"},
    {"bytesNew", FIELD_INTEGER, ALWAYS, "of these stored"},
    {"bytesReused", FIELD_INTEGER, ALWAYS, "of these there already"},
    {"itemsDone", FIELD_INTEGER, ALWAYS, "tables, packs, ... dealt with"},
    {"itemsTotal", FIELD_INTEGER, ALWAYS, "of so many; 0: not known"},
    {0}};
static const Field log_line[] = {
    {"n", FIELD_INTEGER, ALWAYS, "its number, from 1"},
    {"at", FIELD_TIME, MAYBE, "when"},
    {"level", FIELD_CHOICE, ALWAYS, "how bad it is", .choices = levels},
    {"line", FIELD_TEXT, ALWAYS, "the text"},
    {0}};
static const Field job_list[] = {{"jobs", FIELD_OBJECT, LIST, "the newest first", .schema = "Job"},
                                 {"more", FIELD_BOOL, ALWAYS, "there are further ones"},
                                 {0}};
static const Field schedule[] = {
    {"name", FIELD_TEXT, ALWAYS, "backup, verify or drill, with /ENTRY behind it where it has one"},
    {"kind", FIELD_TEXT, ALWAYS, "backup, verify or drill"},
    {"entry", FIELD_TEXT, ALWAYS, "the one of `databases:`; may be empty"},
    {"database", FIELD_TEXT, ALWAYS, "the database's name; may be empty"},
    {"schedule", FIELD_TEXT, ALWAYS, "the cron expression"},
    {"words", FIELD_TEXT, LIST, "the command line behind `pgstow`"},
    {"next", FIELD_TIME, MAYBE, "when it runs next"},
    {"lastDue", FIELD_TIME, MAYBE, "when its last run was due"},
    {"lastStarted", FIELD_TIME, MAYBE, "when that began"},
    {"lastJob", FIELD_INTEGER, MAYBE, "its job"},
    {"lastResult", FIELD_TEXT, MAYBE, "that one's status, or overlap, with a count"},
    {0}};
static const Field schedule_list[] = {
    {"schedules", FIELD_OBJECT, LIST, "those that the settings ask for", .schema = "Schedule"},
    {0}};
static const Field database[] = {
    {"entry", FIELD_TEXT, ALWAYS, "its name in `databases:`; empty where there is no such list"},
    {"database", FIELD_TEXT, ALWAYS, "the database's name; empty where it is all of a server"},
    {"enabled", FIELD_BOOL, ALWAYS, "backup.enabled"},
    {"schedule", FIELD_TEXT, MAYBE, "backup.schedule"},
    {"lastStatus", FIELD_CHOICE, MAYBE, "how its last backup ended",
     .choices = choice_job_statuses},
    {"lastSuccess", FIELD_OBJECT, MAYBE, "the job of its last good backup", .schema = "Job"},
    {0}};
static const Field database_list[] = {
    {"databases", FIELD_OBJECT, LIST,
     "in the order of the file; behind an entry with all of a server those that are there",
     .schema = "Database"},
    {0}};

/* -- syncs ----------------------------------------------------------------------------------------
 */

#define SYNC_FIELDS                                                                                \
    {"sessionId", FIELD_TEXT, ALWAYS, "its id, the same on both sides"},                           \
        {"number", FIELD_INTEGER, ALWAYS, "counts up: what `before` takes"},                       \
        {"role", FIELD_CHOICE, ALWAYS, "which side of it this service is",                         \
         .choices = choice_sync_roles},                                                            \
        {"direction", FIELD_CHOICE, ALWAYS, "as the initiator sees it",                            \
         .choices = choice_sync_directions},                                                       \
        {"status", FIELD_CHOICE, ALWAYS, "how far it is", .choices = choice_sync_statuses},        \
        {"phase", FIELD_TEXT, MAYBE, "what it is doing"},                                          \
        {"method", FIELD_TEXT, ALWAYS, "backup or http; auto, or empty, while that is open"},      \
        {"peer", FIELD_TEXT, ALWAYS, "the other side's name"},                                     \
        {"entry", FIELD_TEXT, ALWAYS, "the one of `databases:` here; may be empty"},               \
        {"database", FIELD_TEXT, ALWAYS, "the database's name here; may be empty"},                \
        {"attempt", FIELD_INTEGER, ALWAYS, "from 1: how often it was begun or resumed"},           \
        {"bytesDone", FIELD_INTEGER, ALWAYS, "bytes, of this phase"},                              \
        {"bytesTotal", FIELD_INTEGER, ALWAYS, "of how many; 0 where that is not known"},           \
        {"wireBytes", FIELD_INTEGER, ALWAYS, "bytes that went over the network"},                  \
        {"rowsDone", FIELD_INTEGER, ALWAYS, "rows, of this phase"},                                \
        {"rowsTotal", FIELD_INTEGER, ALWAYS, "of how many; 0 where that is not known"},            \
        {"transferSpeed", FIELD_INTEGER, ALWAYS, "bytes a second lately; 0 where not known"},      \
        {"estimatedCompletion", FIELD_TIME, MAYBE, "when this phase will be done"},                \
        {"created", FIELD_TIME, MAYBE, "when it was first begun"},                                 \
        {"started", FIELD_TIME, MAYBE, "when this attempt began"},                                 \
        {"ended", FIELD_TIME, MAYBE, "when it ended"},                                             \
        {"heartbeat", FIELD_TIME, MAYBE, "its last sign of life"},                                 \
        {"cancelRequested", FIELD_BOOL, ALWAYS, "it is asked to stop"},                            \
        {"backupId", FIELD_TEXT, MAYBE, "the backup that it moves"},                               \
        {"actor", FIELD_TEXT, ALWAYS, "who asked for it"},                                         \
        {"jobId", FIELD_INTEGER, MAYBE, "its job"},                                                \
        {"error", FIELD_OBJECT, MAYBE, "why it failed", .schema = "JobError"},                     \
        {"options", FIELD_OBJECT, 0, "what was asked for"},                                        \
    {                                                                                              \
        "result", FIELD_OBJECT, 0, "what it has done"                                              \
    }

static const Field sync_session[] = {SYNC_FIELDS, {0}};
static const Field sync_session_with_log[] = {
    SYNC_FIELDS,
    {"log", FIELD_OBJECT, LIST, "what it said, the oldest first", .schema = "LogLine"},
    {"moreLog", FIELD_BOOL, ALWAYS, "there are further lines"},
    {0}};
static const Field sync_session_list[] = {
    {"sessions", FIELD_OBJECT, LIST, "the newest first", .schema = "SyncSession"},
    {"more", FIELD_BOOL, ALWAYS, "there are further ones"},
    {0}};
static const Field sync_session_logs[] = {{"sessions", FIELD_OBJECT, LIST,
                                           "two where this service is both sides of it",
                                           .schema = "SyncSessionWithLog"},
                                          {0}};
static const Field sync_begun[] = {
    {"job", FIELD_INTEGER, ALWAYS, "the job's number; Location has where to look"},
    {"sessionId", FIELD_TEXT, ALWAYS, "the session's id"},
    {0}};

/* -- the repository -------------------------------------------------------------------------------
 */

static const Field trashed[] = {
    {"id", FIELD_TEXT, ALWAYS, "its id"},
    {"database", FIELD_TEXT, MAYBE, "the database's name, where it can be read"},
    {"deleted", FIELD_TIME, MAYBE, "when it was deleted"},
    {"until", FIELD_TIME, MAYBE, "until when it is kept at least"},
    {"size", FIELD_INTEGER, ALWAYS, "stored bytes that it refers to"},
    {0}};
static const Field trash[] = {{"deleted", FIELD_OBJECT, LIST, "by their ids", .schema = "Trashed"},
                              {0}};
static const Field database_stats[] = {
    {"database", FIELD_TEXT, ALWAYS, "the database's name"},
    {"backups", FIELD_INTEGER, ALWAYS, "how many"},
    {"logicalSize", FIELD_INTEGER, ALWAYS, "bytes of all their rows as text"},
    {"storedSize", FIELD_INTEGER, ALWAYS, "stored bytes that they refer to"},
    {"sharedSize", FIELD_INTEGER, ALWAYS, "of these, what several of them share"},
    {"firstLogicalSize", FIELD_INTEGER, ALWAYS, "the oldest one's logical size"},
    {"latestLogicalSize", FIELD_INTEGER, ALWAYS, "the newest one's"},
    {"newBytesMean", FIELD_INTEGER, ALWAYS, "what one adds, without the first"},
    {"first", FIELD_TIME, ALWAYS, "the oldest one's time"},
    {"latest", FIELD_TIME, ALWAYS, "the newest one's"},
    {0}};
static const Field stats[] = {
    {"databases", FIELD_OBJECT, LIST, "by name", .schema = "DatabaseStats"},
    {"storedTotal", FIELD_INTEGER, ALWAYS, "bytes that the repository stores"},
    {"unreferenced", FIELD_INTEGER, ALWAYS, "of these, what no backup needs"},
    {0}};
static const Field check[] = {{"fresh", FIELD_BOOL, ALWAYS, "true"},
                              {"line", FIELD_TEXT, ALWAYS, "the same for people"},
                              {0}};

/* -- the service ----------------------------------------------------------------------------------
 */

static const Field setting[] = {
    {"name", FIELD_TEXT, ALWAYS, "what it is called"},
    {"value", FIELD_TEXT, MAYBE, "its value; of secrets only that there is one"},
    {"source", FIELD_TEXT, ALWAYS, "default, file, .env, environment, entry or flag"},
    {"origin", FIELD_TEXT, ALWAYS, "the place: pgstow.yaml:7"},
    {"flag", FIELD_TEXT, MAYBE, "the flag that sets it, without the dashes"},
    {"environment", FIELD_TEXT, MAYBE, "the variable that sets it"},
    {0}};
static const Field config[] = {
    {"file", FIELD_TEXT, MAYBE, "the YAML file that was read"},
    {"dotenv", FIELD_TEXT, MAYBE, "the .env that was read"},
    {"settings", FIELD_OBJECT, LIST, "all of them", .schema = "Setting"},
    {"libpqFromDotenv", FIELD_TEXT, LIST, "libpq's own variables that .env has"},
    {"databases", FIELD_TEXT, LIST, "the entries of `databases:`"},
    {"peers", FIELD_TEXTS, LIST, "those of the file, in its words"},
    {0}};
static const Field audit_entry[] = {
    {"id", FIELD_INTEGER, ALWAYS, "its number, never used again"},
    {"at", FIELD_TIME, ALWAYS, "when"},
    {"actor", FIELD_TEXT, ALWAYS, "the token's or system user's name; empty: nobody known"},
    {"role", FIELD_TEXT, ALWAYS, "the token's role; may be empty"},
    {"origin", FIELD_TEXT, ALWAYS, "the client's address, or cli"},
    {"action", FIELD_TEXT, ALWAYS, "what was asked: backup.create, token.revoke, ..."},
    {"object", FIELD_TEXT, ALWAYS, "what it was about"},
    {"outcome", FIELD_CHOICE, ALWAYS, "what came of it", .choices = choice_outcomes},
    {"detail", FIELD_TEXT, MAYBE, "more of that"},
    {0}};
static const Field audit_list[] = {
    {"entries", FIELD_OBJECT, LIST, "the newest first", .schema = "AuditEntry"},
    {"more", FIELD_BOOL, ALWAYS, "there are further ones"},
    {0}};
static const Field token[] = {
    {"id", FIELD_INTEGER, ALWAYS, "its number"},
    {"name", FIELD_TEXT, ALWAYS, "its name"},
    {"role", FIELD_CHOICE, ALWAYS, "what it may do", .choices = choice_roles},
    {"state", FIELD_CHOICE, ALWAYS, "whether it counts", .choices = token_states},
    {"created", FIELD_TIME, MAYBE, "when it was made"},
    {"expires", FIELD_TIME, MAYBE, "when it ends by itself"},
    {"revoked", FIELD_TIME, MAYBE, "when it was ended"},
    {"lastUsed", FIELD_TIME, MAYBE, "when it was used last, to the minute"},
    {"lastFrom", FIELD_TEXT, MAYBE, "from where"},
    {0}};
static const Field token_list[] = {
    {"tokens", FIELD_OBJECT, LIST, "the newest first", .schema = "Token"},
    {"more", FIELD_BOOL, ALWAYS, "there are further ones"},
    {0}};
static const Field new_token[] = {
    {"name", FIELD_TEXT, ALWAYS, "its name"},
    {"role", FIELD_CHOICE, ALWAYS, "what it may do", .choices = choice_roles},
    {"expires", FIELD_TIME, MAYBE, "when it ends by itself"},
    {"token", FIELD_TEXT, ALWAYS, "the token, for \"Authorization: Bearer\""},
    {0}};
static const Field revoked_token[] = {{"revoked", FIELD_TEXT, ALWAYS, "its name"}, {0}};

static const Field sync_rows[] = {
    {"success", FIELD_BOOL, ALWAYS, "true"},
    {"sessionId", FIELD_TEXT, ALWAYS, "the session"},
    {"attempt", FIELD_INTEGER, ALWAYS, "whose rows are here; 0: none are"},
    {"seq", FIELD_INTEGER, ALWAYS, "the batch that was sent; asked: the last that is here"},
    {"rows", FIELD_INTEGER, ALWAYS, "that are here"},
    {"complete", FIELD_BOOL, ALWAYS, "whether all are here, and are what was said"},
    {0}};

static const Field peer_self[] = {
    {"success", FIELD_BOOL, ALWAYS, "true"},
    {"protocol", FIELD_INTEGER, ALWAYS, "what two services must agree on"},
    {"nodeId", FIELD_TEXT, ALWAYS, "its id"},
    {"version", FIELD_TEXT, ALWAYS, "of its pgstow"},
    {"knownAs", FIELD_TEXT, MAYBE, "the name that the asking peer has there"},
    {"signed", FIELD_BOOL, ALWAYS, "whether the request was signed"},
    {"tools", FIELD_OBJECT, LIST, "PostgreSQL's programs there", .schema = "PeerTool"},
    {"entries", FIELD_OBJECT, LIST, "the databases there", .schema = "PeerEntry"},
    {"time", FIELD_TIME, ALWAYS, "its time"},
    {"timeMs", FIELD_INTEGER, ALWAYS, "the same, in milliseconds since 1970"},
    {0}};
static const Field peer_tool[] = {{"name", FIELD_TEXT, ALWAYS, "pg_dump, pg_restore or psql"},
                                  {"version", FIELD_TEXT, MAYBE, "null: it is not there"},
                                  {"error", FIELD_TEXT, 0, "why not"},
                                  {"hint", FIELD_TEXT, FIELD_NULL, "what to do about it"},
                                  {0}};
static const Field peer_entry[] = {
    {"entry", FIELD_TEXT, ALWAYS, "its name; empty where there is only one without a name"},
    {"database", FIELD_TEXT, ALWAYS, "the database's name; empty where none is named"},
    {"repository", FIELD_OBJECT, ALWAYS, "where its backups are", .schema = "PeerRepository"},
    {0}};
static const Field peer_repository[] = {
    {"id", FIELD_TEXT, MAYBE, "null: there is none yet, or it cannot be opened"},
    {"encrypted", FIELD_BOOL, ALWAYS, "whether it is"},
    {"error", FIELD_TEXT, 0, "the kind of error that opening it ends with"},
    {"freeBytes", FIELD_INTEGER, 0, "of its disk"},
    {0}};

static const Field sync_state[] = {
    {"success", FIELD_BOOL, ALWAYS, "false where it is FAILED or CANCELLED"},
    {"sessionId", FIELD_TEXT, ALWAYS, "which sync"},
    {"status", FIELD_CHOICE, ALWAYS, "how far it is", .choices = choice_sync_statuses},
    {"direction", FIELD_CHOICE, ALWAYS, "as the asking side sees it",
     .choices = choice_sync_directions},
    {"attempt", FIELD_INTEGER, ALWAYS, "from 1"},
    {"method", FIELD_TEXT, ALWAYS, "backup or http; auto while that is open"},
    {"phase", FIELD_TEXT, MAYBE, "what it does"},
    {"entry", FIELD_TEXT, ALWAYS, "of the database here; may be empty"},
    {"database", FIELD_TEXT, ALWAYS, "its name"},
    {"backupId", FIELD_TEXT, MAYBE, "the backup"},
    {"bytesDone", FIELD_INTEGER, ALWAYS, "of the phase"},
    {"bytesTotal", FIELD_INTEGER, ALWAYS, "0: not known"},
    {"rowsDone", FIELD_INTEGER, ALWAYS, "of the phase"},
    {"rowsTotal", FIELD_INTEGER, ALWAYS, "0: not known"},
    {"transferSpeed", FIELD_INTEGER, ALWAYS, "bytes a second"},
    {"estimatedCompletion", FIELD_TIME, MAYBE, "when the phase will be done"},
    {"result", FIELD_OBJECT, 0, "what was written, where it is COMPLETED"},
    {"kind", FIELD_TEXT, FIELD_NULL, "of the error"},
    {"error", FIELD_TEXT, FIELD_NULL, "why it failed"},
    {"hint", FIELD_TEXT, FIELD_NULL, "what to do about it"},
    {"leftOut", FIELD_TEXT, FIELD_LIST, "what of the database is not in the backup"},
    {"rows", FIELD_INTEGER, 0, "of the backup"},
    {"tables", FIELD_INTEGER, 0, "of the backup"},
    {"size", FIELD_INTEGER, 0, "stored bytes that it refers to"},
    {"logicalSize", FIELD_INTEGER, 0, "bytes of its rows"},
    {"newBytes", FIELD_INTEGER, 0, "stored bytes that it added"},
    {"version", FIELD_TEXT, 0, "of pgstow here"},
    {"protocol", FIELD_INTEGER, 0, "what both must agree on"},
    {"repositoryId", FIELD_TEXT, 0, "of the repository here"},
    {"encrypted", FIELD_BOOL, 0, "whether that is"},
    {"freeBytes", FIELD_INTEGER, 0, "of its disk"},
    {"pgRestore", FIELD_TEXT, FIELD_NULL, "of a push: its version here"},
    {"pgRestoreHint", FIELD_TEXT, FIELD_NULL, "how it is installed"},
    {0}};
static const Field sync_received[] = {
    {"success", FIELD_BOOL, FIELD_REQUIRED, "true"},
    {"have", FIELD_INTEGER, 0, "bytes of it that are here and not yet an object"},
    {"done", FIELD_BOOL, 0, "it is an object"},
    {0}};
static const Field sync_schema[] = {
    {"success", FIELD_BOOL, ALWAYS, "true"},
    {"schema", FIELD_OBJECT, ALWAYS, "the tables, with columns, types and keys"},
    {0}};

static const Schema schemas[] = {
    {"Error", "What went wrong", error_fields},
    {"ErrorFacts", "An error's kind, message and hint", error_facts},
    {"Health", "How the service is", health},
    {"JobBegun", "A job that was begun, or is asked to end", job_begun},
    {"Backup", "What is known of a backup", backup},
    {"CopiedFrom", "Where a backup was copied from", copied_from},
    {"Proof", "What a verify has found", proof},
    {"Drill", "A drill that was good", drill},
    {"BackupList", "Backups", backup_list},
    {"Job", "A run of the command line", job},
    {"JobWithLog", "A run of the command line, with what it said", job_with_log},
    {"JobError", "Why a job failed", job_error},
    {"Progress", "How far a job is", progress},
    {"LogLine", "A line that a job said", log_line},
    {"JobList", "Jobs", job_list},
    {"SyncSession", "A sync that this service takes part in", sync_session},
    {"SyncSessionWithLog", "A sync, with what it said", sync_session_with_log},
    {"SyncSessionList", "Syncs", sync_session_list},
    {"SyncSessionLogs", "Syncs of one id", sync_session_logs},
    {"SyncState", "A sync, as a peer sees it", sync_state},
    {"SyncReceived", "What was done with an object of a sync", sync_received},
    {"SyncSchema", "What a database's tables are like", sync_schema},
    {"SyncBegun", "A sync that was begun", sync_begun},
    {"Schedule", "A schedule", schedule},
    {"ScheduleList", "Schedules", schedule_list},
    {"Database", "An entry of `databases:`", database},
    {"DatabaseList", "Entries of `databases:`", database_list},
    {"Trashed", "A deleted backup", trashed},
    {"Trash", "Deleted backups", trash},
    {"DatabaseStats", "What a database costs in a repository", database_stats},
    {"Stats", "What a repository holds", stats},
    {"Check", "A backup that is young enough", check},
    {"Setting", "A setting", setting},
    {"Config", "The settings that count", config},
    {"AuditEntry", "Something that was asked for, and what came of it", audit_entry},
    {"AuditList", "Entries of the audit log", audit_list},
    {"Token", "A token, without its text", token},
    {"TokenList", "Tokens", token_list},
    {"NewToken", "A token that was made just now", new_token},
    {"RevokedToken", "A token that was ended", revoked_token},
    {"SyncRows", "The rows of a push that are kept", sync_rows},
    {"Peer", "What a service says of itself to its peers", peer_self},
    {"PeerTool", "One of PostgreSQL's programs", peer_tool},
    {"PeerEntry", "A database of a peer", peer_entry},
    {"PeerRepository", "The repository of a peer's database", peer_repository},
};

const Schema *schema_at(size_t i)
{
    return i < sizeof schemas / sizeof *schemas ? &schemas[i] : NULL;
}
