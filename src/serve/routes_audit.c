/* The audit log: who wanted to change what, from where, and what came of it. */
#include "serve/api_internal.h"
#include "state/state_audit.h"

static Doc *entry_doc(const StateAuditEntry *e)
{
    Doc *d = doc_object();
    doc_set_int(d, "id", e->id);
    doc_set_time(d, "at", e->at);
    doc_set_str(d, "actor", e->actor);
    doc_set_str(d, "role", e->role);
    doc_set_str(d, "origin", e->origin);
    doc_set_str(d, "action", e->action);
    doc_set_str(d, "object", e->object);
    doc_set_str(d, "outcome", e->outcome);
    doc_set_str(d, "detail", e->detail);
    return d;
}

Error *api_audit(Ask *a)
{
    AUTO_VALUE(StateAudit) found = {0};
    StateAuditFilter f = {.actor = api_text(a, "actor"),
                          .action = api_text(a, "action"),
                          .object = api_text(a, "object"),
                          .outcome = api_text(a, "outcome"),
                          .since = api_time(a, "since", 0),
                          .until = api_time(a, "until", 0),
                          .below = api_int(a, "before", 0),
                          .limit = (uint32_t)api_int(a, "limit", API_LIMIT)};
    TRY(state_audit_list(a->api->service->state, &f, &found));
    Doc *d = doc_object(), *all = doc_array();
    for (size_t i = 0; i < found.count; i++)
        doc_push(all, entry_doc(&found.items[i]));
    doc_set(d, "entries", all);
    doc_set_bool(d, "more", found.more);
    api_reply(a, d);
    return NULL;
}
