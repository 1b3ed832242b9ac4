#include "base/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"

#define MINUTE 60000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* No offset is more than a day and an hour (TZ's own limit); within twice that before a time of the
 * clocks lies all that can have changed how often they show it. */
#define REACH (27 * HOUR)
#define EARLIEST (-62135596800000ll)           /* the year 1 */
#define LATEST 253339228800000ll               /* the year 9998 */
#define GAP_MAX (8 * 366)                      /* between two days on which it is due */
#define CYCLE_YEARS 400                        /* after which the calendar repeats */
#define ALL(n) (((uint64_t)1 << (n)) - 1)      /* bits 0 to n - 1 */
#define BIT(set, n) ((uint64_t)(set) >> (n)&1) /* whether n is in it */

enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DATE, FIELD_MONTH, FIELD_WEEKDAY, FIELDS };

struct Cron {
    uint64_t minutes;
    uint64_t hours, dates, months, weekdays; /* bit n is n; Sunday is 0 */
    uint64_t nth[5];                         /* the weekdays of which the first, ... fifth counts */
    uint64_t last_weekdays;                  /* those of which the month's last counts */
    bool last_date;
    bool any_hour, any_date, any_weekday; /* written with a wildcard */
};

void cron_free(Cron *c)
{
    free(c);
}

/* -- parsing ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int least, most;
    const char *words; /* of three letters each; the first is number `least` */
    const char *allowed;
} fields[FIELDS] = {
    {"minute", 0, 59, "", "0 to 59"},
    {"hour", 0, 23, "", "0 to 23"},
    {"day of the month", 1, 31, "", "1 to 31, L (the month's last) or ?"},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", "1 to 12 or JAN to DEC"},
    {"day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT",
     "0 to 7 or SUN to SAT (0 and 7 are Sunday), FRI#2 (the month's second), L5 (its last) or ?"},
};

typedef struct Parser {
    const char *text; /* the whole item of the list, for messages */
    const char *at, *end;
    int field;
} Parser;

static Error *refused(const Parser *p, const char *why)
{
    size_t n = (size_t)(p->end - p->text);
    AUTO(char) raw = mem_strndup(p->text, n > 60 ? 60 : n);
    AUTO(char) shown = text_printable(raw);
    return error_hint(ERROR_NEW(ERR_CONFIG, "the %s \"%s%s\" of a schedule %s",
                                fields[p->field].name, shown, n > 60 ? "..." : "", why),
                      "allowed: %s; *; a range such as %s; a step such as %s; and lists of these "
                      "by commas",
                      fields[p->field].allowed, p->field == FIELD_WEEKDAY ? "MON-FRI" : "2-5",
                      p->field == FIELD_WEEKDAY ? "1-5/2" : "*/5");
}

static bool take(Parser *p, char letter)
{
    if (p->at == p->end || toupper((unsigned char)*p->at) != letter)
        return false;
    p->at++;
    return true;
}

static bool take_number(Parser *p, int *out)
{
    int n = 0;
    const char *start = p->at;
    for (; p->at < p->end && isdigit((unsigned char)*p->at); p->at++)
        n = n < 1000 ? n * 10 + (*p->at - '0') : n;
    *out = n;
    return p->at > start;
}

/* A number or a name. */
static Error *take_value(Parser *p, int *out)
{
    const char *words = fields[p->field].words;
    for (int i = 0; words[i] && p->end - p->at >= 3; i += 3)
        if (!strncasecmp(p->at, words + i, 3)) {
            p->at += 3;
            *out = fields[p->field].least + i / 3;
            return NULL;
        }
    if (!take_number(p, out))
        return refused(p, "is not understood");
    if (*out < fields[p->field].least || *out > fields[p->field].most)
        return refused(p, "is out of range");
    return NULL;
}

/* From low on, around the end of the field where high lies before it. */
static uint64_t spread(int field, int low, int high, int step)
{
    uint64_t set = 0;
    int least = fields[field].least, most = fields[field].most;
    if (low <= high) {
        for (int i = low; i <= high; i += step)
            set |= (uint64_t)1 << i;
    } else {
        int around = field == FIELD_WEEKDAY ? 7 : most - least + 1;
        for (int i = low; i <= high + around; i += step)
            set |= (uint64_t)1 << (least + (i - least) % around);
    }
    if (field == FIELD_WEEKDAY && BIT(set, 7))
        set = (set & ALL(7)) | 1;
    return set;
}

