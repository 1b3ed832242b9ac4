#include <string.h>
#include <yaml.h>

#include "config/config_internal.h"

/* libyaml's own types, held the way this house holds things. */
typedef struct Parser {
    yaml_parser_t yaml;
    Config *config;
    const SourceFile *file;
    StrList seen; /* keys, with their section */
} Parser;
static void parser_clear(Parser *p)
{
    yaml_parser_delete(&p->yaml);
    strlist_free(&p->seen);
}
DEFINE_AUTO_VALUE(Parser, parser_clear)

typedef struct Event {
    yaml_event_t yaml;
} Event;
static void event_clear(Event *e)
{
    yaml_event_delete(&e->yaml);
}
DEFINE_AUTO_VALUE(Event, event_clear)

static size_t line_of(const Event *e)
{
    return e->yaml.start_mark.line + 1;
}

static Error *next(Parser *p, Event *out)
{
    event_clear(out);
    if (yaml_parser_parse(&p->yaml, &out->yaml))
        return NULL;
    if (p->yaml.error == YAML_MEMORY_ERROR)
        FAIL(ERR_MEMORY, "no memory to read %s", p->file->shown);
    const char *problem = p->yaml.problem ? p->yaml.problem : "not YAML";
    return error_hint(
        ERROR_NEW(ERR_CONFIG, "%s:%zu: %s", p->file->shown, p->yaml.problem_mark.line + 1, problem),
        "it is a YAML file: \"key: value\", a section's keys indented by spaces; "
        "`pgstow config sample` prints one");
}

/* The keys and sections known under a section ("" is the top), each once. */
static void known_names(const char *section, StrList *out)
{
    size_t n = strlen(section);
    for (SettingId id = 0; id < SETTINGS; id++) {
        const char *key = setting_info(id)->key;
        if (!*key || (n && (strncmp(key, section, n) != 0 || key[n] != '.')))
            continue;
        const char *rest = n ? key + n + 1 : key;
        AUTO(char) name = mem_strndup(rest, strcspn(rest, "."));
        if (!strlist_has(out, name))
            strlist_add(out, name);
    }
}

static Error *unknown_key(const Parser *p, const Event *key, const char *name, const char *section)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(Buf) hint = {0};
    known_names(section, &names);
    const char *near = text_nearest(name, (const char *const *)names.items, names.count);
    if (near)
        buf_printf(&hint, "did you mean \"%s\"? ", near);
    /* Perhaps it only stands in the wrong section. */
    for (SettingId id = 0; id < SETTINGS && !near && *name; id++) {
        const char *dot = strrchr(setting_info(id)->key, '.');
        const char *last = dot ? dot + 1 : setting_info(id)->key;
        if (text_equal_nocase(last, name) || !strcmp(setting_info(id)->key, name)) {
            buf_printf(&hint, "\"%s\" belongs under \"%.*s:\". ", last,
                       dot ? (int)(dot - setting_info(id)->key) : 0, setting_info(id)->key);
            break;
        }
    }
    buf_add_str(&hint, "allowed here: ");
    for (size_t i = 0; i < names.count; i++)
        buf_printf(&hint, "%s%s", i ? ", " : "", names.items[i]);
    AUTO(char) text = buf_steal_str(&hint);
    AUTO(char) shown = text_printable(name);
    return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: unknown key \"%s\"%s%s%s", p->file->shown,
                                line_of(key), shown, *section ? " under \"" : "", section,
                                *section ? "\"" : ""),
                      "%s", text);
}

static bool is_section(const char *name)
{
    size_t n = strlen(name);
    for (SettingId id = 0; id < SETTINGS; id++)
        if (!strncmp(setting_info(id)->key, name, n) && setting_info(id)->key[n] == '.')
            return true;
    return false;
}

static bool find_key(const char *full, SettingId *out)
{
    for (SettingId id = 0; id < SETTINGS; id++)
        if (*full && !strcmp(setting_info(id)->key, full)) {
            *out = id;
            return true;
        }
    return false;
}

static bool is_null(const Event *e)
{
    const char *text = (const char *)e->yaml.data.scalar.value;
    return e->yaml.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || !strcmp(text, "~") || text_equal_nocase(text, "null"));
}

static Error *scalar_text(const Parser *p, const Event *e, const char **out)
{
    *out = (const char *)e->yaml.data.scalar.value;
    if (strlen(*out) != e->yaml.data.scalar.length)
        FAIL(ERR_CONFIG, "%s:%zu: a NUL character has no place here", p->file->shown, line_of(e));
    return NULL;
}

static Error *read_value(Parser *p, const Event *e, SettingId id, const char *full);

