/* pgstow: backups of PostgreSQL databases that cost only what changed, and that are known to
 * restore.
 *
 * The library behind the program of the same name. One handle is one repository; a handle may be
 * used by one thread at a time, several handles by several threads. Nothing here prints, exits or
 * touches signal handlers. Of repositories that were written a host keeps in mind what it has seen
 * (docs/encryption.md), by this library as by the program.
 *
 * Every function that can fail returns NULL on success or an error object, which the caller frees
 * with pgstow_error_free(). Output parameters are set on success only, unless said. Strings that
 * come out are UTF-8, owned as said. Option structs start with PGSTOW_..._INIT; what is left zero
 * takes its default. Fields are only ever added at the end, and `size` tells the library which ones
 * the caller knows.
 *
 * Link with `pkg-config --cflags --libs pgstow`.
 */
#ifndef PGSTOW_H
#define PGSTOW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PGSTOW_API __attribute__((visibility("default")))
#else
#define PGSTOW_API
#endif

#define PGSTOW_VERSION_NUMBER 100            /* 0.1.0: major * 10000 + minor * 100 + patch */
PGSTOW_API const char *pgstow_version(void); /* "0.1.0", of the library in use */

/* -- errors ----------------------------------------------------------------------------------- */

typedef struct pgstow_error pgstow_error;
/* "NOT_FOUND", "TOOL_MISSING", "CONNECT", ...: the words of docs/generated/errors.md; they never
 * change their meaning. */
PGSTOW_API const char *pgstow_error_kind(const pgstow_error *e);
PGSTOW_API const char *
pgstow_error_message(const pgstow_error *e); /* what happened, to which object */
PGSTOW_API const char *pgstow_error_hint(const pgstow_error *e); /* what to do next, or NULL */
PGSTOW_API int
pgstow_error_exit_status(const pgstow_error *e);              /* what the program would exit with */
PGSTOW_API int pgstow_error_retryable(const pgstow_error *e); /* 1 where trying again may help */
PGSTOW_API void pgstow_error_free(pgstow_error *e);           /* NULL is fine */

/* -- the handle ------------------------------------------------------------------------------- */

typedef struct pgstow pgstow;

typedef struct pgstow_progress {
    const char *phase;                /* "copying", ... */
    const char *object;               /* the table worked on, or "" */
    uint64_t bytes_done, bytes_total; /* logical bytes; total 0: unknown */
    uint64_t bytes_new;               /* stored bytes written so far */
} pgstow_progress;

/* A key of an encrypted repository: of these the first that is set. It is looked for where a
 * repository turns out to be encrypted or is made so, once in the life of a handle, and lies in
 * locked memory until that is closed. */
typedef struct pgstow_key {
    size_t size;
    /* A key file. Where the first backup makes the repository and the file is missing, it is made
     * (mode 0600): without a copy of it elsewhere, or another key, a lost disk is a lost
     * repository. */
    const char *file;
    /* Bytes: a passphrase, or the text of a key. Copied; the caller wipes its own. */
    const void *passphrase;
    size_t passphrase_length;
    /* Writes such bytes into `into` (locked memory, wiped afterwards) and returns how many; 0:
     * there are none, "KEY". is_new 1: the passphrase of a repository that is being made, so ask
     * twice. Called by the thread that called the library, which it must not call back. */
    size_t (*ask)(void *ctx, const char *repo, int is_new, char *into, size_t room);
    void *ctx;
} pgstow_key;
#define PGSTOW_KEY_INIT                                                                            \
    {                                                                                              \
        sizeof(pgstow_key), 0, 0, 0, 0, 0                                                          \
    }

