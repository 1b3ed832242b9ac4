#include "config/setting.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cron.h"
#include "base/text.h"
#include "base/zone.h"

static const SettingInfo infos[SETTINGS] = {
#define SETTING(id_, type_, key_, env_, flag_, short_, argument_, standard_, allowed_, help_)      \
    [SETTING_##id_] = {#id_,   SETTING_IS_##type_, key_,      env_,     flag_,                     \
                       short_, argument_,          standard_, allowed_, help_},
#include "spec/settings.def"
#undef SETTING
};

const SettingInfo *setting_info(SettingId id)
{
    return &infos[id];
}

bool setting_in(const SettingId *set, SettingId id)
{
    while (*set != SETTINGS && *set != id)
        set++;
    return *set == id;
}

char *setting_name(SettingId id)
{
    const SettingInfo *s = &infos[id];
    if (*s->key)
        return mem_strdup(s->key);
    return *s->flag ? mem_printf("--%s", s->flag) : mem_strdup(s->env);
}

char *setting_allowed(SettingId id)
{
    const SettingInfo *s = &infos[id];
    long long min, max;
    Buf words = {0};
    switch (s->type) {
    case SETTING_IS_BOOL:
        return mem_strdup("true or false");
    case SETTING_IS_INT:
        if (sscanf(s->allowed, "%lld..%lld", &min, &max) == 2)
            return mem_printf("a whole number from %lld to %lld", min, max);
        return mem_strdup("a whole number");
    case SETTING_IS_SIZE:
        return mem_strdup("a size such as 512KiB, 20MB or 1.5G");
    case SETTING_IS_DURATION:
        return mem_strdup("a time such as 90s, 15m, 26h, 7d or 2w; a bare number is seconds");
    case SETTING_IS_INSTANT:
        return mem_strdup("a point in time such as 2024-01-15, \"2024-01-15 10:30:00\" or "
                          "2024-01-15T10:30:00Z; without a zone it is UTC");
    case SETTING_IS_ENUM:
        for (const char *p = s->allowed; *p; p++)
            if (*p == '|')
                buf_add_str(&words, strchr(p + 1, '|') ? ", " : " or ");
            else
                buf_u8(&words, (uint8_t)*p);
        return buf_steal_str(&words);
    case SETTING_IS_LIST:
        if (!strcmp(s->allowed, "ADDRESS"))
            return mem_strdup("mail addresses");
        if (!strcmp(s->allowed, SETTING_NAMED))
            return mem_strdup("keys name, table and where, or \"NAME: TABLE: CONDITION\"");
        return mem_strdup(*s->allowed ? s->allowed : "any text");
    case SETTING_IS_COMPRESSION:
        return mem_strdup("false (store), true (adaptive), or 1 to 9 (fixed)");
    case SETTING_IS_URL:
        return mem_strdup("postgresql://user@host:5432/name, host=... dbname=..., or a name alone");
    case SETTING_IS_COMMAND:
        return mem_strdup("a program, a folder that holds it, or a command");
    case SETTING_IS_SHELL:
        return mem_strdup("what /bin/sh runs; none for nothing");
    case SETTING_IS_SCHEDULE:
        return mem_strdup("five fields, as cron has them: \"30 2 * * *\" is daily at 02:30; or "
                          "@hourly, @daily, @weekly, @monthly or @yearly");
    case SETTING_IS_ZONE:
        return mem_strdup("a time zone of tzdata: Europe/Berlin, UTC");
    case SETTING_IS_EMAIL:
        return mem_strdup("one mail address");
    case SETTING_IS_STRING:
        if (*s->allowed)
            return mem_strdup("the key of a tag, without = and a value");
        break;
    case SETTING_IS_SECRET:
        break;
    }
    return mem_strdup("any text but an empty one");
}

static bool parse_compression(const char *text, int64_t *number)
{
    static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};
    if (text[0] >= '1' && text[0] <= '9' && !text[1]) {
        *number = text[0] - '0';
        return true;
    }
    for (int on = 0; on < 2; on++)
        for (int i = 0; i < 3; i++)
            if (text_equal_nocase(text, words[on][i])) {
                *number = on ? -1 : 0;
                return true;
            }
    return false;
}

