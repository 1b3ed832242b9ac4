#include "base/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

#define FILE_MAX (1u << 20)
#define FOLDER "/usr/share/zoneinfo"
#define DAY 86400
#define NAME_BYTES 128
#define SECONDS_MAX (INT64_MAX / 1000)

/* A day of the year on which clocks change, as TZ writes it, and the second of that day. */
typedef struct Change {
    enum { CHANGE_MONTH, CHANGE_JULIAN, CHANGE_DAY } kind;
    int month, week, day; /* day alone for the other two kinds */
    int32_t second;
} Change;

typedef struct Rule {
    bool there, summer; /* summer: it has a second offset */
    int32_t standard, daylight;
    Change start, end;
} Rule;

struct Zone {
    int64_t *times; /* seconds, rising: from then on `offsets` of the same place */
    int32_t *offsets;
    size_t count;
    int32_t first; /* before all of them */
    Rule rule;     /* after them */
};

void zone_free(Zone *z)
{
    if (!z)
        return;
    free(z->times);
    free(z->offsets);
    free(z);
}

/* -- TZ's own form ---------------------------------------------------------------------------- */

static bool skip_name(const char **at)
{
    const char *p = *at, *start;
    if (*p == '<') {
        for (start = ++p; isalnum((unsigned char)*p) || *p == '+' || *p == '-'; p++)
            ;
        if (*p != '>' || p - start < 3)
            return false;
        p++;
    } else {
        for (start = p; isalpha((unsigned char)*p); p++)
            ;
        if (p - start < 3)
            return false;
    }
    *at = p;
    return true;
}

