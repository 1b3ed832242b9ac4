#include "lib/lib_internal.h"

#include "op/delete.h"

pgstow_error *pgstow_delete(pgstow *p, const char *backup, int ignore_missing)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(char) id = NULL;
    e = op_delete(&c.context, backup, &id);
    if (e && ignore_missing &&
        (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_REPO_NOT_FOUND)) {
        error_free(e);
        e = NULL;
    }
    return call_end(&c, e);
}
