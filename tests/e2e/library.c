/* One handle of the library, and calls to it one after the other, for test_library.py:
 *
 *   library DATABASE_URL REPOSITORY KEY CALL...
 *
 * KEY is "-", "file=PATH", "bytes=TEXT" or "ask=TEXT"; a CALL is words with blanks between them,
 * the verb, what it is done to ("-": NULL), then options. Each prints a line: the error's kind or
 * "OK", a blank, and what came out. The last line says how often a key was asked for.
 */
#include <pgstow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Asked {
    const char *answer;
    int times, is_new;
} Asked;

static size_t ask(void *ctx, const char *repo, int is_new, char *into, size_t room)
{
    Asked *a = ctx;
    size_t n = strlen(a->answer);
    (void)repo;
    a->times++;
    a->is_new = is_new;
    memcpy(into, a->answer, n < room ? n : room);
    return strcmp(a->answer, "endless") ? n : room + 1;
}

static const pgstow_key *key_of(char *text, pgstow_key *key, Asked *asked)
{
    char *value = strchr(text, '=');
    if (!value)
        return NULL;
    *value++ = 0;
    if (!strcmp(text, "file"))
        key->file = value;
    if (!strcmp(text, "ask")) {
        asked->answer = value;
        key->ask = ask;
        key->ctx = asked;
    }
    if (!strcmp(text, "bytes")) {
        key->passphrase = value;
        key->passphrase_length = strlen(value);
    }
    return key;
}

/* The words of a call. */
typedef struct Call {
    char *verb, *name, *options[8];
    int count;
} Call;

static int has(const Call *c, const char *option)
{
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->options[i], option))
            return 1;
    return 0;
}

/* What stands behind "name="; or NULL. */
static char *value(const Call *c, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < c->count; i++)
        if (!strncmp(c->options[i], name, n) && c->options[i][n] == '=')
            return c->options[i] + n + 1;
    return NULL;
}

static int number(const Call *c, const char *name)
{
    return value(c, name) ? atoi(value(c, name)) : 0;
}

static pgstow_error *backup(pgstow *p, const Call *c, char *out, size_t n)
{
    pgstow_backup_options o = PGSTOW_BACKUP_OPTIONS_INIT;
    pgstow_backup_info *info;
    o.encrypt = has(c, "encrypt");
    o.accept_older = has(c, "accept_older");
    o.consistency = PGSTOW_CONSISTENCY_OFF;
    if (has(c, "old_caller")) /* who was compiled before encrypt was there; it must not count */
        o.size = offsetof(pgstow_backup_options, encrypt);
    pgstow_error *e = pgstow_backup(p, &o, &info);
    if (!e) {
        snprintf(out, n, "%s encrypted=%d", info->id, info->encrypted);
        pgstow_backup_info_free(info);
    }
    return e;
}

static pgstow_error *list(pgstow *p, char *out, size_t n)
{
    pgstow_backup_info **all;
    size_t count;
    pgstow_error *e = pgstow_list(p, NULL, &all, &count);
    if (e)
        return e;
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(out);
        snprintf(out + at, n - at, "%s pinned=%d proven=%d ", all[i]->id, all[i]->pinned,
                 all[i]->proven);
    }
    pgstow_list_free(all, count);
    return NULL;
}

static pgstow_error *cleanup(pgstow *p, const Call *c, char **json)
{
    pgstow_policy policy = PGSTOW_POLICY_INIT;
    pgstow_cleanup_options o = PGSTOW_CLEANUP_OPTIONS_INIT;
    policy.last = (unsigned)number(c, "last");
    policy.days = (unsigned)number(c, "days");
    policy.time_zone = value(c, "zone");
    if (!has(c, "default"))
        o.policy = &policy;
    o.database = c->name;
    o.dry_run = has(c, "dry_run");
    o.prune_only = has(c, "prune_only");
    o.trash_ms = has(c, "no_trash") ? -1 : 0;
    return pgstow_cleanup(p, &o, json);
}

static pgstow_error *copy(pgstow *p, const Call *c, char **json)
{
    pgstow_copy_options o = PGSTOW_COPY_OPTIONS_INIT;
    pgstow_key key = PGSTOW_KEY_INIT;
    const char *one[] = {value(c, "backup"), NULL};
    o.to = c->name;
    key.file = value(c, "key");
    o.key = key.file ? &key : NULL;
    o.backups = one[0] || has(c, "nothing") ? one : NULL;
    o.encrypt = has(c, "encrypt");
    o.decrypt = has(c, "decrypt");
    return pgstow_copy(p, &o, json);
}

