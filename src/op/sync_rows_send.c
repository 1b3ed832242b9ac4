/* The source's side: one connection reads, table by table, under the locks and the snapshot of a
 * backup. */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "op/backup_facts.h"
#include "op/sync_batch.h"
#include "op/sync_rows.h"
#include "pg/copy.h"
#include "pg/copy_text.h"
#include "pg/encoding.h"
#include "pg/filter.h"
#include "pg/json_value.h"
#include "pg/setval.h"
#include "pg/snapshot.h"
#include "pg/toc_make.h"

#define ATTEMPTS 8
#define LOCK_WAIT_MS 10000
#define BATCH_FULL ((size_t)1 << 20) /* bytes: behind a row or an entry of a list */
#define BATCH_MOST ((size_t)2 << 20) /* inside a value */
#define SLICE ((size_t)64 << 10)

void sync_rows_sum_clear(SyncRowsSum *s)
{
    free(s->filter);
    strlist_free(&s->warnings);
    *s = (SyncRowsSum){0};
}

typedef struct Sent {
    const Source *source;
    StrList columns; /* in UTF-8, as names go */
    char *schema, *name;
    uint64_t rows;
    uint8_t hash[HASH_BYTES];
} Sent;

typedef struct Send {
    const OpContext *c;
    const BackupOptions *o;
    const char *session;
    uint64_t attempt;
    SyncRowsTake take;
    void *ctx;
    SyncRowsSum *sum;

    Cancel *cancel;
    Conn *list, *lock; /* asks; holds locks and snapshot, and reads */
    Snapshot *snapshot;
    RelationList relations;
    Toc *toc;
    Filter *filter;
    SourceList sources;
    BackupInfo facts;
    Encoding *ascii; /* of a SQL_ASCII database; NULL: what comes is UTF-8 */
    Hash *hash;
    Buf utf8;
    CopyRow row;

    TextOut out;         /* into: */
    Buf batch;           /* the one that is being made; empty: none is */
    uint64_t batch_rows; /* that end in it */
    bool first;          /* nothing stands in its list yet */
    Sent *sent;          /* of each source */
    size_t sent_count;
} Send;

static void let_go(Send *s)
{
    source_list_clear(&s->sources);
    if (s->filter)
        filter_free(STEAL(s->filter));
    if (s->toc)
        toc_free(STEAL(s->toc));
    relation_list_clear(&s->relations);
    if (s->snapshot)
        snapshot_free(STEAL(s->snapshot));
}

static void send_clear(Send *s)
{
    for (size_t i = 0; i < s->sent_count; i++) {
        strlist_free(&s->sent[i].columns);
        free(s->sent[i].schema);
        free(s->sent[i].name);
    }
    free(s->sent);
    let_go(s);
    if (s->lock)
        conn_free(s->lock);
    if (s->list)
        conn_free(s->list);
    backup_info_clear(&s->facts);
    if (s->ascii)
        encoding_free(s->ascii);
    if (s->hash)
        hash_free(s->hash);
    if (s->cancel)
        cancel_free(s->cancel);
    buf_free(&s->utf8);
    copy_row_clear(&s->row);
    text_out_clear(&s->out);
    buf_free(&s->batch);
}
DEFINE_AUTO_VALUE(Send, send_clear)

/* -- under one snapshot ------------------------------------------------------------------------ */

static Error *connect_both(Send *s)
{
    job_phase(s->c->job, "connecting", 0, 0);
    ConnOptions options = {.url = s->c->db_url,
                           .dbname = s->c->db_name,
                           .cancel = s->cancel,
                           .silence_ms = s->c->silence_ms};
    TRY(conn_open(&options, &s->list));
    TRY(conn_open_like(s->list, NULL, NULL, &s->lock));
    TRY(conn_prepare_dump(s->list, NULL));
    TRY(conn_prepare_dump(s->lock, NULL));
    TRY(backup_refuse_pooler(s->list));
    TRY(backup_ask_facts(s->list, &s->facts));
    TRY(backup_warn_unlogged(s->list, &s->sum->warnings));
    s->facts.filter = backup_filter_text(s->o, true);
    return strcmp(s->facts.encoding, "SQL_ASCII") ? NULL : encoding_open("SQL_ASCII", &s->ascii);
}

