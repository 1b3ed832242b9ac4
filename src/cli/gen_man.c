#include <string.h>

#include "base/text.h"
#include "cli/gen.h"
#include "cli/help.h"

/* Text for roff: backslashes and dashes escaped, no line that could be taken for a request. */
static void add_text(Buf *out, const char *text, size_t n)
{
    bool line_start = true;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (line_start && (c == '.' || c == '\''))
            buf_add_str(out, "\\&");
        if (c == '\\')
            buf_add_str(out, "\\e");
        else if (c == '-')
            buf_add_str(out, "\\-");
        else if (c == '\'')
            buf_add_str(out, "\\(aq");
        else if (c == '~')
            buf_add_str(out, "\\(ti");
        else
            buf_u8(out, (uint8_t)c);
        line_start = c == '\n';
    }
}

static void add_paragraphs(Buf *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t n = end ? (size_t)(end - text) : strlen(text);
        buf_add_str(out, ".PP\n");
        add_text(out, text, n);
        buf_u8(out, '\n');
        text += n + (end ? 2 : 0);
    }
}

static void add_option(Buf *out, SettingId id)
{
    const SettingInfo *s = setting_info(id);
    AUTO(char) flag = help_flag(s);
    AUTO(char) sources = help_sources(id);
    size_t n = strlen(flag) - (*s->argument ? strlen(s->argument) + 1 : 0);
    buf_add_str(out, ".TP\n\\fB");
    add_text(out, flag, n);
    buf_add_str(out, "\\fR");
    if (*s->argument) {
        buf_add_str(out, " \\fI");
        add_text(out, s->argument, strlen(s->argument));
        buf_add_str(out, "\\fR");
    }
    buf_u8(out, '\n');
    add_text(out, s->help, strlen(s->help));
    if (s->type == SETTING_IS_LIST)
        buf_add_str(out, " May be given several times.");
    if (s->type == SETTING_IS_ENUM) {
        AUTO(char) allowed = setting_allowed(id);
        buf_printf(out, " Allowed: %s.", allowed);
    }
    if (*sources) {
        buf_u8(out, '\n');
        add_text(out, sources, strlen(sources));
    }
    buf_u8(out, '\n');
}

static void add_command(Buf *out, const CommandInfo *c)
{
    buf_printf(out, ".SS pgstow %s [OPTION...]%s", c->name, *c->arguments ? " " : "");
    add_text(out, c->arguments, strlen(c->arguments));
    buf_u8(out, '\n');
    Buf first = {0};
    buf_printf(&first, "%c%s.", c->summary[0] - 'a' + 'A', c->summary + 1);
    if (*c->alias)
        buf_printf(&first, " Also called %s.", c->alias);
    AUTO(char) summary = buf_steal_str(&first);
    add_paragraphs(out, summary);
    add_paragraphs(out, c->help);
    for (SettingId id = 0; id < SETTINGS; id++)
        if (help_has(c->settings, id))
            add_option(out, id);
    buf_add_str(out, ".PP\nExamples:\n.PP\n.nf\n.RS\n");
    add_text(out, c->examples, strlen(c->examples));
    buf_add_str(out, ".RE\n.fi\n");
}

static void add_entry(Buf *out, const char *name, const char *text)
{
    buf_add_str(out, ".TP\n\\fB");
    add_text(out, name, strlen(name));
    buf_add_str(out, "\\fR\n");
    add_text(out, text, strlen(text));
    buf_u8(out, '\n');
}

static void add_sources(Buf *out)
{
    buf_add_str(out, ".SH SETTINGS\n");
    add_paragraphs(
        out, "Flags beat the environment, the environment beats ./.env, that beats the YAML file, "
             "and that beats the defaults. An empty variable counts as not set.\n\n"
             "Keys of the YAML file that are no options of a command:");
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        if (*s->key && !*s->flag) {
            AUTO(char)
            text = *s->standard ? mem_printf("%s Default: %s.", s->help, s->standard)
                                : mem_strdup(s->help);
            add_entry(out, s->key, text);
        }
    }
    buf_add_str(out, ".SH ENVIRONMENT\n");
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        AUTO(char)
        text = *s->flag  ? mem_printf("See --%s.", s->flag)
               : *s->key ? mem_printf("See %s.", s->key)
                         : mem_strdup(s->help);
        if (*s->env)
            add_entry(out, s->env, text);
    }
    add_paragraphs(out, "Besides, libpq's own variables (PGHOST, PGDATABASE, PGUSER, PGPASSWORD, "
                        "PGPASSFILE, PGSERVICE, PGSSLMODE, ...), also from .env.");
}

void gen_man(Buf *out)
{
    buf_add_str(out,
                ".\\\" Generated from src/spec: change the rows there.\n"
                ".TH PGSTOW 1 \"\" \"pgstow " PGSTOW_VERSION "\" \"User Commands\"\n.nh\n.ad l\n"
                ".SH NAME\npgstow \\- backs up and restores PostgreSQL databases\n"
                ".SH SYNOPSIS\n.B pgstow\n.I COMMAND\n[\\fIOPTION\\fR...] "
                "[\\fIARGUMENT\\fR...]\n.SH DESCRIPTION\n");
    add_paragraphs(out,
                   "pgstow takes logical backups of PostgreSQL databases that cost only what "
                   "changed, and proves that they restore. A backup is one consistent state of one "
                   "database; it lies in a repository, a folder that holds the backups of any "
                   "number of databases.");
    buf_add_str(out, ".SH OPTIONS OF ALL COMMANDS\n");
    for (SettingId id = 0; id < SETTINGS; id++)
        if (help_has(command_everywhere, id))
            add_option(out, id);
    add_entry(out, "-h, --help", "Explain pgstow, or the command.");
    add_entry(out, "--version", "Print the version.");
    buf_add_str(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < COMMANDS; i++)
        add_command(out, command_info((CommandId)i));
    add_sources(out);
    buf_add_str(out, ".SH FILES\n");
    add_entry(out, "./pgstow.yaml", "Settings, where --config names no other file.");
    add_entry(out, "/etc/pgstow/pgstow.yaml", "Settings, where there is no ./pgstow.yaml.");
    add_entry(out, "./.env", "Variables; only names that pgstow or libpq know are read.");
    buf_add_str(out, ".SH EXIT STATUS\n");
    add_entry(out, "0", "it worked");
    for (ErrorKind k = 0; k < ERROR_KINDS; k++) {
        AUTO(char) status = mem_printf("%d", error_kind_info(k)->exit_status);
        AUTO(char)
        text = mem_printf("%s: %s", error_kind_info(k)->name, error_kind_info(k)->meaning);
        add_entry(out, status, text);
    }
    buf_add_str(out, ".SH SEE ALSO\n.BR pg_dump (1),\n.BR pg_restore (1),\n.BR psql (1)\n");
}