static pgstow_error *verify(pgstow *p, const Call *c, char **json)
{
    pgstow_verify_options o = PGSTOW_VERIFY_OPTIONS_INIT;
    const char *assertions[] = {value(c, "assert"), NULL};
    o.level = (pgstow_level)number(c, "level");
    o.sample = value(c, "sample");
    o.assertions = assertions[0] ? assertions : NULL;
    return pgstow_verify_with(p, c->name, &o, json);
}

static pgstow_error *key_add(pgstow *p, const Call *c, char **json)
{
    pgstow_key_add_options o = PGSTOW_KEY_ADD_OPTIONS_INIT;
    const char *databases[] = {value(c, "database"), NULL};
    char *words = value(c, "bytes");
    o.name = c->name;
    o.new_key_file = value(c, "file");
    o.passphrase = words;
    o.passphrase_length = words ? strlen(words) : 0;
    o.databases = databases[0] || has(c, "nothing") ? databases : NULL;
    return pgstow_key_add(p, &o, json);
}

/* Into the file of that name; or nowhere. */
static int write_down(void *ctx, const pgstow_recovery *key)
{
    const char *path = ctx;
    FILE *f = path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "# %s, %s, key %s %s\n%s", key->repository, key->where, key->id, key->name,
                key->text);
        fclose(f);
    }
    return f != NULL;
}

static pgstow_error *run(pgstow *p, const Call *c, char *out, size_t n, char **json)
{
    pgstow_error *e = NULL;
    int was = -1;
    if (!strcmp(c->verb, "backup"))
        return backup(p, c, out, n);
    if (!strcmp(c->verb, "list"))
        return list(p, out, n);
    if (!strcmp(c->verb, "delete"))
        return pgstow_delete(p, c->name, has(c, "ignore_missing"));
    if (!strcmp(c->verb, "undelete"))
        return pgstow_undelete(p, c->name);
    if (!strcmp(c->verb, "pin"))
        return pgstow_pin(p, c->name);
    if (!strcmp(c->verb, "cleanup"))
        return cleanup(p, c, json);
    if (!strcmp(c->verb, "copy"))
        return copy(p, c, json);
    if (!strcmp(c->verb, "verify"))
        return verify(p, c, json);
    if (!strcmp(c->verb, "key_list"))
        return pgstow_key_list(p, json);
    if (!strcmp(c->verb, "key_add"))
        return key_add(p, c, json);
    if (!strcmp(c->verb, "key_remove"))
        return pgstow_key_remove(p, c->name, json);
    if (!strcmp(c->verb, "key_rotate"))
        return pgstow_key_rotate(p, json);
    if (!strcmp(c->verb, "key_export"))
        return pgstow_key_export(p, c->name, write_down, value(c, "to"), json);
    if (strcmp(c->verb, "unpin"))
        abort();
    e = pgstow_unpin(p, c->name, &was);
    snprintf(out, n, "was=%d", was);
    return e;
}

static void call(pgstow *p, char *text)
{
    Call c = {.verb = strtok(text, " "), .name = strtok(NULL, " ")};
    static char out[65536];
    char *json = NULL, *word;
    *out = 0;
    while ((word = strtok(NULL, " ")))
        c.options[c.count++] = word;
    if (c.name && !strcmp(c.name, "-"))
        c.name = NULL;
    pgstow_error *e = run(p, &c, out, sizeof out, &json);
    printf("%s %s%s\n", e ? pgstow_error_kind(e) : "OK", json ? json : out,
           e && !json ? pgstow_error_message(e) : "");
    pgstow_error_free(e);
    pgstow_free(json);
}

int main(int argc, char **argv)
{
    pgstow_options options = PGSTOW_OPTIONS_INIT;
    pgstow_key key = PGSTOW_KEY_INIT;
    Asked asked = {0};
    pgstow *p;
    if (argc < 5)
        return 2;
    options.database = argv[1];
    options.repo = argv[2];
    options.key = key_of(argv[3], &key, &asked);
    pgstow_error *e = pgstow_open(&options, &p);
    if (e)
        return 1;
    if (key.passphrase) /* the library has its own copy */
        memset(argv[3], 0, strlen("bytes=") + key.passphrase_length);
    for (int i = 4; i < argc; i++)
        call(p, argv[i]);
    pgstow_close(p);
    printf("asked %d new=%d\n", asked.times, asked.is_new);
    return 0;
}
