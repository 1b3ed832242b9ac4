#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/setting.h"

/* `text` as comment lines of at most 90 columns. */
static void add_comment(Buf *out, const char *indent, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + n > 90) {
            buf_u8(out, '\n');
            column = 0;
        }
        if (!column) {
            buf_printf(out, "%s#", indent);
            column = strlen(indent) + 1;
        }
        buf_printf(out, " %.*s", (int)n, text);
        column += 1 + n;
        text += n + strspn(text + n, " ");
    }
    buf_u8(out, '\n');
}

/* What stands for a setting that has no default: of its key, else of its type. */
static const char *sample_value(const SettingInfo *s)
{
    static const char *const by_key[][2] = {
        {"tools.pgDump", "/usr/lib/postgresql/16/bin/pg_dump"},
        {"tools.pgRestore", "/usr/lib/postgresql/16/bin/pg_restore"},
        {"encryption.passphraseCommand", "pass show pgstow"},
        {"encryption.keyFile", "/etc/pgstow/key"},
        {"drill.assertions", "/etc/pgstow/checks.sql"},
        {"server.stateDir", "/var/lib/pgstow"},
        {"server.tlsCertificate", "/etc/pgstow/server.pem"},
        {"server.tlsKey", "/etc/pgstow/server.key"},
        {"verify.sample", "5%"},
        {"backup.groupByTag", "why"},
        {"backup.keepTag", "keep=yes"},
        {"backup.excludeTable", "audit_*"},
        {"backup.excludeTableData", "audit_*"},
        {"backup.where", "\"shop.orders: placed > now() - interval '90 days'\""},
        {"backup.mask", "\"shop.customer.email: md5(email)\""},
        {"backup.includeDatabase", "shop_*"},
        {"backup.excludeDatabase", "test_*"},
        {"notify.to", "dba@example.com"},
        {"notify.caFile", "/etc/pgstow/authorities.pem"},
        {"notify.smtp.user", "pgstow"},
        {"notify.smtp.passwordFile", "/etc/pgstow/smtp-password"},
        {"notify.smtp.passwordCommand", "pass show smtp"},
        {"notify.webhook.url", "https://hooks.example.com/pgstow"},
        {"notify.webhook.secretFile", "/etc/pgstow/webhook-secret"},
        {"notify.webhook.secretCommand", "pass show webhook"},
        {"notify.slack.urlFile", "/etc/pgstow/slack-url"},
        {"notify.slack.urlCommand", "pass show slack"},
        {"notify.discord.urlFile", "/etc/pgstow/discord-url"},
        {"notify.discord.urlCommand", "pass show discord"},
        {"notify.telegram.chat", "\"-1001234567890\""},
        {"notify.telegram.tokenFile", "/etc/pgstow/telegram-token"},
        {"notify.telegram.tokenCommand", "pass show telegram"},
        {"notify.ntfy.url", "https://ntfy.sh/mytopic"},
        {"notify.ntfy.urlFile", "/etc/pgstow/ntfy-url"},
        {"notify.ntfy.tokenFile", "/etc/pgstow/ntfy-token"},
        {"notify.ntfy.tokenCommand", "pass show ntfy"},
        {"notify.ping.url", "https://hc-ping.com/5bdf1e55-0000-0000-0000-000000000000"},
        {"notify.ping.urlFile", "/etc/pgstow/ping-url"},
        {"sync.nodeId", "munich"},
        {"sync.maxRate", "20MB"},
        {"sync.exclude", "\"demo: shop.orders: demo\""},
        {"sync.registrationKeyFile", "/etc/pgstow/registration-key"},
        {"sync.registrationKeyCommand", "pass show registration-key"},
        {"hooks.before", "mountpoint -q /srv/backups"},
        {"hooks.after", "logger \"pgstow $PGSTOW_KIND $PGSTOW_STATUS\""},
        {"hooks.backup.before", "/etc/pgstow/before-backup"},
        {"hooks.backup.after", "rsync -a --delete /srv/backups/ other:backups/"},
        {"hooks.restore.before", "systemctl stop shop"},
        {"hooks.restore.after", "systemctl start shop"},
    };
    static const char *const by_type[] = {
        [SETTING_IS_URL] = "postgresql://backup@localhost:5432/shop",
        [SETTING_IS_SCHEDULE] = "\"30 2 * * *\"",
        [SETTING_IS_ZONE] = "Europe/Berlin",
        [SETTING_IS_EMAIL] = "dba@example.com",
        [SETTING_IS_DURATION] = "4h",
        [SETTING_IS_COMMAND] = "docker exec -i db psql",
        [SETTING_IS_SHELL] = "none",
        [SETTING_IS_LIST] = "public",
    };
    if (*s->standard)
        return s->standard;
    for (size_t i = 0; i < sizeof by_key / sizeof *by_key; i++)
        if (!strcmp(by_key[i][0], s->key))
            return by_key[i][1];
    return by_type[s->type] ? by_type[s->type] : "";
}

