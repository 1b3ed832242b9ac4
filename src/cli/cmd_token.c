/* token: who may use the service's API. */
#include "op/token.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "crypto/secret.h"
#include "op/history.h"

static Error *token_add(Run *run, State *s, const TokenActor *actor)
{
    char text[TOKEN_TEXT], when[CLOCK_TEXT];
    TokenOptions o = {.name = run_word(run, 1)};
    const char *role = config_str(run->config, SETTING_TOKEN_ROLE);
    const char *expires = config_str(run->config, SETTING_TOKEN_EXPIRES);
    if (!role)
        return error_hint(ERROR_NEW(ERR_USAGE, "which role is the token to have?"),
                          "--role viewer looks, operator also backs up and verifies, admin also "
                          "deletes and restores");
    if (!state_role_of(role, &o.role)) {
        AUTO(char) shown = text_printable(role);
        return error_hint(ERROR_NEW(ERR_USAGE, "there is no role \"%s\"", shown),
                          "there are admin, operator and viewer");
    }
    if (expires)
        TRY(token_parse_expiry(expires, &o.expires));
    TRY(op_token_add(s, actor, &o, text));
    if (run->json) {
        Doc *d = doc_object();
        doc_set_str(d, "name", o.name);
        doc_set_str(d, "role", role);
        doc_set_time(d, "expires", o.expires);
        doc_set_str(d, "token", text);
        run_result(run, d);
    } else {
        if (!run->quiet)
            printf("token %s (%s), valid %s%s: it is shown this once\n", o.name, role,
                   o.expires ? "until " : "without an end",
                   o.expires ? clock_human(o.expires, when) : "");
        puts(text);
    }
    secret_wipe(text, sizeof text);
    return NULL;
}

static void add_time(Table *t, Instant at, const char *never)
{
    char text[CLOCK_TEXT];
    table_add(t, at ? clock_human(at, text) : never);
}

static Error *token_list(Run *run, State *s, const TokenActor *actor)
{
    static const char *const headings[] = {"NAME",    "ROLE",      "STATE", "MADE",
                                           "EXPIRES", "LAST USED", "FROM"};
    AUTO_VALUE(Table) t = {0};
    AUTO(Doc) d = doc_object();
    Doc *all = doc_array();
    Instant now = clock_now();
    size_t shown = 0;
    (void)actor;
    doc_set(d, "tokens", all);
    table_head(&t, sizeof headings / sizeof *headings, headings);
    int64_t below = 0;
    for (bool more = true; more;) {
        AUTO_VALUE(StateTokens) list = {0};
        TRY(state_token_list(s, below, 0, &list));
        for (size_t i = 0; i < list.count; i++, shown++) {
            const StateToken *one = &list.items[i];
            doc_push(all, token_doc(one, now));
            table_add(&t, one->name);
            table_add(&t, state_role_name(one->role));
            table_add(&t, token_state(one, now));
            add_time(&t, one->created, "-");
            add_time(&t, one->expires, "never");
            add_time(&t, one->last_used, "never");
            table_add(&t, one->last_from ? one->last_from : "-");
            below = one->id;
        }
        more = list.more;
    }
    if (run->json)
        run_result(run, STEAL(d));
    else if (shown)
        table_print(&t);
    else
        puts("no tokens: pgstow token add makes one");
    return NULL;
}

static Error *token_revoke(Run *run, State *s, const TokenActor *actor)
{
    const char *name = run_word(run, 1);
    TRY(op_token_revoke(s, actor, name));
    if (run->json) {
        Doc *d = doc_object();
        doc_set_str(d, "revoked", name);
        run_result(run, d);
    } else {
        printf("revoked %s\n", name);
    }
    return NULL;
}

Error *cmd_TOKEN(Run *run)
{
    static const char *const names[] = {"add", "list", "revoke"};
    static Error *(*const verbs[])(Run *, State *, const TokenActor *) = {token_add, token_list,
                                                                          token_revoke};
    const char *verb = run_word(run, 0);
    size_t which = 0;
    while (which < 3 && strcmp(verb, names[which]) != 0)
        which++;
    if (which == 3) {
        AUTO(char) shown = text_printable(verb);
        return error_hint(ERROR_NEW(ERR_USAGE, "token does not know \"%s\"", shown),
                          "there are add, list and revoke");
    }
    if ((which == 1) != (run->args->word_count == 1))
        return error_hint(which == 1 ? ERROR_NEW(ERR_USAGE, "token list takes no argument")
                                     : ERROR_NEW(ERR_USAGE, "token %s needs a name", verb),
                          "pgstow token --help explains it");
    for (size_t i = 0; which != 0 && i < 2; i++) {
        SettingId id = i ? SETTING_TOKEN_EXPIRES : SETTING_TOKEN_ROLE;
        if (config_source(run->config, id) == CONFIG_FLAG)
            FAIL(ERR_USAGE, "--%s belongs to token add", setting_info(id)->flag);
    }
    AUTO(State) state = NULL;
    AUTO(char) user = history_user();
    TRY(state_open(config_str(run->config, SETTING_STATE_DIR), NULL, &state));
    return verbs[which](run, state, &(TokenActor){.name = user, .role = "", .origin = "cli"});
}
