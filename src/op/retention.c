#include "op/retention.h"

#include <string.h>
#include <time.h>

#include "base/text.h"
#include "repo/lineage.h"

#define FUTURE_MS 3600000 /* clocks of two hosts differ, and ids move on by seconds */
#define NOTHING SIZE_MAX

static const struct {
    const char *rule, *oldest;
} names[RETENTION_PERIODS] = {{"last", "last"},
                              {"hourly", "oldest hourly"},
                              {"daily", "oldest daily"},
                              {"weekly", "oldest weekly"},
                              {"monthly", "oldest monthly"},
                              {"yearly", "oldest yearly"}};

/* What is known of one lineage. */
typedef struct Facts {
    size_t last_good, before_it; /* of whole databases, not of the future */
    size_t last_sound;           /* the same, perhaps filtered */
    size_t last_proven;
    bool deep; /* that one was proven by more than a look at sizes */
    bool dated;
    bool stands_in; /* last_good is only sound: there is no whole one of its database */
    Instant from;   /* age counts from here */
} Facts;

typedef struct Work {
    const BackupList *list;
    const RetentionPolicy *policy;
    Instant now;
    size_t *lineage;
    Facts *facts; /* by lineage: the place of its first */
    RetentionVerdict *out;
} Work;

void retention_verdict_clear(RetentionVerdict *v)
{
    strlist_free(&v->why);
    v->keep = false;
}

static const BackupInfo *item(const Work *w, size_t i)
{
    return &w->list->items[i];
}

static bool is_future(const Work *w, size_t i)
{
    return item(w, i)->timestamp > w->now + FUTURE_MS;
}

static bool is_sound(const BackupInfo *b)
{
    return !b->last_proof_level || b->proven;
}

static void keep(Work *w, size_t i, char *why)
{
    w->out[i].keep = true;
    strlist_own(&w->out[i].why, why);
}

/* -- lineages --------------------------------------------------------------------------------- */

/* The list is in each lineage's order: the last one counts. */
static void look_at(Work *w, size_t i)
{
    Facts *f = &w->facts[w->lineage[i]];
    const BackupInfo *b = item(w, i);
    if (b->last_proof_level && b->proven) {
        bool deep = strcmp(b->last_proof_level, "quick") != 0;
        if (deep || !f->deep)
            f->last_proven = i;
        f->deep = f->deep || deep;
    }
    if (is_future(w, i) || !is_sound(b))
        return;
    f->last_sound = i;
    if (!lineage_good(b))
        return;
    f->before_it = f->last_good;
    f->last_good = i;
}

/* How long before `from` a rule of age reaches. */
static Instant reach(const RetentionPolicy *p, Instant from)
{
    Instant days = p->days ? zone_days_before(p->zone, from, p->days) : from;
    Instant within = from - p->within_ms;
    return days < within ? days : within;
}

static void date(Work *w, Facts *f)
{
    if (f->last_good == NOTHING)
        return;
    f->dated = true;
    f->from = item(w, f->last_good)->timestamp;
    if (f->before_it != NOTHING && (w->policy->days || w->policy->within_ms)) {
        Instant before = item(w, f->before_it)->timestamp;
        if (before < reach(w->policy, f->from))
            f->from = before;
    }
}

static bool same_database(const BackupInfo *a, const BackupInfo *b)
{
    Lineage x = lineage_of(a), y = lineage_of(b);
    x.filter = y.filter = "";
    return lineage_same(&x, &y);
}

/* A filtered backup is never good: its age counts from the database's newest whole one; where
 * there is none, those that are sound stand in for it. */
