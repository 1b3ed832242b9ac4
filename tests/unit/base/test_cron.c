/* Cron expressions: a table of instants, and a slow oracle that goes through time minute by minute
 * with the C library's clocks and reads the fields anew at each. */
#include "../unit.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "base/cron.h"

#define MINUTE 60000ll
#define DAY (1440 * MINUTE)

static Instant at(const char *text)
{
    Instant t;
    OK(clock_parse(text, &t));
    return t;
}

/* -- a table ---------------------------------------------------------------------------------- */

typedef struct Case {
    const char *zone, *cron, *after, *next;
} Case;

static const Case table[] = {
    /* fields */
    {"UTC", "* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
    {"UTC", "* * * * *", "2026-01-01T00:00:00.001Z", "2026-01-01T00:01:00Z"},
    {"UTC", "* * * * *", "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z"},
    {"UTC", "5 4 * * *", "2026-01-01T04:05:00Z", "2026-01-02T04:05:00Z"},
    {"UTC", "5 4 * * *", "2026-01-01T04:04:59Z", "2026-01-01T04:05:00Z"},
    {"UTC", "*/15 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:00:00Z"},
    {"UTC", "10-50/20 * * * *", "2026-01-01T00:30:00Z", "2026-01-01T00:50:00Z"},
    {"UTC", "5/25 * * * *", "2026-01-01T00:30:00Z", "2026-01-01T00:55:00Z"},
    {"UTC", "0 22-4/3 * * *", "2026-01-01T01:00:00Z", "2026-01-01T04:00:00Z"},
    {"UTC", "0 22-4/3 * * *", "2026-01-01T04:00:00Z", "2026-01-01T22:00:00Z"},
    {"UTC", "50-10/10 0 * * *", "2026-01-01T00:10:00Z", "2026-01-01T00:50:00Z"},
    {"UTC", "0 0 * NOV-FEB *", "2026-02-28T00:00:00Z", "2026-11-01T00:00:00Z"},
    {"UTC", "0 0 * oct,Jan-mar/2 *", "2026-03-31T00:00:00Z", "2026-10-01T00:00:00Z"},
    {"UTC", "0 0 29-2 * *", "2026-01-02T00:00:00Z", "2026-01-29T00:00:00Z"},
    {"UTC", "0 0 28-L 2 *", "2026-02-28T00:00:00Z", "2027-02-28T00:00:00Z"},
    {"UTC", "0 0 * * FRI-MON", "2026-11-16T00:00:00Z", "2026-11-20T00:00:00Z"},
    {"UTC", "0 0 * * sat-sun", "2026-11-22T00:00:00Z", "2026-11-28T00:00:00Z"},
    {"UTC", "0 0 * * 7", "2026-11-17T00:00:00Z", "2026-11-22T00:00:00Z"},
    {"UTC", "0 0 * * 0", "2026-11-17T00:00:00Z", "2026-11-22T00:00:00Z"},
    {"UTC", "0 0 * * 5-7", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z"},
    {"UTC", "0 0 * * 7-2", "2026-11-17T00:00:00Z", "2026-11-22T00:00:00Z"},
    {"UTC", "0 0 * * 1-5", "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z"},
    {"UTC", "0 0 * * */7", "2026-11-17T00:00:00Z", "2026-11-22T00:00:00Z"},
    {"UTC", "0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
    {"UTC", "0 0 ? * MON", "2026-11-17T00:00:00Z", "2026-11-23T00:00:00Z"},
    {"UTC", "0 0 1 * ?", "2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z"},
    /* leap years */
    {"UTC", "0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
    {"UTC", "0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
    {"UTC", "0 0 29 2 *", "1896-02-29T00:00:00Z", "1904-02-29T00:00:00Z"},
    {"UTC", "0 0 29 2 *", "1996-03-01T00:00:00Z", "2000-02-29T00:00:00Z"},
    /* the last and the nth */
    {"UTC", "0 0 L * *", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"},
    {"UTC", "0 0 L 2 *", "2026-11-17T00:00:00Z", "2027-02-28T00:00:00Z"},
    {"UTC", "0 0 L 2 *", "2027-03-17T00:00:00Z", "2028-02-29T00:00:00Z"},
    {"UTC", "0 0 15,l * *", "2026-11-15T00:00:00Z", "2026-11-30T00:00:00Z"},
    {"UTC", "0 0 * * L5", "2026-11-01T00:00:00Z", "2026-11-27T00:00:00Z"},
    {"UTC", "0 0 * * 5L", "2026-11-27T00:00:00Z", "2026-12-25T00:00:00Z"},
    {"UTC", "0 0 * * friL", "2026-11-01T00:00:00Z", "2026-11-27T00:00:00Z"},
    {"UTC", "0 0 * * L7", "2026-11-01T00:00:00Z", "2026-11-29T00:00:00Z"},
    {"UTC", "0 0 * * FRI#2", "2026-11-01T00:00:00Z", "2026-11-13T00:00:00Z"},
    {"UTC", "0 0 * * 5#5", "2026-11-01T00:00:00Z", "2027-01-29T00:00:00Z"},
    {"UTC", "0 0 * * 0#1,3#3", "2026-11-01T00:00:00Z", "2026-11-18T00:00:00Z"},
    {"UTC", "0 0 * * MON,FRI#1", "2026-11-02T00:00:00Z", "2026-11-06T00:00:00Z"},
    /* both fields of days */
    {"UTC", "0 0 13 * FRI", "2026-11-07T00:00:00Z", "2026-11-13T00:00:00Z"},
    {"UTC", "0 0 13 * FRI", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
    {"UTC", "0 0 */2 * MON", "2026-11-17T00:00:00Z", "2026-11-23T00:00:00Z"},
    {"UTC", "0 0 */2 * TUE", "2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z"},
    {"UTC", "0 0 1 * */2", "2026-11-02T00:00:00Z", "2026-12-01T00:00:00Z"},
    {"UTC", "0 0 L * 1#1", "2026-11-02T00:00:00Z", "2026-11-30T00:00:00Z"},
    {"UTC", "0 0 1-31 * MON", "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"},
    /* names */
    {"UTC", "@hourly", "2026-11-17T10:00:00Z", "2026-11-17T11:00:00Z"},
    {"UTC", "@daily", "2026-11-17T10:00:00Z", "2026-11-18T00:00:00Z"},
    {"UTC", " @Midnight ", "2026-11-17T10:00:00Z", "2026-11-18T00:00:00Z"},
    {"UTC", "@weekly", "2026-11-17T10:00:00Z", "2026-11-22T00:00:00Z"},
    {"UTC", "@monthly", "2026-11-17T10:00:00Z", "2026-12-01T00:00:00Z"},
    {"UTC", "@yearly", "2026-11-17T10:00:00Z", "2027-01-01T00:00:00Z"},
    {"UTC", "@annually", "2026-11-17T10:00:00Z", "2027-01-01T00:00:00Z"},
    /* Berlin, 29 March 2026: 2:00 becomes 3:00. Fixed times come at the jump's end, once. */
    {"Europe/Berlin", "30 2 * * *", "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "30 2 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
    {"Europe/Berlin", "0 2 * * *", "2026-03-28T02:00:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "0 3 * * *", "2026-03-28T03:00:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "0 3 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T03:00:00+02:00"},
    {"Europe/Berlin", "*/15 2 * * *", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "*/15 2 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"},
    {"Europe/Berlin", "30 1-4 * * *", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "30 1-4 * * *", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"},
    {"Europe/Berlin", "30 2 29 3 *", "2026-03-01T03:00:00+01:00", "2026-03-29T03:00:00+02:00"},
    /* hours by a wildcard: real hours */
    {"Europe/Berlin", "30 * * * *", "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"},
    {"Europe/Berlin", "0 * * * *", "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "* * * * *", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"},
    {"Europe/Berlin", "0 */2 * * *", "2026-03-29T00:00:00+01:00", "2026-03-29T04:00:00+02:00"},
    /* 25 October 2026: 3:00 becomes 2:00. Fixed times come the first time only. */
    {"Europe/Berlin", "30 2 * * *", "2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00"},
    {"Europe/Berlin", "30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
    {"Europe/Berlin", "30 2 * * *", "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"},
    {"Europe/Berlin", "0 3 * * *", "2026-10-25T02:59:00+02:00", "2026-10-25T03:00:00+01:00"},
    {"Europe/Berlin", "*/20 2 * * *", "2026-10-25T02:40:00+02:00", "2026-10-26T02:00:00+01:00"},
    {"Europe/Berlin", "30 * * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"},
    {"Europe/Berlin", "30 * * * *", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"},
    {"Europe/Berlin", "* * * * *", "2026-10-25T02:59:00+02:00", "2026-10-25T02:00:00+01:00"},
    /* New York, by the rule long after the file's end */
    {"America/New_York", "30 2 * * *", "2060-03-13T12:00:00Z", "2060-03-14T03:00:00-04:00"},
    {"America/New_York", "30 1 * * *", "2060-11-07T01:30:00-04:00", "2060-11-08T01:30:00-05:00"},
    {"America/New_York", "30 2 8 3 *", "2026-01-01T00:00:00Z", "2026-03-08T03:00:00-04:00"},
    {"America/New_York", "0 1 1 11 *", "2026-01-01T00:00:00Z", "2026-11-01T01:00:00-04:00"},
    {"America/New_York", "0 * 1 11 *", "2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00"},
    /* Lord Howe: half an hour. 4 October 2026: 2:00 becomes 2:30; 5 April: 2:00 becomes 1:30. */
    {"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00+10:30", "2026-10-04T02:30:00+11:00"},
    {"Australia/Lord_Howe", "15 2 * * *", "2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
    {"Australia/Lord_Howe", "45 1 * * *", "2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"},
    {"Australia/Lord_Howe", "45 * * * *", "2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"},
    {"Australia/Lord_Howe", "15 * * * *", "2026-10-04T01:15:00+10:30", "2026-10-04T03:15:00+11:00"},
    /* Samoa: 30 December 2011 was not there at all. */
    {"Pacific/Apia", "0 3 * * *", "2011-12-29T03:00:00-10:00", "2011-12-31T00:00:00+14:00"},
    {"Pacific/Apia", "0 3 * * *", "2011-12-31T00:00:00+14:00", "2011-12-31T03:00:00+14:00"},
    {"Pacific/Apia", "0 3 30 12 *", "2011-12-01T00:00:00Z", "2011-12-31T00:00:00+14:00"},
    {"Pacific/Apia", "0 3 30 12 *", "2011-12-31T00:00:00+14:00", "2012-12-30T03:00:00+14:00"},
    {"Pacific/Apia", "0 * * * *", "2011-12-29T23:00:00-10:00", "2011-12-31T00:00:00+14:00"},
    {"Pacific/Apia", "0 * 30 12 *", "2011-12-01T00:00:00Z", "2012-12-30T00:00:00+14:00"},
    /* Casablanca: clocks go back for Ramadan (15 February 2026, 3:00 to 2:00) and return. */
    {"Africa/Casablanca", "30 2 * * *", "2026-02-15T02:30:00+01:00", "2026-02-16T02:30:00+00:00"},
    {"Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00:00+00:00", "2026-03-22T03:00:00+01:00"},
    {"Africa/Casablanca", "30 * * * *", "2026-02-15T02:30:00+01:00", "2026-02-15T02:30:00+00:00"},
    /* days begin at 1:00 where midnight is skipped */
    {"America/Santiago", "0 0 * * *", "2026-09-05T12:00:00-04:00", "2026-09-06T01:00:00-03:00"},
    {"Asia/Kathmandu", "0 0 * * *", "2026-09-05T12:00:00Z", "2026-09-05T18:15:00Z"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const Case *c = &table[i];
        AUTO(Cron) cron = NULL;
        AUTO(Zone) zone = NULL;
        char got[CLOCK_TEXT];
        OK(cron_parse(c->cron, &cron));
        OK(zone_open(c->zone, &zone));
        Instant next = cron_next(cron, zone, at(c->after));
        if (next != at(c->next))
            print_error("%s in %s after %s: %s\n", c->cron, c->zone, c->after,
                        clock_iso(next, got));
        assert_int_equal(next, at(c->next));
        assert_int_equal(cron_count(cron, zone, at(c->after), next, 10), 1);
        assert_int_equal(cron_count(cron, zone, at(c->after), next - 1, 10), 0);
        assert_int_equal(cron_prev(cron, zone, next + 1), next);
        assert_true(cron_prev(cron, zone, next) <= at(c->after));
    }
}

/* -- an oracle -------------------------------------------------------------------------------- */

static int word(const char *s, size_t n)
{
    static const char *const words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat",
                                        "?",   "jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
    for (int i = 0; i < 20; i++)
        if (n >= 3 && !strncasecmp(s, words[i], 3))
            return i < 8 ? i : i - 7;
    return atoi(s);
}

/* Whether an item of a list has this value: said by going through it, with what is known of the
 * day. */
static bool item_has(const char *s, size_t n, int field, const struct tm *tm, int month_days)
{
    static const int least[] = {0, 0, 1, 1, 0}, most[] = {59, 23, 31, 12, 6};
    int value[] = {tm->tm_min, tm->tm_hour, tm->tm_mday, tm->tm_mon + 1, tm->tm_wday};
    const char *slash = memchr(s, '/', n), *dash = memchr(s, '-', n), *hash = memchr(s, '#', n);
    int step = slash ? atoi(slash + 1) : 1, low = least[field], high = most[field];
    if (hash)
        return word(s, 3) % 7 == tm->tm_wday && (tm->tm_mday + 6) / 7 == atoi(hash + 1);
    if (field == 2 && n == 1 && (*s == 'L' || *s == 'l'))
        return tm->tm_mday == month_days;
    if (field == 4 && (*s == 'L' || *s == 'l'))
        return atoi(s + 1) % 7 == tm->tm_wday && tm->tm_mday > month_days - 7;
    if (field == 4 && n == 2 && s[1] == 'L')
        return atoi(s) % 7 == tm->tm_wday && tm->tm_mday > month_days - 7;
    if (*s != '*' && *s != '?') {
        low = word(s, n);
        high = dash ? word(dash + 1, 3) : slash ? (field == 4 ? 7 : most[field]) : low;
    }
    int around = most[field] - least[field] + 1;
    if (high < low)
        high += around;
    for (int i = low; i <= high; i += step)
        if ((i - least[field]) % around + least[field] == value[field])
            return true;
    return false;
}

static bool oracle_matches(const char *cron, int64_t local)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    time_t seconds = (time_t)(local / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    int year = tm.tm_year + 1900;
    int month_days = days[tm.tm_mon] +
                     (tm.tm_mon == 1 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
    bool has[5] = {0}, star[5] = {0};
    for (int field = 0; field < 5; field++) {
        size_t n = strcspn(cron, " ");
        star[field] = *cron == '*' || *cron == '?';
        for (size_t from = 0; from < n;) {
            size_t length = strcspn(cron + from, ", ");
            has[field] = has[field] || item_has(cron + from, length, field, &tm, month_days);
            from += length + 1;
        }
        cron += n + (cron[n] == ' ');
    }
    bool day = star[2] || star[4] ? has[2] && has[4] : has[2] || has[4];
    return has[0] && has[1] && has[3] && day;
}

static const char *const expressions[] = {
    "* * * * *",       "*/7 * * * *",        "0 * * * *",
    "30 * * * *",      "15,45 * * * *",      "0 */2 * * *",
    "17 */5 * * *",    "0 0 * * *",          "30 2 * * *",
    "0 2 * * *",       "59 1 * * *",         "0 3 * * *",
    "*/10 2 * * *",    "30 1-3 * * *",       "0,30 0-4/2 * * *",
    "15 22-2 * * *",   "55-5/5 2 * * *",     "0 12 * * *",
    "0 0 1 * *",       "0 0 L * *",          "30 2 L * *",
    "0 0 * * 0",       "30 2 * * SUN",       "0 2 * * 7#1",
    "45 1 * * 0#1",    "30 2 * * L0",        "0 2 * * 7L",
    "0 0 13 * 5",      "0 4 */3 * 1-5",      "0 0 28-2 * *",
    "0 1 * MAR,OCT *", "30 2 29 3 *",        "30 2 8-14 3 0",
    "*/30 1 1 11 *",   "0 3 30 12 *",        "0 */6 30 12 *",
    "5 0 * * SAT-SUN", "0 23 * * fri-mon/2", "5/20 3 * * 2/3",
    "1 1 1,15,l * ?",  "0 2 ? apr,oct 0",    "30 0,2,4 * 2-4,9-11 *",
    "* 2 * * *",       "*/5 * * * 0",
};
#define EXPRESSIONS (sizeof expressions / sizeof *expressions)

static const struct {
    const char *zone, *from;
    int days;
} windows[] = {
    {"UTC", "2024-02-27T00:00:00Z", 4},
    {"Europe/Berlin", "2026-03-27T00:00:00Z", 4},
    {"Europe/Berlin", "2026-10-23T00:00:00Z", 4},
    {"America/New_York", "2026-03-06T00:00:00Z", 4},
    {"America/New_York", "2026-10-30T00:00:00Z", 4},
    {"America/New_York", "2061-03-11T00:00:00Z", 4},
    {"Australia/Lord_Howe", "2026-04-03T00:00:00Z", 4},
    {"Australia/Lord_Howe", "2026-10-02T00:00:00Z", 4},
    {"Pacific/Apia", "2011-12-28T00:00:00Z", 5},
    {"Africa/Casablanca", "2026-02-13T00:00:00Z", 4},
    {"Africa/Casablanca", "2026-03-20T00:00:00Z", 4},
    {"America/St_Johns", "2006-10-28T00:00:00Z", 3}, /* at one minute past midnight */
    {"Asia/Kathmandu", "2026-01-30T00:00:00Z", 3},
    {"Europe/Dublin", "2026-10-24T00:00:00Z", 3},
    {"Pacific/Kwajalein", "1993-08-19T00:00:00Z", 4}, /* another skipped day */
};

static int64_t c_local(Instant t)
{
    time_t s = (time_t)(t / 1000);
    struct tm tm;
    localtime_r(&s, &tm);
    return t + tm.tm_gmtoff * 1000ll;
}

/* Forwards and backwards, each due instant of the window and no other. */
static size_t compare(const char *text, const char *name, Instant from, int days)
{
    AUTO(Cron) cron = NULL;
    AUTO(Zone) zone = NULL;
    OK(cron_parse(text, &cron));
    OK(zone_open(name, &zone));
    const char *hour = strchr(text, ' ') + 1;
    Instant due = cron_next(cron, zone, from - 1), end = from + days * DAY;
    int64_t most = INT64_MIN;
    size_t found = 0;
    Instant last = 0;
    for (Instant t = from - DAY; t < end; t += MINUTE) {
        int64_t local = c_local(t);
        bool is = false;
        if (*hour == '*')
            is = oracle_matches(text, local);
        else if (most == INT64_MIN)
            is = false; /* what came before is not known */
        else
            for (int64_t w = most + MINUTE; w <= local && !is; w += MINUTE)
                is = oracle_matches(text, w);
        most = local > most ? local : most;
        if (t < from)
            continue;
        if (is != (due == t)) {
            char a[CLOCK_TEXT], b[CLOCK_TEXT];
            print_error("%s in %s: %s at %s, but next is %s\n", text, name, is ? "due" : "not due",
                        clock_iso(t, a), clock_iso(due, b));
            fail();
        }
        if (is) {
            assert_true(!found || cron_prev(cron, zone, t) == last);
            assert_true(cron_prev(cron, zone, t + 1) == t);
            last = t;
            found++;
            due = cron_next(cron, zone, t);
            assert_true(due > t);
            assert_true(cron_next(cron, zone, t + (due - t) / 2) == due);
        }
    }
    assert_true(due >= end);
    assert_true(!found || cron_prev(cron, zone, end) == last);
    assert_int_equal(cron_count(cron, zone, from - 1, end - 1, 1000000), found);
    return found;
}

static void test_oracle(void **state)
{
    (void)state;
    size_t found = 0, cases = 0;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        setenv("TZ", windows[i].zone, 1);
        tzset();
        for (size_t j = 0; j < EXPRESSIONS; j++, cases++)
            found += compare(expressions[j], windows[i].zone, at(windows[i].from), windows[i].days);
        unsetenv("TZ");
        tzset();
    }
    assert_true(cases > 600 && found > 20000);
}

/* Over years, hour by hour, where nothing but the calendar counts. */
static void test_calendar(void **state)
{
    static const char *const texts[] = {"0 0 29 2 *",      "0 0 L * *",
                                        "0 0 31 * *",      "0 0 * * 1#5",
                                        "0 0 * 2 L0",      "0 0 13 * FRI",
                                        "0 0 */2 * MON",   "0 0 30-2 * *",
                                        "0 0 1 1 *",       "0 0 L 2 1#1",
                                        "0 0 1 */5 *",     "0 0 * 11-2 */3",
                                        "0 0 31 1-12/2 0", "0 0 29-31,l feb-apr ?"};
    (void)state;
    AUTO(Zone) utc = NULL;
    OK(zone_open("UTC", &utc));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO(Cron) cron = NULL;
        OK(cron_parse(texts[i], &cron));
        Instant due = cron_next(cron, utc, at("2089-12-31")), last = CRON_NEVER;
        for (Instant t = at("2090-01-01"); t < at("2111-01-01"); t += DAY) {
            if (oracle_matches(texts[i], t) != (due == t))
                print_error("%s on day %lld\n", texts[i], (long long)(t / DAY));
            assert_true(oracle_matches(texts[i], t) == (due == t));
            if (due != t)
                continue;
            assert_true(last == CRON_NEVER || cron_prev(cron, utc, t) == last);
            last = t;
            due = cron_next(cron, utc, t);
        }
    }
}

/* -- what is refused -------------------------------------------------------------------------- */

static void test_refused(void **state)
{
    static const struct {
        const char *cron, *says, *hint;
    } bad[] = {
        {"", "is empty", "@daily"},
        {"   ", "is empty", "@daily"},
        {"daily", "the minute \"daily\"", "0 to 59"},
        {"@dayly", "none of those with a name", "@daily"},
        {"@reboot", "none of those with a name", "@daily"},
        {"* * * *", "has too few fields", "five fields"},
        {"* * * * * *", "has too many fields", "five fields"},
        {"@daily 0 0 0 0", "none of those with a name", "five fields"},
        {"60 * * * *", "the minute \"60\" of a schedule is out of range", "0 to 59"},
        {"* 24 * * *", "the hour \"24\"", "0 to 23"},
        {"* * 0 * *", "the day of the month \"0\"", "1 to 31"},
        {"* * 32 * *", "the day of the month \"32\"", "1 to 31"},
        {"* * * 0 *", "the month \"0\"", "JAN to DEC"},
        {"* * * 13 *", "the month \"13\"", "JAN to DEC"},
        {"* * * * 8", "the day of the week \"8\"", "SUN to SAT"},
        {"* * * MON *", "the month \"MON\"", "JAN to DEC"},
        {"* * * * JAN", "the day of the week \"JAN\"", "SUN to SAT"},
        {"JAN * * * *", "the minute \"JAN\"", "0 to 59"},
        {"*/0 * * * *", "has an impossible step", "0 to 59"},
        {"*/60 * * * *", "has an impossible step", "0 to 59"},
        {"*/ * * * *", "has no number after /", "0 to 59"},
        {"1, * * * *", "the minute \"\" of a schedule is empty", "0 to 59"},
        {",1 * * * *", "the minute \"\" of a schedule is empty", "0 to 59"},
        {"1,,2 * * * *", "is empty", "0 to 59"},
        {"- * * * *", "the minute \"-\" of a schedule is not understood", "0 to 59"},
        {"1- * * * *", "not understood", "0 to 59"},
        {"-1 * * * *", "not understood", "0 to 59"},
        {"1-2-3 * * * *", "not understood", "0 to 59"},
        {"1/2/3 * * * *", "not understood", "0 to 59"},
        {"*-5 * * * *", "not understood", "0 to 59"},
        {"1a * * * *", "not understood", "0 to 59"},
        {"*5 * * * *", "not understood", "0 to 59"},
        {"0x5 * * * *", "not understood", "0 to 59"},
        {"99999999999999999999 * * * *", "out of range", "0 to 59"},
        {"? * * * *", "not understood", "0 to 59"},
        {"L * * * *", "not understood", "0 to 59"},
        {"* * L-3 * *", "not understood", "1 to 31"},
        {"* * L5 * *", "not understood", "1 to 31"},
        {"* * 5L * *", "not understood", "1 to 31"},
        {"* * 5#1 * *", "not understood", "1 to 31"},
        {"* * * * L", "not understood", "FRI#2"},
        {"* * * * L8", "out of range", "FRI#2"},
        {"* * * * L5x", "not understood", "FRI#2"},
        {"* * * * 5LL", "not understood", "FRI#2"},
        {"* * * * 5#0", "1 to 5 after #", "FRI#2"},
        {"* * * * 5#6", "1 to 5 after #", "FRI#2"},
        {"* * * * 5#", "1 to 5 after #", "FRI#2"},
        {"* * * * 5#1#2", "1 to 5 after #", "FRI#2"},
        {"* * * * 1-5#2", "not understood", "FRI#2"},
        {"* * * * MONDAY", "the day of the week \"MONDAY\"", "FRI#2"},
        {"*\t*\t*\t*\n*", "the month \"*\\x0a*\"", "JAN to DEC"},
        {"0 0 30 2 *", "is due on no day", "five fields"},
        {"30 2 30 2 *", "is due on no day", "five fields"},
        {"0 0 31 4,6,9,11 *", "is due on no day", "five fields"},
        {"0 0 29 2 */7", "not for eight years", "five fields"},
        {"0 0 * 2 1#5", "not for eight years", "five fields"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(Cron) cron = NULL;
        AUTO(Error) e = cron_parse(bad[i].cron, &cron);
        if (!e || !strstr(error_message(e), bad[i].says) || !error_hint_text(e) ||
            !strstr(error_hint_text(e), bad[i].hint))
            print_error("%s: %s (%s)\n", bad[i].cron, e ? error_message(e) : "no error",
                        e && error_hint_text(e) ? error_hint_text(e) : "");
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_CONFIG);
        assert_non_null(strstr(error_message(e), bad[i].says));
        assert_non_null(strstr(error_hint_text(e), bad[i].hint));
        assert_null(cron);
    }
}

static void test_ends_of_time(void **state)
{
    (void)state;
    AUTO(Cron) cron = NULL;
    AUTO(Cron) leap = NULL;
    AUTO(Cron) hourly = NULL;
    AUTO(Zone) zone = NULL;
    OK(cron_parse("0 0 * * *", &cron));
    OK(cron_parse("0 0 29 2 *", &leap));
    OK(cron_parse("0 * * * *", &hourly));
    OK(zone_open("America/New_York", &zone));
    static const Instant far[] = {INT64_MIN,       INT64_MIN + 1, -62135596800000, 0,
                                  253339228800000, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        const Cron *all[] = {cron, leap, hourly};
        for (int k = 0; k < 3; k++) {
            Instant next = cron_next(all[k], zone, far[i]), prev = cron_prev(all[k], zone, far[i]);
            assert_true(next > far[i] || next == CRON_NEVER);
            assert_true(prev < far[i] || prev == CRON_NEVER);
            assert_true((next == CRON_NEVER) == (far[i] >= 253339228800000));
            assert_true((prev == CRON_NEVER) == (far[i] <= -62135596800000));
        }
    }
    /* Counting stops where it is told to. */
    assert_int_equal(cron_count(hourly, zone, 0, 4000000000000, 100), 100);
    assert_int_equal(cron_count(hourly, zone, 0, 0, 100), 0);
    assert_int_equal(cron_count(hourly, zone, 0, -1, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_oracle),
                                       cmocka_unit_test(test_calendar),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_ends_of_time)};
    return cmocka_run_group_tests_name("base/cron", tests, NULL, NULL);
}
