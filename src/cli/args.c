#include "cli/args.h"

#include <string.h>

#include "base/text.h"

void args_clear(Args *a)
{
    free(a->flags);
    free(a->words);
    strlist_free(&a->rest);
    *a = (Args){0};
}

/* --help and --version are no settings: they have no value and no other source. */
static const char *const own_flags[] = {"help", "version"};

/* The setting whose flag this is, of those that the command (NULL: any) takes; *negated where it is
 * written --no-flag. */
static bool find_long(const CommandInfo *command, const char *name, size_t n, SettingId *out,
                      bool *negated)
{
    for (int no = 0; no < 2; no++)
        for (SettingId id = 0; id < SETTINGS; id++) {
            const SettingInfo *s = setting_info(id);
            const char *written = no ? name + 3 : name;
            size_t length = no ? n - 3 : n;
            if (no && (s->type != SETTING_IS_BOOL || n < 4 || strncmp(name, "no-", 3) != 0))
                continue;
            if (command_takes(command, id) && *s->flag && strlen(s->flag) == length &&
                !strncmp(s->flag, written, length)) {
                *out = id;
                *negated = no;
                return true;
            }
        }
    return false;
}

static bool find_short(const CommandInfo *command, char letter, SettingId *out)
{
    for (SettingId id = 0; id < SETTINGS; id++)
        if (command_takes(command, id) && letter && setting_info(id)->short_flag == letter) {
            *out = id;
            return true;
        }
    return false;
}

static Error *with_nearest_flag(Error *e, const CommandInfo *command, const char *name)
{
    const char *names[SETTINGS + 2];
    size_t count = 0;
    for (SettingId id = 0; id < SETTINGS; id++)
        if (command_takes(command, id) && *setting_info(id)->flag)
            names[count++] = setting_info(id)->flag;
    for (size_t i = 0; i < 2; i++)
        names[count++] = own_flags[i];
    const char *near = text_nearest(name, names, count);
    const char *of = command ? command->name : "";
    if (near)
        return error_hint(e, "did you mean --%s? `pgstow %s%s--help` lists what there is", near, of,
                          *of ? " " : "");
    return error_hint(e, "`pgstow %s%s--help` lists what there is", of, *of ? " " : "");
}

static Error *unknown_flag(const CommandInfo *command, const char *written, const char *name)
{
    SettingId id;
    bool negated;
    AUTO(char) shown = text_printable(written);
    /* A flag of other commands is not unknown but misplaced. */
    if (command && find_long(NULL, name, strlen(name), &id, &negated)) {
        Buf takers = {0};
        for (size_t i = 0; i < COMMANDS; i++)
            if (setting_in(command_info((CommandId)i)->settings, id))
                buf_printf(&takers, "%s%s", takers.len ? ", " : "",
                           command_info((CommandId)i)->name);
        AUTO(char) who = buf_steal_str(&takers);
        return with_nearest_flag(ERROR_NEW(ERR_USAGE, "%s does not take %s (which belongs to: %s)",
                                           command->name, shown, who),
                                 command, name);
    }
    return with_nearest_flag(ERROR_NEW(ERR_USAGE, "unknown flag %s", shown), command, name);
}

static void add_flag(Args *a, SettingId id, const char *value)
{
    mem_grow(a->flags, a->flag_count, a->flag_cap);
    a->flags[a->flag_count++] = (FlagValue){id, value};
}

/* The value of a flag that wants one: behind the "=", or the next argument. */
static Error *take_value(int argc, char **argv, int *i, SettingId id, const char *attached,
                         const char *written, const char **out)
{
    SettingId other;
    bool negated;
    *out = attached;
    if (attached)
        return NULL;
    const SettingInfo *s = setting_info(id);
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    /* --repo --json: a value was forgotten. Whoever means it writes --repo=--json. */
    bool is_flag =
        next && text_starts(next, "--") &&
        (!next[2] || find_long(NULL, next + 2, strcspn(next + 2, "="), &other, &negated));
    if (!next || is_flag)
        return error_hint(ERROR_NEW(ERR_USAGE, "%s needs a value", written), "write %s %s", written,
                          s->argument);
    *out = next;
    ++*i;
    return NULL;
}

static Error *parse_long(int argc, char **argv, int *i, const CommandInfo *command, Args *out)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    AUTO(char) bare = mem_strndup(name, n);
    AUTO(char) written = mem_printf("--%s", bare);
    SettingId id;
    bool negated, yes;
    if (!strcmp(name, "help")) {
        out->help = true;
        return NULL;
    }
    if (!strcmp(name, "version")) {
        out->version = true;
        return NULL;
    }
    if (!find_long(command, name, n, &id, &negated))
        return unknown_flag(command, written, bare);
    if (setting_info(id)->type == SETTING_IS_BOOL) {
        Error *e = equals ? text_parse_bool(equals + 1, &yes) : NULL;
        if (e || (negated && equals)) {
            error_drop(e);
            FAIL(ERR_USAGE, "%s is yes or no: write it alone, or %s=false", written, written);
        }
        add_flag(out, id, (equals ? yes : !negated) ? "true" : "false");
        return NULL;
    }
    const char *value;
    TRY(take_value(argc, argv, i, id, equals ? equals + 1 : NULL, written, &value));
    add_flag(out, id, value);
    return NULL;
}

