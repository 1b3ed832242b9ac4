/* A folder with pgstow.yaml, .env and a system folder, and settings loaded from there. */
#ifndef PGSTOW_TESTS_CONFIG_SOURCES_H
#define PGSTOW_TESTS_CONFIG_SOURCES_H

#include "../unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config.h"

typedef struct Sources {
    char dir[64];
    char *environment[16];
    size_t environment_count;
    FlagValue flags[16];
    size_t flag_count;
} Sources;

static inline int sources_begin(void **state)
{
    Sources *s = mem_new(Sources);
    snprintf(s->dir, sizeof s->dir, "/tmp/pgstow-config-XXXXXX");
    if (!mkdtemp(s->dir))
        return -1;
    *state = s;
    return 0;
}

static inline int sources_end(void **state)
{
    static const char *const names[] = {"pgstow.yaml",        ".env",   "other.yaml",
                                        "system/pgstow.yaml", "system", ""};
    Sources *s = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO(char) path = file_join(s->dir, names[i]);
        (void)remove(path);
    }
    (void)rmdir(s->dir);
    free(s);
    return 0;
}

static inline void sources_write_bytes(Sources *s, const char *name, const void *p, size_t n)
{
    AUTO(char) path = file_join(s->dir, name);
    OK(file_write_atomic(path, p, n, 0600));
}

static inline void sources_write(Sources *s, const char *name, const char *text)
{
    sources_write_bytes(s, name, text, strlen(text));
}

static inline void sources_env(Sources *s, const char *assignment)
{
    s->environment[s->environment_count++] = (char *)(uintptr_t)assignment;
}

static inline void sources_flag(Sources *s, SettingId id, const char *value)
{
    s->flags[s->flag_count++] = (FlagValue){id, value};
}

static inline Error *sources_load(Sources *s, Config **out)
{
    AUTO(char) system = file_join(s->dir, "system");
    ConfigInputs in = {.flags = s->flags,
                       .flag_count = s->flag_count,
                       .environment = s->environment,
                       .dir = s->dir,
                       .system_dir = system};
    return config_load(&in, out);
}

/* Loading fails with this kind, and message and hint have these words in them (NULL: any). */
static inline void sources_refused(Sources *s, ErrorKind kind, const char *message,
                                   const char *hint)
{
    AUTO(Config) c = NULL;
    AUTO(Error) e = sources_load(s, &c);
    assert_non_null(e);
    if (message && !strstr(error_message(e), message))
        print_error("message: %s\nwanted:  %s\n", error_message(e), message);
    assert_true(!message || strstr(error_message(e), message));
    if (hint && (!error_hint_text(e) || !strstr(error_hint_text(e), hint)))
        print_error("hint:   %s\nwanted: %s\n", error_hint_text(e), hint);
    assert_true(!hint || (error_hint_text(e) && strstr(error_hint_text(e), hint)));
    assert_int_equal(error_kind(e), kind);
}

static inline void sources_yaml_refused(Sources *s, const char *text, const char *message,
                                        const char *hint)
{
    sources_write(s, "pgstow.yaml", text);
    sources_refused(s, ERR_CONFIG, message, hint);
}

#define SOURCES_TEST(function) cmocka_unit_test_setup_teardown(function, sources_begin, sources_end)

#endif
