/* list, show, stats, check: what is in the repository. */
#include "op/list.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "op/delete.h"

/* "rebuild 2024-01-15 10:30", or what stands against it. */
static char *proof_text(const BackupInfo *b)
{
    char when[CLOCK_TEXT];
    if (!b->last_proof_level || !*b->last_proof_level)
        return mem_strdup("never");
    clock_human(b->last_proof, when);
    when[16] = 0; /* to the minute */
    if (b->proven)
        return mem_printf("%s %s", b->last_proof_level, when);
    /* A drill may fail by an assertion, with every byte in its place. */
    return mem_printf("%s (%s %s)", strcmp(b->last_proof_level, "drill") ? "DAMAGED" : "FAILED",
                      b->last_proof_level, when);
}

static void print_table(const BackupList *list)
{
    static const char *const headings[] = {"ID",     "TIME (UTC)", ">LOGICAL", ">STORED", ">NEW",
                                           ">DEDUP", ">TOOK",      "PROVEN",   ">RESTORE"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < list->count; i++) {
        const BackupInfo *b = &list->items[i];
        char text[CLOCK_TEXT];
        table_own(&t, mem_printf("%s%s%s", b->id,
                                 b->masked.count ? " (masked)"
                                 : *b->filter    ? " (part)"
                                                 : "",
                                 b->pinned ? " (pinned)" : ""));
        clock_human(b->timestamp, text);
        text[19] = 0; /* without the zone, which stands in the heading */
        table_add(&t, text);
        table_add(&t, text_size(b->logical_size, text));
        table_add(&t, text_size(b->size, text));
        table_add(&t, text_size(b->new_bytes, text));
        double reused = b->size > b->new_bytes && b->size
                            ? 100.0 * (double)(b->size - b->new_bytes) / (double)b->size
                            : 0;
        table_own(&t, mem_printf("%.0f %%", reused));
        table_add(&t, text_duration(b->finished - b->started, text));
        table_own(&t, proof_text(b));
        table_add(&t, b->last_drill ? text_duration(b->restore_ms, text) : "-");
    }
    table_print(&t);
}

Error *run_list(Run *run, const char *database)
{
    AUTO_VALUE(BackupList) list = {0};
    TRY(op_list(&run->op, database, &list));
    for (size_t i = 0; i < list.damaged.count; i++) {
        AUTO(char) text = mem_printf("a backup cannot be read: %s", list.damaged.items[i]);
        output_warning(text);
    }
    if (run->json) {
        Doc *d = doc_object(), *backups = doc_array();
        for (size_t i = 0; i < list.count; i++)
            doc_push(backups, backup_info_doc(&list.items[i]));
        doc_set(d, "backups", backups);
        doc_set(d, "damaged", doc_texts(&list.damaged));
        run_result(run, d);
    } else if (run->quiet) {
        for (size_t i = 0; i < list.count; i++)
            puts(list.items[i].id);
    } else if (list.count) {
        print_table(&list);
    } else {
        printf("no backups%s%s in %s\n", database ? " of " : "", database ? database : "",
               run->op.repo_dir);
    }
    return NULL;
}

/* -- the trash -------------------------------------------------------------------------------- */

#define DAY_MS 86400000ll

/* What the manifest says, or why it says nothing. */
static const char *deleted_state(const Trashed *t)
{
    return !t->deleted ? "its marker cannot be read: it stays"
           : t->there  ? ""
                       : "its manifest cannot be read, or is purged";
}

static void print_deleted(const TrashList *l, int64_t trash_ms)
{
    static const char *const headings[] = {"ID", "DELETED (UTC)", "KEPT UNTIL", ">STORED", ""};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < l->count; i++) {
        const Trashed *x = &l->items[i];
        char text[CLOCK_TEXT] = "";
        table_add(&t, x->id);
        table_own(&t, mem_strndup(x->deleted ? clock_human(x->deleted, text) : "", 19));
        table_own(&t, mem_strndup(x->deleted ? clock_human(x->deleted + trash_ms, text) : "", 19));
        table_add(&t, x->there ? text_size(x->info.size, text) : "");
        table_add(&t, deleted_state(x));
    }
    table_print(&t);
}

