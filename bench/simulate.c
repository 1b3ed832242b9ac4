/* A year of daily backups of one table, on a clock that is ours: `./dev simulate`.
 *
 * The repository's own writer, trash, prune and reader, and the rules of retention, work on a store
 * in memory. Each day the table changes by a plan, is backed up, and cleaned up after; measured are
 * the bytes in packs that no kept backup uses, how much more than it uses a restore of the newest
 * reads, and what the rewriting rules wrote. Exit status: 0 goals met, 1 one missed, 2 something
 * failed.
 *
 *   simulate [--days N] [--rows N] [--pieces N] [--plan WORD] [--keep 30d|gfs] [--daily]
 *   simulate --emit DAY --plan WORD [--rows N]     writes the table's text of that day
 */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/log.h"
#include "base/text.h"
#include "op/retention.h"
#include "repo/prune.h"
#include "repo/trash.h"
#include "repo/writer.h"
#include "simulate_measure.h"
#include "simulate_table.h"

#define DAY (86400 * INT64_C(1000))
#define START INT64_C(1767232800000) /* 2026-01-01T02:00:00Z */
#define GOAL_DEAD 0.50
#define GOAL_AMPLIFICATION 2.5
#define MEGA 1e6

static const Plan plans[] = {
    {"update-0.1%", 100, 0, 0}, {"update-1%", 1000, 0, 0},    {"update-5%", 5000, 0, 0},
    {"append-0.2%", 0, 200, 0}, {"delete-0.5%", 0, 500, 500}, {"mix", 500, 200, 150},
};

typedef struct Options {
    int days, emit;
    int64_t rows, pieces;
    const char *plan, *keep;
    bool daily;
} Options;

typedef struct Totals {
    double dead_worst, dead_sum, amplification_worst, amplification_sum;
    int measured, restored;
    uint64_t text, fresh, rewritten, repository, files;
} Totals;

typedef struct Year {
    const Options *o;
    const Plan *plan;
    const char *keep;
    Repo *repo;
    Table table;
    Kept *kept;
    size_t count, cap;
    size_t piece_rows;
    Totals sum;
} Year;

/* -- a backup --------------------------------------------------------------------------------- */

static Error *write_pieces(Year *y, Writer *w, Kept *k)
{
    AUTO(PieceWriter) p = NULL;
    AUTO_VALUE(Buf) text = {0};
    size_t pieces = (y->table.count + y->piece_rows - 1) / y->piece_rows;
    StreamSpec spec = {.kind = STREAM_TABLE,
                       .dump_id = 1,
                       .oid = 20000,
                       .schema = "public",
                       .name = "orders",
                       .piece_pages = pieces > 1 ? 1024 : 0,
                       .pieces = pieces > 1 ? (uint32_t)pieces : 1,
                       .rows_framed = true};
    uint32_t stream;
    uLong packed = 0;
    TRY(writer_add_stream(w, &spec, &stream));
    TRY(piece_writer_new(w, &p));
    for (size_t i = 0; i < pieces; i++) {
        text.len = 0;
        uint64_t rows = table_text(&y->table, i * y->piece_rows, (i + 1) * y->piece_rows, &text);
        TRY(piece_begin(p, stream, (uint32_t)i));
        TRY(piece_write(p, text.data, text.len));
        TRY(piece_end(p, rows));
        k->text_bytes += text.len;
        /* Its size hardly changes with the day: taken once a month. */
        if (y->count == 0 || y->kept[y->count - 1].when / DAY % 30 == 0) {
            uLong room = compressBound(text.len);
            Bytef *out = mem_calloc(room, 1);
            if (compress2(out, &room, text.data, text.len, 6) == Z_OK)
                packed += room;
            free(out);
        }
    }
    TRY(piece_writer_finish(p));
    const Kept *before = y->count ? &y->kept[y->count - 1] : NULL;
    k->file_bytes = packed ? packed
                           : (uint64_t)((double)before->file_bytes * (double)k->text_bytes /
                                        (double)before->text_bytes);
    return NULL;
}

