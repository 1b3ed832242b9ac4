#include "op/backup.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "flow/group.h"
#include "op/backup_facts.h"
#include "op/copy_rows.h"
#include "op/host_memory.h"
#include "pg/dump.h"
#include "pg/filter.h"
#include "pg/globals.h"
#include "pg/relation.h"
#include "pg/snapshot.h"
#include "pg/source.h"
#include "pg/toc_as.h"
#include "pg/toc_make.h"
#include "repo/writer.h"

#define ATTEMPTS 8
#define LOCK_WAIT_MS 10000

void backup_options_clear(BackupOptions *o)
{
    strlist_free(&o->exclude_tables);
    strlist_free(&o->exclude_table_data);
    strlist_free(&o->schemas);
    strlist_free(&o->where);
    strlist_free(&o->masks);
    strlist_free(&o->tags);
}

/* Everything that one backup holds, from the first connection to the commit. */
typedef struct Backup {
    const OpContext *c;
    const BackupOptions *o;
    Cancel *cancel;
    Repo *repo;
    Conn *list, *lock; /* asks; holds locks and snapshot */
    Tool *tool;
    Snapshot *snapshot;
    Dump *dump;
    Toc *toc;                       /* recorded instead of pg_dump's own; or NULL */
    Rows *asked;                    /* what source_ask gave, under the snapshot; or NULL */
    RelationList relations;         /* under the snapshot too */
    Buf relation_lines;             /* as they are written */
    ConsistencyBeside *consistency; /* looked at beside all this; or NULL */
    Filter *filter;                 /* NULL where all is backed up as it is */
    Globals globals;                /* where they are wanted */
    Writer *writer;
    BackupInfo facts;
    Instant taken; /* when the snapshot was */
} Backup;

static void backup_clear(Backup *b)
{
    if (b->writer)
        writer_free(b->writer);
    if (b->filter)
        filter_free(b->filter);
    if (b->consistency)
        consistency_beside_free(b->consistency);
    if (b->asked)
        rows_free(b->asked);
    relation_list_clear(&b->relations);
    buf_free(&b->relation_lines);
    globals_clear(&b->globals);
    if (b->toc)
        toc_free(b->toc);
    if (b->dump)
        dump_free(b->dump);
    if (b->snapshot)
        snapshot_free(b->snapshot);
    if (b->lock)
        conn_free(b->lock);
    if (b->list)
        conn_free(b->list);
    if (b->tool)
        tool_free(b->tool);
    if (b->repo)
        repo_free(b->repo);
    if (b->cancel)
        cancel_free(b->cancel);
    backup_info_clear(&b->facts);
}
DEFINE_AUTO_VALUE(Backup, backup_clear)

/* -- who, where, and that nobody else does it ------------------------------------------------- */

/* Without a fitting one, where rows alone are asked for then, b->tool stays NULL. */
static Error *find_pg_dump(Backup *b)
{
    Error *e = tools_find(&b->c->tools, TOOL_PG_DUMP, conn_server_version(b->list), 0, &b->tool);
    if (!e || !b->o->fallback_rows ||
        (error_kind(e) != ERR_TOOL_MISSING && error_kind(e) != ERR_TOOL_VERSION))
        return e;
    log_info("no pg_dump: %s", error_message(e));
    strlist_add(&b->facts.warnings,
                "no pg_dump fits the server: the backup has rows and sequence values only, without "
                "definitions and large objects");
    error_free(e);
    return NULL;
}

static Error *connect_both(Backup *b)
{
    job_phase(b->c->job, "connecting", 0, 0);
    ConnOptions options = {.url = b->c->db_url,
                           .dbname = b->c->db_name,
                           .cancel = b->cancel,
                           .silence_ms = b->c->silence_ms};
    TRY(conn_open(&options, &b->list));
    TRY(find_pg_dump(b));
    TRY(conn_open_like(b->list, NULL, NULL, &b->lock));
    TRY(conn_prepare_dump(b->list, NULL));
    return conn_prepare_dump(b->lock, NULL);
}