typedef struct pgstow_options {
    size_t size;
    const char *repo; /* folder of the repository; NULL: "./backups" */
    const char
        *database; /* URI or conninfo of server and database; NULL: libpq's PG* environment */
    const char *pg_dump, *pg_restore,
        *psql;     /* a program, its folder, or a command; NULL: looked for */
    unsigned jobs; /* connections; 0: the number of cores, at most 8 */
    /* Called about four times a second while an operation runs, from a thread of the library, until
     * the operation returns. Must not call back into the library, except pgstow_cancel. */
    void (*progress)(void *ctx, const pgstow_progress *now);
    /* Asked as often; 1 cancels the operation, which then fails with the kind "CANCELLED". */
    int (*cancelled)(void *ctx);
    void *ctx;
    /* NULL: none. Where a file or a passphrase is given, no repository is made, and no backup
     * written into one, that is not encrypted. */
    const pgstow_key *key;
} pgstow_options;
#define PGSTOW_OPTIONS_INIT                                                                        \
    {                                                                                              \
        sizeof(pgstow_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                       \
    }

/* Options are copied. The repository need not exist yet: the first backup makes it. A wrong key is
 * noticed by the first operation: "KEY". */
PGSTOW_API pgstow_error *pgstow_open(const pgstow_options *options, pgstow **out);
PGSTOW_API void pgstow_close(pgstow *p);
/* From any thread or a signal handler: the running operation ends with "CANCELLED". */
PGSTOW_API void pgstow_cancel(pgstow *p);

/* -- backup ----------------------------------------------------------------------------------- */

typedef struct pgstow_backup_info {
    char *id, *key, *database; /* shop-20240115T103000Z, 20240115103000, shop */
    int64_t timestamp_ms;      /* since 1970, UTC: the instant of the consistent state */
    uint64_t logical_size;     /* bytes of the rows and the catalog */
    uint64_t stored_size;      /* stored bytes that it refers to */
    uint64_t new_bytes;        /* of these, added by this backup */
    uint64_t tables, rows;
    int encrypted;
    int pinned, proven; /* as they are when it is listed */
} pgstow_backup_info;

/* The consistency of the database, looked at for a short time before a backup and after a restore:
 * see pgstow_validate. */
typedef enum pgstow_consistency {
    PGSTOW_CONSISTENCY_WARN = 0, /* what is found is kept with the backup as a warning */
    PGSTOW_CONSISTENCY_OFF = 1,
    PGSTOW_CONSISTENCY_STRICT = 2 /* errors end it: "INVALID" */
} pgstow_consistency;

typedef struct pgstow_backup_options {
    size_t size;
    const char *const *exclude_tables;     /* pg_dump patterns, NULL-terminated; NULL: none */
    const char *const *exclude_table_data; /* the same */
    const char *const *schemas;            /* the same */
    const char *const *tags;               /* "key=value", NULL-terminated */
    int compression;                       /* 0: adaptive; -1: none; 1 to 9: zstd's level */
    int64_t timeout_ms;                    /* 0: none */
    pgstow_consistency consistency;
    int encrypt; /* a repository that is made is encrypted; one that is there and is not is refused
                  */
    int accept_older; /* go on where this host has seen more of the repository than is there now;
                         otherwise that is "CONFIRM" */
} pgstow_backup_options;
#define PGSTOW_BACKUP_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgstow_backup_options), 0, 0, 0, 0, 0, 0, PGSTOW_CONSISTENCY_WARN, 0, 0             \
    }

/* options may be NULL. *out (may be NULL) is freed with pgstow_backup_info_free. */
PGSTOW_API pgstow_error *pgstow_backup(pgstow *p, const pgstow_backup_options *options,
                                       pgstow_backup_info **out);
PGSTOW_API void pgstow_backup_info_free(pgstow_backup_info *info);

/* -- keeping ---------------------------------------------------------------------------------- */

/* Backups are named by id, the unique beginning of one, key, "latest" or "latest:DB"; deleted ones
 * by id or the unique beginning of one. A missing one is "NOT_FOUND". */

/* Hides a backup; cleanup purges it once its time in the trash is over. "PINNED" where it is. With
 * ignore_missing 1 a missing one is success. */
PGSTOW_API pgstow_error *pgstow_delete(pgstow *p, const char *backup, int ignore_missing);
PGSTOW_API pgstow_error *pgstow_undelete(pgstow *p, const char *backup);
/* Neither delete nor cleanup takes a pinned backup. */
PGSTOW_API pgstow_error *pgstow_pin(pgstow *p, const char *backup);
/* *was (may be NULL): whether it was pinned. */
PGSTOW_API pgstow_error *pgstow_unpin(pgstow *p, const char *backup, int *was);

