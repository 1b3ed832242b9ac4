/* The target's side: a complete spool as a backup of rows alone in the repository. */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "flow/rate.h"
#include "op/host_memory.h"
#include "op/sync_contents.h"
#include "op/sync_rows.h"
#include "op/sync_spool.h"
#include "pg/encoding.h"
#include "pg/relation.h"
#include "pg/toc_make.h"
#include "repo/writer.h"

#define ROWS_ONLY "rows-only"
#define AHEAD_MS (24 * INT64_C(3600000)) /* of our clock: further than that a source's is wrong */
#define TABLE_NONE SIZE_MAX
#define SILENT_MS (24 * INT64_C(3600000)) /* then a session of another host is given up */
#define BUSY_ALL_MS (30 * INT64_C(60000)) /* so long another backup is waited for */
#define BUSY_LOOK_MS 500

typedef struct Apply {
    const OpContext *c;
    const SyncRowsApply *o;
    Cancel *cancel;
    SyncSpool *spool;
    SyncContents all, again; /* again: while the rows are written */
    bool ascii;              /* names and rows become bytes of a SQL_ASCII database again */
    RelationList relations;
    Toc *toc;
    Repo *repo;
    Writer *writer;
    PieceWriter *pieces;
    BackupInfo facts;
    size_t table; /* whose rows are being written; TABLE_NONE */
    uint32_t *streams;
    uint64_t rows; /* of that table */
    Buf bytes;
} Apply;

static void apply_clear(Apply *a)
{
    if (a->pieces)
        piece_writer_free(a->pieces);
    if (a->writer)
        writer_free(a->writer);
    if (a->repo)
        repo_free(a->repo);
    if (a->toc)
        toc_free(a->toc);
    if (a->spool)
        sync_spool_free(a->spool);
    relation_list_clear(&a->relations);
    sync_contents_clear(&a->all);
    sync_contents_clear(&a->again);
    backup_info_clear(&a->facts);
    buf_free(&a->bytes);
    free(a->streams);
}
DEFINE_AUTO_VALUE(Apply, apply_clear)

/* -- what came --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const Relation *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

/* As they are looked up, whatever order they came in; and nothing but what is known of them. */
static void order_relations(Apply *a)
{
    RelationList *l = &a->relations;
    mem_sort(l->items, l->count, sizeof *l->items, by_name);
    relation_list_index(l);
    a->all.relations.len = 0;
    relation_list_encode(l, &a->all.relations);
}

static Error *read_contents(Apply *a)
{
    TRY(sync_spool_open(a->o->state_dir, a->o->session, false, &a->spool));
    if (!sync_spool_state(a->spool).complete)
        return error_hint(ERROR_NEW(ERR_PREFLIGHT,
                                    "not all rows of session %s are here: nothing is done with "
                                    "them",
                                    a->o->session),
                          "run the sync again");
    job_phase(a->c->job, "checking what came", sync_spool_state(a->spool).bytes, 0);
    TRY(sync_spool_read(a->spool, &(SyncSpoolReader){.batch = sync_contents_batch,
                                                     .text = sync_contents_text,
                                                     .ctx = &a->all}));
    TRY(sync_contents_end(&a->all));
    if (!a->all.source)
        a->all.source = doc_object();
    TRY_CTX(relation_list_decode(a->all.relations.data, a->all.relations.len, &a->relations),
            "what the source says of its tables");
    order_relations(a);
    return NULL;
}

/* -- its table of contents --------------------------------------------------------------------- */

/* As the source has it; replaces the text. */
static Error *own_bytes(const Apply *a, char **name)
{
    AUTO_VALUE(Buf) bytes = {0};
    if (!a->ascii)
        return NULL;
    TRY(encoding_ascii_bytes(*name, strlen(*name), &bytes));
    free(*name);
    *name = buf_steal_str(&bytes);
    return NULL;
}

static Error *own_names(Apply *a)
{
    for (size_t i = 0; i < a->all.table_count; i++) {
        SyncTable *t = &a->all.tables[i];
        TRY(own_bytes(a, &t->schema));
        TRY(own_bytes(a, &t->name));
        for (size_t k = 0; k < t->columns.count; k++)
            TRY(own_bytes(a, &t->columns.items[k]));
    }
    for (size_t i = 0; i < a->all.sequence_count; i++) {
        TRY(own_bytes(a, &a->all.sequences[i].schema));
        TRY(own_bytes(a, &a->all.sequences[i].name));
    }
    return NULL;
}