/* One backup of a database into a repository at a time: an advisory lock of the server, which ends
 * with our connection and holds between hosts. Its key is made of the repository's id. */
static Error *lock_database(Backup *b)
{
    AUTO(Hash) h = hash_new();
    AUTO(char) what = mem_printf("pgstow backup %s", repo_id(b->repo));
    uint8_t digest[HASH_BYTES];
    int64_t key;
    hash_once(h, what, strlen(what), digest);
    memcpy(&key, digest, sizeof key);
    AUTO(char) text = mem_printf("%lld", (long long)key);
    const char *params[] = {text};
    AUTO(char) got = NULL;
    TRY(conn_value(b->lock, "SELECT pg_catalog.pg_try_advisory_lock($1::bigint)", 1, params, &got));
    if (got && !strcmp(got, "t"))
        return NULL;
    SessionInfo *sessions = NULL;
    size_t count = 0;
    AUTO(char) who = mem_strdup("another process");
    error_drop(session_list(b->repo, &sessions, &count));
    for (size_t i = 0; i < count; i++) {
        const SessionInfo *s = &sessions[i];
        if (s->kind == SESSION_WRITER && !strcmp(s->database, conn_dbname(b->lock))) {
            char when[CLOCK_TEXT];
            free(who);
            who = mem_printf("%s, by process %lld on %s since %s", s->backup_id, (long long)s->pid,
                             s->host, clock_human(s->started, when));
        }
        session_info_clear(&sessions[i]);
    }
    free(sessions);
    return error_hint(ERROR_NEW(ERR_BUSY, "a backup of %s into %s is running already: %s",
                                conn_describe(b->lock), repo_where(b->repo), who),
                      "wait for it to end, or end it; then run this again");
}

/* Only when all that may refuse the backup was asked: an empty repository would be left behind. */
static Error *make_repo(Backup *b)
{
    TRY(op_open_repo(b->c, true, &b->repo));
    return lock_database(b);
}

/* What belongs to the server. It is under no snapshot: roles change seldom, and for all databases
 * at once. */
static Error *read_globals(Backup *b)
{
    BackupInfo *f = &b->facts;
    if (b->o->role_passwords && !b->o->globals)
        return error_hint(ERROR_NEW(ERR_USAGE, "--role-passwords belongs to --globals"),
                          "give both, or neither");
    if (!b->o->globals)
        return NULL;
    TRY(conn_use_utf8(b->list));
    TRY(globals_read(b->list, b->o->role_passwords, &b->globals));
    TRY(conn_prepare_dump(b->list, NULL));
    size_t hashes = globals_count(&b->globals, "role", true);
    f->globals = true;
    f->role_passwords = hashes > 0;
    bool sealed = b->repo ? repo_keys(b->repo) != NULL : b->c->encrypt;
    if (hashes && !sealed)
        strlist_own(&f->warnings, mem_printf("the repository is not encrypted, and holds the "
                                             "password hashes of %zu role%s: whoever can read it "
                                             "can try to guess the passwords",
                                             hashes, hashes > 1 ? "s" : ""));
    return NULL;
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = mem_strdup(text);
}

/* The backup is recorded as another database's, of another server and time. */
static void put_as(BackupInfo *f, const BackupAs *as)
{
    set_text(&f->database, as->database);
    set_text(&f->server, as->server);
    set_text(&f->system_identifier, "");
    f->database_oid = 0;
    if (as->database_version)
        set_text(&f->database_version, as->database_version);
}

/* -- locks, snapshot, table of contents ------------------------------------------------------- */

#define LOCKS_ENDED "the session that holds locks and snapshot has ended"

/* What ends the session that holds locks and snapshot makes pg_dump and the readers fail too, and
 * they know less of it. */
static Error *lock_ended(Backup *b, Error *e)
{
    if (!e || (error_kind(e) != ERR_TOOL_FAILED && error_kind(e) != ERR_CONNECT) ||
        conn_broken(b->lock))
        return e;
    Error *ended = conn_exec(b->lock, "SELECT 1");
    if (!ended)
        return e;
    error_free(e);
    return error_context(ended, LOCKS_ENDED);
}