static Error *back_up(Year *y, Instant now)
{
    AUTO(Writer) w = NULL;
    AUTO_VALUE(BackupInfo) done = {0};
    WriterOptions o = {.database = "shop",
                       .server = "localhost:5432",
                       .system_identifier = "73",
                       .database_oid = 16384,
                       .level = 1,
                       .timestamp = now};
    BackupInfo facts = {.database_version = (char *)"PostgreSQL 15.3",
                        .tool_version = (char *)"15.3",
                        .encoding = (char *)"UTF8",
                        .collate = (char *)"C",
                        .ctype = (char *)"C",
                        .started = now,
                        .tables = 1};
    Kept k = {.when = now};
    TRY(writer_open(y->repo, &o, NULL, &w));
    TRY(write_pieces(y, w, &k));
    TRY(writer_commit(w, &facts, &done));
    k.id = mem_strdup(done.id);
    TRY(kept_load(y->repo, &k));
    mem_grow(y->kept, y->count, y->cap);
    y->kept[y->count++] = k;
    y->sum.text += k.text_bytes;
    y->sum.fresh += y->count > 1 ? done.new_bytes : 0;
    y->sum.rewritten += done.rewritten;
    return NULL;
}

/* -- retention -------------------------------------------------------------------------------- */

/* Those that `verdicts` do not keep go; the list has them in the order in which they were made. */
static Error *drop(Year *y, const BackupList *list, const RetentionVerdict *verdicts)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        Kept *k = &y->kept[i];
        if (strcmp(k->id, list->items[i].id) != 0)
            FAIL(ERR_INTERNAL, "%s is listed in the place of %s", list->items[i].id, k->id);
        if (verdicts[i].keep)
            continue;
        TRY(trash_put(y->repo, k->id));
        kept_clear(k);
    }
    for (size_t i = 0; i < list->count; i++)
        if (verdicts[i].keep)
            y->kept[n++] = y->kept[i];
    y->count = n;
    return NULL;
}

static Error *clean_up(Year *y, Instant now)
{
    AUTO_VALUE(BackupList) list = {0};
    AUTO_VALUE(PruneResult) result = {0};
    AUTO(Zone) utc = NULL;
    TRY(zone_open("UTC", &utc));
    RetentionPolicy policy = {.zone = utc};
    if (!strcmp(y->keep, "30d"))
        policy.days = 30;
    else {
        policy.keep[RETENTION_DAILY] = 7;
        policy.keep[RETENTION_WEEKLY] = 4;
        policy.keep[RETENTION_MONTHLY] = 12;
    }
    TRY(catalog_list(y->repo, NULL, &list));
    if (list.count != y->count)
        FAIL(ERR_INTERNAL, "%zu backups are listed instead of %zu", list.count, y->count);
    RetentionVerdict *verdicts = mem_calloc(list.count, sizeof *verdicts);
    retention_decide(&list, &policy, now, verdicts);
    Error *e = drop(y, &list, verdicts);
    for (size_t i = 0; i < list.count; i++)
        retention_verdict_clear(&verdicts[i]);
    free(verdicts);
    TRY(e);
    PruneOptions o = {.now = clock_now() + 1000, .trash_ms = 0, .limit_ms = DAY};
    return prune_run(y->repo, &o, NULL, &result);
}

/* -- a year ----------------------------------------------------------------------------------- */

static Error *measure(Year *y, int day)
{
    Usage u;
    double amplification = 0;
    Totals *t = &y->sum;
    const Kept *newest = &y->kept[y->count - 1];
    TRY(usage_measure(y->repo, y->kept, y->count, &u));
    t->measured++;
    t->dead_sum += u.dead;
    t->dead_worst = u.dead > t->dead_worst ? u.dead : t->dead_worst;
    t->repository = u.repository;
    bool restore = day % 7 == 0 || day == y->o->days;
    if (restore) {
        TRY(usage_restore(y->repo, newest->id, newest->text_bytes, &amplification));
        t->restored++;
        t->amplification_sum += amplification;
        if (amplification > t->amplification_worst)
            t->amplification_worst = amplification;
    }
    if (y->o->daily)
        printf("%-12s %-4s day %3d: %3zu backups, %4llu data packs, repository %6.1f MB, dead "
               "%4.1f %%, "
               "a restore reads %.2f\n",
               y->plan->name, y->keep, day, y->count, (unsigned long long)u.packs,
               (double)u.repository / MEGA, 100 * u.dead, amplification);
    return NULL;
}

static Error *live(Year *y)
{
    table_fill(&y->table, (size_t)y->o->rows);
    y->piece_rows = ((size_t)y->o->rows + (size_t)y->o->pieces - 1) / (size_t)y->o->pieces;
    for (int day = 0; day <= y->o->days; day++) {
        Instant now = START + day * DAY;
        if (day)
            table_day(&y->table, y->plan);
        TRY(back_up(y, now));
        TRY(clean_up(y, now));
        TRY(measure(y, day));
    }
    y->sum.files = 0;
    for (size_t i = 0; i < y->count; i++)
        y->sum.files += y->kept[i].file_bytes;
    return NULL;
}

