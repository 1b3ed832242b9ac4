#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "config/config_doc.h"
#include "config/peers.h"

static void print_sample(void)
{
    AUTO(char) text = setting_sample();
    fputs(text, stdout);
}

static void print_files(const Config *c)
{
    const char *yaml = config_yaml_file(c), *dotenv = config_dotenv_file(c);
    printf("read: %s%s%s\n", yaml ? yaml : "", yaml && dotenv ? " and " : "",
           dotenv ? dotenv : (yaml ? "" : "no file of settings"));
}

static void print_entries(const StrList *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        printf("%s%s", i ? ", " : "databases (--entry NAME): ", entries->items[i]);
    if (entries->count)
        putchar('\n');
}

static void print_peers(const Config *c)
{
    const ConfigPeer *p;
    for (size_t i = 0; (p = config_peer(c, i)); i++)
        printf("%s%s (%s)", i ? ", " : "peers: ", p->name, p->url);
    if (config_peer(c, 0))
        putchar('\n');
}

static void print_settings(const Config *c)
{
    static const char *const headings[] = {"SETTING", "VALUE", "FROM"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, 3, headings);
    for (SettingId id = 0; id < SETTINGS; id++) {
        if (!setting_is_lasting(id))
            continue;
        AUTO(char) value = config_shown(c, id);
        table_own(&t, setting_name(id));
        table_add(&t, value ? value : "-");
        table_add(&t, config_origin(c, id));
    }
    table_print(&t);
    putchar('\n');
    print_files(c);
    print_entries(config_entries(c));
    print_peers(c);
    for (size_t i = 0; i < config_libpq(c)->count; i++) {
        const char *text = config_libpq(c)->items[i];
        printf("%s %.*s", i ? "," : "for libpq, from .env:", (int)strcspn(text, "="), text);
    }
    if (config_libpq(c)->count)
        putchar('\n');
}

Error *cmd_CONFIG(Run *run)
{
    static const char *const actions[] = {"check", "show", "sample"};
    const char *action = run_word(run, 0);
    size_t which = 0;
    while (which < 3 && strcmp(action, actions[which]) != 0)
        which++;
    if (which == 3) {
        AUTO(char) shown = text_printable(action);
        const char *near = text_nearest(action, actions, 3);
        Error *e = ERROR_NEW(ERR_USAGE, "config does not know \"%s\"", shown);
        return near ? error_hint(e, "did you mean %s? There are check, show and sample", near)
                    : error_hint(e, "there are check, show and sample");
    }
    if (which == 2) {
        print_sample();
        return NULL;
    }
    if (run->json) {
        run_result(run, config_doc(run->config));
    } else if (which == 1) {
        print_settings(run->config);
    } else {
        print_files(run->config);
        print_entries(config_entries(run->config));
        print_peers(run->config);
        puts("all settings are good");
    }
    return NULL;
}
