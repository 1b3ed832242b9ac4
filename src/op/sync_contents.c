#include "op/sync_contents.h"

#include <string.h>

#define TABLES_MAX 1000000
#define RELATIONS_MAX ((size_t)256 << 20)

static void tables_clear(SyncTable *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(tables[i].schema);
        free(tables[i].name);
        strlist_free(&tables[i].columns);
    }
    free(tables);
}

void sync_contents_clear(SyncContents *c)
{
    tables_clear(c->tables, c->table_count);
    tables_clear(c->said, c->said_count);
    for (size_t i = 0; i < c->sequence_count; i++) {
        free(c->sequences[i].schema);
        free(c->sequences[i].name);
    }
    free(c->sequences);
    doc_free(c->source);
    buf_free(&c->relations);
    if (c->hash)
        hash_free(c->hash);
    *c = (SyncContents){0};
}

static void get_texts(const Doc *list, StrList *out)
{
    for (size_t i = 0; i < doc_count(list); i++)
        strlist_add(out, doc_text(doc_at(list, i)));
}

bool sync_table_is(const SyncTable *t, const Doc *table)
{
    const Doc *columns = doc_get(table, "columns");
    if (strcmp(t->schema, doc_str(table, "schema", "")) ||
        strcmp(t->name, doc_str(table, "name", "")) || t->columns.count != doc_count(columns))
        return false;
    for (size_t i = 0; i < t->columns.count; i++)
        if (strcmp(t->columns.items[i], doc_text(doc_at(columns, i))))
            return false;
    return true;
}

/* -- what comes -------------------------------------------------------------------------------- */

static void table_from(const Doc *d, SyncTable *t)
{
    *t = (SyncTable){.schema = mem_strdup(doc_str(d, "schema", "")),
                     .name = mem_strdup(doc_str(d, "name", "")),
                     .columns_known = doc_has(d, "columns")};
    get_texts(doc_get(d, "columns"), &t->columns);
}

static void close_table(SyncContents *c)
{
    if (!c->hash)
        return;
    hash_end(c->hash, c->tables[c->table_count - 1].hash);
    hash_free(STEAL(c->hash));
}

static Error *begin_table(SyncContents *c, const Doc *table)
{
    if (c->hash && sync_table_is(&c->tables[c->table_count - 1], table))
        return NULL;
    close_table(c);
    if (c->table_count >= TABLES_MAX)
        FAIL(ERR_LIMIT, "more than %d tables", TABLES_MAX);
    mem_grow(c->tables, c->table_count, c->table_cap);
    table_from(table, &c->tables[c->table_count++]);
    c->hash = hash_new();
    return NULL;
}

static Error *take_said(SyncContents *c, const Doc *list)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *d = doc_at(list, i);
        if (c->said_count >= TABLES_MAX)
            FAIL(ERR_LIMIT, "more than %d tables", TABLES_MAX);
        mem_grow(c->said, c->said_count, c->said_cap);
        SyncTable *t = &c->said[c->said_count++];
        table_from(d, t);
        t->rows = (uint64_t)doc_int(d, "rows", 0);
        if (!text_unhex(doc_str(d, "sha256", ""), t->hash, HASH_BYTES))
            memset(t->hash, 0, HASH_BYTES); /* nothing has that hash */
    }
    return NULL;
}

static Error *take_sequences(SyncContents *c, const Doc *list)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *d = doc_at(list, i);
        if (c->sequence_count >= TABLES_MAX)
            FAIL(ERR_LIMIT, "more than %d sequences", TABLES_MAX);
        mem_grow(c->sequences, c->sequence_count, c->sequence_cap);
        c->sequences[c->sequence_count++] =
            (SyncSequence){.schema = mem_strdup(doc_str(d, "schema", "")),
                           .name = mem_strdup(doc_str(d, "name", "")),
                           .value = doc_int(d, "value", 0),
                           .called = doc_bool(d, "called", true)};
    }
    return NULL;
}

static Error *take_relations(SyncContents *c, const Doc *list)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        AUTO(char) line = doc_print(doc_at(list, i), false);
        size_t n = strlen(line);
        TRY_CTX(buf_reserve(&c->relations, n + 1, RELATIONS_MAX), "what the source's tables are");
        buf_add(&c->relations, line, n);
        buf_u8(&c->relations, '\n');
    }
    return NULL;
}

