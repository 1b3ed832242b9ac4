#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

Instant clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (Instant)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static char *format(Instant t, const char *fmt, char *out)
{
    time_t seconds = (time_t)(t >= 0 ? t / 1000 : (t - 999) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, CLOCK_TEXT, fmt, &tm);
    return out;
}

char *clock_iso(Instant t, char *out)
{
    format(t, "%Y-%m-%dT%H:%M:%S", out);
    size_t n = strlen(out);
    snprintf(out + n, CLOCK_TEXT - n, ".%03dZ", (int)((t % 1000 + 1000) % 1000));
    return out;
}

char *clock_compact(Instant t, char *out)
{
    return format(t, "%Y%m%dT%H%M%SZ", out);
}

char *clock_key(Instant t, char *out)
{
    return format(t, "%Y%m%d%H%M%S", out);
}

char *clock_human(Instant t, char *out)
{
    return format(t, "%Y-%m-%d %H:%M:%S UTC", out);
}

/* Reads fields of fixed width: '4' and '2' in the form are so many digits, anything else is itself.
 * Where the text stops to fit it gives NULL, else what follows. */
static const char *match(const char *form, const char *s, int *field)
{
    for (; *form; form++) {
        if (*form != '4' && *form != '2') {
            if (*s++ != *form)
                return NULL;
            continue;
        }
        *field = 0;
        for (int i = 0; i < *form - '0'; i++, s++) {
            if (*s < '0' || *s > '9')
                return NULL;
            *field = *field * 10 + (*s - '0');
        }
        field++;
    }
    return s;
}

/* The rest after date and time: a fraction of seconds and a zone. */
static bool parse_tail(const char *s, Instant *t)
{
    if (*s == '.') {
        int digits = 0, ms = 0;
        for (s++; *s >= '0' && *s <= '9'; s++, digits++)
            if (digits < 3)
                ms = ms * 10 + (*s - '0');
        for (int i = digits; i < 3; i++)
            ms *= 10;
        if (!digits)
            return false;
        *t += ms;
    }
    if (*s == ' ')
        s++;
    if (!*s || !strcmp(s, "Z") || !strcmp(s, "UTC"))
        return true;
    if (*s != '+' && *s != '-')
        return false;
    static const char *const zones[] = {"2:2", "22", "2"};
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        int field[2] = {0};
        const char *end = match(zones[i], s + 1, field);
        if (!end || *end || field[0] > 15 || field[1] > 59)
            continue;
        Instant shift = ((Instant)field[0] * 60 + field[1]) * 60000;
        *t += *s == '+' ? -shift : shift;
        return true;
    }
    return false;
}

Error *clock_parse(const char *s, Instant *out)
{
    static const char *const forms[] = {"4-2-2T2:2:2", "4-2-2 2:2:2", "422T222", "422222",
                                        "4-2-2T2:2",   "4-2-2 2:2",   "4-2-2"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int field[6] = {0};
        const char *end = match(forms[i], s, field);
        if (!end)
            continue;
        struct tm tm = {.tm_year = field[0] - 1900,
                        .tm_mon = field[1] - 1,
                        .tm_mday = field[2],
                        .tm_hour = field[3],
                        .tm_min = field[4],
                        .tm_sec = field[5]};
        struct tm asked = tm;
        time_t seconds = timegm(&tm);
        /* timegm turns 31 February into March: take only what it left alone. */
        bool same = tm.tm_mon == asked.tm_mon && tm.tm_mday == asked.tm_mday &&
                    tm.tm_hour == asked.tm_hour && tm.tm_min == asked.tm_min &&
                    tm.tm_sec == asked.tm_sec;
        Instant t = (Instant)seconds * 1000;
        if (!same || field[0] < 1000 || !parse_tail(end, &t))
            continue;
        *out = t;
        return NULL;
    }
    return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" is not a point in time", s),
                      "write it as 2024-01-15, \"2024-01-15 10:30:00\" or 2024-01-15T10:30:00Z; "
                      "without a zone it is UTC");
}

Error *clock_parse_duration(const char *s, int64_t *milliseconds)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1000},     {"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    char *end = NULL;
    errno = 0;
    long long v = *s >= '0' && *s <= '9' ? strtoll(s, &end, 10) : -1;
    if (v >= 0 && !errno)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (!strcmp(end, units[i].unit) && v <= INT64_MAX / units[i].ms) {
                *milliseconds = v * units[i].ms;
                return NULL;
            }
    FAIL(ERR_CONFIG, "\"%s\" is not a duration (such as 90s, 15m, 26h, 7d or 2w)", s);
}