/* Patterns come from the command line in UTF-8; pg_dump takes them in the database's encoding, and
 * a table that it does not find it silently does not leave out. */
static Error *patterns_encoded(Backup *b, const StrList *patterns, StrList *out)
{
    for (size_t i = 0; i < patterns->count; i++) {
        AUTO(char) converted = NULL;
        TRY_CTX(conn_encoded(b->list, patterns->items[i], &converted), "a pattern");
        strlist_own(out, STEAL(converted));
    }
    return NULL;
}

/* Locks what is in the table of contents and was not there before the snapshot. */
static Error *cover(Backup *b, const Toc *toc)
{
    uint32_t *oids = mem_calloc(toc->count, sizeof *oids);
    size_t n = 0;
    for (size_t i = 0; i < toc->count; i++)
        if (toc_is_table_data(&toc->entries[i]))
            oids[n++] = toc->entries[i].oid;
    Error *e = snapshot_cover(b->snapshot, oids, n);
    free(oids);
    return e ? e : fault_reach("backup.start.covered");
}

static Error *read_relations(Backup *b)
{
    TRY_CTX(relation_list_read(b->lock, &b->relations), "reading the tables' columns and keys");
    relation_list_encode(&b->relations, &b->relation_lines);
    return NULL;
}

/* Every table was locked before the snapshot, so what the catalog shows now is covered. */
static Error *make_toc(Backup *b)
{
    TocRows choice = {.exclude_tables = &b->o->exclude_tables,
                      .exclude_table_data = &b->o->exclude_table_data,
                      .schemas = &b->o->schemas};
    TRY(read_relations(b));
    TRY(toc_make_rows(b->lock, &b->relations, &choice, &b->toc));
    return cover(b, b->toc);
}

/* What we ask of the catalog ourselves, while pg_dump reads it: on the connection that holds the
 * locks, so that nobody has to be waited for. */
static Error *ask_catalog(void *arg)
{
    Backup *b = arg;
    size_t count;
    const uint32_t *tables = snapshot_tables(b->snapshot, &count);
    TRY(source_ask(b->lock, tables, count, &b->asked));
    return read_relations(b);
}

static Error *read_catalog(Backup *b, const DumpOptions *dump)
{
    AUTO(Group) group = NULL;
    TRY(group_new(b->cancel, &group));
    TRY(group_start(group, ask_catalog, b));
    Error *e = dump_start(dump, &b->dump), *asked = group_join(group);
    if (asked && conn_broken(b->lock)) { /* what pg_dump says then is a consequence */
        error_free(e);
        return cancel_requested(b->cancel) ? asked : error_context(asked, LOCKS_ENDED);
    }
    return error_first(dump_ask_why(e, b->list), asked);
}

static Error *take_once(Backup *b)
{
    AUTO_VALUE(StrList) tables = {0};
    AUTO_VALUE(StrList) table_data = {0};
    AUTO_VALUE(StrList) schemas = {0};
    TRY(patterns_encoded(b, &b->o->exclude_tables, &tables));
    TRY(patterns_encoded(b, &b->o->exclude_table_data, &table_data));
    TRY(patterns_encoded(b, &b->o->schemas, &schemas));
    int64_t wait = b->o->lock_wait_ms ? b->o->lock_wait_ms : LOCK_WAIT_MS;
    TRY(snapshot_take(b->list, b->lock, wait, b->c->job, &b->snapshot));
    b->taken = clock_now();
    /* Inside the transaction: a pooler may have made it in another session. */
    TRY(conn_prepare_dump(b->lock, b->facts.encoding));
    job_phase(b->c->job, "reading the catalog", 0, 0);
    if (!b->tool)
        return lock_ended(b, make_toc(b));
    DumpOptions dump = {.tool = b->tool,
                        .conn = b->list,
                        .snapshot = snapshot_name(b->snapshot),
                        .encoding = b->facts.encoding,
                        .exclude_tables = &tables,
                        .exclude_table_data = &table_data,
                        .schemas = &schemas,
                        .lock_wait_ms = wait,
                        .cancel = b->cancel};
    TRY(lock_ended(b, read_catalog(b, &dump)));
    FAULT_POINT("backup.start.toc");
    TRY(cover(b, dump_toc(b->dump)));
    TRY(dump_ask_why(dump_end(b->dump, &b->facts.warnings), b->list));
    /* The last that is asked of it before anything is written: it must still be there. */
    return lock_ended(b, conn_prepare_dump(b->lock, b->facts.encoding));
}

