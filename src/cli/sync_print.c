#include "cli/sync_print.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"

static const struct {
    const char *heading, *name;
    bool always;
} columns[] = {
    {">INSERTED", "inserted", true},   {">UPDATED", "updated", true},
    {">DELETED", "deleted", true},     {">UNCHANGED", "unchanged", true},
    {">CONFLICTS", "conflicts", true}, {">KEPT", "kept", false},
    {">REPLACED", "replaced", false},  {">SKIPPED", "skipped", false},
    {">CASCADED", "cascaded", false},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static void add_counts(Table *t, const Doc *counts, const Doc *sums)
{
    char text[32];
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].always || doc_int(sums, columns[i].name, 0))
            table_add(t, output_count((uint64_t)doc_int(counts, columns[i].name, 0), text));
}

/* The figures of the merge as the target tells them; only tables in which something was done. */
static void print_tables(const Doc *outcome)
{
    AUTO_VALUE(Table) t = {0};
    const Doc *tables = doc_get(outcome, "tables");
    const char *headings[COLUMNS + 1] = {"TABLE"};
    size_t count = 1, shown = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].always || doc_int(outcome, columns[i].name, 0))
            headings[count++] = columns[i].heading;
    table_head(&t, count, headings);
    for (size_t i = 0; i < doc_count(tables); i++) {
        const Doc *one = doc_at(tables, i);
        bool any = false;
        for (size_t k = 0; k < COLUMNS; k++)
            any = any ||
                  (strcmp(columns[k].name, "unchanged") != 0 && doc_int(one, columns[k].name, 0));
        if (!any)
            continue;
        AUTO(char)
        name = mem_printf("%s.%s", doc_str(one, "schema", "?"), doc_str(one, "name", "?"));
        table_add(&t, name);
        add_counts(&t, one, outcome);
        shown++;
    }
    table_add(&t, shown ? "all" : "all tables");
    add_counts(&t, outcome, outcome);
    table_print(&t);
}

/* As restore --merge says them: which rows, and why it was not by difference. */
static void print_details(const Doc *outcome)
{
    const Doc *tables = doc_get(outcome, "tables");
    const char *why = doc_str(outcome, "fullFor", NULL);
    for (size_t i = 0; i < doc_count(tables); i++) {
        const Doc *one = doc_at(tables, i), *samples = doc_get(one, "samples");
        const char *full = doc_str(one, "fullFor", NULL);
        AUTO(char)
        name = mem_printf("%s.%s", doc_str(one, "schema", "?"), doc_str(one, "name", "?"));
        AUTO(char) table = text_printable(name);
        for (size_t k = 0; k < doc_count(samples); k++) {
            const char *row = doc_text(doc_at(samples, k));
            AUTO(char) shown = text_printable(row ? row : "?");
            printf("%s: %s\n", table, shown);
        }
        AUTO(char) reason = text_printable(full ? full : "");
        if (*reason)
            printf("%s not by difference: %s\n", table, reason);
    }
    AUTO(char) reason = text_printable(why ? why : "");
    if (*reason)
        printf("not by difference: %s\n", reason);
}

static void print_list(const char *title, const StrList *list)
{
    for (size_t i = 0; i < list->count; i++) {
        AUTO(char) text = text_printable(list->items[i]);
        printf("%s: %s\n", title, text);
    }
}

static void print_differences(const Doc *differences)
{
    for (size_t i = 0; i < doc_count(differences); i++) {
        AUTO(char) text = text_printable(doc_str(doc_at(differences, i), "text", "?"));
        printf("schemas differ, which does not matter here: %s\n", text);
    }
}

static void print_way(const SyncResult *r)
{
    char backup[32], transfer[32], apply[32], wire[32], size[32];
    AUTO(char) id = text_printable(r->backup ? r->backup : "?");
    if (r->method == SYNC_METHOD_BACKUP)
        printf("backup %s in %s; ", id, text_duration(r->backup_ms, backup));
    printf("%s sent in %s", text_size(r->sent + r->received, wire),
           text_duration(r->transfer_ms, transfer));
    if (r->method == SYNC_METHOD_BACKUP)
        printf(" (%llu pack%s, %llu there already; %s of rows)", (unsigned long long)r->packs,
               r->packs == 1 ? "" : "s", (unsigned long long)r->reused, text_size(r->bytes, size));
    printf("; %s in %s\n", r->applied.restored ? "restored" : "merged",
           text_duration(r->apply_ms, apply));
}

/* What a dry run leaves: only with the rows it is known what they would change. */
static void print_kept(const SyncResult *r)
{
    AUTO(char) here = text_printable(r->backup ? r->backup : "");
    AUTO(char) there = text_printable(r->applied.backup ? r->applied.backup : "?");
    bool pull = r->direction == SYNC_PULL;
    if (*here)
        printf(
            "what was sent stays in both repositories, so that the sync itself sends only what has "
            "changed since: %s in the source's, %s in the target's\n",
            here, there);
    else
        printf("what was sent stays in the repository %s: %s\n", pull ? "here" : "of the target",
               there);
}

void sync_print(const SyncResult *r, bool quiet)
{
    char rows[32], took[32];
    for (size_t i = 0; i < r->warnings.count; i++)
        output_warning(r->warnings.items[i]);
    for (size_t i = 0; i < r->applied.warnings.count; i++)
        output_warning(r->applied.warnings.items[i]);
    AUTO(char) source = text_printable(r->source ? r->source : "?");
    AUTO(char) target = text_printable(r->applied.database ? r->applied.database : "?");
    if (!quiet) {
        print_list("left out", &r->left_out);
        print_differences(r->differences);
        if (!r->applied.restored && r->applied.outcome) {
            print_tables(r->applied.outcome);
            print_details(r->applied.outcome);
        }
        print_way(r);
        AUTO(char)
        before = text_printable(r->applied.safety_backup ? r->applied.safety_backup : "");
        if (*before)
            printf("the target as it was before: %s\n", before);
        if (r->dry_run)
            print_kept(r);
    }
    bool pull = r->direction == SYNC_PULL;
    uint64_t merged = (uint64_t)doc_int(r->applied.outcome, "rows", (int64_t)r->rows);
    printf("%s%s%s%s into %s%s%s: %s rows%s, session %s", r->dry_run ? "nothing was changed: " : "",
           source, pull ? " of " : "", pull ? r->peer : "", target, pull ? "" : " of ",
           pull ? "" : r->peer, output_count(merged, rows), r->dry_run ? " compared" : " in sync",
           r->session);
    printf(", %s\n", text_duration(r->duration_ms, took));
}