static bool parse_enum(const char *text, const char *allowed, int64_t *number)
{
    size_t n = strlen(text);
    int64_t place = 0;
    for (const char *p = allowed; p; place++) {
        const char *end = strchr(p, '|');
        size_t length = end ? (size_t)(end - p) : strlen(p);
        if (n == length && !strncmp(p, text, n)) {
            *number = place;
            return true;
        }
        p = end ? end + 1 : NULL;
    }
    return false;
}

/* The parser knows best which field is wrong. */
static Error *error_of_schedule(const char *text)
{
    AUTO(Cron) parsed = NULL;
    return cron_parse(text, &parsed);
}

static bool is_email(const char *text)
{
    const char *at = strrchr(text, '@');
    return at && at > text && at[1] && at[1] != '.' && !strpbrk(text, " \t\r\n,;<>") &&
           strchr(text, '@') == at;
}

/* "NAME: TABLE: CONDITION": what stands behind the name is SQL's to understand. */
static bool is_named(const char *text)
{
    size_t n = strcspn(text, ": ");
    return n && text[n] == ':' && strchr(text + n + 1, ':');
}

/* libpq takes the URL of another kind of server for the name of a database. */
static bool is_url(const char *text)
{
    size_t scheme =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return !scheme || strncmp(text + scheme, "://", 3) != 0 ||
           !strncmp(text, "postgresql://", 13) || !strncmp(text, "postgres://", 11);
}

static bool is_zone(const char *text)
{
    AUTO(Zone) zone = NULL;
    AUTO(Error) bad = zone_open(text, &zone);
    return !bad;
}

Error *setting_parse(SettingId id, const char *text, int64_t *number)
{
    const SettingInfo *s = &infos[id];
    Error *e = NULL;
    bool good = *text != '\0', yes = false;
    uint64_t size = 0;
    long long min = INT64_MIN, max = INT64_MAX;
    *number = 0;
    switch (good ? s->type : SETTING_IS_STRING) {
    case SETTING_IS_BOOL:
        e = text_parse_bool(text, &yes);
        *number = yes;
        break;
    case SETTING_IS_INT:
        if (sscanf(s->allowed, "%lld..%lld", &min, &max) != 2)
            FAIL(ERR_INTERNAL, "the row of %s says nothing of what is allowed", s->id);
        e = text_parse_int(text, min, max, number);
        break;
    case SETTING_IS_SIZE:
        e = text_parse_size(text, &size);
        *number = (int64_t)size;
        break;
    case SETTING_IS_DURATION:
        e = clock_parse_duration(text, number);
        break;
    case SETTING_IS_INSTANT:
        e = clock_parse(text, number);
        break;
    case SETTING_IS_ENUM:
        good = parse_enum(text, s->allowed, number);
        break;
    case SETTING_IS_COMPRESSION:
        good = parse_compression(text, number);
        break;
    case SETTING_IS_LIST:
        if (!strcmp(s->allowed, "ADDRESS"))
            good = is_email(text);
        else if (!strcmp(s->allowed, SETTING_NAMED))
            good = is_named(text);
        else
            good = !*s->allowed || (strchr(text, '=') && text[0] != '=');
        break;
    case SETTING_IS_SCHEDULE:
        return error_of_schedule(text);
    case SETTING_IS_ZONE:
        good = is_zone(text);
        break;
    case SETTING_IS_EMAIL:
        good = is_email(text);
        break;
    case SETTING_IS_URL:
        good = is_url(text);
        break;
    case SETTING_IS_STRING:
        good = good && (!*s->allowed || !strchr(text, '='));
        break;
    case SETTING_IS_SECRET:
    case SETTING_IS_COMMAND:
    case SETTING_IS_SHELL:
        break;
    }
    if (!e && good)
        return NULL;
    error_drop(e);
    AUTO(char) allowed = setting_allowed(id);
    AUTO(char) safe = s->type == SETTING_IS_URL ? setting_redact_url(text) : mem_strdup(text);
    AUTO(char) shown = text_printable(safe);
    e = *text ? ERROR_NEW(ERR_CONFIG, "\"%s\" is not allowed", shown)
              : ERROR_NEW(ERR_CONFIG, "the value is empty");
    return error_hint(e, "allowed: %s", allowed);
}
