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

static const char *sample_value(const SettingInfo *s)
{
    if (*s->standard)
        return s->standard;
    switch (s->type) {
    case SETTING_IS_URL:
        return "postgresql://backup@localhost:5432/shop";
    case SETTING_IS_SCHEDULE:
        return "\"30 2 * * *\"";
    case SETTING_IS_ZONE:
        return "Europe/Berlin";
    case SETTING_IS_EMAIL:
        return "dba@example.com";
    case SETTING_IS_DURATION:
        return "4h";
    case SETTING_IS_COMMAND:
        return !strcmp(s->key, "tools.pgDump") ? "/usr/lib/postgresql/16/bin/pg_dump"
               : !strcmp(s->key, "encryption.passphraseCommand") ? "pass show pgstow"
               : !strcmp(s->key, "tools.pgRestore") ? "/usr/lib/postgresql/16/bin/pg_restore"
                                                    : "docker exec -i db psql";
    case SETTING_IS_STRING:
        return !strcmp(s->key, "encryption.keyFile")   ? "/etc/pgstow/key"
               : !strcmp(s->key, "backup.groupByTag") ? "why"
                                                      : "";
    case SETTING_IS_LIST:
        return !strcmp(s->key, "drill.assertions") ? "/etc/pgstow/checks.sql"
               : *s->allowed                       ? "keep=yes"
                                                   : "public";
    default:
        return "";
    }
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
        buf_printf(&out, "%s:\n", section);
        for (SettingId in = id; in < SETTINGS; in++) {
            const char *other = setting_info(in)->key;
            if (text_starts(other, section) && other[strlen(section)] == '.')
                add_setting(&out, in, other + strlen(section) + 1, "  ");
        }
    }
    out.len--; /* one empty line less at the end */
    return buf_steal_str(&out);
}