/* Until a snapshot was taken during whose beginning nobody changed a table's file. */
static Error *take_snapshot(Backup *b)
{
    for (int attempt = 1;; attempt++) {
        Error *e = take_once(b);
        if (!e || error_kind(e) != ERR_DB_CHANGED)
            return e;
        if (attempt == ATTEMPTS)
            return error_hint(e, "others lock or rewrite tables all the time (pg_locks shows who): "
                                 "try again when they are done, or wait longer with --lock-wait");
        log_info("starting over (%d): %s", attempt, error_message(e));
        error_free(e);
        if (b->dump)
            dump_free(STEAL(b->dump));
        if (b->toc)
            toc_free(STEAL(b->toc));
        if (b->asked)
            rows_free(STEAL(b->asked));
        relation_list_clear(&b->relations);
        buf_free(&b->relation_lines);
        if (b->snapshot)
            snapshot_free(STEAL(b->snapshot));
        /* A lock that was refused on the way leaves the transaction open. */
        TRY(conn_exec(b->lock, "ROLLBACK"));
        clock_sleep_ms(100 * attempt);
        TRY(cancel_check(b->cancel));
    }
}

/* -- into the repository ---------------------------------------------------------------------- */

static Error *write_whole(Backup *b, const StreamSpec *spec, const Buf *bytes, uint64_t rows)
{
    AUTO(PieceWriter) w = NULL;
    uint32_t stream;
    TRY(writer_add_stream(b->writer, spec, &stream));
    TRY(piece_writer_new(b->writer, &w));
    TRY(piece_begin(w, stream, 0));
    TRY(piece_write(w, bytes->data, bytes->len));
    TRY(piece_end(w, rows));
    return piece_writer_finish(w);
}

static const Toc *toc_of(const Backup *b)
{
    return b->toc ? b->toc : dump_toc(b->dump);
}

static Error *write_toc(Backup *b)
{
    StreamSpec spec = {.kind = STREAM_TOC, .schema = "", .name = "table of contents", .pieces = 1};
    return write_whole(b, &spec, &toc_of(b)->raw, 0);
}

/* On the connection that has the tables' locks, too. */
static Error *make_filter(Backup *b)
{
    const BackupOptions *o = b->o;
    if (!*b->facts.filter)
        return NULL;
    job_phase(b->c->job, "checking the filter", 0, 0);
    FilterOptions filter = {.where = &o->where,
                            .masks = &o->masks,
                            .cascade = o->cascade,
                            .schemas_chosen = o->schemas.count > 0};
    TRY(conn_use_utf8(b->lock));
    TRY(filter_make(b->lock, &b->relations, toc_of(b), &filter, &b->facts.warnings, &b->filter));
    filter_masked(b->filter, &b->facts.masked);
    return b->tool ? conn_prepare_dump(b->lock, b->facts.encoding) : NULL;
}

/* What readers want to know of the tables without understanding SQL: columns, types, keys. */
static Error *write_relations(Backup *b)
{
    StreamSpec spec = {.kind = STREAM_RELATIONS,
                       .schema = "",
                       .name = "relations",
                       .pieces = 1,
                       .rows_framed = true};
    TRY(write_whole(b, &spec, &b->relation_lines, b->relations.count));
    buf_free(&b->relation_lines);
    return NULL;
}

static Error *write_globals(Backup *b)
{
    AUTO_VALUE(Buf) lines = {0};
    StreamSpec spec = {
        .kind = STREAM_GLOBALS, .schema = "", .name = "globals", .pieces = 1, .rows_framed = true};
    globals_encode(&b->globals, &lines);
    return write_whole(b, &spec, &lines, b->globals.count);
}

