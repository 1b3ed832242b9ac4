/* A program that looks at its own database: whether it keeps its rules, and what has changed in it
 * since the newest backup. Ends with 1 where the data contradict the rules.
 *
 *   cc inspect.c $(pkg-config --cflags --libs pgstow) -o inspect
 *   ./inspect postgresql:///shop ./backups
 */
#include <pgstow.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what, pgstow_error *e)
{
    if (!e)
        return 0;
    fprintf(stderr, "%s: %s (%s)\n", what, pgstow_error_message(e), pgstow_error_kind(e));
    pgstow_error_free(e);
    return 1;
}

static int inspect(pgstow *p)
{
    pgstow_validate_options options = PGSTOW_VALIDATE_OPTIONS_INIT;
    options.max_ms = 60 * 1000;
    char *report = NULL, *changes = NULL;
    int invalid = failed("validate", pgstow_validate(p, &options, &report));
    if (!report) /* it could not even be looked at */
        return 1;
    puts(report);
    pgstow_free(report);
    if (failed("diff", pgstow_diff(p, "latest", NULL, NULL, &changes)))
        return 1;
    puts(changes);
    pgstow_free(changes);
    return invalid;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s DATABASE_URL REPOSITORY\n", argv[0]);
        return 2;
    }
    pgstow_options options = PGSTOW_OPTIONS_INIT;
    options.database = argv[1];
    options.repo = argv[2];
    pgstow *p = NULL;
    if (failed("open", pgstow_open(&options, &p)))
        return 1;
    int status = inspect(p);
    pgstow_close(p);
    return status;
}
