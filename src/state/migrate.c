#include "base/fault.h"
#include "sql.h"
#include "state/state_internal.h"

#define APPLICATION 0x70677374 /* "pgst": what file(1) and we know our databases by */

/* From each version to the next; what is there is never changed. */
static const char *const steps[] = {sql_state_1, sql_state_2};
_Static_assert(sizeof steps / sizeof *steps == STATE_VERSION, "a step for every version");

static Error *foreign(const State *s)
{
    return error_hint(ERROR_NEW(ERR_DAMAGED, "%s is another program's database", s->path),
                      "move it away, or name another folder for the state");
}

static Error *read_version(State *s, int64_t *version)
{
    int64_t application, tables;
    TRY(state_number(s, "PRAGMA application_id", &application));
    TRY(state_number(s, "PRAGMA user_version", version));
    TRY(state_number(s, "SELECT count(*) FROM sqlite_schema", &tables));
    if (application == 0 && *version == 0 && tables == 0)
        return NULL;
    if (application != APPLICATION)
        return foreign(s);
    if (*version > STATE_VERSION)
        return error_hint(ERROR_NEW(ERR_REPO_UNSUPPORTED,
                                    "%s was written by a newer pgstow: its version is %lld, this "
                                    "one knows those up to %d",
                                    s->path, (long long)*version, STATE_VERSION),
                          "upgrade pgstow here too, or name another folder for the state");
    return *version < 1 ? foreign(s) : NULL;
}

static Error *one_step(State *s, void *ctx)
{
    int64_t *version = ctx;
    TRY(state_exec(s, steps[*version]));
    FAULT_POINT("state.migrate");
    AUTO(char)
    marks = mem_printf("PRAGMA user_version = %lld; PRAGMA application_id = %d",
                       (long long)*version + 1, APPLICATION);
    return state_exec(s, marks);
}

Error *state_check_version(State *s)
{
    int64_t version;
    return read_version(s, &version);
}

Error *state_migrate(State *s)
{
    int64_t version;
    TRY(read_version(s, &version));
    for (; version < STATE_VERSION; version++)
        TRY_CTX(state_together(s, one_step, &version), "bringing the state from version %lld to %d",
                (long long)version, STATE_VERSION);
    return NULL;
}