/* Which backups stay; docs/keeping.md says how the rules work together. 0 and NULL: no rule. */
typedef struct pgstow_policy {
    size_t size;
    unsigned days; /* those not older; 0: 30 where there is no other rule */
    int64_t within_ms;
    unsigned last, hourly, daily, weekly, monthly, yearly;
    const char *const *tags;  /* "key=value", NULL-terminated: each keeps */
    const char *group_by_tag; /* the rules that count look at each value of this tag by itself */
    const char *time_zone;    /* "Europe/Berlin"; NULL: this machine's */
} pgstow_policy;
#define PGSTOW_POLICY_INIT                                                                         \
    {                                                                                              \
        sizeof(pgstow_policy), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                     \
    }

typedef struct pgstow_cleanup_options {
    size_t size;
    const pgstow_policy *policy; /* NULL: the one of PGSTOW_POLICY_INIT */
    const char *database;        /* NULL: the backups of all */
    int64_t trash_ms;            /* in the trash before it is purged; 0: 7 days; -1: no time */
    int64_t dead_after_ms;       /* runs of other machines that are older are given up; 0: 7 days */
    int dry_run;                 /* says what would be, and changes nothing */
    int prune_only; /* deletes nothing by policy: purges, and frees space; a rule is "USAGE" then */
} pgstow_cleanup_options;
#define PGSTOW_CLEANUP_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(pgstow_cleanup_options), 0, 0, 0, 0, 0, 0                                           \
    }
/* *json (may be NULL), as `pgstow cleanup --json` prints it ({"dryRun": ..., "backups": [{"id",
 * "keep", "why", ...}], "deleted": [...], "purged": [...], "freed": {...}, ...}), freed with
 * pgstow_free. It is set with an error, too: what was done before it; NULL where nothing was begun.
 * options may be NULL. */
PGSTOW_API pgstow_error *pgstow_cleanup(pgstow *p, const pgstow_cleanup_options *options,
                                        char **json);

typedef struct pgstow_copy_options {
    size_t size;
    const char *to;             /* folder of the repository to copy into */
    const pgstow_key *key;      /* of that one; NULL: the key of the handle */
    const char *const *backups; /* NULL-terminated; NULL: all */
    int encrypt;                /* where the target is made: as in pgstow_backup_options */
    int accept_older;
    int decrypt; /* rows of an encrypted repository may go into one that is not; otherwise that is
                    "CONFIRM" */
    uint64_t max_rate; /* bytes a second; 0: no limit */
} pgstow_copy_options;
#define PGSTOW_COPY_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(pgstow_copy_options), 0, 0, 0, 0, 0, 0, 0                                           \
    }
/* Backups that are in the target are passed over. One that fails does not keep the others back:
 * "PARTIAL", or where it was the only one its own error. *json (may be NULL), as `pgstow copy
 * --json` prints it ({"copied": [...], "there": [...], "failed": [...]}), is set with an error,
 * too; NULL where nothing was begun; freed with pgstow_free. */
PGSTOW_API pgstow_error *pgstow_copy(pgstow *p, const pgstow_copy_options *options, char **json);

/* -- the keys of an encrypted repository ------------------------------------------------------- */

/* Who can open it, and how that changes: docs/encryption.md says what each kind of key may do. The
 * key of the handle opens the repository for these, too; "KEY" where that is write-only, or the
 * repository is not encrypted. Every *json (may be NULL, but with list) is set on success and freed
 * with pgstow_free; no secret stands in it. */

/* As `pgstow key list --json` prints it: {"epoch": 1, "keys": [{"id", "name", "kind", "databases",
 * "state", "inUse", ...}]}. A write-only key may list. */
PGSTOW_API pgstow_error *pgstow_key_list(pgstow *p, char **json);

