/* For the tests of the service's parts: a folder with settings, a state in it, and jobs that are
 * this very program: a job's child is /proc/self/exe, so a test's main begins with kit_child. */
#ifndef PGSTOW_TESTS_SERVE_KIT_H
#define PGSTOW_TESTS_SERVE_KIT_H

#include "../unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "serve/service.h"

#define KIT_WAIT_MS 60000 /* for what must come */

static char *kit_root;

static inline char *kit_path(const char *name)
{
    return file_join(kit_root, name);
}

static inline int kit_set_up(void **state)
{
    (void)state;
    OK(file_temp_dir(&kit_root));
    AUTO(char) gate = kit_path("gate");
    setenv("KIT_GATE", gate, 1);
    unsetenv("PGSTOW_CLOCK");
    return 0;
}

static inline int kit_tear_down(void **state)
{
    (void)state;
    OK(file_remove_tree(kit_root));
    free(kit_root);
    return 0;
}

#define KIT_TEST(test) cmocka_unit_test_setup_teardown(test, kit_set_up, kit_tear_down)

static inline void kit_write(const char *name, const char *text)
{
    AUTO(char) path = kit_path(name);
    OK(file_write_atomic(path, text, strlen(text), 0600));
}

/* What a job is to end with: children wait until this is said. */
static inline void kit_open_gate(int status)
{
    AUTO(char) text = mem_printf("%d\n", status);
    kit_write("gate", text);
}

static inline void kit_close_gate(void)
{
    AUTO(char) path = kit_path("gate");
    unlink(path);
}

/* Never returns in a job's child. */
static inline void kit_child(int argc, char **argv)
{
    const char *gate = getenv("KIT_GATE");
    if (argc < 2 || strncmp(argv[1], "--events=", 9) != 0 || !gate)
        return;
    for (;;) {
        int status = 0;
        FILE *f = fopen(gate, "re");
        bool said = f && fscanf(f, "%d", &status) == 1;
        if (f)
            fclose(f);
        if (said)
            _exit(status);
        clock_sleep_ms(10);
    }
}

static inline State *kit_state(void)
{
    AUTO(char) folder = kit_path("state");
    State *s = NULL;
    OK(state_open(folder, NULL, &s));
    return s;
}

/* Polls; a test says what it waits for. */
#define KIT_UNTIL(condition)                                                                       \
    do {                                                                                           \
        int64_t until_ = clock_mono_ms() + KIT_WAIT_MS;                                            \
        while (!(condition) && clock_mono_ms() < until_)                                           \
            clock_sleep_ms(5);                                                                     \
        assert_true(condition);                                                                    \
    } while (0)

static inline StateJob *kit_job(State *s, int64_t id)
{
    StateJob *job = NULL;
    OK(state_job_get(s, id, &job));
    return job;
}

static inline StateJobStatus kit_status(State *s, int64_t id)
{
    AUTO(StateJob) job = kit_job(s, id);
    return job->status;
}

/* The settings of this YAML text, as the service loads them; the inputs live as long as the test.
 */
static inline const ConfigInputs *kit_inputs(const char *yaml)
{
    static char *environment[] = {NULL};
    static ConfigInputs inputs;
    kit_write("pgstow.yaml", yaml);
    inputs = (ConfigInputs){.environment = environment, .dir = kit_root};
    return &inputs;
}

#endif