static void borrow_date(Work *w, size_t i)
{
    Facts *f = &w->facts[i];
    if (f->dated)
        return;
    for (size_t k = 0; k < w->list->count; k++) {
        const Facts *other = &w->facts[k];
        if (w->lineage[k] == k && other->last_good != NOTHING && !other->stands_in &&
            same_database(item(w, i), item(w, k)) && (!f->dated || other->from > f->from)) {
            f->dated = true;
            f->from = other->from;
        }
    }
    if (f->dated || f->last_sound == NOTHING)
        return;
    f->dated = true;
    f->from = item(w, f->last_sound)->timestamp;
    f->last_good = f->last_sound;
    f->stands_in = true;
}

/* -- rules ------------------------------------------------------------------------------------ */

/* A number that is the same for all instants of one period. */
static int64_t period_of(const Work *w, RetentionPeriod period, size_t i)
{
    Instant t = item(w, i)->timestamp;
    int64_t offset = zone_offset(w->policy->zone, t);
    int64_t local = t / 1000 + offset;
    int64_t hours = local >= 0 ? local / 3600 : -((-local + 3599) / 3600);
    int64_t days = hours >= 0 ? hours / 24 : -((-hours + 23) / 24);
    time_t seconds = (time_t)local;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    switch (period) {
    case RETENTION_HOURLY: /* the offset tells two hours of one name apart */
        return hours * 200000 + offset + 100000;
    case RETENTION_DAILY:
        return days;
    case RETENTION_WEEKLY: /* from Monday on; 1970 began on a Thursday */
        return days + 3 >= 0 ? (days + 3) / 7 : -((-(days + 3) + 6) / 7);
    case RETENTION_MONTHLY:
        return tm.tm_year * 12 + tm.tm_mon;
    case RETENTION_YEARLY:
        return tm.tm_year;
    default:
        return (int64_t)i;
    }
}

typedef struct Slots {
    int64_t *taken; /* periods that have their backup */
    size_t count, cap;
} Slots;

/* Newest first in the list, so mostly the last one; a clock that went back makes others. */
static bool has_period(const Slots *s, int64_t period)
{
    for (size_t i = s->count; i-- > 0;)
        if (s->taken[i] == period)
            return true;
    return false;
}

static void apply_period(Work *w, RetentionPeriod period, const size_t *group, size_t count)
{
    Slots s = {0};
    unsigned left = w->policy->keep[period];
    for (size_t k = count; k-- > 0 && left;) {
        size_t i = group[k];
        int64_t own = period_of(w, period, i);
        bool taken = has_period(&s, own);
        if (is_future(w, i))
            continue;
        if (taken && k) /* the oldest of all stays as long as there is room */
            continue;
        if (!is_sound(item(w, i))) {
            if (!taken)
                keep(w, i, mem_printf("%s (damaged, and not counted)", names[period].rule));
            continue;
        }
        keep(w, i, mem_strdup(taken ? names[period].oldest : names[period].rule));
        left--;
        mem_grow(s.taken, s.count, s.cap);
        s.taken[s.count++] = own;
    }
    free(s.taken);
}

static void apply_ages(Work *w, size_t i)
{
    const RetentionPolicy *p = w->policy;
    const Facts *f = &w->facts[w->lineage[i]];
    Instant t = item(w, i)->timestamp;
    char text[32];
    if (p->days && t >= zone_days_before(p->zone, f->from, p->days))
        keep(w, i, mem_printf("within %u day%s", p->days, p->days == 1 ? "" : "s"));
    if (p->within_ms && t >= f->from - p->within_ms)
        keep(w, i, mem_printf("within %s", text_duration(p->within_ms, text)));
}

static const char *tag_value(const BackupInfo *b, const char *key)
{
    size_t n = key ? strlen(key) : 0;
    for (size_t i = 0; n && i < b->tags.count; i++)
        if (!strncmp(b->tags.items[i], key, n) && b->tags.items[i][n] == '=')
            return b->tags.items[i] + n + 1;
    return "";
}