static void add_setting(Buf *out, SettingId id, const char *name, const char *indent)
{
    const SettingInfo *s = setting_info(id);
    AUTO(char) allowed = setting_allowed(id);
    add_comment(out, indent, s->help);
    AUTO_VALUE(Buf) more = {0};
    buf_printf(&more, "Allowed is %s.", allowed);
    if (*s->standard)
        buf_printf(&more, " The default is %s.", s->standard);
    if (*s->env)
        buf_printf(&more, " In the environment it is %s.", s->env);
    AUTO(char) line = buf_steal_str(&more);
    add_comment(out, indent, line);
    buf_printf(out, "%s# %s: %s\n\n", indent, name, sample_value(s));
}

/* All settings of a section and of those in it, each once, in the order of their rows. */
static void add_section(Buf *out, const char *section, const char *indent)
{
    AUTO_VALUE(StrList) inner = {0};
    AUTO(char) deeper = mem_printf("%s  ", indent);
    size_t n = strlen(section);
    const char *last = strrchr(section, '.');
    buf_printf(out, "%s%s:\n", indent, last ? last + 1 : section);
    for (SettingId id = 0; id < SETTINGS; id++) {
        const char *key = setting_info(id)->key;
        if (!text_starts(key, section) || key[n] != '.')
            continue;
        const char *dot = strchr(key + n + 1, '.');
        AUTO(char) name = mem_strndup(key, dot ? (size_t)(dot - key) : 0);
        if (!dot) {
            add_setting(out, id, key + n + 1, deeper);
        } else if (!strlist_has(&inner, name)) {
            strlist_add(&inner, name);
            add_section(out, name, deeper);
        }
    }
}

char *setting_sample(void)
{
    AUTO_VALUE(StrList) sections = {0};
    Buf out = {0};
    add_comment(&out, "",
                "Settings of pgstow. Save it as pgstow.yaml in the working directory or as "
                "/etc/pgstow/pgstow.yaml, and take the # away from what you set. What is "
                "left out has its default. Flags and the environment beat this file. "
                "`pgstow config check` reads it, `pgstow config show` says what counts.");
    buf_u8(&out, '\n');
    for (SettingId id = 0; id < SETTINGS; id++) {
        const char *key = setting_info(id)->key, *dot = strchr(key, '.');
        AUTO(char) section = mem_strndup(key, dot ? (size_t)(dot - key) : 0);
        if (!*key || strlist_has(&sections, section))
            continue;
        if (!dot) {
            add_setting(&out, id, key, "");
            continue;
        }
        strlist_add(&sections, section);
        add_section(&out, section, "");
    }
    add_comment(
        &out, "",
        "Several databases, each under a name and with settings of its own: any of the above "
        "but those of the server, those of database: and backup: without these words. "
        "`pgstow backup --entry shop` takes them by hand.");
    buf_add_str(&out, "# databases:\n#   - name: shop\n"
                      "#     url: postgresql://backup@db.example.com/shop\n"
                      "#     schedule: \"30 2 * * *\"\n#     retentionDays: 90\n"
                      "#     excludeTableData: [audit_*]\n"
                      "#   - name: office\n"
                      "#     url: postgresql://backup@office.example.com/postgres\n"
                      "#     allDatabases: true\n\n");
    add_comment(
        &out, "",
        "Other services that this one syncs with (docs/sync.md). keyFile (or keyCommand) names a "
        "key that only the two have: requests are then signed. Without one they prove themselves "
        "by the registration key. `pgstow peer add` adds one without this file.");
    buf_add_str(&out, "# peers:\n#   - name: berlin\n"
                      "#     url: https://berlin.example.com:8443\n"
                      "#     nodeId: berlin\n"
                      "#     keyFile: /etc/pgstow/berlin.key\n"
                      "#     caFile: /etc/pgstow/authorities.pem\n"
                      "#     entry: shop\n"
                      "#     repoKeyFile: /etc/pgstow/berlin-repository.key\n");
    return buf_steal_str(&out);
}
