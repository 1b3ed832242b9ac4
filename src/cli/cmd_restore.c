#include "op/restore.h"

#include <stdio.h>

#include "cli/cmd_restore.h"
#include "cli/confirm.h"
#include "cli/findings.h"

static Error *options_from(const Run *run, RestoreOptions *out)
{
    const Config *c = run->config;
    bool replace = config_bool(c, SETTING_REPLACE), in_place = config_bool(c, SETTING_IN_PLACE);
    *out = (RestoreOptions){
        .backup = run_word(run, 0),
        .at_given = config_str(c, SETTING_AT) != NULL,
        .at = config_instant(c, SETTING_AT),
        .to_db = config_str(c, SETTING_TO_DB),
        .way = replace    ? RESTORE_REPLACE
               : in_place ? RESTORE_IN_PLACE
                          : RESTORE_CREATE,
        .keep_old = config_str(c, SETTING_KEEP_OLD),
        .detach = config_bool(c, SETTING_DETACH),
        .globals = config_bool(c, SETTING_RESTORE_GLOBALS),
        .no_owner = config_bool(c, SETTING_NO_OWNER),
        .no_privileges = config_bool(c, SETTING_NO_PRIVILEGES),
        .no_tablespaces = config_bool(c, SETTING_NO_TABLESPACES),
        .no_analyze = config_bool(c, SETTING_NO_ANALYZE),
        .keep_order = config_bool(c, SETTING_KEEP_ORDER),
        .salvage = config_bool(c, SETTING_SALVAGE),
        .role = config_str(c, SETTING_ROLE),
        .search_path = config_list(c, SETTING_SEARCH_PATH),
        .timeout_ms = config_duration(c, SETTING_RESTORE_TIMEOUT),
        .part = {.tables = config_list(c, SETTING_TABLE),
                 .schemas = config_list(c, SETTING_PART_SCHEMA),
                 .exclude_tables = config_list(c, SETTING_PART_EXCLUDE_TABLE),
                 .data_only = config_bool(c, SETTING_DATA_ONLY),
                 .schema_only = config_bool(c, SETTING_SCHEMA_ONLY)},
        .consistency = {.mode = (ValidateMode)config_int(c, SETTING_RESTORE_VALIDATE),
                        .max_ms = config_int(c, SETTING_VALIDATE_SECONDS) * 1000},
    };
    if (replace && in_place)
        return error_hint(ERROR_NEW(ERR_USAGE, "--replace and --in-place exclude each other"),
                          "--replace needs room for two and is the safer one");
    if (out->keep_old && !replace)
        return error_hint(ERROR_NEW(ERR_USAGE, "--keep-old goes with --replace only"),
                          "--in-place drops the old database before it restores");
    if (out->at_given && out->backup)
        return error_hint(ERROR_NEW(ERR_USAGE, "an id and --at exclude each other"),
                          "--at chooses the backup by time");
    /* A script whose variable is empty: a list and status 0 would pass for a restore. */
    if (!out->backup && !out->at_given &&
        (out->to_db || replace || in_place || out->salvage || selection_wanted(&out->part)))
        return error_hint(ERROR_NEW(ERR_USAGE, "restore is told where to, but not which backup"),
                          "name an id, latest, or a time with --at; \"pgstow list\" shows the ids");
    return NULL;
}

static const char *way_name(RestoreWay way)
{
    static const char *const names[] = {"create", "replace", "in-place"};
    return names[way];
}

static Doc *plan_doc(const RestorePlan *p)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", p->backup_id);
    doc_set_str(d, "database", p->database);
    doc_set_str(d, "server", p->server);
    doc_set_str(d, "way", way_name(p->way));
    doc_set_bool(d, "databaseExists", p->database_exists);
    doc_set_bool(d, "databaseEmpty", p->database_empty);
    doc_set_int(d, "logicalSize", (int64_t)p->logical_size);
    doc_set_int(d, "tables", (int64_t)p->tables);
    doc_set_int(d, "rows", (int64_t)p->rows);
    if (p->part) {
        doc_set(d, "chosen", doc_texts(&p->chosen));
        doc_set(d, "needed", doc_texts(&p->needed));
    }
    doc_set_bool(d, "possible", p->possible);
    doc_set(d, "findings", findings_doc(&p->findings));
    return d;
}

