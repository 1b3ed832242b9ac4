#include <string.h>

#include "base/text.h"
#include "cli/gen.h"
#include "cli/help.h"

/* What may stand behind a flag, as bash words. */
static void add_value_case(Buf *out, const SettingInfo *s)
{
    Buf how = {0};
    switch (s->type) {
    case SETTING_IS_ENUM:
        buf_add_str(&how, "COMPREPLY=($(compgen -W '");
        for (const char *p = s->allowed; *p; p++)
            buf_u8(&how, *p == '|' ? ' ' : (uint8_t)*p);
        buf_add_str(&how, "' -- \"$cur\"))");
        break;
    case SETTING_IS_COMPRESSION:
        buf_add_str(&how, "COMPREPLY=($(compgen -W 'false true 1 2 3 4 5 6 7 8 9' -- \"$cur\"))");
        break;
    default:
        if (!strcmp(s->argument, "DIR"))
            buf_add_str(&how, "COMPREPLY=($(compgen -d -- \"$cur\"))");
        else if (!strcmp(s->argument, "FILE") || !strcmp(s->argument, "PATH"))
            buf_add_str(&how, "COMPREPLY=($(compgen -f -- \"$cur\"))");
        else if (!strcmp(s->argument, "ID"))
            buf_add_str(&how, "_pgstow_ids");
        else
            buf_add_str(&how, ":");
    }
    AUTO(char) text = buf_steal_str(&how);
    buf_printf(out, "    --%s", s->flag);
    if (s->short_flag)
        buf_printf(out, "|-%c", s->short_flag);
    buf_printf(out, ")\n        %s\n        return\n        ;;\n", text);
}

static void add_flags(Buf *out, const SettingId *set)
{
    for (SettingId id = 0; id < SETTINGS; id++)
        if (help_has(set, id))
            buf_printf(out, " --%s", setting_info(id)->flag);
}

/* Flags of several settings under one name are one case. */
static bool is_first_of_flag(SettingId id)
{
    for (SettingId before = 0; before < id; before++)
        if (!strcmp(setting_info(before)->flag, setting_info(id)->flag))
            return false;
    return *setting_info(id)->flag && *setting_info(id)->argument;
}

void gen_completion(Buf *out)
{
    buf_add_str(out,
                "# bash completion for pgstow. Generated from src/spec: change the rows there.\n\n"
                "# The ids in the repository that the line names, or in the usual one.\n"
                "_pgstow_ids()\n{\n"
                "    local i repo=${BACKUP_DIR:-./backups} ids=latest file\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        case ${COMP_WORDS[i]} in\n"
                "        --repo|-r) repo=${COMP_WORDS[i + 1]} ;;\n"
                "        esac\n"
                "    done\n"
                "    for file in \"$repo\"/backups/*.manifest; do\n"
                "        [ -e \"$file\" ] || continue\n"
                "        file=${file##*/} file=${file%.manifest}\n"
                "        [ -e \"$repo/trash/$file\" ] || ids+=\" $file\"\n"
                "    done\n"
                "    COMPREPLY=($(compgen -W \"$ids\" -- \"$cur\"))\n"
                "}\n\n"
                "_pgstow()\n{\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                "    local i command='' flags=''\n"
                "    COMPREPLY=()\n"
                "    case $prev in\n");
    for (SettingId id = 0; id < SETTINGS; id++)
        if (is_first_of_flag(id))
            add_value_case(out, setting_info(id));
    buf_add_str(out, "    esac\n"
                     "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                     "        case ${COMP_WORDS[i]} in\n"
                     "        ");
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        buf_printf(out, "%s%s%s%s", i ? "|" : "", c->name, *c->alias ? "|" : "", c->alias);
    }
    buf_add_str(out, ")\n            command=${COMP_WORDS[i]}\n            break\n            ;;\n"
                     "        esac\n    done\n"
                     "    case $command in\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        buf_printf(out, "    %s%s%s)\n        flags='", c->name, *c->alias ? "|" : "", c->alias);
        AUTO_VALUE(Buf) flags = {0};
        add_flags(&flags, c->settings);
        if (flags.len)
            buf_add(out, flags.data + 1, flags.len - 1);
        buf_add_str(out, "'\n        ;;\n");
    }
    buf_add_str(out, "    esac\n    if [[ $cur == -* ]]; then\n"
                     "        COMPREPLY=($(compgen -W \"$flags");
    add_flags(out, command_everywhere);
    buf_add_str(out, " --help --version\" -- \"$cur\"))\n        return\n    fi\n"
                     "    case $command in\n    '' | help)\n        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < COMMANDS; i++)
        buf_printf(out, "%s%s", i ? " " : "", command_info((CommandId)i)->name);
    buf_add_str(out, "' -- \"$cur\"))\n        ;;\n");
    buf_add_str(out,
                "    config)\n        COMPREPLY=($(compgen -W 'check show sample' -- \"$cur\"))\n"
                "        ;;\n    ");
    bool first = true;
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        if (!strstr(c->arguments, "ID"))
            continue;
        buf_printf(out, "%s%s", first ? "" : "|", c->name);
        first = false;
    }
    buf_add_str(out, ")\n        _pgstow_ids\n        ;;\n"
                     "    guard)\n        COMPREPLY=($(compgen -c -- \"$cur\"))\n        ;;\n"
                     "    esac\n}\n\ncomplete -F _pgstow pgstow\n");
}