Error *sync_contents_batch(void *ctx, const Doc *batch)
{
    SyncContents *c = ctx;
    const Doc *table = doc_get(batch, "table"), *source = doc_get(batch, "source");
    if (!c->source)
        c->source = source ? doc_copy(source) : doc_object();
    if (table)
        TRY(begin_table(c, table));
    TRY(take_said(c, doc_get(batch, "tables")));
    TRY(take_sequences(c, doc_get(batch, "sequences")));
    return take_relations(c, doc_get(batch, "relations"));
}

Error *sync_contents_text(void *ctx, const void *p, size_t n, uint64_t rows)
{
    SyncContents *c = ctx;
    if (!c->hash)
        return NULL;
    if (n)
        hash_add(c->hash, p, n);
    c->tables[c->table_count - 1].rows += rows;
    c->rows += rows;
    return NULL;
}

/* -- whether it is what was said --------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const SyncTable *x = *(SyncTable *const *)a, *y = *(SyncTable *const *)b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

/* Sorted by name; caller frees. */
static SyncTable **sorted(SyncTable *tables, size_t count)
{
    SyncTable **list = mem_calloc(count + 1, sizeof(SyncTable *));
    for (size_t i = 0; i < count; i++)
        list[i] = &tables[i];
    mem_sort(list, count, sizeof(SyncTable *), by_name);
    return list;
}

static Error *about(const SyncTable *t, const char *what)
{
    AUTO(char) schema = text_printable(t->schema);
    AUTO(char) name = text_printable(t->name);
    FAIL(ERR_MISMATCH, "table %s.%s %s", schema, name, what);
}

static Error *none_twice(SyncTable *const *list, size_t count, const char *what)
{
    for (size_t i = 1; i < count; i++)
        if (!by_name(&list[i - 1], &list[i]))
            return about(list[i], what);
    return NULL;
}

static Error *same(const SyncTable *there, const SyncTable *said)
{
    if (there->rows != said->rows) {
        AUTO(char)
        what = mem_printf("has %llu rows here, and was said to have %llu",
                          (unsigned long long)there->rows, (unsigned long long)said->rows);
        return about(there, what);
    }
    if (!hash_equal(there->hash, said->hash, HASH_BYTES))
        return about(there, "has other rows here than its hash says");
    return NULL;
}

/* It was said to be there, and no batch has its name. */
static Error *add_empty(SyncContents *c, const SyncTable *said)
{
    AUTO(Hash) h = hash_new();
    SyncTable none = {.schema = said->schema, .name = said->name};
    hash_end(h, none.hash);
    TRY(same(&none, said));
    if (!said->columns_known)
        return about(said, "has no rows, and nothing says its columns");
    mem_grow(c->tables, c->table_count, c->table_cap);
    SyncTable *t = &c->tables[c->table_count++];
    *t = (SyncTable){.schema = mem_strdup(said->schema), .name = mem_strdup(said->name)};
    strlist_copy(&t->columns, &said->columns);
    memcpy(t->hash, none.hash, HASH_BYTES);
    return NULL;
}

/* Both sorted, none of them twice. */
static Error *compare(SyncTable *const *there, size_t count, SyncTable *const *said,
                      size_t said_count)
{
    for (size_t i = 0, k = 0; i < count || k < said_count;) {
        int order = i == count ? 1 : k == said_count ? -1 : by_name(&there[i], &said[k]);
        if (order < 0)
            return about(there[i], "was sent, and is not in the list of what was sent");
        if (!order)
            TRY(same(there[i++], said[k]));
        k++;
    }
    return NULL;
}

/* Adding moves the tables, so that comes last. */
static Error *add_empties(SyncContents *c, SyncTable *const *said)
{
    AUTO_VALUE(Buf) found = {0};
    size_t count = c->table_count;
    SyncTable **there = sorted(c->tables, count);
    for (size_t i = 0, k = 0; k < c->said_count; k++) {
        while (i < count && by_name(&there[i], &said[k]) < 0)
            i++;
        buf_u8(&found, i < count && !by_name(&there[i], &said[k]));
    }
    free(there);
    for (size_t k = 0; k < c->said_count; k++)
        if (!found.data[k])
            TRY(add_empty(c, said[k]));
    return NULL;
}

Error *sync_contents_end(SyncContents *c)
{
    close_table(c);
    SyncTable **there = sorted(c->tables, c->table_count);
    SyncTable **said = sorted(c->said, c->said_count);
    Error *e = none_twice(there, c->table_count, "came in two parts, with others between them");
    if (!e)
        e = none_twice(said, c->said_count, "is twice in the list of what was sent");
    if (!e)
        e = compare(there, c->table_count, said, c->said_count);
    free(there);
    if (!e)
        e = add_empties(c, said);
    free(said);
    return e;
}
