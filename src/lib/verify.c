#include "lib/lib_internal.h"

#include "op/verify.h"

pgstow_error *pgstow_verify(pgstow *p, const char *backup, pgstow_level level)
{
    static const CheckLevel levels[] = {
        [PGSTOW_QUICK] = CHECK_QUICK, [PGSTOW_DATA] = CHECK_DATA, [PGSTOW_REBUILD] = CHECK_REBUILD};
    if ((unsigned)level >= sizeof levels / sizeof *levels)
        return call_fail(ERROR_NEW(ERR_USAGE, "%d is no level of verify", (int)level));
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(CheckReport) checked = {0};
    if (backup)
        strlist_add(&names, backup);
    e = op_verify(&c.context, &(VerifyOptions){.names = &names, .level = levels[level]}, &checked);
    return call_end(&c, e);
}