/* Names of what is not to be had under the snapshot are found by its catalog. */
static Error *cover(Send *s)
{
    uint32_t *oids = mem_calloc(s->toc->count + 1, sizeof *oids);
    size_t n = 0;
    for (size_t i = 0; i < s->toc->count; i++)
        if (toc_is_table_data(&s->toc->entries[i]))
            oids[n++] = s->toc->entries[i].oid;
    Error *e = snapshot_cover(s->snapshot, oids, n);
    free(oids);
    return e;
}

static Error *take_once(Send *s)
{
    TocRows choice = {.exclude_tables = &s->o->exclude_tables,
                      .exclude_table_data = &s->o->exclude_table_data,
                      .schemas = &s->o->schemas};
    int64_t wait = s->o->lock_wait_ms ? s->o->lock_wait_ms : LOCK_WAIT_MS;
    TRY(snapshot_take(s->list, s->lock, wait, s->c->job, &s->snapshot));
    s->sum->taken = clock_now();
    /* Inside the transaction: a pooler may have made it in another session. */
    TRY(conn_prepare_dump(s->lock, s->facts.encoding));
    TRY(conn_use_utf8(s->lock));
    job_phase(s->c->job, "reading the catalog", 0, 0);
    TRY_CTX(relation_list_read(s->lock, &s->relations), "reading the tables' columns and keys");
    TRY(toc_make_rows(s->lock, &s->relations, &choice, &s->toc));
    return cover(s);
}

static Error *take_snapshot(Send *s)
{
    for (int attempt = 1;; attempt++) {
        Error *e = take_once(s);
        if (!e)
            return NULL;
        if (error_kind(e) != ERR_DB_CHANGED || attempt == ATTEMPTS)
            return e;
        log_info("starting over (%d): %s", attempt, error_message(e));
        error_free(e);
        let_go(s);
        TRY(conn_exec(s->lock, "ROLLBACK"));
        clock_sleep_ms(100 * attempt);
        TRY(cancel_check(s->cancel));
    }
}

static Error *choose_rows(Send *s)
{
    FilterOptions filter = {.where = &s->o->where,
                            .masks = &s->o->masks,
                            .cascade = s->o->cascade,
                            .schemas_chosen = s->o->schemas.count > 0};
    if (s->o->cascade && !s->o->where.count && !s->o->exclude_table_data.count)
        return error_hint(ERROR_NEW(ERR_USAGE, "--cascade has nothing to begin with"),
                          "--where or --exclude-table-data says which rows are left out");
    job_phase(s->c->job, "checking the filter", 0, 0);
    TRY(filter_make(s->lock, &s->relations, s->toc, &filter, &s->sum->warnings, &s->filter));
    filter_masked(s->filter, &s->facts.masked);
    TRY(source_resolve(s->lock, s->toc, NULL, &s->sources));
    return filter_apply(s->filter, s->lock, &s->sources);
}

/* -- a batch ----------------------------------------------------------------------------------- */

static Error *to_batch(void *ctx, const void *p, size_t n)
{
    Send *s = ctx;
    TRY(buf_reserve(&s->batch, n, SYNC_BATCH_MAX));
    buf_add(&s->batch, p, n);
    return NULL;
}

static size_t batch_size(const Send *s)
{
    return s->batch.len + s->out.buf.len;
}

static Error *put(Send *s, const char *text)
{
    return text_out_str(&s->out, text);
}

static Error *put_text(Send *s, const char *text)
{
    return json_text_string(&s->out, text, strlen(text));
}