typedef struct pgstow_key_add_options {
    size_t size;
    const char *name; /* NULL: by its kind, "passphrase 2" */
    /* One of the two: a key file that is made (0600), "EXISTS" where it is there; or the bytes of a
     * passphrase, which are copied: the caller wipes its own. */
    const char *new_key_file;
    const void *passphrase;
    size_t passphrase_length;
    /* NULL: it opens everything. Else the key file is write-only, for the databases of these names;
     * NULL-terminated. */
    const char *const *databases;
} pgstow_key_add_options;
#define PGSTOW_KEY_ADD_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(pgstow_key_add_options), 0, 0, 0, 0, 0                                              \
    }
/* *json: the new key, as it stands in the list. "EXISTS" where its name is taken. */
PGSTOW_API pgstow_error *pgstow_key_add(pgstow *p, const pgstow_key_add_options *options,
                                        char **json);
/* By id, the unique beginning of one, or name. *json: what is gone. "CONFLICT" for the last one
 * that opens everything. Whoever had the key may have kept what it opens: rotate closes what is
 * written later. */
PGSTOW_API pgstow_error *pgstow_key_remove(pgstow *p, const char *which, char **json);
/* What is written from here on is sealed by new keys, which all that are listed get. *json as
 * pgstow_key_list. */
PGSTOW_API pgstow_error *pgstow_key_rotate(pgstow *p, char **json);

/* A key for the day when all others are lost. Borrowed: wiped when the call to `keep` is over. */
typedef struct pgstow_recovery {
    /* The text of a key, five short lines: kept in a file, or given as pgstow_key.passphrase, it
     * opens everything. Secret. */
    const char *text;
    const char *repository; /* its id */
    const char *where;      /* its folder and this host, for whoever reads it elsewhere */
    const char *id, *name;  /* of the key */
} pgstow_recovery;
/* Makes such a key, gives it to `keep`, which writes it down and returns 1, and keeps it nowhere
 * else. Where keep returns 0 the key is removed again: "CANCELLED". keep is called by the thread
 * that called the library, which it must not call back. *json: the new key, as it stands in the
 * list. */
PGSTOW_API pgstow_error *pgstow_key_export(pgstow *p, const char *name,
                                           int (*keep)(void *ctx, const pgstow_recovery *key),
                                           void *ctx, char **json);

/* -- restore ---------------------------------------------------------------------------------- */

typedef enum pgstow_way {
    PGSTOW_CREATE = 0, /* a database that does not exist, or is empty */
    PGSTOW_REPLACE =
        1, /* into a shadow database, then swapped: a failure leaves the old one as it was */
    PGSTOW_IN_PLACE = 2 /* dropped first, for when there is no room for two */
} pgstow_way;

typedef struct pgstow_restore_options {
    size_t size;
    const char *to_db; /* another database of the same server; NULL: that of the handle */
    pgstow_way way;    /* REPLACE and IN_PLACE ask nobody: the caller has */
    int no_owner, no_privileges;
    const char *role;
    int64_t timeout_ms;
    pgstow_consistency consistency; /* STRICT: the old database stays as it was */
} pgstow_restore_options;
#define PGSTOW_RESTORE_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(pgstow_restore_options), 0, PGSTOW_CREATE, 0, 0, 0, 0, PGSTOW_CONSISTENCY_WARN      \
    }

PGSTOW_API pgstow_error *pgstow_restore(pgstow *p, const char *backup,
                                        const pgstow_restore_options *options);

/* -- list, verify ----------------------------------------------------------------------------- */

/* By database, then oldest first. database NULL: all. Freed with pgstow_list_free. */
PGSTOW_API pgstow_error *pgstow_list(pgstow *p, const char *database, pgstow_backup_info ***out,
                                     size_t *count);
PGSTOW_API void pgstow_list_free(pgstow_backup_info **list, size_t count);

typedef enum pgstow_level {
    PGSTOW_QUICK = 0,
    PGSTOW_DATA = 1,
    PGSTOW_REBUILD = 2,
    PGSTOW_DRILL = 3 /* a restore into a scratch database, compared with the backup */
} pgstow_level;
/* backup NULL: all; for DRILL the newest good one of the handle's database. "DAMAGED" where
 * anything is wrong; of a drill also "MISMATCH", "INVALID", "ASSERTION", and other kinds where it
 * could not be done, which says nothing of the backup. */