/* What would happen to the database, as one sentence. */
static char *plan_sentence(const RestorePlan *p)
{
    AUTO(char) database = text_printable(p->database ? p->database : "?");
    const char *server = p->server ? p->server : "?";
    if (p->part && p->database_exists)
        return mem_printf("A part of %s is restored into the database %s on %s, beside what is "
                          "there.",
                          p->backup_id, database, server);
    if (!p->database_exists)
        return mem_printf("The database %s is made on %s and filled with %s.", database, server,
                          p->backup_id);
    if (p->database_empty)
        return mem_printf("The database %s on %s is empty and is filled with %s.", database, server,
                          p->backup_id);
    if (p->way == RESTORE_REPLACE)
        return mem_printf("The database %s on %s has contents: %s is restored beside it and then "
                          "takes its place.",
                          database, server, p->backup_id);
    if (p->way == RESTORE_IN_PLACE)
        return mem_printf("The database %s on %s has contents: it is dropped, and then %s is "
                          "restored.",
                          database, server, p->backup_id);
    return mem_printf("The database %s on %s has contents.", database, server);
}

static void print_part(const char *title, const StrList *names)
{
    if (!names->count)
        return;
    puts(title);
    for (size_t i = 0; i < names->count; i++) {
        AUTO(char) name = text_printable(names->items[i]);
        printf("  %s\n", name);
    }
}

static void print_plan(const RestorePlan *p)
{
    char tables[32], rows[32], size[32];
    AUTO(char) sentence = plan_sentence(p);
    puts(sentence);
    printf("It holds %s tables, %s rows, %s.\n", output_count(p->tables, tables),
           output_count(p->rows, rows), text_size(p->logical_size, size));
    print_part("Chosen, with what belongs to it:", &p->chosen);
    print_part("Needed by that, and made where it is missing:", &p->needed);
    putchar('\n');
    findings_print(&p->findings);
    putchar('\n');
    puts(p->possible ? "The restore is possible. Nothing was touched."
                     : "The restore is not possible. Nothing was touched.");
}

/* The problems of a plan as the error that the restore would end with. */
static Error *impossible(const RestorePlan *p)
{
    AUTO_VALUE(Buf) text = {0};
    const char *remedy = NULL;
    for (size_t i = 0; i < p->findings.count; i++) {
        const Finding *f = &p->findings.items[i];
        if (f->level != FINDING_PROBLEM)
            continue;
        buf_printf(&text, "%s%s: %s", text.len ? "; " : "", f->title, f->detail);
        remedy = remedy ? remedy : f->remedy;
    }
    AUTO(char) why = buf_steal_str(&text);
    Error *e = ERROR_NEW(ERR_PREFLIGHT, "the restore cannot work here: %s", why);
    return remedy ? error_hint(e, "%s", remedy) : e;
}

static Error *dry_run(Run *run, const RestorePlan *plan)
{
    if (run->json)
        run_result(run, plan_doc(plan));
    else
        print_plan(plan);
    return plan->possible ? NULL : impossible(plan);
}

/* Only where something is there to lose, and only where it can work at all: nobody should say yes
 * to what then fails. */
static Error *confirm(Run *run, const RestoreOptions *options, const RestorePlan *plan)
{
    if (options->way == RESTORE_CREATE || !plan->possible || !plan->database_exists ||
        plan->database_empty)
        return NULL;
    AUTO(char) sentence = plan_sentence(plan);
    AUTO(char)
    question = options->keep_old
                   ? mem_printf("%s The old one is kept as %s.", sentence, options->keep_old)
                   : mem_printf("%s What is in it now is lost.", sentence);
    return confirm_ask(question, run->yes, true, run->cancel);
}

