/* The settings as data: the rows of spec/settings.def, and what a value of each may be. */
#ifndef PGSTOW_CONFIG_SETTING_H
#define PGSTOW_CONFIG_SETTING_H

#include <stdint.h>
#include "base/error.h"

typedef enum SettingId {
#define SETTING(id, type, key, env, flag, short_flag, argument, standard, allowed, help)           \
    SETTING_##id,
#include "spec/settings.def"
#undef SETTING
    SETTINGS
} SettingId;

typedef enum SettingType {
    SETTING_IS_STRING,
    SETTING_IS_BOOL,
    SETTING_IS_INT,
    SETTING_IS_SIZE,     /* bytes */
    SETTING_IS_DURATION, /* milliseconds */
    SETTING_IS_INSTANT,
    SETTING_IS_ENUM,        /* the number is the place in `allowed` */
    SETTING_IS_LIST,        /* a flag that may be repeated */
    SETTING_IS_COMPRESSION, /* -1: adaptive, 0: stored, 1 to 9 */
    SETTING_IS_URL,
    SETTING_IS_SECRET, /* in the environment and .env only; never shown */
    SETTING_IS_COMMAND,
    SETTING_IS_SHELL, /* for /bin/sh */
    SETTING_IS_SCHEDULE,
    SETTING_IS_ZONE, /* a time zone's name */
    SETTING_IS_EMAIL
} SettingType;

/* One row; "" (never NULL) where a row has nothing. */
typedef struct SettingInfo {
    const char *id;
    SettingType type;
    const char *key, *env, *flag;
    char short_flag;
    const char *argument, *standard, *allowed, *help;
} SettingInfo;

/* A LIST of this `allowed` may have mappings in the file, with the keys name, table and where. */
#define SETTING_NAMED "NAME:TABLE:CONDITION"

/* A set of settings, as commands have one: an array that ends with SETTINGS. */
#define SET(id) SETTING_##id,
bool setting_in(const SettingId *set, SettingId id);

const SettingInfo *setting_info(SettingId id);
/* What messages call it, by what it has: its key, else --flag, else its variable. Caller frees. */
char *setting_name(SettingId id);
/* What may be written, in words: "true or false", "a whole number from 1 to 64". Caller frees. */
char *setting_allowed(SettingId id);
/* Whether `text` is a value of the setting; *number gets what it means where that is a number (see
 * SettingType), else 0. ERR_CONFIG, without the setting's name, with what is allowed as hint. */
Error *setting_parse(SettingId id, const char *text, int64_t *number) MUST_CHECK;

/* A sample configuration file: every key, commented out, with its meaning. Caller frees. */
char *setting_sample(void);

/* The URL or conninfo text with "***" for every password in it: for people's eyes. Caller frees. */
char *setting_redact_url(const char *url);
bool setting_url_has_secret(const char *url);

#endif