static Error *write_all(Backup *b, const char *parent, Rate *rate, BackupInfo *out)
{
    WriterOptions options = {.database = b->facts.database,
                             .server = b->facts.server,
                             .system_identifier = b->facts.system_identifier,
                             .database_oid = b->facts.database_oid,
                             .filter = b->facts.filter,
                             .parent = parent,
                             .level = b->o->level,
                             .rate = rate,
                             .timestamp = b->o->as ? b->o->as->at : b->taken,
                             .id = b->o->as ? b->o->as->id : NULL};
    TRY(writer_open(b->repo, &options, b->c->job, &b->writer));
    FAULT_POINT("backup.opened");
    TRY(write_toc(b));
    TRY(write_relations(b));
    if (b->o->globals)
        TRY(write_globals(b));
    CopyRows copy = {.lock = b->lock,
                     .snapshot = snapshot_name(b->snapshot),
                     .toc = toc_of(b),
                     .asked = b->asked,
                     .filter = b->filter,
                     .columns_like = b->o->columns_like,
                     .utf8 = !b->tool,
                     .writer = b->writer,
                     .job = b->c->job,
                     .cancel = b->cancel,
                     .jobs = op_jobs(b->c)};
    TRY(lock_ended(b, copy_rows(&copy)));
    FAULT_POINT("backup.read");
    /* Without its locks what we read later would be worth nothing: they must have held to the end.
     */
    TRY_CTX(snapshot_end(b->snapshot), "the locks were lost while the rows were read");
    b->facts.tables = copy.tables;
    b->facts.large_objects = copy.large_objects;
    job_phase(b->c->job, "committing", 0, 0);
    TRY(cancel_check(b->cancel));
    TRY(writer_commit(b->writer, &b->facts, out));
    FAULT_POINT("backup.end");
    return NULL;
}

Error *op_backup(const OpContext *c, const BackupOptions *options, BackupInfo *out)
{
    AUTO_VALUE(Backup) b = {.c = c, .o = options};
    AUTO(char) parent = NULL;
    TRY(cancel_new(job_cancel(c->job), &b.cancel));
    if (options->timeout_ms)
        cancel_deadline(b.cancel, options->timeout_ms);
    TRY(connect_both(&b));
    TRY(backup_refuse_pooler(b.list));
    TRY(op_expect_repo(c, &b.repo));
    if (b.repo)
        TRY(lock_database(&b));
    TRY(backup_ask_facts(b.list, &b.facts));
    b.facts.tool_version = mem_strdup(b.tool ? b.tool->text : "none");
    strlist_copy(&b.facts.tags, &options->tags);
    if (options->as)
        put_as(&b.facts, options->as);
    TRY(backup_warn_unlogged(b.list, &b.facts.warnings));
    TRY(read_globals(&b));
    b.facts.filter = backup_filter_text(options, !b.tool);
    if (options->cascade && !options->where.count && !options->exclude_table_data.count)
        return error_hint(ERROR_NEW(ERR_USAGE, "--cascade has nothing to begin with"),
                          "--where or --exclude-table-data says which rows are left out");
    TRY(op_find_parent(b.repo, options->parent, b.facts.database, &parent));
    Consistency look = options->consistency;
    look.without_keys = options->where.count || options->masks.count;
    TRY(consistency_start(c, &look, b.list, b.cancel, &b.consistency, &b.facts.warnings));
    TRY(take_snapshot(&b));
    TRY(consistency_end(b.consistency, &b.facts.warnings));
    if (options->as)
        TRY(toc_as(dump_toc(b.dump), b.facts.database, &b.toc));
    TRY(lock_ended(&b, make_filter(&b)));
    if (!b.repo)
        TRY(make_repo(&b));
    AUTO(Rate) rate = rate_new(options->max_rate);
    TRY(write_all(&b, parent, rate, out));
    host_memory_note(c, b.repo, out);
    return NULL;
}