static bool read_number(const char **at, int max, int *out)
{
    int n = 0;
    const char *p = *at;
    for (; isdigit((unsigned char)*p); p++)
        if ((n = n * 10 + (*p - '0')) > max)
            return false;
    if (p == *at)
        return false;
    *at = p;
    *out = n;
    return true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool read_time(const char **at, int max_hours, int32_t *out)
{
    int hours, minutes = 0, seconds = 0;
    int sign = **at == '-' ? -1 : 1;
    if (**at == '-' || **at == '+')
        ++*at;
    if (!read_number(at, max_hours, &hours))
        return false;
    if (**at == ':' && (++*at, !read_number(at, 59, &minutes)))
        return false;
    if (**at == ':' && (++*at, !read_number(at, 59, &seconds)))
        return false;
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool read_change(const char **at, Change *c)
{
    *c = (Change){.kind = CHANGE_DAY, .second = 7200};
    if (**at != ',')
        return false;
    ++*at;
    if (**at == 'M') {
        ++*at;
        c->kind = CHANGE_MONTH;
        if (!read_number(at, 12, &c->month) || *(*at)++ != '.' || !read_number(at, 5, &c->week) ||
            *(*at)++ != '.' || !read_number(at, 6, &c->day) || !c->month || !c->week)
            return false;
    } else {
        if (**at == 'J') {
            ++*at;
            c->kind = CHANGE_JULIAN;
        }
        if (!read_number(at, 365, &c->day))
            return false;
    }
    return **at != '/' || (++*at, read_time(at, 167, &c->second));
}

static bool read_rule(const char *text, Rule *out)
{
    Rule r = {.there = true};
    const char *at = text;
    if (!skip_name(&at) || !read_time(&at, 24, &r.standard))
        return false;
    r.standard = -r.standard; /* TZ counts westward */
    r.daylight = r.standard;
    if (*at) {
        r.summer = true;
        r.daylight = r.standard + 3600;
        if (!skip_name(&at))
            return false;
        if (*at && *at != ',') {
            if (!read_time(&at, 24, &r.daylight))
                return false;
            r.daylight = -r.daylight;
        }
        if (!*at) /* what everybody does without a rule: that of the United States */
            at = ",M3.2.0,M11.1.0";
        if (!read_change(&at, &r.start) || !read_change(&at, &r.end) || *at)
            return false;
    }
    *out = r;
    return true;
}

static int64_t first_of(int year, int month)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
    return timegm(&tm) / DAY;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* When it happens in a year, by the clocks that then change. */
static int64_t change_at(const Change *c, int year)
{
    int64_t day = first_of(year, 1);
    if (c->kind == CHANGE_MONTH) {
        int64_t first = first_of(year, c->month);
        int64_t length =
            (c->month == 12 ? first_of(year + 1, 1) : first_of(year, c->month + 1)) - first;
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */
        int64_t within = (c->day - weekday + 7) % 7 + 7 * (c->week - 1);
        day = first + (within >= length ? within - 7 : within);
    } else if (c->kind == CHANGE_JULIAN) {
        day += c->day - 1 + (is_leap(year) && c->day >= 60); /* never counts 29 February */
    } else {
        day += c->day;
    }
    return day * DAY + c->second;
}

static int rule_year(const Rule *r, int64_t t)
{
    time_t local = (time_t)(t + r->standard);
    struct tm tm;
    gmtime_r(&local, &tm);
    return tm.tm_year + 1900;
}

static int32_t rule_offset(const Rule *r, int64_t t)
{
    if (!r->summer)
        return r->standard;
    int year = rule_year(r, t);
    int64_t start = change_at(&r->start, year) - r->standard;
    int64_t end = change_at(&r->end, year) - r->daylight;
    bool summer = start < end ? start <= t && t < end : t < end || start <= t;
    return summer ? r->daylight : r->standard;
}

/* -- files ------------------------------------------------------------------------------------ */

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

typedef struct Counts {
    uint32_t utc, standard, leap, times, types, chars;
} Counts;

/* The header: "TZif", version, 15 bytes, six counts. */
static Error *read_header(Reader *r, uint8_t *version, Counts *c)
{
    const uint8_t *p;
    TRY(reader_bytes(r, 44, &p));
    if (memcmp(p, "TZif", 4) != 0)
        FAIL(ERR_DAMAGED, "%s is not a file of a time zone", r->what);
    *version = p[4];
    uint32_t *counts[] = {&c->utc, &c->standard, &c->leap, &c->times, &c->types, &c->chars};
    for (size_t i = 0; i < 6; i++)
        *counts[i] = (uint32_t)big_endian(p + 20 + 4 * i, 4);
    if (!c->types || c->types > 256 || c->times > FILE_MAX || c->chars > FILE_MAX ||
        c->leap > FILE_MAX || c->utc > c->types || c->standard > c->types)
        FAIL(ERR_DAMAGED, "%s has impossible counts", r->what);
    return NULL;
}

static Error *skip_block(Reader *r, const Counts *c, size_t width)
{
    const uint8_t *p;
    return reader_bytes(r,
                        c->times * (width + 1) + c->types * 6ul + c->chars + c->leap * (width + 4) +
                            c->standard + c->utc,
                        &p);
}

static Error *read_block(Reader *r, const Counts *c, size_t width, Zone *z)
{
    const uint8_t *times, *indexes, *types, *rest;
    TRY(reader_bytes(r, c->times * width, &times));
    TRY(reader_bytes(r, c->times, &indexes));
    TRY(reader_bytes(r, c->types * 6ul, &types));
    TRY(reader_bytes(r, c->chars + c->leap * (width + 4) + c->standard + c->utc, &rest));
    z->times = mem_calloc(c->times + 1ul, sizeof *z->times);
    z->offsets = mem_calloc(c->times + 1ul, sizeof *z->offsets);
    z->first = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < c->times; i++) {
        uint64_t v = big_endian(times + i * width, width);
        z->times[i] = width == 8 ? (int64_t)v : (int32_t)(uint32_t)v;
        if (indexes[i] >= c->types || (i && z->times[i] <= z->times[i - 1]))
            FAIL(ERR_DAMAGED, "%s is not in order", r->what);
        z->offsets[i] = (int32_t)big_endian(types + indexes[i] * 6ul, 4);
    }
    z->count = c->times;
    return NULL;
}

static Error *parse_file(const Buf *file, const char *path, Zone *z)
{
    Reader r = reader_over(file->data, file->len, path);
    Counts c;
    uint8_t version;
    TRY(read_header(&r, &version, &c));
    if (version < '2')
        return read_block(&r, &c, 4, z);
    TRY(skip_block(&r, &c, 4));
    TRY(read_header(&r, &version, &c));
    TRY(read_block(&r, &c, 8, z));
    /* A line with the rule for all that comes after. */
    size_t left = reader_left(&r);
    const uint8_t *p;
    TRY(reader_bytes(&r, left, &p));
    const uint8_t *end = left > 1 ? memchr(p + 1, '\n', left - 1) : NULL;
    if (!end || *p != '\n')
        FAIL(ERR_DAMAGED, "%s ends too early", path);
    AUTO(char) text = mem_strndup((const char *)p + 1, (size_t)(end - p - 1));
    if (*text && !read_rule(text, &z->rule))
        FAIL(ERR_DAMAGED, "%s ends with a rule that is none: %s", path, text);
    return NULL;
}

/* *found is false where there is no such file. */
static Error *read_zone(const char *path, Zone *z, bool *found)
{
    AUTO_VALUE(Buf) file = {0};
    *found = file_exists(path);
    if (!*found)
        return NULL;
    TRY(error_rekind(file_read(path, FILE_MAX, &file), ERR_CONFIG));
    return error_rekind(parse_file(&file, path, z), ERR_CONFIG);
}

static bool could_be_file(const char *name)
{
    size_t n = strlen(name);
    return n && n < NAME_BYTES && *name != '/' && !strstr(name, "..") &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

static Error *open_named(const char *name, Zone *z)
{
    bool found = false;
    const char *folder = getenv("TZDIR");
    if (could_be_file(name)) {
        AUTO(char) path = mem_printf("%s/%s", folder && *folder ? folder : FOLDER, name);
        TRY(read_zone(path, z, &found));
    }
    if (found || read_rule(name, &z->rule))
        return NULL;
    if (!strcmp(name, "UTC") || !strcmp(name, "GMT")) {
        z->rule.there = true;
        return NULL;
    }
    AUTO(char) shown = text_printable(name);
    return error_hint(ERROR_NEW(ERR_CONFIG, "there is no time zone \"%s\"", shown),
                      "a name of tzdata, such as Europe/Berlin or UTC (is the package tzdata "
                      "installed?)");
}

Error *zone_open(const char *name, Zone **out)
{
    AUTO(Zone) z = mem_new(Zone);
    bool found;
    const char *local = getenv("TZ");
    if (name && *name) {
        TRY(open_named(name, z));
    } else if (local && *local) {
        TRY(open_named(*local == ':' ? local + 1 : local, z));
    } else if (!local) {
        TRY(read_zone("/etc/localtime", z, &found));
    }
    *out = STEAL(z);
    return NULL;
}

/* -- asking ----------------------------------------------------------------------------------- */

static int64_t seconds_of(Instant t)
{
    return t >= 0 ? t / 1000 : -((-t + 999) / 1000);
}

/* How many of the file's times are at or before this. */
static size_t times_until(const Zone *z, int64_t at)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->times[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t offset_at(const Zone *z, int64_t at)
{
    if (z->rule.there && (!z->count || at >= z->times[z->count - 1]))
        return rule_offset(&z->rule, at);
    size_t past = times_until(z, at);
    return past ? z->offsets[past - 1] : z->first;
}

int32_t zone_offset(const Zone *z, Instant t)
{
    return offset_at(z, seconds_of(t));
}

Instant zone_instant(const Zone *z, int64_t local)
{
    /* The offsets on both sides of any change near it. */
    int32_t sides[] = {zone_offset(z, local - DAY * 1000), zone_offset(z, local + DAY * 1000)};
    Instant best = 0;
    bool any = false;
    for (int i = 0; i < 2; i++) {
        Instant t = local - (int64_t)sides[i] * 1000;
        if (zone_offset(z, t) == sides[i] && (!any || t < best)) {
            best = t;
            any = true;
        }
    }
    int32_t greater = sides[0] > sides[1] ? sides[0] : sides[1];
    return any ? best : local - (int64_t)greater * 1000;
}

Instant zone_days_before(const Zone *z, Instant t, int64_t days)
{
    Instant before = zone_instant(z, t + (int64_t)zone_offset(z, t) * 1000 - days * DAY * 1000);
    return before < t ? before : t - days * DAY * 1000;
}

/* Not where an Instant cannot reach: old files begin with the Big Bang. */
static bool changes_at(const Zone *z, int64_t at)
{
    return at > -SECONDS_MAX && at < SECONDS_MAX && offset_at(z, at) != offset_at(z, at - 1);
}

/* The nearest change that the rule makes: after `at` and after `least`, or at or before the one and
 * not before the other. The offset is constant between these: both changes of each year, and the
 * year's beginning, where changes that fall out of their own year are taken up. */
static bool rule_change(const Zone *z, int64_t at, int64_t least, bool next, int64_t *out)
{
    const Rule *r = &z->rule;
    bool found = false;
    int year = rule_year(r, at);
    for (int y = year - 2; r->summer && y <= year + 2; y++) {
        int64_t places[] = {change_at(&r->start, y) - r->standard,
                            change_at(&r->end, y) - r->daylight,
                            first_of(y, 1) * DAY - r->standard};
        for (int i = 0; i < 3; i++) {
            int64_t p = places[i];
            if (p < least || (next ? p <= at : p > at) || !changes_at(z, p))
                continue;
            if (!found || (next ? p < *out : p > *out))
                *out = p;
            found = true;
        }
    }
    return found;
}

bool zone_next_change(const Zone *z, Instant t, Instant *out)
{
    int64_t at = seconds_of(t), found;
    for (size_t i = times_until(z, at); i < z->count; i++)
        if (changes_at(z, z->times[i])) {
            *out = z->times[i] * 1000;
            return true;
        }
    int64_t last = z->count ? z->times[z->count - 1] : at;
    if (!rule_change(z, at > last ? at : last, INT64_MIN, true, &found))
        return false;
    *out = found * 1000;
    return true;
}

bool zone_last_change(const Zone *z, Instant t, Instant *out)
{
    int64_t at = seconds_of(t), found;
    size_t i = times_until(z, at);
    if (i == z->count &&
        rule_change(z, at, z->count ? z->times[z->count - 1] : INT64_MIN, false, &found)) {
        *out = found * 1000;
        return true;
    }
    while (i--)
        if (changes_at(z, z->times[i])) {
            *out = z->times[i] * 1000;
            return true;
        }
    return false;
}
