/* The entries of `databases:`. */
#include <string.h>

#include "config/config_internal.h"

#define NAME_MAX_LENGTH 63
#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

const StrList *config_entries(const Config *c)
{
    return &c->entries;
}

bool config_is_entry_name(const char *text)
{
    size_t n = strspn(text, NAME_FIRST "_-.");
    return n && n <= NAME_MAX_LENGTH && !text[n] && strspn(text, NAME_FIRST) > 0;
}

void config_add_entry(Config *c, const char *name, Config *entry)
{
    mem_grow(c->entry, c->entries.count, c->entry_cap);
    c->entry[c->entries.count] = entry;
    strlist_add(&c->entries, name);
}

static Error *no_entry(const Config *c, const char *name)
{
    AUTO(char) shown = text_printable(name);
    Error *e = ERROR_NEW(ERR_USAGE, "there is no entry \"%s\" in a list of databases", shown);
    if (!c->entries.count)
        return error_hint(e, "%s has no `databases:`",
                          c->yaml_file ? c->yaml_file : "no file of settings was read, which");
    const char *const *names = (const char *const *)c->entries.items;
    const char *near = text_nearest(name, names, c->entries.count);
    if (near)
        return error_hint(e, "did you mean %s?", near);
    AUTO_VALUE(Buf) all = {0};
    for (size_t i = 0; i < c->entries.count; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    AUTO(char) list = buf_steal_str(&all);
    return error_hint(e, "%s has: %s", c->yaml_file, list);
}

Error *config_apply_entry(Config *c, const char *name)
{
    size_t at = 0;
    while (at < c->entries.count && strcmp(c->entries.items[at], name) != 0)
        at++;
    if (at == c->entries.count)
        return no_entry(c, name);
    for (SettingId id = 0; id < SETTINGS; id++) {
        const Value *v = &c->entry[at]->values[id];
        for (size_t i = 0; i < v->texts.count; i++)
            TRY(config_set(c, id, v->texts.items[i], CONFIG_ENTRY, v->origin, NULL));
    }
    return NULL;
}