static Error *make_toc(Apply *a)
{
    const SyncContents *all = &a->all;
    TocTable *tables = mem_calloc(all->table_count + 1, sizeof *tables);
    TocSequence *sequences = mem_calloc(all->sequence_count + 1, sizeof *sequences);
    for (size_t i = 0; i < all->table_count; i++) {
        const SyncTable *t = &all->tables[i];
        const Relation *r = relation_find(&a->relations, t->schema, t->name);
        tables[i] = (TocTable){
            .schema = t->schema, .name = t->name, .columns = &t->columns, .oid = r ? r->oid : 0};
    }
    for (size_t i = 0; i < all->sequence_count; i++) {
        const SyncSequence *s = &all->sequences[i];
        sequences[i] = (TocSequence){
            .schema = s->schema, .name = s->name, .value = s->value, .called = s->called};
    }
    Error *e = toc_make_given(&(TocGiven){.database = a->facts.database,
                                          .version = a->facts.database_version,
                                          .encoding = a->facts.encoding,
                                          .tables = tables,
                                          .table_count = all->table_count,
                                          .sequences = sequences,
                                          .sequence_count = all->sequence_count},
                              &a->toc);
    free(tables);
    free(sequences);
    return e;
}

/* -- its facts --------------------------------------------------------------------------------- */

static Instant taken_at(const Doc *source)
{
    Instant at = 0, now = clock_now();
    const char *text = doc_str(source, "timestamp", NULL);
    if (text)
        error_drop(clock_parse(text, &at));
    return at <= 0 || at > now + AHEAD_MS ? now : at;
}

static Error *fill_facts(Apply *a)
{
    BackupInfo *f = &a->facts;
    const Doc *s = a->all.source, *masked = doc_get(s, "masked");
    const char *encoding = doc_str(s, "encoding", "UTF8"), *filter = doc_str(s, "filter", "");
    int64_t oid = doc_int(s, "databaseOid", 0);
    a->ascii = !strcmp(encoding, "SQL_ASCII");
    if (!a->ascii && strcmp(encoding, "UTF8"))
        FAIL(ERR_PREFLIGHT,
             "the rows are said to be in %s: they come in UTF8, or of a SQL_ASCII "
             "database",
             encoding);
    f->database = mem_strdup(doc_str(s, "database", a->o->database));
    f->server = mem_strdup(doc_str(s, "server", a->o->server));
    f->system_identifier = mem_strdup(doc_str(s, "systemIdentifier", ""));
    f->database_oid = oid <= UINT32_MAX ? (uint32_t)oid : 0;
    f->database_version = mem_strdup(doc_str(s, "databaseVersion", "unknown"));
    f->tool_version = mem_strdup("none");
    f->encoding = mem_strdup(encoding);
    f->collate = mem_strdup("");
    f->ctype = mem_strdup("");
    f->filter = text_ends(filter, ROWS_ONLY)
                    ? mem_strdup(filter)
                    : mem_printf("%s%s" ROWS_ONLY, filter, *filter ? " " : "");
    f->started = clock_now();
    f->tables = a->all.table_count;
    strlist_copy(&f->tags, &a->o->tags);
    for (size_t i = 0; i < doc_count(masked); i++)
        strlist_add(&f->masked, doc_text(doc_at(masked, i)));
    strlist_add(&f->warnings, "the rows came without pg_dump: the backup has rows and sequence "
                              "values only, without definitions and large objects");
    return own_names(a);
}

/* -- into the repository ----------------------------------------------------------------------- */

static Error *write_whole(Apply *a, const StreamSpec *spec, const Buf *bytes, uint64_t rows)
{
    uint32_t stream;
    TRY(writer_add_stream(a->writer, spec, &stream));
    TRY(piece_begin(a->pieces, stream, 0));
    TRY(piece_write(a->pieces, bytes->data, bytes->len));
    return piece_end(a->pieces, rows);
}

static Error *add_streams(Apply *a)
{
    size_t table = 0;
    a->streams = mem_calloc(a->all.table_count + 1, sizeof *a->streams);
    TRY(write_whole(
        a,
        &(StreamSpec){.kind = STREAM_TOC, .schema = "", .name = "table of contents", .pieces = 1},
        &a->toc->raw, 0));
    if (a->relations.count)
        TRY(write_whole(a,
                        &(StreamSpec){.kind = STREAM_RELATIONS,
                                      .schema = "",
                                      .name = "relations",
                                      .pieces = 1,
                                      .rows_framed = true},
                        &a->all.relations, a->relations.count));
    for (size_t i = 0; i < a->toc->count; i++) {
        const TocEntry *e = &a->toc->entries[i];
        if (!toc_is_table_data(e))
            continue;
        TRY(writer_add_stream(a->writer,
                              &(StreamSpec){.kind = STREAM_TABLE,
                                            .dump_id = (uint32_t)e->dump_id,
                                            .oid = e->oid,
                                            .schema = e->schema,
                                            .name = e->tag,
                                            .pieces = 1,
                                            .rows_framed = true},
                              &a->streams[table++]));
    }
    return NULL;
}

static Error *end_table(Apply *a)
{
    if (a->table == TABLE_NONE)
        return NULL;
    job_add_items(a->c->job, 1);
    return piece_end(a->pieces, a->rows);
}

