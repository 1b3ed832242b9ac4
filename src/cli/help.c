#include "cli/help.h"

#include <string.h>

#include "base/text.h"

#define WIDTH 80
#define NAME_COLUMN 24 /* where the second column of lists begins */

bool help_has(const SettingId *set, SettingId id)
{
    return setting_in(set, id) && *setting_info(id)->flag;
}

static void add_spaces(Buf *out, size_t n)
{
    while (n--)
        buf_u8(out, ' ');
}

/* Wraps one paragraph; the cursor stands at column `at` of a line already begun. */
static void wrap_from(Buf *out, const char *text, size_t n, size_t indent, size_t at)
{
    const char *end = text + n;
    bool first = true;
    while (text < end) {
        size_t word = strcspn(text, " ");
        if (word > (size_t)(end - text))
            word = (size_t)(end - text);
        if (!first && at + 1 + word > WIDTH) {
            buf_u8(out, '\n');
            add_spaces(out, indent);
            at = indent;
            first = true;
        }
        if (!first) {
            buf_u8(out, ' ');
            at++;
        }
        buf_add(out, text, word);
        at += word;
        first = false;
        text += word;
        while (text < end && *text == ' ')
            text++;
    }
    buf_u8(out, '\n');
}

void help_wrap(Buf *out, const char *text, size_t indent)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t n = end ? (size_t)(end - text) : strlen(text);
        add_spaces(out, indent);
        wrap_from(out, text, n, indent, indent);
        text += n;
        if (end) {
            buf_u8(out, '\n');
            text += 2;
        }
    }
}

/* "  name      text", the text wrapped in its column. */
static void add_entry(Buf *out, const char *name, const char *text, size_t n)
{
    size_t length = strlen(name);
    add_spaces(out, 2);
    buf_add_str(out, name);
    if (length + 4 > NAME_COLUMN) {
        buf_u8(out, '\n');
        length = 0;
        add_spaces(out, NAME_COLUMN);
    } else {
        add_spaces(out, NAME_COLUMN - 2 - length);
    }
    wrap_from(out, text, n, NAME_COLUMN, NAME_COLUMN);
}

char *help_flag(const SettingInfo *s)
{
    Buf out = {0};
    if (s->short_flag)
        buf_printf(&out, "-%c, ", s->short_flag);
    buf_printf(&out, "--%s", s->flag);
    if (*s->argument)
        buf_printf(&out, " %s", s->argument);
    return buf_steal_str(&out);
}

char *help_sources(SettingId id)
{
    const SettingInfo *s = setting_info(id);
    Buf out = {0};
    if (*s->standard && strcmp(s->standard, "false") != 0)
        buf_printf(&out, "Default: %s.", s->standard);
    if (*s->env)
        buf_printf(&out, "%sIn the environment: %s.", out.len ? " " : "", s->env);
    if (*s->key)
        buf_printf(&out, "%sIn the file: %s.", out.len ? " " : "", s->key);
    return buf_steal_str(&out);
}

static void add_option(Buf *out, SettingId id)
{
    const SettingInfo *s = setting_info(id);
    AUTO(char) flag = help_flag(s);
    AUTO(char) sources = help_sources(id);
    AUTO_VALUE(Buf) text = {0};
    buf_add_str(&text, s->help);
    if (s->type == SETTING_IS_LIST)
        buf_add_str(&text, " May be given several times.");
    if (s->type == SETTING_IS_ENUM) {
        AUTO(char) allowed = setting_allowed(id);
        buf_printf(&text, " Allowed: %s.", allowed);
    }
    if (*sources)
        buf_printf(&text, " %s", sources);
    AUTO(char) all = buf_steal_str(&text);
    add_entry(out, flag, all, strlen(all));
}

/* Up to the end of the first sentence. */
static size_t first_sentence(const char *help)
{
    const char *end = strstr(help, ". ");
    return end ? (size_t)(end + 1 - help) : strlen(help);
}

static void add_everywhere(Buf *out, bool whole)
{
    for (SettingId id = 0; id < SETTINGS; id++) {
        if (!help_has(command_everywhere, id))
            continue;
        if (whole) {
            add_option(out, id);
            continue;
        }
        AUTO(char) flag = help_flag(setting_info(id));
        add_entry(out, flag, setting_info(id)->help, first_sentence(setting_info(id)->help));
    }
}

static void add_statuses(Buf *out, KindSet set)
{
    add_entry(out, "  0", "it worked", 9);
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (set >> k & 1) {
            const ErrorKindInfo *info = error_kind_info(k);
            AUTO(char) name = mem_printf("%3d  %s", info->exit_status, info->name);
            add_entry(out, name, info->meaning, strlen(info->meaning));
        }
}

/* Lines "command  # remark", indented. */
static void add_examples(Buf *out, const char *examples)
{
    while (*examples) {
        size_t n = strcspn(examples, "\n");
        buf_printf(out, "  %.*s\n", (int)n, examples);
        examples += n + (examples[n] == '\n');
    }
}

void help_command(Buf *out, const CommandInfo *c)
{
    buf_printf(out, "pgstow %s: %s\n\n", c->name, c->summary);
    buf_printf(out, "Usage: pgstow %s [OPTION...]%s%s\n", c->name, *c->arguments ? " " : "",
               c->arguments);
    if (*c->alias)
        buf_printf(out, "       (or: pgstow %s ...)\n", c->alias);
    buf_u8(out, '\n');
    help_wrap(out, c->help, 0);
    if (*c->settings != SETTINGS) {
        buf_add_str(out, "\nOptions:\n");
        for (SettingId id = 0; id < SETTINGS; id++)
            if (help_has(c->settings, id))
                add_option(out, id);
    }
    buf_add_str(out, "\nOptions of all commands (more about them: pgstow --help):\n");
    add_everywhere(out, false);
    buf_add_str(out, "\nExamples:\n");
    add_examples(out, c->examples);
    buf_add_str(out, "\nExit statuses:\n");
    add_statuses(out, c->statuses | KINDS_ANY);
}

void help_overview(Buf *out)
{
    help_wrap(out,
              "pgstow backs up PostgreSQL databases at the cost of what changed, and proves that "
              "they restore.",
              0);
    buf_add_str(out, "\nUsage: pgstow COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        AUTO(char) name = *c->alias ? mem_printf("%s, %s", c->name, c->alias) : mem_strdup(c->name);
        add_entry(out, name, c->summary, strlen(c->summary));
    }
    buf_add_str(out, "\nOptions of all commands:\n");
    add_everywhere(out, true);
    add_entry(out, "-h, --help", "Explain pgstow, or the command.", 31);
    add_entry(out, "--version", "Print the version.", 18);
    buf_add_str(out, "\nA first backup:\n"
                     "  export DATABASE_URL=postgresql://backup@localhost/shop\n"
                     "  pgstow doctor    # is everything here?\n"
                     "  pgstow backup    # into ./backups\n"
                     "  pgstow list\n"
                     "\nIn an emergency:\n"
                     "  pgstow list\n"
                     "  pgstow restore latest --replace --dry-run    # look first\n"
                     "  pgstow restore latest --replace\n\n");
    help_wrap(
        out,
        "Settings come from flags, from the environment, from ./.env, and from pgstow.yaml in the "
        "working directory or in /etc/pgstow, in this order; `pgstow config show` says which "
        "counts, `pgstow config sample` explains all. `pgstow COMMAND --help` explains a command "
        "and lists its exit statuses.",
        0);
}
