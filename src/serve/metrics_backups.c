#include "serve/metrics_internal.h"

#include <string.h>

#include "repo/lineage.h"
#include "serve/stock.h"

/* What is known of one database of an entry. */
typedef struct Fact {
    const ServiceEntry *entry;
    const char *database;
    bool foreign; /* no entry is for it: nobody makes backups of it any more, or never did here */
    Buf labels;
    const BackupInfo *newest; /* the newest good one; NULL: there is none */
    int64_t backups, bad;
    Instant verified, drilled;
    int64_t restore_ms; /* in the last of these drills */
} Fact;

typedef struct Facts {
    Fact *items;
    size_t count, cap;
    Glance *glances; /* of each entry; of zeros where an earlier one has its repository */
    size_t entries;
} Facts;

static void facts_clear(Facts *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_free(&f->items[i].labels);
    for (size_t i = 0; i < f->entries; i++)
        glance_clear(&f->glances[i]);
    free(f->items);
    free(f->glances);
}
DEFINE_AUTO_VALUE(Facts, facts_clear)

/* Backups come sorted by database: mostly it is the last one. */
static Fact *fact_of(Facts *f, const ServiceEntry *entry, const char *database)
{
    for (size_t i = f->count; i-- > 0;)
        if (f->items[i].entry == entry && !strcmp(f->items[i].database, database))
            return &f->items[i];
    mem_grow(f->items, f->count, f->cap);
    Fact *one = &f->items[f->count++];
    *one = (Fact){.entry = entry,
                  .database = database,
                  .foreign = *entry->database && strcmp(entry->database, database) != 0};
    exposition_label(&one->labels, "entry", entry->name);
    exposition_label(&one->labels, "database", database);
    return one;
}

static void add_backup(Fact *f, const BackupInfo *info)
{
    bool proven = info->last_proof && info->proven;
    f->backups++;
    f->bad += info->last_proof && !info->proven;
    if (lineage_good(info))
        f->newest = info;
    if (proven && info->last_proof > f->verified)
        f->verified = info->last_proof;
    if (info->last_drill > f->drilled) {
        f->drilled = info->last_drill;
        f->restore_ms = info->restore_ms;
    }
}

/* Of one whose repository could not be read yet nothing is known, not even that there is none. */
static void add_entry(const ServiceConfig *c, size_t i, int64_t max_age_ms, Facts *f)
{
    Glance *g = &f->glances[i];
    shelf_glance(c->entries[i].shelf, max_age_ms, g);
    for (size_t k = 0; g->view && k < g->view->list.count; k++) {
        const BackupInfo *info = &g->view->list.items[k];
        add_backup(fact_of(f, stock_owner(c, i, info), info->database), info);
    }
    for (size_t k = i; g->when && k < c->count; k++)
        if (*c->entries[k].database && stock_same(c, i, k))
            fact_of(f, &c->entries[k], c->entries[k].database);
}

/* -- families -------------------------------------------------------------------------------------
 */

/* False where there is no such value. `now` is the service's clock. */
typedef bool (*ValueOf)(const Fact *f, Instant now, double *out);

static bool seconds(Instant t, double *out)
{
    *out = (double)t / 1000;
    return t != 0;
}

static bool since(Instant t, Instant now, double *out)
{
    *out = (double)(now - t) / 1000;
    return t != 0;
}

static bool last_success(const Fact *f, Instant now, double *out)
{
    (void)now;
    return f->newest && seconds(f->newest->timestamp, out);
}

static bool age(const Fact *f, Instant now, double *out)
{
    return f->newest && since(f->newest->timestamp, now, out);
}

static bool duration(const Fact *f, Instant now, double *out)
{
    (void)now;
    *out = f->newest ? (double)(f->newest->finished - f->newest->started) / 1000 : 0;
    return f->newest != NULL;
}

static bool number(const Fact *f, uint64_t v, double *out)
{
    *out = (double)v;
    return f->newest != NULL;
}

#define NUMBER(field)                                                                              \
    static bool field(const Fact *f, Instant now, double *out)                                     \
    {                                                                                              \
        (void)now;                                                                                 \
        return number(f, f->newest ? f->newest->field : 0, out);                                   \
    }
NUMBER(logical_size)
NUMBER(size)
NUMBER(new_bytes)
NUMBER(rows)
NUMBER(tables)
#undef NUMBER

/* new_bytes has the manifest in it. */
static bool dedup(const Fact *f, Instant now, double *out)
{
    const BackupInfo *b = f->newest;
    (void)now;
    if (!b || !b->size)
        return false;
    *out = b->new_bytes >= b->size ? 0 : 1 - (double)b->new_bytes / (double)b->size;
    return true;
}

static bool backups(const Fact *f, Instant now, double *out)
{
    (void)now;
    *out = (double)f->backups;
    return true;
}

static bool bad(const Fact *f, Instant now, double *out)
{
    (void)now;
    *out = (double)f->bad;
    return true;
}

