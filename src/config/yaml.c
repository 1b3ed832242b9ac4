#include <string.h>
#include <yaml.h>

#include "config/config_internal.h"

/* libyaml's own types, held the way this house holds things. */
typedef struct Parser {
    yaml_parser_t yaml;
    Config *config; /* of the entry, while one is read */
    const SourceFile *file;
    StrList seen;        /* keys, with their section */
    ConfigSource source; /* CONFIG_ENTRY while an entry is read */
    char *name;          /* its name, once it is read; owned */
} Parser;
static void parser_clear(Parser *p)
{
    yaml_parser_delete(&p->yaml);
    strlist_free(&p->seen);
    free(p->name);
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

#define ENTRIES "databases"
#define PEERS "peers"
#define ENTRIES_MAX 1000
#define PEERS_MAX 1000

/* The sections whose keys stand in an entry without them. */
static const char *const bare[] = {"database", "backup"};

/* The section that has no place in an entry. */
#define NOT_IN_ENTRY "server"

static bool is_bare(const char *section)
{
    return !strcmp(section, bare[0]) || !strcmp(section, bare[1]);
}

/* The keys and sections known under a section ("" is the top, or that of an entry), each once. */
static void known_names(const Parser *p, const char *section, StrList *out)
{
    size_t n = strlen(section);
    bool entry = !n && p->source == CONFIG_ENTRY;
    if (entry)
        strlist_add(out, "name");
    for (SettingId id = 0; id < SETTINGS; id++) {
        const char *key = setting_info(id)->key;
        if (!*key || (n && (strncmp(key, section, n) != 0 || key[n] != '.')))
            continue;
        const char *rest = n ? key + n + 1 : key;
        AUTO(char) name = mem_strndup(rest, strcspn(rest, "."));
        if (entry && is_bare(name)) {
            free(name);
            name = mem_strdup(strchr(rest, '.') + 1);
        }
        if (!strlist_has(out, name) && !(entry && !strcmp(name, NOT_IN_ENTRY)))
            strlist_add(out, name);
    }
    if (!n && !entry) {
        strlist_add(out, ENTRIES);
        strlist_add(out, PEERS);
    }
}

static Error *unknown_key(const Parser *p, const Event *key, const char *name, const char *section)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(Buf) hint = {0};
    known_names(p, section, &names);
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

static bool is_section(const Parser *p, const char *name)
{
    size_t n = strlen(name);
    if (p->source == CONFIG_ENTRY && (is_bare(name) || !strcmp(name, NOT_IN_ENTRY)))
        return false;
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

/* The setting that a key means; *full gets its whole name. */
static bool find_setting(const Parser *p, const char *section, const char *name, SettingId *out,
                         char **full)
{
    for (size_t i = 0; i < 2 && p->source == CONFIG_ENTRY && !*section; i++) {
        AUTO(char) key = mem_printf("%s.%s", bare[i], name);
        if (find_key(key, out)) {
            *full = STEAL(key);
            return true;
        }
    }
    *full = mem_printf("%s%s%s", section, *section ? "." : "", name);
    return find_key(*full, out);
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

/* One condition with a name, whose mapping has begun: its text is "NAME: TABLE: CONDITION". */
static Error *read_named(Parser *p, size_t line, SettingId id, const char *full)
{
    static const char *const keys[] = {"name", "table", "where"};
    AUTO(char) name = NULL;
    AUTO(char) table = NULL;
    AUTO(char) where = NULL;
    char **texts[] = {&name, &table, &where};
    for (;;) {
        AUTO_VALUE(Event) key = {0};
        AUTO_VALUE(Event) value = {0};
        const char *text;
        size_t i = 0;
        TRY(next(p, &key));
        if (key.yaml.type == YAML_MAPPING_END_EVENT)
            break;
        TRY(next(p, &value));
        if (key.yaml.type != YAML_SCALAR_EVENT || value.yaml.type != YAML_SCALAR_EVENT)
            FAIL(ERR_CONFIG, "%s:%zu: of %s each has the keys name, table and where",
                 p->file->shown, line_of(&key), full);
        TRY(scalar_text(p, &key, &text));
        while (i < 3 && strcmp(text, keys[i]) != 0)
            i++;
        if (i == 3 || *texts[i])
            return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: the key \"%s\" is %s in %s",
                                        p->file->shown, line_of(&key), text,
                                        i == 3 ? "unknown" : "there twice", full),
                              "there are name, table and where");
        TRY(scalar_text(p, &value, &text));
        *texts[i] = is_null(&value) ? NULL : mem_strdup(text);
    }
    if (!name || !table || strpbrk(name, ": "))
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: of %s each needs a name and a table",
                                    p->file->shown, line, full),
                          "- {name: demo, table: shop.orders, where: demo}; a name has no spaces "
                          "and no colons");
    AUTO(char) text = mem_printf("%s: %s: %s", name, table, where ? where : "true");
    return config_set_from_file(p->config, id, text, p->source, p->file, line, full);
}

