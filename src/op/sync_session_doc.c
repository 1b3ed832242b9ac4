#include "op/sync_session_doc.h"

#include <string.h>

/* Text that is JSON, as such; NULL where it is none. */
static void set_json(Doc *d, const char *key, const char *text)
{
    Doc *parsed = NULL;
    if (text)
        error_drop(doc_parse(text, strlen(text), "a session", &parsed));
    if (parsed)
        doc_set(d, key, parsed);
}

static void set_error(Doc *d, const StateSession *s)
{
    if (!s->error_message) {
        doc_set_null(d, "error");
        return;
    }
    Doc *e = doc_object();
    doc_set_str(e, "kind", s->error_kind);
    doc_set_str(e, "message", s->error_message);
    doc_set_str(e, "hint", s->error_hint);
    doc_set(d, "error", e);
}

Doc *sync_session_doc(const StateSession *s)
{
    Doc *d = doc_object();
    doc_set_str(d, "sessionId", s->id);
    doc_set_int(d, "number", s->n);
    doc_set_str(d, "role", state_session_role_name(s->role));
    doc_set_str(d, "direction", state_session_direction_name(s->direction));
    doc_set_str(d, "status", state_session_status_name(s->status));
    doc_set_str(d, "phase", s->phase);
    doc_set_str(d, "method", s->method);
    doc_set_str(d, "peer", s->peer);
    doc_set_str(d, "entry", s->entry);
    doc_set_str(d, "database", s->database);
    doc_set_int(d, "attempt", s->attempt);
    doc_set_int(d, "bytesDone", (int64_t)s->bytes_done);
    doc_set_int(d, "bytesTotal", (int64_t)s->bytes_total);
    doc_set_int(d, "wireBytes", (int64_t)s->wire_bytes);
    doc_set_int(d, "rowsDone", (int64_t)s->rows_done);
    doc_set_int(d, "rowsTotal", (int64_t)s->rows_total);
    doc_set_int(d, "transferSpeed", (int64_t)s->speed);
    doc_set_time(d, "estimatedCompletion", s->completion);
    doc_set_time(d, "created", s->created);
    doc_set_time(d, "started", s->started);
    doc_set_time(d, "ended", s->ended);
    doc_set_time(d, "heartbeat", s->heartbeat);
    doc_set_bool(d, "cancelRequested", s->cancel_requested);
    doc_set_str(d, "backupId", s->backup);
    doc_set_str(d, "actor", s->actor);
    if (s->job)
        doc_set_int(d, "jobId", s->job);
    else
        doc_set_null(d, "jobId");
    set_error(d, s);
    set_json(d, "options", s->options);
    set_json(d, "result", s->result);
    return d;
}

Doc *sync_session_list_doc(const StateSessions *l)
{
    Doc *d = doc_object(), *all = doc_array();
    for (size_t i = 0; i < l->count; i++)
        doc_push(all, sync_session_doc(&l->items[i]));
    doc_set(d, "sessions", all);
    doc_set_bool(d, "more", l->more);
    return d;
}