static bool verified(const Fact *f, Instant now, double *out)
{
    (void)now;
    return seconds(f->verified, out);
}

static bool drilled(const Fact *f, Instant now, double *out)
{
    (void)now;
    return seconds(f->drilled, out);
}

static bool restore_time(const Fact *f, Instant now, double *out)
{
    (void)now;
    *out = (double)f->restore_ms / 1000;
    return f->restore_ms > 0;
}

static bool verify_age(const Fact *f, Instant now, double *out)
{
    return since(f->verified, now, out);
}

static bool drill_age(const Fact *f, Instant now, double *out)
{
    return since(f->drilled, now, out);
}

static const struct {
    const char *name, *help;
    ValueOf value;
    bool foreign; /* told of foreign databases too: nobody wants to hear that those have no new one
                   */
} families[] = {
    {"pgstow_backup_last_success_timestamp_seconds",
     "Of which instant the newest good backup of the whole database is.", last_success},
    {"pgstow_backup_age_seconds", "How long ago that was, by the clock of the service.", age},
    {"pgstow_backup_last_duration_seconds", "How long that backup took.", duration},
    {"pgstow_backup_last_logical_bytes", "What its tables are as COPY gives them.", logical_size},
    {"pgstow_backup_last_stored_bytes", "What of the repository it refers to.", size},
    {"pgstow_backup_last_new_bytes", "What of that it was the first to store.", new_bytes},
    {"pgstow_backup_last_dedup_ratio", "Which part of it was stored already, from 0 to 1.", dedup},
    {"pgstow_backup_last_rows", "Rows in it.", rows},
    {"pgstow_backup_last_tables", "Tables in it.", tables},
    {"pgstow_backups", "Backups of the database that the repository has.", backups, true},
    {"pgstow_backups_damaged", "Backups whose last proof found damage.", bad, true},
    {"pgstow_verify_last_success_timestamp_seconds",
     "When a backup of the database was last found good, at any level.", verified},
    {"pgstow_verify_age_seconds", "How long ago that was, by the clock of the service.",
     verify_age},
    {"pgstow_drill_last_success_timestamp_seconds",
     "When one was last restored and compared, and was good.", drilled},
    {"pgstow_drill_age_seconds", "How long ago that was, by the clock of the service.", drill_age},
    {"pgstow_drill_last_restore_seconds", "How long the restore in it took.", restore_time},
};

static void write_families(const Facts *f, Instant now, Buf *out)
{
    for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
        exposition_family(out, families[k].name, "gauge", families[k].help);
        for (size_t i = 0; i < f->count; i++) {
            double v;
            if (f->items[i].foreign && !families[k].foreign)
                continue;
            if (families[k].value(&f->items[i], now, &v))
                exposition_number(out, families[k].name, &f->items[i].labels, v);
        }
    }
}

/* -- repositories ---------------------------------------------------------------------------------
 */

static bool up(const Glance *g, double *out)
{
    *out = g->readable;
    return true;
}

static bool when(const Glance *g, double *out)
{
    return seconds(g->when, out);
}

static bool damaged(const Glance *g, double *out)
{
    *out = g->view ? (double)g->view->list.damaged.count : 0;
    return g->when != 0;
}

static bool free_bytes(const Glance *g, double *out)
{
    *out = (double)g->free_bytes;
    return g->has_free;
}

static void write_repositories(const ServiceConfig *c, const Facts *f, Buf *out)
{
    static const struct {
        const char *name, *help;
        bool (*value)(const Glance *g, double *out);
    } of[] = {
        {"pgstow_repository_up", "Whether the repository could be read at the last look.", up},
        {"pgstow_repository_read_timestamp_seconds",
         "When it was last read: what is told of its backups is of then.", when},
        {"pgstow_repository_damaged_manifests", "Backups in it that cannot even be listed.",
         damaged},
        {"pgstow_repository_free_bytes", "Room that is left on its disk.", free_bytes},
    };
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        exposition_family(out, of[k].name, "gauge", of[k].help);
        for (size_t i = 0; i < c->count; i++) {
            AUTO_VALUE(Buf) labels = {0};
            double v;
            if (stock_is_shared(c, i) || !of[k].value(&f->glances[i], &v))
                continue;
            exposition_label(&labels, "repository", config_str(c->entries[i].config, SETTING_REPO));
            exposition_number(out, of[k].name, &labels, v);
        }
    }
}

void metrics_backups(const ServiceConfig *c, int64_t max_age_ms, Instant now, Buf *out)
{
    AUTO_VALUE(Facts) f = {0};
    f.glances = mem_calloc(c->count, sizeof *f.glances);
    f.entries = c->count;
    for (size_t i = 0; i < c->count; i++)
        if (!stock_is_shared(c, i))
            add_entry(c, i, max_age_ms, &f);
    write_families(&f, now, out);
    write_repositories(c, &f, out);
}
