/* The settings of one run, from all sources: flags beat the environment, that beats ./.env, that
 * beats the YAML file, and that beats the defaults.
 *
 * The YAML file may have a list `databases:` of entries, each with a name and settings of its own
 * (those of the sections database and backup by their bare keys, others in their sections). They
 * count where the setting ENTRY names it: flags beat an entry, an entry beats the environment, as
 * otherwise one DATABASE_URL would be every entry's database.
 *
 * One YAML file is read: the one given, else pgstow.yaml in the working directory, else
 * pgstow.yaml in /etc/pgstow. An empty variable counts as not set. Everything is validated when it
 * is loaded, also what this run does not use.
 */
#ifndef PGSTOW_CONFIG_CONFIG_H
#define PGSTOW_CONFIG_CONFIG_H

#include "base/clock.h"
#include "base/text.h"
#include "config/setting.h"

typedef struct Config Config;

/* A flag as it was given; both strings are borrowed. BOOL flags have "true" or "false". */
typedef struct FlagValue {
    SettingId id;
    const char *value;
} FlagValue;

typedef struct ConfigInputs {
    const FlagValue *flags;
    size_t flag_count;
    char *const *environment; /* NAME=value, NULL at the end */
    const char *dir;          /* the working directory: "." */
    const char *system_dir;   /* NULL: /etc/pgstow */
} ConfigInputs;

/* ERR_USAGE for flags, ERR_CONFIG for everything else; the message names the place, the hint what
 * is allowed and the nearest name. */
Error *config_load(const ConfigInputs *inputs, Config **out) MUST_CHECK;
void config_free(Config *c); /* wipes what may hold a password */
DEFINE_AUTO(Config, config_free)

/* Each is for settings of its type; the answer is borrowed. */
const char *config_str(const Config *c, SettingId id); /* NULL where not set; also URL, COMMAND */
bool config_bool(const Config *c, SettingId id);
int64_t config_int(const Config *c, SettingId id); /* also ENUM and COMPRESSION, see SettingType */
uint64_t config_size(const Config *c, SettingId id);    /* 0 where not set */
int64_t config_duration(const Config *c, SettingId id); /* milliseconds; 0 where not set */
Instant config_instant(const Config *c, SettingId id);
const StrList *config_list(const Config *c, SettingId id);

typedef enum ConfigSource {
    CONFIG_DEFAULT,
    CONFIG_FILE,
    CONFIG_DOTENV,
    CONFIG_ENVIRONMENT,
    CONFIG_ENTRY,
    CONFIG_FLAG
} ConfigSource;
ConfigSource config_source(const Config *c, SettingId id);
/* "default", "--repo", "BACKUP_DIR", ".env:3", "pgstow.yaml:7"; borrowed. */
const char *config_origin(const Config *c, SettingId id);
/* The value as config show prints it, without secrets; NULL where none is set. Caller frees. */
char *config_shown(const Config *c, SettingId id);
/* The YAML file and the .env that were read, NULL where there was none; borrowed. */
const char *config_yaml_file(const Config *c);
const char *config_dotenv_file(const Config *c);

/* The names of the entries of `databases:`, in the file's order. */
const StrList *config_entries(const Config *c);
/* Whether `text` may be the name of one: at most 63 letters, digits, "_", "-", ".", the first of
 * them a letter or a digit. */
bool config_is_entry_name(const char *text);

/* libpq's own variables (PGHOST, PGPASSWORD, ...) that .env has and the environment has not, as
 * NAME=value. config_export_libpq puts them into this process's environment: once, before threads
 * start. */
const StrList *config_libpq(const Config *c);
void config_export_libpq(const Config *c);

/* A SECRET's text, once: whoever takes it wipes and frees it. NULL where it is not set. */
char *config_take_secret(Config *c, SettingId id);
/* Wipes the variables of SECRETs out of this process's environment, so that no child gets them:
 * once all is loaded, before threads start. */
void config_forget_secrets(void);

#endif
