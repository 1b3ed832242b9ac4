#include "op/schedule.h"

#define SKIPPED_MAX 100000

int64_t schedule_jitter(const ScheduleRule *rule)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *s = rule->name; *s; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
    hash ^= hash >> 32; /* its low bits alone differ little between like names */
    return rule->jitter_ms > 0 ? (int64_t)(hash % ((uint64_t)rule->jitter_ms + 1)) : 0;
}

static bool is_slot(const ScheduleRule *rule, Instant t)
{
    return cron_prev(rule->cron, rule->zone, t + 1) == t;
}

static bool fits(const ScheduleRule *rule, const SchedulePast *past, Instant now)
{
    return past->last_due <= now && past->next_planned && is_slot(rule, past->next_planned);
}

/* The instant after which slots are still to be run, of a past that fits. */
static Instant run_until(const SchedulePast *past, Instant now)
{
    if (past->last_due)
        return past->last_due;
    return past->next_planned <= now ? past->next_planned - 1 : now;
}

void schedule_look(const ScheduleRule *rule, const SchedulePast *past, Instant now,
                   ScheduleLook *out)
{
    int64_t jitter = schedule_jitter(rule);
    bool known = fits(rule, past, now);
    Instant after = known ? run_until(past, now) : now;
    Instant slot = cron_prev(rule->cron, rule->zone, now - jitter + 1);
    *out = (ScheduleLook){.then.last_due = known ? past->last_due : 0};
    if (slot != CRON_NEVER && slot > after) {
        out->due = true;
        out->slot = slot;
        out->catch_up = now - slot - jitter >= SCHEDULE_LATE_MS;
        out->skipped = cron_count(rule->cron, rule->zone, after, slot - 1, SKIPPED_MAX);
        out->then.last_due = after = slot;
    }
    Instant next = cron_next(rule->cron, rule->zone, after);
    out->then.next_planned = next == CRON_NEVER ? 0 : next;
}
