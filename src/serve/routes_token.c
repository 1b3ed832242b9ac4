/* Tokens: made, listed, ended. A token's text is in one answer and nowhere else. */
#include "op/token.h"

#include "crypto/secret.h"
#include "serve/api_internal.h"

static TokenActor actor_of(const Ask *a)
{
    return (TokenActor){a->who->name, state_role_name(a->who->role), a->call->remote};
}

Error *api_tokens(Ask *a)
{
    AUTO_VALUE(StateTokens) found = {0};
    Instant now = clock_now();
    TRY(state_token_list(a->api->service->state, api_int(a, "before", 0),
                         (uint32_t)api_int(a, "limit", API_LIMIT), &found));
    Doc *d = doc_object(), *all = doc_array();
    for (size_t i = 0; i < found.count; i++)
        doc_push(all, token_doc(&found.items[i], now));
    doc_set(d, "tokens", all);
    doc_set_bool(d, "more", found.more);
    api_reply(a, d);
    return NULL;
}

/* What op_token_add refuses before it does anything is not in the audit log yet. */
static bool is_audited(const Error *e)
{
    return !e || error_kind(e) != ERR_USAGE;
}

Error *api_token_add(Ask *a)
{
    char text[TOKEN_TEXT];
    TokenActor actor = actor_of(a);
    TokenOptions o = {.name = api_text(a, "name"), .role = ROLE_VIEWER};
    const char *expires = api_text(a, "expires");
    a->object = mem_strdup(o.name);
    if (expires)
        TRY(token_parse_expiry(expires, &o.expires));
    if (!state_role_of(api_text(a, "role"), &o.role))
        FAIL(ERR_USAGE, "there is no such role");
    Error *e = op_token_add(a->api->service->state, &actor, &o, text);
    a->audited = is_audited(e);
    TRY(e);
    Doc *d = doc_object();
    doc_set_str(d, "name", o.name);
    doc_set_str(d, "role", state_role_name(o.role));
    doc_set_time(d, "expires", o.expires);
    doc_set_str(d, "token", text);
    secret_wipe(text, sizeof text);
    AUTO(char) where = mem_printf(API_PREFIX "/tokens/%s", o.name);
    a->reply->status = 201;
    a->reply->body = d;
    http_reply_header(a->reply, "Location", where);
    http_reply_header(a->reply, "Cache-Control", "no-store");
    return NULL;
}

Error *api_token_revoke(Ask *a)
{
    TokenActor actor = actor_of(a);
    a->audited = true;
    TRY(op_token_revoke(a->api->service->state, &actor, a->part));
    Doc *d = doc_object();
    doc_set_str(d, "revoked", a->part);
    a->reply->status = 200;
    a->reply->body = d;
    return NULL;
}
