#include "repo/pin.h"

#include "base/fault.h"
#include "repo/catalog.h"
#include "repo/repo_internal.h"

Error *pin_look(Repo *r, const char *id, bool *pinned)
{
    char name[NAME_TEXT];
    return store_exists(repo_store(r), name_pin(id, name), pinned);
}

Error *pin_remove(Repo *r, const char *id, bool *was)
{
    char name[NAME_TEXT];
    TRY(repo_may(r, REPO_DELETE));
    Error *e = store_delete(repo_store(r), name_pin(id, name));
    *was = !e;
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    return store_barrier(repo_store(r));
}

/* Who deletes puts the marker first and looks for a pin afterwards; here it is the other way
 * round: so at least one sees the other. */
Error *pin_put(Repo *r, const char *id)
{
    AUTO(Doc) d = doc_object();
    char name[NAME_TEXT], time[CLOCK_TEXT];
    TRY(repo_may(r, REPO_WRITE));
    TRY(catalog_must_exist(r, id));
    doc_set_str(d, "backup", id);
    doc_set_str(d, "time", clock_iso(clock_now(), time));
    Error *e = note_put(r, name_pin(id, name), d);
    bool was = e && error_kind(e) == ERR_EXISTS, removed;
    if (was)
        error_drop(e);
    else
        TRY(e);
    FAULT_POINT("pin.put");
    e = catalog_must_exist(r, id);
    if (e && !was)
        return error_first(e, pin_remove(r, id, &removed));
    return e;
}
