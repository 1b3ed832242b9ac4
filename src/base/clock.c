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
    int h, m, used = 0;
    if (*s != '+' && *s != '-')
        return false;
    if (sscanf(s + 1, "%2d:%2d%n", &h, &m, &used) != 2 &&
        sscanf(s + 1, "%2d%2d%n", &h, &m, &used) != 2) {
        m = 0;
        if (sscanf(s + 1, "%2d%n", &h, &used) != 1)
            return false;
    }
    if (s[1 + used] || h > 15 || m > 59)
        return false;
    Instant shift = ((Instant)h * 60 + m) * 60000;
    *t += *s == '+' ? -shift : shift;
    return true;
}

Error *clock_parse(const char *s, Instant *out)
{
    struct tm tm = {0};
    static const char *const forms[] = {"%4d-%2d-%2dT%2d:%2d:%2d%n",
                                        "%4d-%2d-%2d %2d:%2d:%2d%n",
                                        "%4d%2d%2dT%2d%2d%2d%n",
                                        "%4d%2d%2d%2d%2d%2d%n",
                                        "%4d-%2d-%2dT%2d:%2d%n",
                                        "%4d-%2d-%2d %2d:%2d%n",
                                        "%4d-%2d-%2d%n"};
    static const int fields[] = {6, 6, 6, 6, 5, 5, 3};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int year, month, day, hour = 0, minute = 0, second = 0, used = 0;
        int got;
/* The forms are the constants above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (fields[i] == 6)
            got = sscanf(s, forms[i], &year, &month, &day, &hour, &minute, &second, &used);
        else if (fields[i] == 5)
            got = sscanf(s, forms[i], &year, &month, &day, &hour, &minute, &used);
        else
            got = sscanf(s, forms[i], &year, &month, &day, &used);
#pragma GCC diagnostic pop
        if (got != fields[i] || !used)
            continue;
        tm = (struct tm){.tm_year = year - 1900,
                         .tm_mon = month - 1,
                         .tm_mday = day,
                         .tm_hour = hour,
                         .tm_min = minute,
                         .tm_sec = second};
        struct tm asked = tm;
        time_t seconds = timegm(&tm);
        /* timegm turns 31 February into March: take only what it left alone. */
        bool same = tm.tm_mon == asked.tm_mon && tm.tm_mday == asked.tm_mday &&
                    tm.tm_hour == asked.tm_hour && tm.tm_min == asked.tm_min &&
                    tm.tm_sec == asked.tm_sec;
        Instant t = (Instant)seconds * 1000;
        if (!same || !parse_tail(s + used, &t))
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