static Error *batch_begin(Send *s)
{
    s->batch_rows = 0;
    s->first = true;
    TRY(put(s, "{\"sessionId\":"));
    TRY(put_text(s, s->session));
    return text_out_printf(&s->out, ",\"attempt\":%llu,\"seq\":%llu",
                           (unsigned long long)s->attempt, (unsigned long long)s->sum->batches + 1);
}

static Error *batch_end(Send *s, bool last)
{
    TRY(put(s, last ? ",\"last\":true}" : "}"));
    TRY(text_out_flush(&s->out));
    SyncRowsBatch b = {.json = (const char *)s->batch.data,
                       .n = s->batch.len,
                       .seq = ++s->sum->batches,
                       .rows = s->batch_rows,
                       .last = last};
    TRY(cancel_check(s->cancel));
    TRY(s->take(s->ctx, &b));
    FAULT_POINT("sync.rows.sent");
    s->sum->bytes += b.n;
    s->batch.len = 0;
    return NULL;
}

/* Between the entries of a list. */
static Error *comma(Send *s)
{
    bool first = s->first;
    s->first = false;
    return first ? NULL : put(s, ",");
}

/* -- what the source is ------------------------------------------------------------------------ */

static Error *put_source(Send *s)
{
    char time[CLOCK_TEXT];
    const BackupInfo *f = &s->facts;
    AUTO(Doc) d = doc_object();
    AUTO(char) database = text_utf8(f->database);
    doc_set_str(d, "database", database);
    doc_set_str(d, "databaseVersion", f->database_version);
    doc_set_str(d, "encoding", s->ascii ? "SQL_ASCII" : "UTF8");
    doc_set_str(d, "server", f->server);
    doc_set_str(d, "systemIdentifier", f->system_identifier);
    doc_set_int(d, "databaseOid", f->database_oid);
    doc_set_str(d, "timestamp", clock_iso(s->sum->taken, time));
    doc_set_str(d, "filter", f->filter);
    doc_set(d, "masked", doc_texts(&f->masked));
    AUTO(char) text = doc_print(d, false);
    TRY(put(s, ",\"source\":"));
    return put(s, text);
}

/* In as many batches as it takes; what the source is in the first. */
static Error *send_relations(Send *s)
{
    AUTO_VALUE(Buf) lines = {0};
    relation_list_encode(&s->relations, &lines);
    const char *at = (const char *)lines.data, *end = at ? at + lines.len : at;
    TRY(batch_begin(s));
    TRY(put_source(s));
    TRY(put(s, ",\"relations\":["));
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (batch_size(s) > BATCH_FULL) {
            TRY(put(s, "]"));
            TRY(batch_end(s, false));
            TRY(batch_begin(s));
            TRY(put(s, ",\"relations\":["));
        }
        TRY(comma(s));
        TRY(text_out_add(&s->out, at, (size_t)(newline - at)));
        at = newline + 1;
    }
    TRY(put(s, "]"));
    return batch_end(s, false);
}

/* -- rows -------------------------------------------------------------------------------------- */

static Error *put_names(Send *s, const Sent *t)
{
    TRY(put(s, "{\"schema\":"));
    TRY(put_text(s, t->schema));
    TRY(put(s, ",\"name\":"));
    TRY(put_text(s, t->name));
    TRY(put(s, ",\"columns\":["));
    for (size_t i = 0; i < t->columns.count; i++) {
        TRY(put(s, i ? "," : ""));
        TRY(put_text(s, t->columns.items[i]));
    }
    return put(s, "]");
}

static Error *rows_begin(Send *s, const Sent *t)
{
    TRY(batch_begin(s));
    TRY(put(s, ",\"table\":"));
    TRY(put_names(s, t));
    return put(s, "},\"rows\":[");
}

