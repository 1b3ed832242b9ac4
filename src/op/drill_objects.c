/* Large objects and sequences of a drill. */
#include <inttypes.h>
#include <string.h>

#include "crypto/hash.h"
#include "op/drill_work.h"
#include "op/part.h"
#include "pg/large_object.h"
#include "pg/load_objects.h"
#include "pg/row_sum.h"
#include "pg/setval.h"

/* -- large objects: each is a row of its number and the hash of its bytes ------------------------
 */

typedef struct Objects {
    RowSum sum;
    Hash *hash;
    uint32_t oid;
    ObjectRecords records;
} Objects;
static void objects_clear(Objects *o)
{
    row_sum_clear(&o->sum);
    if (o->hash)
        hash_free(o->hash);
}
DEFINE_AUTO_VALUE(Objects, objects_clear)

static Error *begin(void *ctx, uint32_t oid)
{
    ((Objects *)ctx)->oid = oid;
    return NULL;
}

static Error *bytes(void *ctx, const void *p, size_t n)
{
    hash_add(((Objects *)ctx)->hash, p, n);
    return NULL;
}

static Error *end(void *ctx)
{
    Objects *o = ctx;
    uint8_t row[4 + HASH_BYTES];
    memcpy(row, &o->oid, 4);
    hash_end(o->hash, row + 4);
    row_sum_add(&o->sum, row, sizeof row);
    return NULL;
}

static void objects_begin(Objects *o)
{
    row_sum_begin(&o->sum);
    o->hash = hash_new();
    o->records = (ObjectRecords){.begin = begin, .bytes = bytes, .end = end, .ctx = o};
}

static Error *feed(void *to, const void *p, size_t n)
{
    return object_records_feed(&((Objects *)to)->records, p, n);
}

static Error *sum_backup(DrillWork *w, Objects *out)
{
    const Manifest *m = w->backup->manifest;
    for (size_t i = 0; i < m->stream_count; i++)
        if (m->streams[i].kind == STREAM_LARGE_OBJECTS)
            TRY(backup_read_stream(w->backup, &m->streams[i], job_cancel(w->c->job), feed, out,
                                   NULL));
    return object_records_end(&out->records);
}

static Error *sum_restored(DrillWork *w, Conn *c, Objects *out)
{
    const Toc *toc = w->backup->toc;
    TRY(conn_exec(c, "BEGIN"));
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        uint32_t *oids = NULL;
        size_t count = 0;
        if (!toc_has_block(e) || toc_is_table_data(e))
            continue;
        TRY(large_object_list(c, toc, e, &oids, &count));
        Error *failed = large_object_read(c, oids, count, feed, out);
        free(oids);
        TRY(failed);
    }
    TRY(conn_exec(c, "COMMIT"));
    return object_records_end(&out->records);
}

Error *drill_compare_objects(DrillWork *w, Conn *c)
{
    AUTO_VALUE(Objects) stored = {0};
    AUTO_VALUE(Objects) restored = {0};
    objects_begin(&stored);
    objects_begin(&restored);
    job_object(w->c->job, "large objects");
    TRY_CTX(sum_backup(w, &stored), "comparing large objects");
    TRY_CTX(sum_restored(w, c, &restored), "comparing large objects");
    w->result->objects[0] = stored.sum.rows;
    w->result->objects[1] = restored.sum.rows;
    w->result->objects_same = row_sum_equal(&stored.sum, &restored.sum);
    return NULL;
}

/* -- sequences ----------------------------------------------------------------------------------
 */

static Error *compare_sequence(DrillWork *w, Conn *c, const TocEntry *e)
{
    AUTO(char) schema = text_sql_ident(e->schema);
    AUTO(char) name = text_sql_ident(e->tag);
    AUTO(char) sql = mem_printf("SELECT last_value, is_called FROM %s.%s", schema, name);
    AUTO(char) plain = mem_printf("%s.%s", e->schema, e->tag);
    AUTO(char) shown = part_text(w->backup->encoding, plain);
    AUTO(Rows) rows = NULL;
    int64_t value = 0;
    bool called = false;
    if (!setval_read(e, &value, &called))
        FAIL(ERR_ARCHIVE, "the value of sequence %s is not understood", shown);
    TRY_CTX(conn_query(c, sql, 0, NULL, &rows), "comparing sequence %s", shown);
    w->result->sequences++;
    if (rows_count(rows) != 1 || rows_int(rows, 0, 0) != value || rows_bool(rows, 0, 1) != called)
        strlist_own(
            &w->result->sequences_different,
            mem_printf("%s: %" PRId64 "%s in the backup, %s%s restored", shown, value,
                       called ? "" : " (not yet given out)",
                       rows_count(rows) ? rows_text(rows, 0, 0) : "nothing",
                       rows_count(rows) && !rows_bool(rows, 0, 1) ? " (not yet given out)" : ""));
    return NULL;
}

Error *drill_compare_sequences(DrillWork *w, Conn *c)
{
    const Toc *toc = w->backup->toc;
    for (size_t i = 0; i < toc->count; i++)
        if (toc_is(&toc->entries[i], "SEQUENCE SET"))
            TRY(compare_sequence(w, c, &toc->entries[i]));
    return NULL;
}
