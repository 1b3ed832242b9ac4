#include "repo/merge_note.h"

#include <inttypes.h>
#include <string.h>

#include "repo/repo_internal.h"

#define NOTES_MAX 100

void merge_notes_clear(MergeNotes *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].backup);
        strlist_free(&l->items[i].tables);
    }
    free(l->items);
    *l = (MergeNotes){0};
}

/* merges/<32 hex digits of SHA-256 over "identifier/oid">/ */
static char *prefix_of(const char *system, const char *database_oid)
{
    AUTO(char) target = mem_printf("%s/%s", system, database_oid);
    AUTO(Hash) h = hash_new();
    uint8_t whole[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    hash_once(h, target, strlen(target), whole);
    text_hex(whole, 16, hex);
    return mem_printf("merges/%s/", hex);
}

Error *merge_note_put(Repo *r, const char *system, const char *database_oid, const char *database,
                      const MergeNote *note)
{
    AUTO(Doc) d = doc_object();
    char time[CLOCK_TEXT], hex[17];
    uint8_t random[8];
    doc_set_str(d, "backup", note->backup);
    doc_set_str(d, "time", clock_iso(note->time, time));
    doc_set_str(d, "systemIdentifier", system);
    doc_set_str(d, "databaseOid", database_oid);
    doc_set_str(d, "database", database);
    doc_set_bool(d, "all", note->all);
    doc_set(d, "tables", doc_texts(&note->tables));
    doc_set_str(d, "pgstowVersion", PGSTOW_VERSION);
    random_bytes(random, sizeof random);
    text_hex(random, sizeof random, hex);
    AUTO(char) prefix = prefix_of(system, database_oid);
    AUTO(char) name = mem_printf("%s%013" PRId64 "-%s", prefix, note->time, hex);
    return note_put(r, name, d);
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

Error *merge_notes_read(Repo *r, const char *system, const char *database_oid, MergeNotes *out)
{
    AUTO(char) prefix = prefix_of(system, database_oid);
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(repo_store(r), prefix, &names));
    mem_sort(names.items, names.count, sizeof *names.items, newest_first);
    for (size_t i = 0; i < names.count && i < NOTES_MAX; i++) {
        AUTO(Doc) d = NULL;
        TRY(note_get(r, names.items[i], &d));
        mem_grow(out->items, out->count, out->cap);
        MergeNote *n = &out->items[out->count++];
        const Doc *tables = doc_get(d, "tables");
        *n = (MergeNote){.backup = mem_strdup(doc_str(d, "backup", "")),
                         .all = doc_bool(d, "all", false)};
        for (size_t k = 0; k < doc_count(tables); k++)
            if (doc_text(doc_at(tables, k)))
                strlist_add(&n->tables, doc_text(doc_at(tables, k)));
        Error *e = clock_parse(doc_str(d, "time", ""), &n->time);
        if (e)
            return error_rekind(error_context(e, "%s", names.items[i]), ERR_DAMAGED);
    }
    return NULL;
}