static uint64_t *set_of(Cron *c, int field)
{
    uint64_t *sets[] = {&c->minutes, &c->hours, &c->dates, &c->months, &c->weekdays};
    return sets[field];
}

/* What stands after the first value of an item, or after its wildcard. */
static Error *parse_rest(Parser *p, Cron *c, int low, int high)
{
    int step = 1;
    bool range = false;
    if (low == high && take(p, '-')) {
        range = true;
        if (p->field == FIELD_DATE && take(p, 'L'))
            high = fields[p->field].most;
        else
            TRY(take_value(p, &high));
        if (p->field == FIELD_WEEKDAY && low == 7 && high < 7)
            low = 0;
    }
    if (take(p, '/')) {
        if (!take_number(p, &step))
            return refused(p, "has no number after /");
        if (step < 1 || step > fields[p->field].most)
            return refused(p, "has an impossible step");
        if (low == high && !range)
            high = fields[p->field].most;
    }
    if (p->at < p->end)
        return refused(p, "is not understood");
    *set_of(c, p->field) |= spread(p->field, low, high, step);
    return NULL;
}

static Error *parse_item(Parser *p, Cron *c)
{
    int value, n;
    bool days = p->field == FIELD_DATE || p->field == FIELD_WEEKDAY;
    if (p->at == p->end)
        return refused(p, "is empty");
    if (take(p, '*') || (days && take(p, '?')))
        return parse_rest(p, c, fields[p->field].least, fields[p->field].most);
    if (days && take(p, 'L')) {
        if (p->field == FIELD_DATE) {
            c->last_date = true;
        } else {
            TRY(take_value(p, &value));
            c->last_weekdays |= (uint64_t)1 << value % 7;
        }
        return p->at < p->end ? refused(p, "is not understood") : NULL;
    }
    TRY(take_value(p, &value));
    if (p->field == FIELD_WEEKDAY && take(p, 'L')) {
        c->last_weekdays |= (uint64_t)1 << value % 7;
        return p->at < p->end ? refused(p, "is not understood") : NULL;
    }
    if (p->field == FIELD_WEEKDAY && take(p, '#')) {
        if (!take_number(p, &n) || n < 1 || n > 5 || p->at < p->end)
            return refused(p, "must have one number from 1 to 5 after #");
        c->nth[n - 1] |= (uint64_t)1 << value % 7;
        return NULL;
    }
    return parse_rest(p, c, value, value);
}

static Error *parse_field(int field, const char *text, size_t n, Cron *c)
{
    bool any = *text == '*' || *text == '?';
    if (field == FIELD_HOUR)
        c->any_hour = any;
    else if (field == FIELD_DATE)
        c->any_date = any;
    else if (field == FIELD_WEEKDAY)
        c->any_weekday = any;
    const char *end = text + n;
    for (const char *item = text;; item++) {
        const char *comma = memchr(item, ',', (size_t)(end - item));
        Parser p = {.text = item, .at = item, .end = comma ? comma : end, .field = field};
        TRY(parse_item(&p, c));
        if (!comma)
            return NULL;
        item = comma;
    }
}

static const char *standing_for(const char *text)
{
    static const char *const words[][2] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
        {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
        {"@hourly", "0 * * * *"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i][0]))
            return words[i][1];
    return NULL;
}

static Error *malformed(const char *text, const char *why)
{
    AUTO(char) raw = mem_strndup(text, 60);
    AUTO(char) shown = text_printable(raw);
    return error_hint(ERROR_NEW(ERR_CONFIG, "the schedule \"%s%s\" %s", shown,
                                strlen(text) > 60 ? "..." : "", why),
                      "five fields, as cron has them: minute, hour, day of the month, month, day "
                      "of the week (\"30 2 * * *\" is daily at 02:30); or @yearly, @annually, "
                      "@monthly, @weekly, @daily, @midnight or @hourly");
}