static Error *parse_short(int argc, char **argv, int *i, const CommandInfo *command, Args *out)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        SettingId id;
        if (*p == 'h') {
            out->help = true;
            continue;
        }
        AUTO(char) written = mem_printf("-%c", *p);
        if (!find_short(command, *p, &id)) {
            AUTO(char) shown = text_printable(written);
            return error_hint(ERROR_NEW(ERR_USAGE, "unknown flag %s", shown),
                              "`pgstow %s%s--help` lists what there is",
                              command ? command->name : "", command ? " " : "");
        }
        if (setting_info(id)->type == SETTING_IS_BOOL) {
            add_flag(out, id, "true");
            continue;
        }
        const char *value;
        TRY(take_value(argc, argv, i, id, p[1] ? p + 1 : NULL, written, &value));
        add_flag(out, id, value);
        return NULL;
    }
    return NULL;
}

static void add_word(Args *a, char *word)
{
    mem_grow(a->words, a->word_count, a->word_cap);
    a->words[a->word_count++] = word;
}

/* Flags and arguments from argv[*i] on. Without a command it ends at the first word, which is one.
 */
static Error *parse_some(int argc, char **argv, int *i, const CommandInfo *command, Args *out)
{
    bool only_words = false;
    for (; *i < argc; ++*i) {
        char *arg = argv[*i];
        bool flag = !only_words && arg[0] == '-' && arg[1];
        if (flag && !strcmp(arg, "--")) {
            only_words = true;
        } else if (flag && arg[1] == '-') {
            TRY(parse_long(argc, argv, i, command, out));
        } else if (flag) {
            TRY(parse_short(argc, argv, i, command, out));
        } else if (!command) {
            return NULL;
        } else if (command->most == ARGS_COMMAND) {
            for (; *i < argc; ++*i)
                strlist_add(&out->rest, argv[*i]);
        } else {
            add_word(out, arg);
        }
    }
    return NULL;
}

static Error *check_words(const Args *a)
{
    const CommandInfo *c = a->command;
    size_t count = c->most == ARGS_COMMAND ? a->rest.count : a->word_count;
    if (count < (size_t)c->least)
        return error_hint(
            ERROR_NEW(ERR_USAGE, "%s needs more: pgstow %s %s", c->name, c->name, c->arguments),
            "`pgstow %s --help` explains it", c->name);
    if (c->most < 0 || count <= (size_t)c->most)
        return NULL;
    AUTO(char) redacted = setting_redact_url(a->words[c->most]);
    AUTO(char) shown = text_printable(redacted);
    Error *e = ERROR_NEW(ERR_USAGE, "%s does not know what to do with \"%s\"", c->name, shown);
    if (strstr(a->words[c->most], "://"))
        return error_hint(e, "a database is named by --db");
    return error_hint(e, "the usage is: pgstow %s [OPTION...]%s%s", c->name,
                      *c->arguments ? " " : "", c->arguments);
}

Error *args_parse(int argc, char **argv, Args *out)
{
    int i = 1;
    TRY(parse_some(argc, argv, &i, NULL, out));
    size_t before = out->flag_count;
    if (i < argc) {
        out->command = command_find(argv[i]);
        if (!out->command) {
            AUTO(char) shown = text_printable(argv[i]);
            const char *near = command_nearest(argv[i]);
            Error *e = ERROR_NEW(ERR_USAGE, "there is no command \"%s\"", shown);
            return near ? error_hint(e, "did you mean %s? `pgstow --help` lists all", near)
                        : error_hint(e, "`pgstow --help` lists all");
        }
        i++;
        TRY(parse_some(argc, argv, &i, out->command, out));
    }
    if (out->help || out->version)
        return NULL;
    /* A flag given before the command was looked for among those of all commands. */
    for (size_t f = 0; f < before; f++)
        if (!command_takes(out->command, out->flags[f].id)) {
            const char *flag = setting_info(out->flags[f].id)->flag;
            AUTO(char) written = mem_printf("--%s", flag);
            SettingId same;
            bool negated;
            if (!find_long(out->command, flag, strlen(flag), &same, &negated))
                return unknown_flag(out->command, written, flag);
            out->flags[f].id = same;
        }
    return out->command ? check_words(out) : NULL;
}

bool args_flag(const Args *a, SettingId id)
{
    bool yes = false;
    for (size_t i = 0; i < a->flag_count; i++)
        if (a->flags[i].id == id)
            yes = !strcmp(a->flags[i].value, "true");
    return yes;
}

void args_hide_secrets(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        /* Every argument that looks like one, wherever it stands: --db URL, -dURL, --db=URL, or by
         * mistake. */
        char *value = argv[i];
        if (value[0] == '-' && value[1] == '-' && strchr(value, '='))
            value = strchr(value, '=') + 1;
        else if (value[0] == '-' && value[1] && value[1] != '-')
            value += 2;
        AUTO(char) shown = setting_redact_url(value);
        size_t n = strlen(value), m = strlen(shown);
        if (!strcmp(shown, value))
            continue;
        explicit_bzero(value, n);
        memcpy(value, shown, m < n ? m : n);
    }
}
