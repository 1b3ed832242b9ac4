/* The server's roles and tablespaces out of a backup, before the restore of a database needs them.
 */
#include <string.h>

#include "op/restore_work.h"
#include "pg/encoding.h"
#include "pg/preflight.h"

Error *restore_globals_open(RestoreWork *w)
{
    return w->o->globals ? backup_read_globals(&w->backup, &w->globals) : NULL;
}

/* Names of the archive are in its encoding, those of the globals in UTF-8. */
static Error *is_covered(const RestoreWork *w, const char *kind, const char *name, bool *covered)
{
    AUTO_VALUE(Buf) utf8 = {0};
    const char *encoding = w->backup.encoding;
    if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0) {
        AUTO(Encoding) e = NULL;
        TRY(encoding_open(encoding, &e));
        TRY(encoding_to_utf8(e, name, strlen(name), &utf8));
    } else {
        buf_add_str(&utf8, name);
    }
    AUTO(char) text = buf_steal_str(&utf8);
    *covered = globals_find(&w->globals, kind, text) != NULL;
    return NULL;
}

Error *restore_globals_cover(const RestoreWork *w, const char *kind, StrList *missing)
{
    size_t left = 0;
    for (size_t i = 0; w->o->globals && i < missing->count; i++) {
        bool covered;
        TRY(is_covered(w, kind, missing->items[i], &covered));
        if (covered)
            free(missing->items[i]);
        else
            missing->items[left++] = missing->items[i];
    }
    if (w->o->globals)
        missing->count = left;
    return NULL;
}

Error *restore_globals_check(RestoreWork *w, FindingList *f)
{
    AUTO_VALUE(GlobalsResult) r = {0};
    if (!w->o->globals)
        return NULL;
    TRY(globals_apply(w->admin, &w->globals, false, !w->o->no_tablespaces, &r));
    restore_add_names(f, FINDING_NOTE, "roles", "these are made, since the server has them not",
                      &r.roles, NULL);
    restore_add_names(f, FINDING_NOTE, "tablespaces",
                      "these are made, since the server has them not", &r.tablespaces, NULL);
    for (size_t i = 0; i < r.warnings.count; i++)
        finding_add(f, FINDING_NOTE, "globals", r.warnings.items[i], NULL);
    return NULL;
}

/* Those that could not be made, and are needed. */
static Error *check_tablespaces(RestoreWork *w, const StrList *warnings)
{
    AUTO_VALUE(Needs) needs = {0};
    AUTO_VALUE(StrList) missing = {0};
    preflight_needs(w->backup.toc, &(NeedsOptions){.no_tablespaces = w->o->no_tablespaces}, &needs);
    AUTO(char) encoding = w->backup.encoding ? text_sql_literal(w->backup.encoding) : NULL;
    if (encoding)
        TRY(conn_execf(w->admin, "SET client_encoding = %s", encoding));
    TRY(preflight_missing_tablespaces(w->admin, &needs.tablespaces, &missing));
    TRY(conn_use_utf8(w->admin));
    if (!missing.count)
        return NULL;
    AUTO_VALUE(Buf) why = {0};
    for (size_t i = 0; i < warnings->count; i++)
        if (text_starts(warnings->items[i], "tablespace "))
            buf_printf(&why, "%s%s", why.len ? "; " : "", warnings->items[i]);
    AUTO(char) text = buf_steal_str(&why);
    return error_hint(ERROR_NEW(ERR_PREFLIGHT,
                                "the backup needs tablespaces: %s; nothing was "
                                "restored",
                                text),
                      "make the folders, or restore with --no-tablespaces");
}

Error *restore_globals_make(RestoreWork *w)
{
    AUTO_VALUE(GlobalsResult) r = {0};
    if (!w->o->globals)
        return NULL;
    job_phase(w->c->job, "roles", 0, 0);
    Error *e = globals_apply(w->admin, &w->globals, true, !w->o->no_tablespaces, &r);
    for (size_t i = 0; !e && i < r.roles.count; i++)
        strlist_own(&w->made, mem_printf("role %s", r.roles.items[i]));
    for (size_t i = 0; i < r.tablespaces.count; i++)
        strlist_own(&w->made, mem_printf("tablespace %s", r.tablespaces.items[i]));
    if (!e)
        e = check_tablespaces(w, &r.warnings);
    strlist_copy(&w->warnings, &r.warnings);
    return e;
}