typedef struct Work {
    RestoreOptions options;
    RestorePlan plan;
    RestoreResult result;
} Work;
static void work_clear(Work *w)
{
    restore_plan_clear(&w->plan);
    restore_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_plan(Run *run, void *arg)
{
    Work *w = arg;
    return op_restore_plan(&run->op, &w->options, &w->plan);
}

static Error *work_restore(Run *run, void *arg)
{
    Work *w = arg;
    return op_restore(&run->op, &w->options, &w->result);
}

static void add_missing(Doc *d, const RestoreResult *r)
{
    Doc *list = doc_array();
    for (size_t i = 0; i < r->missing_count; i++) {
        const RestoreMissing *m = &r->missing[i];
        Doc *one = doc_object();
        doc_set_str(one, "name", m->name);
        doc_set_int(one, "rows", (int64_t)m->rows);
        doc_set_int(one, "bytes", (int64_t)m->bytes);
        doc_set_str(one, "why", m->why);
        doc_push(list, one);
    }
    doc_set_int(d, "tables", (int64_t)r->tables);
    doc_set(d, "missing", list);
    doc_set(d, "loosened", doc_texts(&r->loosened));
}

static void print_missing(const RestoreResult *r)
{
    char rows[32], bytes[32];
    for (size_t i = 0; i < r->missing_count; i++) {
        const RestoreMissing *m = &r->missing[i];
        AUTO(char) name = text_printable(m->name);
        AUTO(char) why = text_printable(m->why);
        printf("MISSING %s: %s rows, %s: %s\n", name, output_count(m->rows, rows),
               text_size(m->bytes, bytes), why);
    }
    for (size_t i = 0; i < r->loosened.count; i++) {
        AUTO(char) text = text_printable(r->loosened.items[i]);
        puts(text);
    }
}

static void print_result(Run *run, const RestoreResult *r, bool salvage)
{
    char rows[32], bytes[32], fetched[32], took[32];
    for (size_t i = 0; i < r->warnings.count; i++)
        output_warning(r->warnings.items[i]);
    if (run->json) {
        Doc *d = doc_object();
        doc_set_str(d, "id", r->backup_id);
        doc_set_str(d, "database", r->database);
        doc_set_str(d, "keptOld", r->kept_old);
        doc_set_int(d, "rows", (int64_t)r->rows);
        doc_set_int(d, "bytes", (int64_t)r->bytes);
        doc_set_int(d, "fetchedBytes", (int64_t)r->fetched);
        doc_set_int(d, "duration", r->duration_ms);
        if (r->made.count)
            doc_set(d, "made", doc_texts(&r->made));
        doc_set(d, "warnings", doc_texts(&r->warnings));
        if (salvage)
            add_missing(d, r);
        run_result(run, d);
        return;
    }
    AUTO(char) database = text_printable(r->database);
    if (salvage)
        print_missing(r);
    if (!run->quiet) {
        printf("%s rows, %s, from %s of the repository; %s\n", output_count(r->rows, rows),
               text_size(r->bytes, bytes), text_size(r->fetched, fetched),
               text_duration(r->duration_ms, took));
        for (size_t i = 0; i < r->made.count; i++) {
            AUTO(char) made = text_printable(r->made.items[i]);
            printf("made %s\n", made);
        }
        if (r->kept_old)
            printf("the old database is kept as %s\n", r->kept_old);
    }
    printf("%s %s into %s\n", r->missing_count ? "restored what is whole of" : "restored",
           r->backup_id, database);
}

Error *cmd_RESTORE(Run *run)
{
    AUTO_VALUE(Work) w = {0};
    if (config_int(run->config, SETTING_MERGE) && config_bool(run->config, SETTING_SALVAGE))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "--salvage and --merge exclude each other"),
            "salvage into a new database with --to-db first, and take over from there");
    if (config_int(run->config, SETTING_MERGE))
        return restore_merge(run);
    TRY(options_from(run, &w.options));
    if (!w.options.backup && !w.options.at_given) {
        TRY(run_list(run, NULL));
        if (!run->json && !run->quiet)
            puts("\nNothing was restored: name one of these ids, or latest.");
        return NULL;
    }
    bool ask = w.options.way != RESTORE_CREATE && !run->yes;
    if (ask || config_bool(run->config, SETTING_DRY_RUN))
        TRY(run_with_progress(run, work_plan, &w));
    if (config_bool(run->config, SETTING_DRY_RUN))
        return dry_run(run, &w.plan);
    if (ask)
        TRY(confirm(run, &w.options, &w.plan));
    Error *e = run_with_progress(run, work_restore, &w);
    /* What could be salvaged comes with an error that says that it is not all. */
    if (!e || (error_kind(e) == ERR_PARTIAL && w.options.salvage))
        print_result(run, &w.result, w.options.salvage);
    if (!e) {
        run_backup(run, w.result.backup_id);
        run_fact(run, "ROWS", w.result.rows);
    }
    return e;
}