/* A value may be larger than any batch: it goes on in the next one. */
static Error *put_value(Send *s, const Sent *t, const CopyField *f)
{
    if (!f->p)
        return put(s, "null");
    TRY(put(s, "\""));
    for (size_t at = 0, n; at < f->n; at += n) {
        n = f->n - at < SLICE ? f->n - at : SLICE;
        while (at + n < f->n && n && (f->p[at + n] & 0xc0) == 0x80)
            n--;
        if (batch_size(s) > BATCH_MOST) {
            TRY(put(s, "\"]],\"more\":true"));
            TRY(batch_end(s, false));
            TRY(rows_begin(s, t));
            s->first = false;
            TRY(put(s, "[\""));
        }
        TRY(json_text_part(&s->out, f->p + at, n));
    }
    return put(s, "\"");
}

static Error *put_row(Send *s, Sent *t, const char *line, size_t n)
{
    if (s->ascii) {
        TRY(encoding_to_utf8(s->ascii, line, n, &s->utf8));
        line = (const char *)s->utf8.data;
        n = s->utf8.len;
    }
    hash_add(s->hash, line, n);
    hash_add(s->hash, "\n", 1);
    TRY(copy_row_split(line, n, t->columns.count, &s->row));
    if (!batch_size(s))
        TRY(rows_begin(s, t));
    TRY(comma(s));
    TRY(put(s, "["));
    for (size_t i = 0; i < s->row.count; i++) {
        TRY(put(s, i ? "," : ""));
        TRY(put_value(s, t, &s->row.fields[i]));
    }
    TRY(put(s, "]"));
    s->batch_rows++;
    t->rows++;
    s->sum->rows++;
    if (batch_size(s) <= BATCH_FULL)
        return NULL;
    TRY(put(s, "]"));
    return batch_end(s, false);
}

static Error *send_table(Send *s, Sent *t)
{
    AUTO(char) sql = source_copy_sql(t->source, 0, 0);
    job_object(s->c->job, t->source->qualified);
    TRY(copy_out_begin(s->lock, sql));
    for (;;) {
        const char *row;
        size_t n;
        bool end;
        TRY(copy_out_row(s->lock, &row, &n, &end));
        if (end)
            break;
        TRY(put_row(s, t, row, n - 1));
        job_add_bytes(s->c->job, n);
    }
    hash_end(s->hash, t->hash);
    if (t->rows != copy_row_count(s->lock))
        FAIL(ERR_DB, "the server counts %llu rows, and %llu came",
             (unsigned long long)copy_row_count(s->lock), (unsigned long long)t->rows);
    job_add_items(s->c->job, 1);
    if (!batch_size(s))
        return NULL;
    TRY(put(s, "]"));
    return batch_end(s, false);
}

/* A name as it goes over the wire. */
static Error *wire_name(Send *s, const char *name, char **out)
{
    AUTO_VALUE(Buf) utf8 = {0};
    if (!s->ascii) {
        *out = mem_strdup(name);
        return NULL;
    }
    TRY(encoding_to_utf8(s->ascii, name, strlen(name), &utf8));
    *out = buf_steal_str(&utf8);
    return NULL;
}

static Error *prepare(Send *s, size_t i)
{
    Sent *t = &s->sent[i];
    t->source = &s->sources.items[i];
    const Relation *r = relation_find_oid(&s->relations, t->source->oid);
    if (!r)
        FAIL(ERR_INTERNAL, "table %s has no columns", t->source->qualified);
    TRY(wire_name(s, t->source->schema, &t->schema));
    TRY(wire_name(s, t->source->name, &t->name));
    for (size_t k = 0; k < r->column_count; k++) {
        char *name;
        if (r->columns[k].generated)
            continue;
        TRY(wire_name(s, r->columns[k].name, &name));
        strlist_own(&t->columns, name);
    }
    return NULL;
}