/* Tables come in the order in which they were counted. */
static Error *next_table(Apply *a)
{
    TRY(end_table(a));
    a->table = a->table == TABLE_NONE ? 0 : a->table + 1;
    a->rows = 0;
    job_object(a->c->job, a->all.tables[a->table].name);
    return piece_begin(a->pieces, a->streams[a->table], 0);
}

static Error *take_batch(void *ctx, const Doc *batch)
{
    Apply *a = ctx;
    TRY(cancel_check(a->cancel));
    TRY(sync_contents_batch(&a->again, batch));
    a->again.relations.len = 0; /* they are known */
    while (a->again.table_count && a->again.table_count - 1 != a->table)
        TRY(next_table(a));
    return NULL;
}

static Error *take_text(void *ctx, const void *p, size_t n, uint64_t rows)
{
    Apply *a = ctx;
    TRY(sync_contents_text(&a->again, p, n, rows));
    if (a->ascii) {
        TRY(encoding_ascii_bytes(p, n, &a->bytes));
        p = a->bytes.data;
        n = a->bytes.len;
    }
    a->rows += rows;
    job_add_bytes(a->c->job, n);
    return piece_write(a->pieces, p, n);
}

static Error *write_rows(Apply *a)
{
    a->table = TABLE_NONE;
    job_phase(a->c->job, "writing", sync_spool_state(a->spool).bytes, a->all.table_count);
    TRY(sync_spool_read(a->spool,
                        &(SyncSpoolReader){.batch = take_batch, .text = take_text, .ctx = a}));
    /* Those without rows stand behind the others. */
    while (a->table + 1 < a->all.table_count)
        TRY(next_table(a));
    TRY(end_table(a));
    return piece_writer_finish(a->pieces);
}

/* A writer takes sessions of other hosts for dead, as whoever holds the database's lock knows them
 * to be. Here nobody holds it: it is the source's. */
static Error *alone(const Apply *a)
{
    SessionInfo *list;
    size_t count;
    Error *e = NULL;
    TRY(session_list(a->repo, &list, &count));
    for (size_t i = 0; i < count && !e; i++) {
        const SessionInfo *s = &list[i];
        if (s->kind == SESSION_WRITER && !strcmp(s->database, a->facts.database) &&
            !strcmp(s->server, a->facts.server) && session_state(s) == SESSION_ELSEWHERE &&
            !session_given_up(s, clock_now(), SILENT_MS))
            e = error_hint(ERROR_NEW(ERR_BUSY, "%s writes a backup of %s on %s into %s", s->host,
                                     s->database, s->server, repo_where(a->repo)),
                           "wait for it to end");
    }
    session_list_free(list, count);
    return e;
}

static Error *open_writer(Apply *a, Rate *rate)
{
    AUTO(char) parent = NULL;
    TRY(alone(a));
    TRY(op_find_parent(a->repo, a->o->parent, a->facts.database, &parent));
    return writer_open(a->repo,
                       &(WriterOptions){.database = a->facts.database,
                                        .server = a->facts.server,
                                        .system_identifier = a->facts.system_identifier,
                                        .database_oid = a->facts.database_oid,
                                        .filter = a->facts.filter,
                                        .parent = parent,
                                        .level = a->o->level,
                                        .rate = rate,
                                        .timestamp = taken_at(a->all.source)},
                       a->c->job, &a->writer);
}

/* Another backup of this source may be on its way into the repository. */
static Error *open_in_turn(Apply *a, Rate *rate)
{
    int64_t until = clock_mono_ms() + BUSY_ALL_MS;
    for (;;) {
        bool ready;
        Error *e = open_writer(a, rate);
        if (!e || error_kind(e) != ERR_BUSY || clock_mono_ms() >= until)
            return e;
        log_debug("waiting: %s", error_message(e));
        error_free(e);
        TRY(cancel_poll(a->cancel, -1, 0, BUSY_LOOK_MS, &ready));
    }
}

static Error *write_backup(Apply *a, BackupInfo *out)
{
    AUTO(Rate) rate = rate_new(a->o->max_rate);
    TRY(op_open_repo(a->c, true, &a->repo));
    TRY(open_in_turn(a, rate));
    FAULT_POINT("sync.rows.opened");
    TRY(piece_writer_new(a->writer, &a->pieces));
    TRY(add_streams(a));
    TRY(write_rows(a));
    FAULT_POINT("sync.rows.applied");
    job_phase(a->c->job, "committing", 0, 0);
    TRY(cancel_check(a->cancel));
    TRY(writer_commit(a->writer, &a->facts, out));
    host_memory_note(a->c, a->repo, out);
    return NULL;
}

Error *op_sync_rows_apply(const OpContext *c, const SyncRowsApply *options, BackupInfo *out)
{
    AUTO_VALUE(Apply) a = {.c = c, .o = options, .cancel = job_cancel(c->job)};
    TRY(read_contents(&a));
    TRY(fill_facts(&a));
    TRY(make_toc(&a));
    return write_backup(&a, out);
}
