#include "repo/lineage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "repo/repo_internal.h"

#define FOLDER_BYTES 16

static const char *text_of(const char *s)
{
    return s ? s : "";
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(text_of(a), text_of(b)) == 0;
}

Lineage lineage_of(const BackupInfo *i)
{
    return (Lineage){i->database, i->server, i->system_identifier, i->filter};
}

bool lineage_same(const Lineage *a, const Lineage *b)
{
    if (!same_text(a->database, b->database) || !same_text(a->filter, b->filter))
        return false;
    bool known = *text_of(a->system_identifier) && *text_of(b->system_identifier);
    return known ? same_text(a->system_identifier, b->system_identifier)
                 : same_text(a->server, b->server);
}

static bool is_imported(const BackupInfo *i)
{
    return !i->database_oid;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_order(const BackupInfo *a, const BackupInfo *b, bool by_time)
{
    int number = (a->sequence > b->sequence) - (a->sequence < b->sequence);
    int time = compare_numbers(a->timestamp, b->timestamp);
    int order = by_time ? time : number;
    if (!order)
        order = by_time ? number : time;
    return order ? order : strcmp(a->id, b->id);
}

bool lineage_after(const BackupInfo *a, const BackupInfo *b)
{
    Lineage x = lineage_of(a), y = lineage_of(b);
    return compare_order(a, b, is_imported(a) || !lineage_same(&x, &y)) > 0;
}

bool lineage_good(const BackupInfo *i)
{
    return !*text_of(i->filter) && (!i->last_proof_level || i->proven);
}

/* -- groups and order ------------------------------------------------------------------------- */

/* The identity by which items fall together at first: those without an identifier by address. */
static int compare_identity(const BackupInfo *a, const BackupInfo *b)
{
    const char *x = text_of(a->system_identifier), *y = text_of(b->system_identifier);
    int order = strcmp(text_of(a->database), text_of(b->database));
    if (!order)
        order = strcmp(text_of(a->filter), text_of(b->filter));
    if (!order)
        order = strcmp(x, y);
    return order || *x ? order : strcmp(text_of(a->server), text_of(b->server));
}

static int by_identity(const void *a, const void *b)
{
    const BackupInfo *x = *(const BackupInfo *const *)a, *y = *(const BackupInfo *const *)b;
    int order = compare_identity(x, y);
    return order ? order : (x > y) - (x < y);
}

/* Of those of a known server the one with the same address, if it is only one; else `own`. */
static size_t known_home(const BackupInfo *items, size_t count, const size_t *group, size_t own)
{
    Lineage l = lineage_of(&items[own]);
    size_t home = own;
    for (size_t i = 0; i < count; i++) {
        Lineage x = lineage_of(&items[i]);
        if (!*text_of(x.system_identifier) || !lineage_same(&l, &x))
            continue;
        if (home != own && home != group[i])
            return own;
        home = group[i];
    }
    return home;
}

void lineage_groups(const BackupInfo *items, size_t count, size_t *group)
{
    const BackupInfo **sorted = mem_calloc(count, sizeof(BackupInfo *));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &items[i];
    mem_sort(sorted, count, sizeof *sorted, by_identity);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (i && compare_identity(sorted[i - 1], sorted[i]) != 0)
            first = i;
        group[sorted[i] - items] = (size_t)(sorted[first] - items);
    }
    free(sorted);
    size_t *home = mem_calloc(count, sizeof *home);
    for (size_t i = 0; i < count; i++)
        home[i] = group[i] == i && !*text_of(items[i].system_identifier)
                      ? known_home(items, count, group, i)
                      : i;
    for (size_t i = 0; i < count; i++)
        group[i] = home[group[i]];
    free(home);
}

typedef struct Place {
    BackupInfo item;
    size_t group;
    Instant time; /* at most that of all that follow in the lineage */
    bool by_time;
} Place;

static int by_lineage(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    int order = (x->group > y->group) - (x->group < y->group);
    return order ? order : compare_order(&x->item, &y->item, x->by_time);
}

static int by_database(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    int order = strcmp(text_of(x->item.database), text_of(y->item.database));
    if (!order)
        order = compare_numbers(x->time, y->time);
    return order ? order : by_lineage(a, b);
}

