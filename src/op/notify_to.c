#include "op/notify_to.h"

#include <string.h>
#include <unistd.h>

struct Notifier {
    NotifyTarget *items;
    size_t count, cap;
};

static const char *const names[CHANNELS] = {"email",    "webhook", "slack", "discord",
                                            "telegram", "ntfy",    "ping"};

const char *channel_name(Channel channel)
{
    return channel < CHANNELS ? names[channel] : "";
}

bool channel_of(const char *name, Channel *out)
{
    for (unsigned i = 0; i < CHANNELS; i++)
        if (!strcmp(name, names[i])) {
            *out = (Channel)i;
            return true;
        }
    return false;
}

/* -- one entry's settings -------------------------------------------------------------------------
 */

static void target_clear(NotifyTarget *t)
{
    free(t->entry);
    free(t->repo);
    free(t->server);
    cron_free(t->schedule);
    zone_free(t->zone);
    free(t->ca_file);
    free(t->host);
    free(t->user);
    free(t->from);
    strlist_free(&t->to);
    free(t->chat);
    free(t->chat_server);
    for (unsigned i = 0; i < CHANNELS; i++) {
        secret_input_clear(&t->address[i]);
        secret_input_clear(&t->secret[i]);
    }
}
DEFINE_AUTO_VALUE(NotifyTarget, target_clear)

/* The value of a word of a conninfo string, as far as no quoting is in it. */
static char *word_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = text; (p = strstr(p, name)); p += n)
        if ((p == text || p[-1] == ' ') && p[n] == '=')
            return mem_strndup(p + n + 1, strcspn(p + n + 1, " "));
    return NULL;
}

/* The password is taken out first: it may hold any of the characters that end a host. */
static char *server_of(const char *url)
{
    if (!url)
        return mem_strdup("");
    AUTO(char) shown = setting_redact_url(url);
    const char *at = strstr(shown, "://");
    if (!at) {
        AUTO(char) host = word_of(shown, "host");
        AUTO(char) port = word_of(shown, "port");
        return host ? mem_printf("%s:%s", host, port ? port : "5432") : mem_strdup("");
    }
    at += 3;
    size_t n = strcspn(at, "/?");
    const char *login = memrchr(at, '@', n);
    if (login) {
        n -= (size_t)(login + 1 - at);
        at = login + 1;
    }
    bool port = memrchr(at, ':', n) && at[n - 1] != ']';
    return n ? mem_printf("%.*s%s", (int)n, at, port ? "" : ":5432") : mem_strdup("");
}

static bool is_here(const char *host)
{
    return !strcmp(host, "localhost") || !strcmp(host, "127.0.0.1") || !strcmp(host, "::1");
}

static MailTls tls_of(const Config *c, const NotifyTarget *t)
{
    static const MailTls by_setting[] = {MAIL_PLAIN, MAIL_STARTTLS, MAIL_TLS, MAIL_PLAIN};
    int64_t chosen = config_int(c, SETTING_SMTP_TLS); /* auto, starttls, tls, none */
    if (chosen)
        return by_setting[chosen];
    if (is_here(t->host) && !t->user)
        return MAIL_PLAIN;
    return t->port == 465 ? MAIL_TLS : MAIL_STARTTLS;
}

static char *own_address(void)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        strcpy(host, "localhost");
    return mem_printf("pgstow@%s", host);
}

static Error *take_mail(NotifyTarget *t, Config *c)
{
    const char *one = config_str(c, SETTING_NOTIFICATION_EMAIL);
    const char *from = config_str(c, SETTING_SMTP_FROM), *user = config_str(c, SETTING_SMTP_USER);
    strlist_copy(&t->to, config_list(c, SETTING_NOTIFY_TO));
    if (!t->to.count && one)
        strlist_add(&t->to, one);
    t->host = mem_strdup(config_str(c, SETTING_SMTP_HOST));
    t->port = (int)config_int(c, SETTING_SMTP_PORT);
    t->user = mem_strdup(user);
    t->tls = tls_of(c, t);
    t->from = from ? mem_strdup(from) : own_address();
    t->on[CHANNEL_EMAIL] = t->to.count > 0;
    if (user && !secret_input_given(&t->secret[CHANNEL_EMAIL]))
        return error_hint(ERROR_NEW(ERR_CONFIG, "notify.smtp.user is set, but no password"),
                          "set notify.smtp.passwordFile, notify.smtp.passwordCommand or "
                          "PGSTOW_SMTP_PASSWORD");
    return NULL;
}