static Error *list_deleted(Run *run, const char *database)
{
    AUTO_VALUE(TrashList) list = {0};
    int64_t trash_ms = config_int(run->config, SETTING_TRASH_DAYS) * DAY_MS;
    TRY(op_list_deleted(&run->op, database, &list));
    if (run->json) {
        Doc *d = doc_object(), *all = doc_array();
        for (size_t i = 0; i < list.count; i++)
            doc_push(all, trashed_doc(&list.items[i], trash_ms));
        doc_set(d, "deleted", all);
        run_result(run, d);
    } else if (run->quiet) {
        for (size_t i = 0; i < list.count; i++)
            puts(list.items[i].id);
    } else if (list.count) {
        print_deleted(&list, trash_ms);
    } else {
        printf("nothing%s%s in the trash of %s\n", database ? " of " : "", database ? database : "",
               run->op.repo_dir);
    }
    return NULL;
}

Error *cmd_LIST(Run *run)
{
    if (config_bool(run->config, SETTING_DELETED))
        return list_deleted(run, run_word(run, 0));
    return run_list(run, run_word(run, 0));
}

static void print_fact(const char *name, const char *value)
{
    AUTO(char) shown = text_printable(value ? value : "");
    if (*shown)
        printf("%-16s%s\n", name, shown);
}

static void print_size(const char *name, uint64_t bytes, const char *remark)
{
    char size[32], count[32];
    printf("%-16s%s (%s bytes)%s\n", name, text_size(bytes, size), output_count(bytes, count),
           remark);
}

static void print_facts(const BackupInfo *b)
{
    char text[CLOCK_TEXT];
    AUTO(char) proof = proof_text(b);
    print_fact("id", b->id);
    print_fact("key", b->key);
    print_fact("database", b->database);
    print_fact("server", b->server);
    print_fact("version", b->database_version);
    print_fact("pg_dump", b->tool_version);
    print_fact("time", clock_iso(b->timestamp, text));
    print_fact("took", text_duration(b->finished - b->started, text));
    print_fact("tables", output_count(b->tables, text));
    print_fact("rows", output_count(b->rows, text));
    print_fact("large objects", output_count(b->large_objects, text));
    print_size("logical size", b->logical_size, "");
    print_size("stored size", b->size, ", what it refers to in the repository");
    print_size("new", b->new_bytes, ", what it added");
    print_fact("filter", b->filter);
    for (size_t i = 0; i < b->masked.count; i++)
        print_fact(i ? "" : "masked", b->masked.items[i]);
    if (b->globals)
        print_fact("globals", b->role_passwords ? "roles with password hashes, tablespaces"
                                                : "roles without passwords, tablespaces");
    print_fact("parent", b->parent);
    print_fact("encoding", b->encoding);
    print_fact("collation", b->collate);
    for (size_t i = 0; i < b->tags.count; i++)
        print_fact(i ? "" : "tags", b->tags.items[i]);
    print_fact("pinned", b->pinned ? "yes" : "");
    print_fact("proven", proof);
    if (b->last_drill) {
        char when[CLOCK_TEXT];
        AUTO(char)
        drill = mem_printf("%s, in its drill of %s", text_duration(b->restore_ms, text),
                           clock_human(b->last_drill, when));
        print_fact("restores in", drill);
    }
    print_fact("checksum", b->checksum);
    for (size_t i = 0; i < b->warnings.count; i++)
        print_fact("warning", b->warnings.items[i]);
}