/* The values of a setting that may have several. */
static Error *read_list(Parser *p, SettingId id, const char *full)
{
    for (;;) {
        AUTO_VALUE(Event) value = {0};
        TRY(next(p, &value));
        if (value.yaml.type == YAML_SEQUENCE_END_EVENT)
            return NULL;
        if (value.yaml.type != YAML_SCALAR_EVENT)
            FAIL(ERR_CONFIG, "%s:%zu: %s is a list of texts", p->file->shown, line_of(&value),
                 full);
        TRY(read_value(p, &value, id, full));
    }
}

static Error *read_value(Parser *p, const Event *e, SettingId id, const char *full)
{
    const char *text;
    if (e->yaml.type == YAML_SEQUENCE_START_EVENT && setting_info(id)->type == SETTING_IS_LIST)
        return read_list(p, id, full);
    if (e->yaml.type == YAML_ALIAS_EVENT)
        FAIL(ERR_CONFIG, "%s:%zu: %s: aliases (*name) are not understood here", p->file->shown,
             line_of(e), full);
    if (e->yaml.type != YAML_SCALAR_EVENT) {
        AUTO(char) allowed = setting_allowed(id);
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: %s takes one value, not a %s",
                                    p->file->shown, line_of(e), full,
                                    e->yaml.type == YAML_SEQUENCE_START_EVENT ? "list" : "section"),
                          "allowed: %s", allowed);
    }
    TRY(scalar_text(p, e, &text));
    if (is_null(e)) /* "key:" with nothing behind it: not set */
        return NULL;
    return config_set_from_file(p->config, id, text, CONFIG_FILE, p->file, line_of(e), full);
}

/* The keys of one section; its mapping has begun. Sections are only those of the rows, so that the
 * depth is theirs and not the file's. */
static Error *read_mapping(Parser *p, const char *section)
{
    for (;;) {
        AUTO_VALUE(Event) key = {0};
        AUTO_VALUE(Event) value = {0};
        const char *name;
        SettingId id = SETTINGS;
        TRY(next(p, &key));
        if (key.yaml.type == YAML_MAPPING_END_EVENT)
            return NULL;
        if (key.yaml.type != YAML_SCALAR_EVENT)
            FAIL(ERR_CONFIG, "%s:%zu: a key is expected here", p->file->shown, line_of(&key));
        TRY(scalar_text(p, &key, &name));
        AUTO(char) full = mem_printf("%s%s%s", section, *section ? "." : "", name);
        bool dotted = strchr(name, '.') != NULL; /* a section is written as one */
        bool known = !dotted && find_key(full, &id);
        if (!known && (dotted || !is_section(full)))
            return unknown_key(p, &key, name, section);
        if (strlist_has(&p->seen, full))
            return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: \"%s\" is there twice", p->file->shown,
                                        line_of(&key), full),
                              "keep one of the two");
        strlist_add(&p->seen, full);
        TRY(next(p, &value));
        if (known)
            TRY(read_value(p, &value, id, full));
        else if (value.yaml.type == YAML_MAPPING_START_EVENT)
            TRY(read_mapping(p, full));
        else if (value.yaml.type != YAML_SCALAR_EVENT || !is_null(&value))
            return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: \"%s\" is a section, not a value",
                                        p->file->shown, line_of(&value), full),
                              "write its keys on the lines below, indented");
    }
}

static Error *read_stream(Parser *p)
{
    AUTO_VALUE(Event) e = {0};
    TRY(next(p, &e)); /* the stream's start */
    TRY(next(p, &e));
    if (e.yaml.type == YAML_STREAM_END_EVENT)
        return NULL; /* nothing but comments */
    TRY(next(p, &e));
    if (e.yaml.type == YAML_MAPPING_START_EVENT)
        TRY(read_mapping(p, ""));
    else if (e.yaml.type != YAML_SCALAR_EVENT || !is_null(&e))
        return error_hint(ERROR_NEW(ERR_CONFIG,
                                    "%s:%zu: settings are expected here, as \"key: value\"",
                                    p->file->shown, line_of(&e)),
                          "`pgstow config sample` prints a file to start from");
    TRY(next(p, &e)); /* the document's end */
    TRY(next(p, &e));
    if (e.yaml.type != YAML_STREAM_END_EVENT)
        FAIL(ERR_CONFIG, "%s:%zu: only one document (---) can be read", p->file->shown,
             line_of(&e));
    return NULL;
}

Error *config_read_yaml(Config *c, SourceFile *f, bool *found)
{
    AUTO_VALUE(Buf) text = {0};
    *found = f->chosen || config_file_is_there(f->path);
    if (!*found)
        return NULL;
    TRY(config_read_file(f, &text));
    AUTO_VALUE(Parser) p = {.config = c, .file = f};
    if (!yaml_parser_initialize(&p.yaml))
        FAIL(ERR_MEMORY, "no memory to read %s", f->shown);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, text.data, text.len);
    return read_stream(&p);
}