/* The values of a setting that may have several. */
static Error *read_list(Parser *p, SettingId id, const char *full)
{
    for (;;) {
        AUTO_VALUE(Event) value = {0};
        TRY(next(p, &value));
        if (value.yaml.type == YAML_SEQUENCE_END_EVENT)
            return NULL;
        if (value.yaml.type == YAML_MAPPING_START_EVENT &&
            !strcmp(setting_info(id)->allowed, SETTING_NAMED)) {
            TRY(read_named(p, line_of(&value), id, full));
            continue;
        }
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
    return config_set_from_file(p->config, id, text, p->source, p->file, line_of(e), full);
}

static Error *read_mapping(Parser *p, const char *section);

static Error *read_entry_name(Parser *p, const Event *value)
{
    const char *text = "";
    if (value->yaml.type == YAML_SCALAR_EVENT)
        TRY(scalar_text(p, value, &text));
    if (!config_is_entry_name(text))
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: that is no name for an entry of databases",
                                    p->file->shown, line_of(value)),
                          "up to 63 letters, digits, \"_\", \"-\", \".\", the first a letter or a "
                          "digit");
    p->name = mem_strdup(text);
    return NULL;
}

/* One entry; its mapping has begun at this line. */
static Error *read_entry(Parser *p, size_t line)
{
    Config *whole = p->config;
    AUTO(Config) entry = mem_new(Config);
    AUTO_VALUE(StrList) outside = p->seen;
    p->seen = (StrList){0};
    p->config = entry;
    p->source = CONFIG_ENTRY;
    Error *e = read_mapping(p, "");
    AUTO(char) name = STEAL(p->name);
    p->config = whole;
    p->source = CONFIG_FILE;
    strlist_free(&p->seen);
    p->seen = outside;
    outside = (StrList){0};
    TRY(e);
    if (!name)
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: this entry of databases has no name",
                                    p->file->shown, line),
                          "give it one: \"- name: shop\"; --entry and the service know it by that");
    if (strlist_has(&whole->entries, name))
        FAIL(ERR_CONFIG, "%s:%zu: a second entry \"%s\" in databases", p->file->shown, line, name);
    if (whole->entries.count == ENTRIES_MAX)
        FAIL(ERR_CONFIG, "%s:%zu: over %d entries in databases", p->file->shown, line, ENTRIES_MAX);
    config_add_entry(whole, name, STEAL(entry));
    return NULL;
}

/* One peer; its mapping has begun at this line. */
static Error *read_peer(Parser *p, size_t line)
{
    AUTO_VALUE(ConfigPeer) peer = {0};
    for (;;) {
        AUTO_VALUE(Event) key = {0};
        AUTO_VALUE(Event) value = {0};
        const char *name, *text;
        TRY(next(p, &key));
        if (key.yaml.type == YAML_MAPPING_END_EVENT)
            break;
        TRY(next(p, &value));
        if (key.yaml.type != YAML_SCALAR_EVENT || value.yaml.type != YAML_SCALAR_EVENT)
            FAIL(ERR_CONFIG, "%s:%zu: a peer has keys, each with one value", p->file->shown,
                 line_of(&key));
        TRY(scalar_text(p, &key, &name));
        TRY(scalar_text(p, &value, &text));
        if (!is_null(&value))
            TRY_CTX(config_peer_from_file(&peer, p->file, name, text), "%s:%zu", p->file->shown,
                    line_of(&key));
    }
    if (p->config->peer_count == PEERS_MAX)
        FAIL(ERR_CONFIG, "%s:%zu: over %d peers", p->file->shown, line, PEERS_MAX);
    TRY_CTX(config_add_peer(p->config, &peer), "%s:%zu", p->file->shown, line);
    return NULL;
}

/* A list of mappings, `databases` or `peers`. */
static Error *read_items(Parser *p, const Event *list, const char *name)
{
    bool peers = !strcmp(name, PEERS);
    if (list->yaml.type == YAML_SCALAR_EVENT && is_null(list))
        return NULL;
    if (list->yaml.type != YAML_SEQUENCE_START_EVENT)
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "%s:%zu: %s is a list", p->file->shown, line_of(list), name),
            "each %s begins with \"- name: \", its keys indented below", peers ? "peer" : "entry");
    for (;;) {
        AUTO_VALUE(Event) e = {0};
        TRY(next(p, &e));
        if (e.yaml.type == YAML_SEQUENCE_END_EVENT)
            return NULL;
        if (e.yaml.type != YAML_MAPPING_START_EVENT)
            return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: an entry of %s has keys",
                                        p->file->shown, line_of(&e), name),
                              "each begins with \"- name: \", its keys indented below");
        TRY(peers ? read_peer(p, line_of(&e)) : read_entry(p, line_of(&e)));
    }
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
        AUTO(char) full = NULL;
        bool dotted = strchr(name, '.') != NULL; /* a section is written as one */
        bool known = find_setting(p, section, name, &id, &full) && !dotted;
        bool own = !*section &&
                   (p->source == CONFIG_ENTRY ? !strcmp(name, "name")
                                              : !strcmp(name, ENTRIES) || !strcmp(name, PEERS));
        if (!known && !own && (dotted || !is_section(p, full)))
            return unknown_key(p, &key, name, section);
        const char *shown = p->source == CONFIG_ENTRY && !*section ? name : full;
        if (strlist_has(&p->seen, shown))
            return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: \"%s\" is there twice", p->file->shown,
                                        line_of(&key), shown),
                              "keep one of the two");
        strlist_add(&p->seen, shown);
        TRY(next(p, &value));
        if (own)
            TRY(p->source == CONFIG_ENTRY ? read_entry_name(p, &value)
                                          : read_items(p, &value, name));
        else if (known)
            TRY(read_value(p, &value, id, shown));
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
    AUTO_VALUE(Parser) p = {.config = c, .file = f, .source = CONFIG_FILE};
    if (!yaml_parser_initialize(&p.yaml))
        FAIL(ERR_MEMORY, "no memory to read %s", f->shown);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, text.data, text.len);
    return read_stream(&p);
}