/* -- days ------------------------------------------------------------------------------------- */

typedef struct Date {
    int64_t number;                  /* days since 1970 */
    int day, month, weekday, length; /* length: days of the month */
} Date;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static Date date_of(int64_t number)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    time_t seconds = (time_t)(number * (DAY / 1000));
    struct tm tm;
    gmtime_r(&seconds, &tm);
    int year = tm.tm_year + 1900;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return (Date){.number = number,
                  .day = tm.tm_mday,
                  .month = tm.tm_mon + 1,
                  .weekday = tm.tm_wday,
                  .length = lengths[tm.tm_mon] + (tm.tm_mon == 1 && leap)};
}

static bool is_due_on(const Cron *c, const Date *d)
{
    bool date = BIT(c->dates, d->day) || (c->last_date && d->day == d->length);
    bool weekday = BIT(c->weekdays, d->weekday) || BIT(c->nth[(d->day - 1) / 7], d->weekday) ||
                   (BIT(c->last_weekdays, d->weekday) && d->day + 7 > d->length);
    if (!BIT(c->months, d->month))
        return false;
    return c->any_date || c->any_weekday ? date && weekday : date || weekday;
}

/* The first such day of so many from this one on, or the last up to it (by = -1). */
static bool find_day(const Cron *c, int64_t from, int by, int64_t days, int64_t *out)
{
    Date d = date_of(from);
    for (int64_t left = days; left > 0;) {
        if (is_due_on(c, &d)) {
            *out = d.number;
            return true;
        }
        bool other = !BIT(c->months, d.month); /* then to the next month at once */
        int64_t step = !other ? 1 : by > 0 ? d.length - d.day + 1 : d.day;
        left -= step;
        if (!other && d.day + by >= 1 && d.day + by <= d.length) {
            d.day += by;
            d.number += by;
            d.weekday = (d.weekday + 7 + by) % 7;
        } else {
            d = date_of(d.number + by * step);
        }
    }
    return false;
}

/* The first minute of the clocks, or the last, that is in the sets and not before (not after) this
 * one; all in minutes since 1970 as the clocks show it. */
static bool find_minute(const Cron *c, int64_t minute, int by, int64_t *out)
{
    int64_t start = floor_div(minute, 1440), day = 0;
    if (!find_day(c, start, by, GAP_MAX + 366, &day))
        return false;
    int at = day == start ? (int)(minute - start * 1440) : by > 0 ? 0 : 1439;
    for (int hour = at / 60, first = at % 60;
         hour >= 0 && hour<24; hour += by, first = by> 0 ? 0 : 59) {
        uint64_t left = c->minutes & (by > 0 ? ALL(60) & ~ALL(first) : ALL(first + 1));
        if (!BIT(c->hours, hour) || !left)
            continue;
        *out =
            day * 1440 + hour * 60 + (by > 0 ? __builtin_ctzll(left) : 63 - __builtin_clzll(left));
        return true;
    }
    return find_minute(c, by > 0 ? (day + 1) * 1440 : day * 1440 - 1, by, out);
}

/* From the beginning of whatever year, there is a day within eight years. */
static bool comes_up(const Cron *c)
{
    int64_t day, first = 0;
    for (int year = 2000; year < 2000 + CYCLE_YEARS; year++) {
        struct tm tm = {.tm_year = year - 1900, .tm_mday = 1};
        first = timegm(&tm) / (DAY / 1000);
        if (!find_day(c, first, 1, GAP_MAX, &day))
            return false;
    }
    return true;
}

Error *cron_parse(const char *text, Cron **out)
{
    AUTO(Cron) c = mem_new(Cron);
    const char *start = text + strspn(text, " \t");
    size_t length = strlen(start);
    while (length && strchr(" \t", start[length - 1]))
        length--;
    AUTO(char) trimmed = mem_strndup(start, length);
    const char *at = standing_for(trimmed);
    if (!at)
        at = trimmed;
    if (!*at)
        return malformed(text, "is empty");
    if (*at == '@')
        return malformed(text, "is none of those with a name");
    for (int field = 0; field < FIELDS; field++) {
        size_t n = strcspn(at, " \t");
        if (!n)
            return malformed(text, "has too few fields");
        TRY(parse_field(field, at, n, c));
        at += n;
        at += strspn(at, " \t");
    }
    if (*at)
        return malformed(text, "has too many fields");
    if (!comes_up(c))
        return malformed(text, "is due on no day, or not for eight years");
    *out = STEAL(c);
    return NULL;
}

