#include "repo/session_peer.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "repo/repo_internal.h"

#define FOLDER "peers/"
#define GONE ".gone"

void session_peer_clear(SessionPeer *p)
{
    free(p->sync);
    free(p->node);
    *p = (SessionPeer){0};
}

static char *peer_name(SessionId id, const char *ending, char out[NAME_TEXT])
{
    char text[SESSION_TEXT];
    text_hex(id.b, SESSION_BYTES, text);
    snprintf(out, NAME_TEXT, FOLDER "%s%s", text, ending);
    return out;
}

Error *session_peer_get(Store *s, SessionId id, SessionPeer *out)
{
    AUTO(Doc) d = NULL;
    char name[NAME_TEXT];
    TRY(note_get_legible(s, peer_name(id, "", name), &d));
    *out = (SessionPeer){.id = id,
                         .sync = mem_strdup(doc_str(d, "sync", "")),
                         .node = mem_strdup(doc_str(d, "node", ""))};
    Error *e = store_exists(s, peer_name(id, GONE, name), &out->gone);
    if (e)
        session_peer_clear(out);
    return e;
}

Error *session_peer_put(Store *s, SessionId id, const char *sync, const char *node)
{
    AUTO(Doc) d = doc_object();
    AUTO_VALUE(SessionPeer) there = {0};
    char name[NAME_TEXT];
    doc_set_str(d, "sync", sync);
    doc_set_str(d, "node", node);
    Error *e = note_put_legible(s, peer_name(id, "", name), d);
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    Error *bad = session_peer_get(s, id, &there);
    if (bad || strcmp(there.sync, sync) != 0 || strcmp(there.node, node) != 0 || there.gone) {
        error_drop(bad);
        return e;
    }
    error_drop(e);
    return NULL;
}

static Error *unless_there(Error *e, ErrorKind kind)
{
    if (!e || error_kind(e) != kind)
        return e;
    error_drop(e);
    return NULL;
}

Error *session_peer_give_up(Store *s, SessionId id)
{
    AUTO(Doc) d = doc_object();
    char name[NAME_TEXT], time[CLOCK_TEXT];
    doc_set_str(d, "since", clock_iso(clock_now(), time));
    return unless_there(note_put_legible(s, peer_name(id, GONE, name), d), ERR_EXISTS);
}

Error *session_peer_drop(Store *s, SessionId id)
{
    char name[NAME_TEXT];
    TRY(unless_there(store_delete(s, peer_name(id, GONE, name)), ERR_NOT_FOUND));
    return unless_there(store_delete(s, peer_name(id, "", name)), ERR_NOT_FOUND);
}

/* -- all -----------------------------------------------------------------------------------------
 */

/* False where the name is none of these. */
static bool parse(const char *name, SessionId *id, bool *gone)
{
    const char *text = name + sizeof FOLDER - 1;
    size_t n = strlen(text);
    *gone = text_ends(text, GONE);
    if (n != SESSION_TEXT - 1 + (*gone ? sizeof GONE - 1 : 0))
        return false;
    AUTO(char) hex = mem_strndup(text, SESSION_TEXT - 1);
    return text_unhex(hex, id->b, SESSION_BYTES);
}

Error *session_peer_list(Store *s, SessionPeerEach each, void *ctx)
{
    AUTO_VALUE(StrList) names = {0};
    TRY(note_names(s, FOLDER, &names));
    for (size_t i = 0; i < names.count; i++) {
        AUTO_VALUE(SessionPeer) p = {0};
        SessionId id;
        bool gone;
        if (!parse(names.items[i], &id, &gone) || gone)
            continue;
        Error *e = session_peer_get(s, id, &p);
        if (e && error_kind(e) != ERR_NOT_FOUND)
            log_warning("%s: %s", names.items[i], error_message(e));
        bool readable = !e;
        error_drop(e);
        if (readable)
            TRY(each(ctx, &p));
    }
    return NULL;
}

void sessions_gone_clear(SessionsGone *g)
{
    free(g->items);
    *g = (SessionsGone){0};
}

static Error *add_gone(void *ctx, const char *name, uint64_t size)
{
    SessionsGone *g = ctx;
    SessionId id;
    bool gone;
    (void)size;
    if (!parse(name, &id, &gone) || !gone)
        return NULL;
    mem_grow(g->items, g->count, g->cap);
    g->items[g->count++] = id;
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, SESSION_BYTES);
}

Error *sessions_gone_list(Store *s, SessionsGone *out)
{
    TRY(store_list(s, FOLDER, add_gone, out));
    mem_sort(out->items, out->count, sizeof *out->items, by_id);
    return NULL;
}

bool sessions_gone_has(const SessionsGone *g, SessionId id)
{
    return g->count && bsearch(&id, g->items, g->count, sizeof *g->items, by_id);
}