static Error *send_tables(Send *s)
{
    uint64_t bytes = 0;
    s->sent = mem_calloc(s->sources.count + 1, sizeof *s->sent);
    s->sent_count = s->sources.count;
    for (size_t i = 0; i < s->sent_count; i++) {
        TRY(prepare(s, i));
        bytes += s->sources.items[i].heap_bytes + s->sources.items[i].toast_bytes;
    }
    job_phase(s->c->job, "sending rows", bytes, s->sent_count);
    for (size_t i = 0; i < s->sent_count; i++)
        TRY_CTX(send_table(s, &s->sent[i]), "table %s", s->sent[i].source->qualified);
    s->sum->tables = s->sent_count;
    /* Without its locks what was read later would be worth nothing: they must have held. */
    TRY_CTX(snapshot_end(s->snapshot), "the locks were lost while the rows were read");
    return NULL;
}

/* -- the end ----------------------------------------------------------------------------------- */

static Error *put_sum(Send *s, const Sent *t)
{
    char hex[2 * HASH_BYTES + 1];
    text_hex(t->hash, HASH_BYTES, hex);
    TRY(comma(s));
    TRY(put_names(s, t));
    return text_out_printf(&s->out, ",\"rows\":%llu,\"sha256\":\"%s\"}",
                           (unsigned long long)t->rows, hex);
}

static Error *put_sequence(Send *s, const TocEntry *e)
{
    int64_t value;
    bool called;
    AUTO(char) schema = NULL;
    AUTO(char) name = NULL;
    if (!setval_read(e, &value, &called))
        FAIL(ERR_INTERNAL, "the value of sequence %s.%s is not to be read", e->schema, e->tag);
    TRY(wire_name(s, e->schema, &schema));
    TRY(wire_name(s, e->tag, &name));
    TRY(comma(s));
    TRY(put(s, "{\"schema\":"));
    TRY(put_text(s, schema));
    TRY(put(s, ",\"name\":"));
    TRY(put_text(s, name));
    return text_out_printf(&s->out, ",\"value\":%lld,\"called\":%s}", (long long)value,
                           called ? "true" : "false");
}

/* A further batch of this list where the one that is being made is full. */
static Error *list_room(Send *s, const char *list)
{
    if (batch_size(s) <= BATCH_FULL)
        return NULL;
    TRY(put(s, "]"));
    TRY(batch_end(s, false));
    TRY(batch_begin(s));
    return put(s, list);
}

static Error *send_end(Send *s)
{
    static const char tables[] = ",\"tables\":[", sequences[] = ",\"sequences\":[";
    TRY(batch_begin(s));
    TRY(put(s, tables));
    for (size_t i = 0; i < s->sent_count; i++) {
        TRY(list_room(s, tables));
        TRY(put_sum(s, &s->sent[i]));
    }
    TRY(put(s, "]"));
    TRY(put(s, sequences));
    s->first = true;
    for (size_t i = 0; i < s->toc->count; i++) {
        if (!toc_is(&s->toc->entries[i], "SEQUENCE SET"))
            continue;
        TRY(list_room(s, sequences));
        TRY(put_sequence(s, &s->toc->entries[i]));
    }
    TRY(put(s, "]"));
    return batch_end(s, true);
}

Error *op_sync_rows_send(const OpContext *c, const BackupOptions *options, const char *session,
                         uint64_t attempt, SyncRowsTake take, void *ctx, SyncRowsSum *out)
{
    AUTO_VALUE(SyncRowsSum) sum = {0};
    AUTO_VALUE(Send)
    s = {.c = c,
         .o = options,
         .session = session,
         .attempt = attempt,
         .take = take,
         .ctx = ctx,
         .sum = &sum};
    s.out = (TextOut){.take = to_batch, .ctx = &s};
    s.hash = hash_new();
    TRY(cancel_new(job_cancel(c->job), &s.cancel));
    if (options->timeout_ms)
        cancel_deadline(s.cancel, options->timeout_ms);
    TRY(connect_both(&s));
    TRY(take_snapshot(&s));
    TRY(choose_rows(&s));
    TRY(send_relations(&s));
    TRY(send_tables(&s));
    TRY(send_end(&s));
    sum.filter = mem_strdup(s.facts.filter);
    sync_rows_sum_clear(out);
    *out = sum;
    sum = (SyncRowsSum){0};
    return NULL;
}
