#include <string.h>

#include "base/text.h"
#include "cli/gen.h"
#include "cli/help.h"

static const char generated[] = "<!-- Generated from src/spec: change the rows there, then meson "
                                "compile -C build docs. -->\n\n";

/* A cell of a table: one line, with | escaped. */
static void add_cell(Buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '<' || *text == '*')
            buf_u8(out, '\\');
        buf_u8(out, *text == '\n' ? ' ' : (uint8_t)*text);
    }
}

static void add_code(Buf *out, const char *text)
{
    if (*text)
        buf_printf(out, "`%s`", text);
}

static void add_setting(Buf *out, SettingId id)
{
    const SettingInfo *s = setting_info(id);
    AUTO(char) allowed = setting_allowed(id);
    AUTO(char) flag = *s->flag ? help_flag(s) : mem_strdup("");
    AUTO(char) name = setting_name(id);
    buf_printf(out, "### %s\n\n%s\n\n| | |\n| --- | --- |\n", name, s->help);
    const struct {
        const char *what, *value;
    } codes[] = {{"file", s->key}, {"environment, .env", s->env}, {"flag", flag}};
    for (size_t i = 0; i < 3; i++)
        if (*codes[i].value) {
            buf_printf(out, "| %s | ", codes[i].what);
            add_code(out, codes[i].value);
            buf_add_str(out, " |\n");
        }
    if (*s->flag) {
        buf_add_str(out, "| taken by | ");
        bool any = help_has(command_everywhere, id);
        if (any)
            buf_add_str(out, "all commands");
        for (size_t i = 0; i < COMMANDS && !help_has(command_everywhere, id); i++)
            if (help_has(command_info((CommandId)i)->settings, id)) {
                buf_printf(out, "%s%s", any ? ", " : "", command_info((CommandId)i)->name);
                any = true;
            }
        buf_add_str(out, " |\n");
    }
    buf_add_str(out, "| allowed | ");
    add_cell(out, allowed);
    buf_add_str(out, " |\n| default | ");
    add_code(out, s->standard);
    buf_printf(out, "%s |\n\n", *s->standard ? "" : "none");
}

void gen_settings(Buf *out)
{
    buf_add_str(out, generated);
    buf_add_str(
        out,
        "# Settings\n\nFlags beat the environment, the environment beats `.env`, that beats the "
        "YAML file, and that beats the defaults. One YAML file is read: that of `--config`, "
        "otherwise `./pgstow.yaml`, otherwise `/etc/pgstow/pgstow.yaml`. An empty variable "
        "counts as not set. `pgstow config show` says which value counts and where it comes "
        "from; [pgstow.sample.yaml](pgstow.sample.yaml) is a file to start from.\n\n"
        "Of `./.env` only the names below and libpq's own (`PGHOST`, `PGPASSWORD`, ...) are "
        "read, for other programs may have theirs there. A key of the YAML file that is not "
        "known, or a value that is not allowed, ends the program with the file and the line, in "
        "a flag with status 2, elsewhere with status 3.\n\n");
    buf_add_str(out, "## In the file or the environment\n\n");
    for (int lasting = 1; lasting >= 0; lasting--) {
        if (!lasting)
            buf_add_str(out, "## Only on the command line\n\n");
        for (SettingId id = 0; id < SETTINGS; id++)
            if ((*setting_info(id)->key || *setting_info(id)->env) == lasting)
                add_setting(out, id);
    }
    out->len--;
}

static void add_options(Buf *out, const SettingId *set)
{
    buf_add_str(out, "| option | meaning |\n| --- | --- |\n");
    for (SettingId id = 0; id < SETTINGS; id++) {
        if (!help_has(set, id))
            continue;
        AUTO(char) flag = help_flag(setting_info(id));
        AUTO(char) sources = help_sources(id);
        buf_add_str(out, "| `");
        buf_add_str(out, flag);
        buf_add_str(out, "` | ");
        add_cell(out, setting_info(id)->help);
        if (*sources) {
            buf_u8(out, ' ');
            add_cell(out, sources);
        }
        buf_add_str(out, " |\n");
    }
    buf_u8(out, '\n');
}

static void add_statuses(Buf *out, KindSet set)
{
    bool first = true;
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (set >> k & 1) {
            buf_printf(out, "%s%d %s", first ? "" : ", ", error_kind_info(k)->exit_status,
                       error_kind_info(k)->name);
            first = false;
        }
}

void gen_commands(Buf *out)
{
    buf_add_str(out, generated);
    buf_add_str(out, "# Commands\n\n| command | |\n| --- | --- |\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        buf_printf(out, "| [%s](#%s) | %s |\n", c->name, c->name, c->summary);
    }
    buf_add_str(out, "\n## Options of all commands\n\n");
    add_options(out, command_everywhere);
    buf_add_str(out, "Exit statuses of all commands: 0 it worked, ");
    add_statuses(out, KINDS_ANY);
    buf_add_str(out, "; see [errors.md](errors.md).\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        buf_printf(out, "\n## %s\n\n    pgstow %s [OPTION...]%s%s\n\n%s.%s%s%s\n\n%s\n\n", c->name,
                   c->name, *c->arguments ? " " : "", c->arguments, c->summary,
                   *c->alias ? " Also called `" : "", c->alias, *c->alias ? "`." : "", c->help);
        if (*c->settings != SETTINGS)
            add_options(out, c->settings);
        buf_printf(out, "```sh\n%s```\n", c->examples);
        if (c->statuses) {
            buf_add_str(out, "\nIts own exit statuses: ");
            add_statuses(out, c->statuses);
            buf_add_str(out, ".\n");
        }
    }
}

void gen_errors(Buf *out)
{
    buf_add_str(out, generated);
    buf_add_str(out,
                "# Errors\n\nEach kind of error has an exit status of its own, which never changes "
                "its meaning. With `--json` the kind stands in the document on standard output: "
                "`{\"error\": {\"kind\": \"NOT_FOUND\", \"message\": \"...\", \"hint\": "
                "\"...\"}}`. The library "
                "gives the same words. Again: trying once more may help.\n\n"
                "| status | kind | HTTP | again | meaning |\n| ---: | --- | ---: | --- | --- |\n");
    for (ErrorKind k = 0; k < ERROR_KINDS; k++) {
        const ErrorKindInfo *e = error_kind_info(k);
        buf_printf(out, "| %d | %s | %d | %s | %s |\n", e->exit_status, e->name, e->http_status,
                   e->retryable ? "yes" : "no", e->meaning);
    }
}