static void print_tables(const Manifest *m)
{
    static const char *const headings[] = {"TABLE", ">ROWS", ">BYTES"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, 3, headings);
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        char text[32];
        if (s->kind != STREAM_TABLE && s->kind != STREAM_LARGE_OBJECTS)
            continue;
        table_own(&t, s->kind == STREAM_TABLE ? mem_printf("%s.%s", s->schema, s->name)
                                              : mem_strdup("(large objects)"));
        table_add(&t, output_count(s->rows, text));
        table_add(&t, text_size(s->bytes, text));
    }
    putchar('\n');
    table_print(&t);
}

static Doc *tables_doc(const Manifest *m)
{
    Doc *tables = doc_array();
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        if (s->kind != STREAM_TABLE)
            continue;
        char digest[2 * HASH_BYTES + 1];
        Doc *d = doc_object();
        doc_set_str(d, "schema", s->schema);
        doc_set_str(d, "name", s->name);
        doc_set_int(d, "rows", (int64_t)s->rows);
        doc_set_int(d, "bytes", (int64_t)s->bytes);
        text_hex(s->digest, HASH_BYTES, digest);
        doc_set_str(d, "digest", digest);
        doc_push(tables, d);
    }
    return tables;
}

Error *cmd_SHOW(Run *run)
{
    AUTO(Manifest) m = NULL;
    bool tables = config_bool(run->config, SETTING_TABLES);
    TRY(op_show(&run->op, run_word(run, 0), &m));
    if (run->json) {
        Doc *d = backup_info_doc(&m->info);
        if (tables)
            doc_set(d, "tableList", tables_doc(m));
        run_result(run, d);
        return NULL;
    }
    print_facts(&m->info);
    if (tables)
        print_tables(m);
    return NULL;
}

/* How the database grew from its first backup to its last: "+12.3 %". */
static char *growth_text(const DatabaseStats *b)
{
    if (b->backups < 2 || !b->first_logical)
        return mem_strdup("-");
    double change = (double)b->latest_logical / (double)b->first_logical - 1;
    return mem_printf("%+.1f %%", change * 100);
}

Error *cmd_STATS(Run *run)
{
    static const char *const headings[] = {"DATABASE", ">BACKUPS", ">LOGICAL", ">STORED",
                                           ">SHARED",  ">RATIO",   ">GROWTH",  ">NEW A BACKUP"};
    AUTO_VALUE(RepoStats) s = {0};
    AUTO_VALUE(Table) t = {0};
    char text[32], more[32];
    TRY(op_stats(&run->op, &s));
    if (run->json) {
        run_result(run, repo_stats_doc(&s));
        return NULL;
    }
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < s.count; i++) {
        const DatabaseStats *b = &s.items[i];
        table_add(&t, b->database);
        table_add(&t, output_count(b->backups, text));
        table_add(&t, text_size(b->logical, text));
        table_add(&t, text_size(b->stored, text));
        table_add(&t, text_size(b->shared, text));
        table_own(&t, b->stored ? mem_printf("%.1f x", (double)b->logical / (double)b->stored)
                                : mem_strdup("-"));
        table_own(&t, growth_text(b));
        table_add(&t, b->backups > 1 ? text_size(b->new_bytes_mean, text) : "-");
    }
    if (s.count)
        table_print(&t);
    printf("%sthe repository stores %s; %s of it are needed by no backup\n", s.count ? "\n" : "",
           text_size(s.stored_total, text), text_size(s.unreferenced, more));
    return NULL;
}

Error *cmd_CHECK(Run *run)
{
    AUTO(char) line = NULL;
    AUTO(char) named = NULL;
    const char *database = run_word(run, 0);
    if (!database && run->op.db_url)
        database = named = op_database_name(&run->op);
    Error *e = op_check(&run->op, database, config_duration(run->config, SETTING_MAX_AGE), &line);
    /* Monitors take the first line of standard output, also where it is bad news. */
    if (line && run->json) {
        run_result(run, check_doc(line, !e));
    } else if (line) {
        puts(line);
    }
    return e;
}