void lineage_sort(BackupInfo *items, size_t count)
{
    size_t *group = mem_calloc(count, sizeof *group);
    Place *places = mem_calloc(count, sizeof *places);
    lineage_groups(items, count, group);
    for (size_t i = 0; i < count; i++)
        places[i] = (Place){items[i], group[i], items[i].timestamp, is_imported(&items[group[i]])};
    mem_sort(places, count, sizeof *places, by_lineage);
    for (size_t i = count; i-- > 1;)
        if (places[i - 1].group == places[i].group && places[i - 1].time > places[i].time)
            places[i - 1].time = places[i].time;
    mem_sort(places, count, sizeof *places, by_database);
    for (size_t i = 0; i < count; i++)
        items[i] = places[i].item;
    free(places);
    free(group);
}

/* -- numbers that were given ------------------------------------------------------------------ */

/* lineages/<32 hex digits of SHA-256 over the database's name>/ */
static char *folder_of(const char *database)
{
    AUTO(Hash) h = hash_new();
    uint8_t whole[HASH_BYTES];
    char hex[2 * FOLDER_BYTES + 1];
    hash_once(h, text_of(database), strlen(text_of(database)), whole);
    text_hex(whole, FOLDER_BYTES, hex);
    return mem_printf("lineages/%s/", hex);
}

Error *lineage_remember(Repo *r, const BackupInfo *gone, const char *checksum)
{
    AUTO(Doc) d = doc_object();
    AUTO(char) folder = folder_of(gone->database);
    uint8_t random[8];
    char unique[2 * sizeof random + 1], time[CLOCK_TEXT];
    random_bytes(random, sizeof random);
    text_hex(random, sizeof random, unique);
    doc_set_str(d, "database", gone->database);
    doc_set_str(d, "server", text_of(gone->server));
    doc_set_str(d, "systemIdentifier", text_of(gone->system_identifier));
    doc_set_str(d, "filter", text_of(gone->filter));
    doc_set_int(d, "sequence", (int64_t)gone->sequence);
    doc_set_str(d, "backup", gone->id);
    doc_set_str(d, "checksum", checksum);
    doc_set_str(d, "time", clock_iso(clock_now(), time));
    AUTO(char) name = mem_printf("%s%" PRIu64 "-%s", folder, gone->sequence, unique);
    return note_put(r, name, d);
}

/* What a name says: at least the number. */
static bool number_of(const char *name, uint64_t *sequence)
{
    return sscanf(strrchr(name, '/') + 1, "%" SCNu64 "-", sequence) == 1;
}

/* One that cannot be read counts by its name: a number too high does no harm. */
static Error *read_one(Repo *r, const char *name, const Lineage *l, bool *same, uint64_t *sequence,
                       char **checksum)
{
    AUTO(Doc) d = NULL;
    *same = false;
    Error *e = note_get(r, name, &d);
    if (e && error_kind(e) != ERR_DAMAGED && error_kind(e) != ERR_NOT_FOUND)
        return e;
    if (e) {
        *same = error_kind(e) == ERR_DAMAGED && number_of(name, sequence);
        *checksum = mem_strdup("");
        if (*same)
            log_warning("%s", error_message(e));
        error_drop(e);
        return NULL;
    }
    Lineage found = {doc_str(d, "database", ""), doc_str(d, "server", ""),
                     doc_str(d, "systemIdentifier", ""), doc_str(d, "filter", "")};
    *same = lineage_same(l, &found);
    *sequence = (uint64_t)doc_int(d, "sequence", 0);
    *checksum = mem_strdup(doc_str(d, "checksum", ""));
    return NULL;
}

Error *lineage_remembered(Repo *r, const Lineage *l, uint64_t *sequence, char **checksum)
{
    AUTO(char) folder = folder_of(l->database);
    AUTO(char) best = mem_strdup("");
    AUTO_VALUE(StrList) names = {0};
    *sequence = 0;
    TRY(note_names(repo_store(r), folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        AUTO(char) found = NULL;
        bool same;
        uint64_t number = 0;
        TRY(read_one(r, names.items[i], l, &same, &number, &found));
        if (!same || number <= *sequence)
            continue;
        *sequence = number;
        free(best);
        best = STEAL(found);
    }
    *checksum = STEAL(best);
    return NULL;
}
