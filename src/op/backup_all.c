#include "op/backup_all.h"

#include <string.h>

#include "op/scratch.h"
#include "pg/pattern.h"

/* Scratch databases of runs that go on beside us, or were killed, are nobody's. */
#define DATABASES                                                                                  \
    "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate "         \
    "AND COALESCE(pg_catalog.strpos(pg_catalog.shobj_description(oid, 'pg_database'), "            \
    "'" SCRATCH_MARK "'), 0) <> 1 "                                                                \
    "ORDER BY datname::pg_catalog.text COLLATE \"C\""

void backup_outcomes_clear(BackupOutcomes *o)
{
    for (size_t i = 0; i < o->count; i++) {
        free(o->items[i].database);
        backup_info_clear(&o->items[i].info);
        cleanup_result_clear(&o->items[i].cleaned);
        error_free(o->items[i].error);
    }
    free(o->items);
    *o = (BackupOutcomes){0};
}

static BackupOutcome *add(BackupOutcomes *o, const char *database)
{
    mem_grow(o->items, o->count, o->cap);
    BackupOutcome *one = &o->items[o->count++];
    *one = (BackupOutcome){.database = mem_strdup(database)};
    return one;
}

static Error *check_options(const BackupOptions *o)
{
    if (o->where.count || o->masks.count || o->schemas.count ||
        (o->parent && strcmp(o->parent, "none") != 0))
        return error_hint(ERROR_NEW(ERR_USAGE, "--where, --mask, --schema and --parent are about "
                                               "one database"),
                          "back that one up by itself, and the others with --exclude-database");
    return NULL;
}

static Error *find_databases(const OpContext *c, StrList *out)
{
    AUTO(char) named = op_database_name(c);
    AUTO(Conn) asked = NULL;
    AUTO(Rows) rows = NULL;
    TRY(op_connect(c, named ? NULL : "postgres", &asked));
    TRY(conn_query(asked, DATABASES, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        strlist_add(out, rows_text(rows, i, 0));
    return NULL;
}

/* Sets wanted[i] of each name that the pattern matches. */
static Error *apply_pattern(const char *text, const StrList *names, bool value, bool *wanted,
                            bool *any)
{
    AUTO_VALUE(Pattern) p = {0};
    TRY(pattern_parse_single(text, &p));
    *any = false;
    for (size_t i = 0; i < names->count; i++)
        if (pattern_matches_name(&p, names->items[i])) {
            wanted[i] = value;
            *any = true;
        }
    return NULL;
}

static Error *choose(const BackupAllOptions *o, const StrList *names, bool *wanted,
                     BackupOutcomes *out)
{
    bool any;
    for (size_t i = 0; i < names->count; i++)
        wanted[i] = !o->include || !o->include->count;
    for (size_t i = 0; o->include && i < o->include->count; i++) {
        TRY(apply_pattern(o->include->items[i], names, true, wanted, &any));
        if (any)
            continue;
        BackupOutcome *one = add(out, o->include->items[i]);
        one->pattern = true;
        one->error = ERROR_NEW(ERR_DB_NOT_FOUND,
                               "%s matches no database that allows connections and is no template",
                               o->include->items[i]);
        if (o->done)
            o->done(o->ctx, one);
    }
    for (size_t i = 0; o->exclude && i < o->exclude->count; i++)
        TRY(apply_pattern(o->exclude->items[i], names, false, wanted, &any));
    return NULL;
}

/* The one error for all. */
static Error *verdict(const BackupOutcomes *o)
{
    AUTO_VALUE(Buf) failed = {0};
    size_t count = 0;
    for (size_t i = 0; i < o->count; i++)
        if (o->items[i].error) {
            count++;
            buf_printf(&failed, "%s%s", failed.len ? ", " : "", o->items[i].database);
        }
    if (!count)
        return NULL;
    AUTO(char) names = buf_steal_str(&failed);
    return ERROR_NEW(ERR_PARTIAL, "%zu of %zu databases could not be backed up: %s", count,
                     o->count, names);
}

static Error *back_up(const OpContext *c, const BackupAllOptions *o, const StrList *names,
                      const bool *wanted, BackupOutcomes *out)
{
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (!wanted[i])
            continue;
        count++;
        OpContext each = *c;
        each.db_name = names->items[i];
        TRY(cancel_check(job_cancel(c->job)));
        BackupInfo info = {0};
        CleanupResult cleaned = {0};
        Instant started = clock_now();
        Error *e = op_backup_and_cleanup(&each, o->each, o->cleanup, &info, &cleaned);
        BackupOutcome *one = add(out, names->items[i]);
        one->info = info;
        one->cleaned = cleaned;
        one->started = started;
        one->ended = clock_now();
        one->error = e;
        if (o->done)
            o->done(o->ctx, one);
        if (e && error_kind(e) == ERR_CANCELLED)
            FAIL(ERR_CANCELLED, "stopped while database %s was backed up", names->items[i]);
    }
    if (!count && !out->count)
        return error_hint(ERROR_NEW(ERR_DB_NOT_FOUND, "there is no database to back up"),
                          "templates and databases that allow no connections are left out, and so "
                          "is what --exclude-database matches");
    return verdict(out);
}

Error *op_backup_all(const OpContext *c, const BackupAllOptions *o, BackupOutcomes *out)
{
    AUTO_VALUE(StrList) names = {0};
    TRY(check_options(o->each));
    TRY(find_databases(c, &names));
    bool *wanted = mem_calloc(names.count + 1, sizeof *wanted);
    Error *e = choose(o, &names, wanted, out);
    if (!e)
        e = back_up(c, o, &names, wanted, out);
    free(wanted);
    return e;
}