static Error *take_channels(NotifyTarget *t, Config *c)
{
#define NONE SETTINGS
    static const SecretSettings addresses[CHANNELS] = {
        [CHANNEL_EMAIL] = {NONE, NONE, NONE, NONE},
        [CHANNEL_WEBHOOK] = {NONE, NONE, NONE, SETTING_WEBHOOK_URL},
        [CHANNEL_SLACK] = {SETTING_SLACK_URL_FILE, SETTING_SLACK_URL_COMMAND, SETTING_SLACK_URL,
                           NONE},
        [CHANNEL_DISCORD] = {SETTING_DISCORD_URL_FILE, SETTING_DISCORD_URL_COMMAND,
                             SETTING_DISCORD_URL, NONE},
        [CHANNEL_TELEGRAM] = {NONE, NONE, NONE, NONE},
        [CHANNEL_NTFY] = {SETTING_NTFY_URL_FILE, NONE, NONE, SETTING_NTFY_URL},
        [CHANNEL_PING] = {SETTING_PING_URL_FILE, NONE, NONE, SETTING_PING_URL},
    };
    static const SecretSettings secrets[CHANNELS] = {
        [CHANNEL_EMAIL] = {SETTING_SMTP_PASSWORD_FILE, SETTING_SMTP_PASSWORD_COMMAND,
                           SETTING_SMTP_PASSWORD, NONE},
        [CHANNEL_WEBHOOK] = {SETTING_WEBHOOK_SECRET_FILE, SETTING_WEBHOOK_SECRET_COMMAND,
                             SETTING_WEBHOOK_SECRET, NONE},
        [CHANNEL_SLACK] = {NONE, NONE, NONE, NONE},
        [CHANNEL_DISCORD] = {NONE, NONE, NONE, NONE},
        [CHANNEL_TELEGRAM] = {SETTING_TELEGRAM_TOKEN_FILE, SETTING_TELEGRAM_TOKEN_COMMAND,
                              SETTING_TELEGRAM_TOKEN, NONE},
        [CHANNEL_NTFY] = {SETTING_NTFY_TOKEN_FILE, SETTING_NTFY_TOKEN_COMMAND, SETTING_NTFY_TOKEN,
                          NONE},
        [CHANNEL_PING] = {NONE, NONE, NONE, NONE},
    };
#undef NONE
    for (unsigned i = 0; i < CHANNELS; i++) {
        secret_input_of(c, &addresses[i], &t->address[i]);
        secret_input_of(c, &secrets[i], &t->secret[i]);
        t->on[i] = secret_input_given(&t->address[i]);
    }
    t->chat = mem_strdup(config_str(c, SETTING_TELEGRAM_CHAT));
    t->chat_server = mem_strdup(config_str(c, SETTING_TELEGRAM_SERVER));
    t->on[CHANNEL_TELEGRAM] = t->chat != NULL;
    if (t->chat && !secret_input_given(&t->secret[CHANNEL_TELEGRAM]))
        return error_hint(ERROR_NEW(ERR_CONFIG, "notify.telegram.chat is set, but no bot's token"),
                          "set notify.telegram.tokenFile, notify.telegram.tokenCommand or "
                          "PGSTOW_TELEGRAM_TOKEN");
    return take_mail(t, c);
}

static Error *take_all(NotifyTarget *t, const char *entry, Config *c)
{
    const char *schedule = config_str(c, SETTING_SCHEDULE);
    t->entry = mem_strdup(entry);
    t->repo = mem_strdup(config_str(c, SETTING_REPO));
    t->server = server_of(config_str(c, SETTING_DB));
    t->on_failure = config_bool(c, SETTING_NOTIFY_ON_FAILURE);
    t->all = config_bool(c, SETTING_ALL_DATABASES);
    t->on_success = config_bool(c, SETTING_NOTIFY_ON_SUCCESS);
    t->stale_ms = config_int(c, SETTING_NOTIFY_STALE_HOURS) * 3600000;
    t->min_free = config_size(c, SETTING_NOTIFY_MIN_FREE);
    t->ca_file = mem_strdup(config_str(c, SETTING_NOTIFY_CA_FILE));
    TRY(zone_open(config_str(c, SETTING_TIME_ZONE), &t->zone));
    if (schedule && config_bool(c, SETTING_ENABLED))
        TRY(cron_parse(schedule, &t->schedule));
    return take_channels(t, c);
}

/* -- all of them ----------------------------------------------------------------------------------
 */

Notifier *notifier_new(void)
{
    return mem_new(Notifier);
}

void notifier_free(Notifier *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++)
        target_clear(&n->items[i]);
    free(n->items);
    free(n);
}

Error *notifier_add(Notifier *n, const char *entry, Config *c)
{
    AUTO_VALUE(NotifyTarget) t = {0};
    if (*entry)
        TRY_CTX(take_all(&t, entry, c), "the entry %s", entry);
    else
        TRY(take_all(&t, entry, c));
    mem_grow(n->items, n->count, n->cap);
    n->items[n->count++] = t;
    t = (NotifyTarget){0};
    return NULL;
}

size_t notifier_count(const Notifier *n)
{
    return n->count;
}

const NotifyTarget *notifier_at(const Notifier *n, size_t i)
{
    return &n->items[i];
}

const NotifyTarget *notifier_find(const Notifier *n, const char *entry)
{
    for (size_t i = 0; i < n->count; i++)
        if (!strcmp(n->items[i].entry, entry))
            return &n->items[i];
    return n->count ? &n->items[0] : NULL;
}