static bool report(const Year *y)
{
    const Totals *t = &y->sum;
    double days = y->o->days ? y->o->days : 1, text = (double)t->text;
    bool good = t->dead_worst < GOAL_DEAD && t->amplification_worst < GOAL_AMPLIFICATION;
    printf(
        "%-12s %-4s %3zu kept | dead %4.1f %% mean, %4.1f %% worst | read %.2f mean, %.2f worst | "
        "new %5.2f MB a day, rewritten %.2f %% of the rows a day | repository %6.1f MB, "
        "pg_dump -Fc files %6.1f MB%s\n",
        y->plan->name, y->keep, y->count, 100 * t->dead_sum / t->measured, 100 * t->dead_worst,
        t->amplification_sum / t->restored, t->amplification_worst, (double)t->fresh / MEGA / days,
        100 * (double)t->rewritten / text, (double)t->repository / MEGA, (double)t->files / MEGA,
        good ? "" : " | GOAL MISSED");
    fflush(stdout);
    return good;
}

static void year_clear(Year *y)
{
    for (size_t i = 0; i < y->count; i++)
        kept_clear(&y->kept[i]);
    free(y->kept);
    table_clear(&y->table);
    if (y->repo)
        repo_free(y->repo);
    *y = (Year){0};
}
DEFINE_AUTO_VALUE(Year, year_clear)

static Error *run_year(const Options *o, const Plan *plan, const char *keep, bool *good)
{
    AUTO_VALUE(Year) y = {.o = o, .plan = plan, .keep = keep};
    RepoOptions ro = {.create = true};
    TRY(repo_open(store_open_memory(), &ro, &y.repo));
    TRY_CTX(live(&y), "%s, %s", plan->name, keep);
    *good = report(&y);
    return NULL;
}

/* -- the command line ------------------------------------------------------------------------- */

static Error *emit(const Options *o, const Plan *plan)
{
    Table t = {0};
    AUTO_VALUE(Buf) text = {0};
    table_fill(&t, (size_t)o->rows);
    for (int day = 1; day <= o->emit; day++)
        table_day(&t, plan);
    table_text(&t, 0, t.count, &text);
    table_clear(&t);
    if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout))
        FAIL(ERR_IO, "the table could not be written");
    return NULL;
}

static Error *run(const Options *o, bool *all_good)
{
    static const char *const keeps[] = {"30d", "gfs"};
    bool any = false;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        if (o->plan && strcmp(o->plan, plans[i].name) != 0)
            continue;
        any = true;
        if (o->emit >= 0)
            return emit(o, &plans[i]);
        for (size_t k = 0; k < 2; k++) {
            bool good = true;
            if (o->keep && strcmp(o->keep, keeps[k]) != 0)
                continue;
            TRY(run_year(o, &plans[i], keeps[k], &good));
            *all_good = *all_good && good;
        }
    }
    return any ? NULL : ERROR_NEW(ERR_USAGE, "there is no plan \"%s\"", o->plan);
}

static Error *parse(int argc, char **argv, Options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        int64_t n = 0;
        if (!strcmp(word, "--daily")) {
            o->daily = true;
            continue;
        }
        i++;
        if (!strcmp(word, "--plan"))
            o->plan = value;
        else if (!strcmp(word, "--keep"))
            o->keep = value;
        else {
            TRY(text_parse_int(value, 0, 100000000, &n));
            if (!strcmp(word, "--days"))
                o->days = (int)n;
            else if (!strcmp(word, "--emit"))
                o->emit = (int)n;
            else if (!strcmp(word, "--rows") && n > 0)
                o->rows = n;
            else if (!strcmp(word, "--pieces") && n > 0)
                o->pieces = n;
            else
                FAIL(ERR_USAGE, "what is %s?", word);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    Options o = {.days = 365, .emit = -1, .rows = 240000, .pieces = 4};
    bool good = true;
    AUTO(Error) e = parse(argc, argv, &o);
    if (!e)
        e = run(&o, &good);
    if (e)
        fprintf(stderr, "simulate: %s\n", error_message(e));
    return e ? 2 : good ? 0 : 1;
}
