/* Shared by the readers of each source. */
#ifndef PGSTOW_CONFIG_CONFIG_INTERNAL_H
#define PGSTOW_CONFIG_CONFIG_INTERNAL_H

#include <sys/types.h>
#include "config/config.h"
#include "config/peers.h"

#define CONFIG_FILE_MAX (1u << 20)

typedef struct Value {
    StrList texts; /* one, or those of a LIST */
    int64_t number;
    ConfigSource source;
    char *origin;
} Value;

struct Config {
    Value values[SETTINGS];
    StrList entries; /* names, in the file's order */
    Config **entry;  /* of each, what it sets */
    size_t entry_cap;
    ConfigPeer *peers;
    size_t peer_count, peer_cap;
    char *yaml_file, *dotenv_file;
    StrList libpq;
};

/* A file that settings come from. */
typedef struct SourceFile {
    const char *path;  /* to open */
    const char *shown; /* for messages */
    bool chosen;       /* somebody named it, as against picked up where we happen to be */
    uid_t owner;
    mode_t mode;
} SourceFile;

/* Takes a value from a source that is stronger than all before. `name` is what that source calls
 * the setting, `origin` the place for people (both are part of messages: "origin: name: ..."; name
 * NULL where the origin says it already). */
Error *config_set(Config *c, SettingId id, const char *text, ConfigSource source,
                  const char *origin, const char *name) MUST_CHECK;
/* The same from line `line` of a file: knows what must not come from a file of somebody else, and
 * warns of secrets that all can read. */
Error *config_set_from_file(Config *c, SettingId id, const char *text, ConfigSource source,
                            const SourceFile *f, size_t line, const char *name) MUST_CHECK;
/* Whether whoever can leave a file where we are run might have written it: it may start no programs.
 */
bool config_is_strange(const SourceFile *f);
/* Sets one of a peer's members. */
Error *config_peer_from_file(ConfigPeer *p, const SourceFile *f, const char *key,
                             const char *value) MUST_CHECK;
/* Takes what is in p over. ERR_CONFIG where something is missing, or one of its name is there. */
Error *config_add_peer(Config *c, ConfigPeer *p) MUST_CHECK;
/* Takes `entry` over. */
void config_add_entry(Config *c, const char *name, Config *entry);
/* ERR_USAGE where there is none of this name. */
Error *config_apply_entry(Config *c, const char *name) MUST_CHECK;
/* Also true for one that may not be read, but not where its folder is closed to us: who is run in
 * such a place (sudo from /root) did not put settings there. */
bool config_file_is_there(const char *path);
/* Reads the whole file and fills owner and mode in. */
Error *config_read_file(SourceFile *f, Buf *out) MUST_CHECK;
/* *found false where there is none and `chosen` is not set. */
Error *config_read_yaml(Config *c, SourceFile *f, bool *found) MUST_CHECK;
Error *config_read_dotenv(Config *c, SourceFile *f, char *const *environment,
                          bool *found) MUST_CHECK;
/* The value of a variable in a list NAME=value; NULL where it is not there. */
const char *config_getenv(char *const *environment, const char *name);

#endif