static void apply_own(Work *w, size_t i)
{
    const BackupInfo *b = item(w, i);
    const Facts *f = &w->facts[w->lineage[i]];
    if (b->pinned)
        keep(w, i, mem_strdup("pinned"));
    if (i == f->last_good)
        keep(w, i,
             mem_strdup(f->stands_in ? "the last one, as there is none of the whole database"
                                     : "the last good one"));
    if (i == f->last_proven)
        keep(w, i, mem_strdup("the last proven one"));
    if (is_future(w, i))
        keep(w, i, mem_strdup("its time is still to come"));
    if (!f->dated)
        keep(w, i, mem_strdup("there is no good one"));
    if (*tag_value(b, SYNC_TAG) && b->timestamp > w->now - SYNC_KEEP_MS)
        keep(w, i, mem_strdup("a sync may still need it"));
    for (size_t k = 0; w->policy->tags && k < w->policy->tags->count; k++)
        if (strlist_has(&b->tags, w->policy->tags->items[k]))
            keep(w, i, mem_printf("tag %s", w->policy->tags->items[k]));
    if (f->dated)
        apply_ages(w, i);
}

static bool has_rules(const RetentionPolicy *p)
{
    bool any = p->days || p->within_ms || (p->tags && p->tags->count);
    for (int i = 0; i < RETENTION_PERIODS; i++)
        any = any || p->keep[i];
    return any;
}

/* -- groups ----------------------------------------------------------------------------------- */

/* Those of i's group, which begins with it, in order. */
static size_t find_group(const Work *w, size_t i, size_t *group, bool *done)
{
    const char *value = tag_value(item(w, i), w->policy->group_by_tag);
    size_t count = 0;
    for (size_t k = i; k < w->list->count; k++)
        if (!done[k] && w->lineage[k] == w->lineage[i] &&
            !strcmp(tag_value(item(w, k), w->policy->group_by_tag), value)) {
            done[k] = true;
            group[count++] = k;
        }
    return count;
}

static void apply_periods(Work *w)
{
    size_t *group = mem_calloc(w->list->count, sizeof *group);
    bool *done = mem_calloc(w->list->count, sizeof *done);
    for (size_t i = 0; i < w->list->count; i++) {
        size_t count = done[i] ? 0 : find_group(w, i, group, done);
        for (int p = 0; p < RETENTION_PERIODS && count; p++)
            apply_period(w, (RetentionPeriod)p, group, count);
    }
    free(group);
    free(done);
}

static char *why_it_goes(const Work *w, size_t i)
{
    char age[32];
    int64_t ms = w->facts[w->lineage[i]].from - item(w, i)->timestamp;
    if (ms <= 0) /* a filtered one, younger than the newest whole one */
        return mem_strdup("no rule keeps it");
    return mem_printf("%s before the newest, and no rule keeps it", text_duration(ms, age));
}

void retention_decide(const BackupList *list, const RetentionPolicy *policy, Instant now,
                      RetentionVerdict *verdicts)
{
    Work w = {.list = list, .policy = policy, .now = now, .out = verdicts};
    w.lineage = mem_calloc(list->count, sizeof *w.lineage);
    w.facts = mem_calloc(list->count, sizeof *w.facts);
    lineage_groups(list->items, list->count, w.lineage);
    for (size_t i = 0; i < list->count; i++)
        w.facts[i] = (Facts){NOTHING, NOTHING, NOTHING, NOTHING, false, false, false, 0};
    for (size_t i = 0; i < list->count; i++)
        look_at(&w, i);
    for (size_t i = 0; i < list->count; i++)
        date(&w, &w.facts[i]);
    for (size_t i = 0; i < list->count; i++)
        if (w.lineage[i] == i)
            borrow_date(&w, i);
    for (size_t i = 0; i < list->count; i++)
        apply_own(&w, i);
    apply_periods(&w);
    for (size_t i = 0; i < list->count; i++)
        if (!has_rules(policy))
            keep(&w, i, mem_strdup("there is no rule"));
        else if (!verdicts[i].keep)
            strlist_own(&verdicts[i].why, why_it_goes(&w, i));
    free(w.lineage);
    free(w.facts);
}