PGSTOW_API pgstow_error *pgstow_verify(pgstow *p, const char *backup, pgstow_level level);

typedef struct pgstow_verify_options {
    size_t size;
    pgstow_level level;
    /* DATA and REBUILD: only what nobody has checked for so long; 0: all */
    int64_t older_than_ms;
    const char *sample; /* DATA: "5%": only so much, that checked longest ago; NULL: all */
    /* DRILL */
    const char *drill_database;     /* URI or conninfo of the server; NULL: that of the handle */
    const char *const *assertions;  /* files of SQL statements, NULL-terminated */
    const char *const *search_path; /* schemas that the backup's functions look into, the same */
    pgstow_consistency consistency; /* STRICT: errors make the drill fail */
    int64_t timeout_ms;             /* 0: none */
} pgstow_verify_options;
#define PGSTOW_VERIFY_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgstow_verify_options), PGSTOW_DATA, 0, 0, 0, 0, 0, PGSTOW_CONSISTENCY_WARN, 0      \
    }
/* The same with more to say. *json (may be NULL), as `pgstow verify --json` prints it
 * ({"level": "data", "whole": ..., "problems": [...], ...}, {"level": "drill", "drills": [...]}),
 * is set with what the verification itself found wrong, too; NULL where it was not done; freed with
 * pgstow_free. options may be NULL. */
PGSTOW_API pgstow_error *pgstow_verify_with(pgstow *p, const char *backup,
                                            const pgstow_verify_options *options, char **json);

/* -- validate, diff --------------------------------------------------------------------------- */

typedef struct pgstow_validate_options {
    size_t size;
    int64_t max_ms;       /* 0: no limit; what there was no time for is listed in the report */
    int heap_all_indexed; /* amcheck, where it is installed, also looks for rows that an index lacks
                           */
    int run_functions;    /* also constraints that call functions of other users */
} pgstow_validate_options;
#define PGSTOW_VALIDATE_OPTIONS_INIT                                                               \
    {                                                                                              \
        sizeof(pgstow_validate_options), 0, 0, 0                                                   \
    }
/* Holds the live database against its own rules, changing nothing. *json: the report, as
 * `pgstow validate --json` prints it ({"isValid": ..., "errors": [...], ...}), freed with
 * pgstow_free. "INVALID" where there are errors: *json is set then too. options may be NULL. */
PGSTOW_API pgstow_error *pgstow_validate(pgstow *p, const pgstow_validate_options *options,
                                         char **json);

typedef struct pgstow_diff_options {
    size_t size;
    const char *const *tables;  /* pg_dump patterns, NULL-terminated; NULL: all */
    const char *const *schemas; /* the same */
    int rows;                   /* 1: also the rows that differ */
    size_t limit;               /* of those, of each table; 0: 100 */
} pgstow_diff_options;
#define PGSTOW_DIFF_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(pgstow_diff_options), 0, 0, 0, 0                                                    \
    }
/* From backup a to backup b; b NULL: to the live database. *json as `pgstow diff --json` prints it
 * ({"different": ..., "tables": [...], ...}), freed with pgstow_free. options may be NULL. */
PGSTOW_API pgstow_error *pgstow_diff(pgstow *p, const char *a, const char *b,
                                     const pgstow_diff_options *options, char **json);

/* -- the doctor's questions ------------------------------------------------------------------- */

typedef enum pgstow_tool { PGSTOW_PG_DUMP = 0, PGSTOW_PG_RESTORE = 1, PGSTOW_PSQL = 2 } pgstow_tool;
/* Is there one that fits the server (asks the server; where it cannot be reached, any one counts)?
 * *version (may be NULL): "15.3", freed with pgstow_free. "TOOL_MISSING" or "TOOL_VERSION"
 * otherwise. */
PGSTOW_API pgstow_error *pgstow_find_tool(pgstow *p, pgstow_tool tool, char **version);
/* How to install the client programs of a major version (0: the newest) on this system; freed with
 * pgstow_free. */
PGSTOW_API char *pgstow_install_hint(int major);
PGSTOW_API void pgstow_free(void *p);

#ifdef __cplusplus
}
#endif

#endif