/* -- clocks ----------------------------------------------------------------------------------- */

static int64_t shown(const Zone *z, Instant t)
{
    return t + zone_offset(z, t) * 1000ll;
}

/* The latest that clocks have ever shown until t. */
static int64_t latest_shown(const Zone *z, Instant t)
{
    int64_t best = shown(z, t);
    Instant change = t - 2 * REACH;
    while (zone_next_change(z, change, &change) && change <= t) {
        int64_t before = shown(z, change - 1);
        if (before > best)
            best = before;
    }
    return best;
}

/* When clocks first show this or more. */
static Instant first_reached(const Zone *z, int64_t local)
{
    Instant t = local - REACH, change;
    for (;;) {
        bool more = zone_next_change(z, t, &change);
        int64_t gap = local - shown(z, t);
        if (gap <= 0)
            return t;
        if (!more || t + gap < change)
            return t + gap;
        t = change;
    }
}

static bool in_reach(Instant t)
{
    return t >= EARLIEST && t <= LATEST;
}

static Instant next_fixed(const Cron *c, const Zone *z, Instant after)
{
    int64_t minute;
    if (!find_minute(c, floor_div(latest_shown(z, after), MINUTE) + 1, 1, &minute))
        return CRON_NEVER;
    return first_reached(z, minute * MINUTE);
}

static Instant prev_fixed(const Cron *c, const Zone *z, Instant before)
{
    int64_t minute;
    if (!find_minute(c, floor_div(latest_shown(z, before - 1), MINUTE), -1, &minute))
        return CRON_NEVER;
    return first_reached(z, minute * MINUTE);
}

/* From one change of the clocks to the next; within each they go evenly. */
static Instant next_shown(const Cron *c, const Zone *z, Instant after)
{
    for (Instant t = after + 1; in_reach(t);) {
        Instant change;
        bool more = zone_next_change(z, t, &change);
        int64_t offset = zone_offset(z, t) * 1000ll, minute;
        if (!find_minute(c, floor_div(t + offset - 1, MINUTE) + 1, 1, &minute))
            return CRON_NEVER;
        Instant due = minute * MINUTE - offset;
        if (!more || due < change)
            return due;
        t = change;
    }
    return CRON_NEVER;
}

static Instant prev_shown(const Cron *c, const Zone *z, Instant before)
{
    for (Instant t = before - 1; in_reach(t);) {
        Instant change;
        bool more = zone_last_change(z, t, &change);
        int64_t offset = zone_offset(z, t) * 1000ll, minute;
        if (!find_minute(c, floor_div(t + offset, MINUTE), -1, &minute))
            return CRON_NEVER;
        Instant due = minute * MINUTE - offset;
        if (!more || due >= change)
            return due;
        t = change - 1;
    }
    return CRON_NEVER;
}

Instant cron_next(const Cron *c, const Zone *z, Instant after)
{
    if (after < EARLIEST)
        after = EARLIEST;
    if (after >= LATEST)
        return CRON_NEVER;
    return c->any_hour ? next_shown(c, z, after) : next_fixed(c, z, after);
}

Instant cron_prev(const Cron *c, const Zone *z, Instant before)
{
    if (before > LATEST)
        before = LATEST;
    if (before <= EARLIEST)
        return CRON_NEVER;
    return c->any_hour ? prev_shown(c, z, before) : prev_fixed(c, z, before);
}

int64_t cron_count(const Cron *c, const Zone *z, Instant after, Instant until, int64_t most)
{
    int64_t n = 0;
    while (n < most && (after = cron_next(c, z, after)) <= until && after != CRON_NEVER)
        n++;
    return n;
}
