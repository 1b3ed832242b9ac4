#include "config/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

static void value_clear(Value *v)
{
    for (size_t i = 0; i < v->texts.count; i++)
        explicit_bzero(v->texts.items[i], strlen(v->texts.items[i]));
    strlist_free(&v->texts);
    free(v->origin);
    *v = (Value){0};
}

void config_free(Config *c)
{
    if (!c)
        return;
    for (SettingId id = 0; id < SETTINGS; id++)
        value_clear(&c->values[id]);
    for (size_t i = 0; i < c->libpq.count; i++)
        explicit_bzero(c->libpq.items[i], strlen(c->libpq.items[i]));
    strlist_free(&c->libpq);
    for (size_t i = 0; i < c->entries.count; i++)
        config_free(c->entry[i]);
    free(c->entry);
    strlist_free(&c->entries);
    for (size_t i = 0; i < c->peer_count; i++)
        config_peer_clear(&c->peers[i]);
    free(c->peers);
    free(c->yaml_file);
    free(c->dotenv_file);
    free(c);
}

Error *config_set(Config *c, SettingId id, const char *text, ConfigSource source,
                  const char *origin, const char *name)
{
    Value *v = &c->values[id];
    int64_t number;
    Error *e = setting_parse(id, text, &number);
    if (e) {
        e = name ? error_context(e, "%s: %s", origin, name) : error_context(e, "%s", origin);
        return source == CONFIG_FLAG ? error_rekind(e, ERR_USAGE) : e;
    }
    /* A list grows within one source; a stronger source replaces it. */
    if (setting_info(id)->type != SETTING_IS_LIST || v->source != source)
        value_clear(v);
    free(v->origin);
    strlist_add(&v->texts, text);
    v->number = number;
    v->source = source;
    v->origin = mem_strdup(origin);
    return NULL;
}

bool config_is_strange(const SourceFile *f)
{
    return !f->chosen && f->owner != 0 && f->owner != geteuid();
}

Error *config_set_from_file(Config *c, SettingId id, const char *text, ConfigSource source,
                            const SourceFile *f, size_t line, const char *name)
{
    const SettingInfo *s = setting_info(id);
    AUTO(char) origin = mem_printf("%s:%zu", f->shown, line);
    /* Whoever can leave a file where we are run must not get a program of his started. */
    bool program = s->type == SETTING_IS_COMMAND || s->type == SETTING_IS_SHELL;
    bool runs = program || id == SETTING_ASSERTIONS || id == SETTING_WHERE || id == SETTING_MASK ||
                id == SETTING_SYNC_EXCLUDE;
    if (runs && config_is_strange(f))
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "%s: %s names %s, and the file belongs to another user (%u)",
                      origin, name, program ? "a program" : "SQL to be run", (unsigned)f->owner),
            "give the file by --config if you trust it%s%s%s", *s->env ? ", or set " : "", s->env,
            *s->env ? " in the environment" : "");
    bool secret =
        s->type == SETTING_IS_SECRET || (s->type == SETTING_IS_URL && setting_url_has_secret(text));
    if (secret && (f->mode & S_IROTH))
        log_warning("%s: %s holds a password, and every user of this machine can read the file: "
                    "chmod 600 %s",
                    origin, name, f->path);
    return config_set(c, id, text, source, origin, name);
}

bool config_file_is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

Error *config_read_file(SourceFile *f, Buf *out)
{
    AUTO_VALUE(Fd) fd = {open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat st;
    if (fd.n < 0 && errno == ENOENT)
        FAIL(ERR_CONFIG, "there is no file %s to read settings from", f->shown);
    if (fd.n < 0 || fstat(fd.n, &st) < 0)
        return error_hint(
            error_errno(ERR_CONFIG, ERR_CONFIG, "cannot read the settings of %s", f->shown),
            "let this user read it, or work in another directory");
    if (!S_ISREG(st.st_mode))
        FAIL(ERR_CONFIG, "%s is not a file", f->shown);
    f->owner = st.st_uid;
    f->mode = st.st_mode;
    if (st.st_size > (off_t)CONFIG_FILE_MAX)
        FAIL(ERR_CONFIG, "%s is larger than 1 MiB, which no file of settings is", f->shown);
    TRY(buf_reserve(out, (size_t)st.st_size + 1, CONFIG_FILE_MAX + 1));
    size_t got;
    TRY(file_read_some(fd.n, out->data, (size_t)st.st_size, f->shown, &got));
    out->len = got;
    out->data[got] = 0;
    return NULL;
}

const char *config_getenv(char *const *environment, const char *name)
{
    size_t n = strlen(name);
    for (; environment && *environment; environment++)
        if (!strncmp(*environment, name, n) && (*environment)[n] == '=')
            return *environment + n + 1;
    return NULL;
}

static Error *set_defaults(Config *c)
{
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        c->values[id].origin = mem_strdup("default");
        if (*s->standard)
            TRY(config_set(c, id, s->standard, CONFIG_DEFAULT, "default", s->id));
    }
    return NULL;
}

static Error *read_yaml(Config *c, const ConfigInputs *in, const char *chosen)
{
    AUTO(char) here = file_join(in->dir, "pgstow.yaml");
    AUTO(char) system = file_join(in->system_dir ? in->system_dir : "/etc/pgstow", "pgstow.yaml");
    SourceFile files[] = {{.path = here, .shown = "pgstow.yaml"},
                          {.path = system, .shown = system, .chosen = false}};
    SourceFile given = {.path = chosen, .shown = chosen, .chosen = true};
    bool found = false;
    if (chosen) {
        TRY(config_read_yaml(c, &given, &found));
        c->yaml_file = mem_strdup(chosen);
        return NULL;
    }
    for (size_t i = 0; i < 2 && !found; i++) {
        TRY(config_read_yaml(c, &files[i], &found));
        if (found)
            c->yaml_file = mem_strdup(files[i].shown);
    }
    return NULL;
}

static Error *read_dotenv(Config *c, const ConfigInputs *in)
{
    AUTO(char) path = file_join(in->dir, ".env");
    SourceFile f = {.path = path, .shown = ".env"};
    bool found = false;
    TRY(config_read_dotenv(c, &f, in->environment, &found));
    if (found)
        c->dotenv_file = mem_strdup(f.shown);
    return NULL;
}

static const char *flag_of(const ConfigInputs *in, SettingId id)
{
    const char *value = NULL;
    for (size_t i = 0; i < in->flag_count; i++)
        if (in->flags[i].id == id)
            value = in->flags[i].value;
    return value;
}

static Error *load(Config *c, const ConfigInputs *in)
{
    TRY(set_defaults(c));
    TRY(read_yaml(c, in, flag_of(in, SETTING_CONFIG)));
    TRY(read_dotenv(c, in));
    for (SettingId id = 0; id < SETTINGS; id++) {
        const char *name = setting_info(id)->env;
        const char *text = *name ? config_getenv(in->environment, name) : NULL;
        if (text && *text)
            TRY(config_set(c, id, text, CONFIG_ENVIRONMENT, name, NULL));
    }
    if (flag_of(in, SETTING_ENTRY))
        TRY(config_apply_entry(c, flag_of(in, SETTING_ENTRY)));
    for (size_t i = 0; i < in->flag_count; i++) {
        AUTO(char) origin = mem_printf("--%s", setting_info(in->flags[i].id)->flag);
        TRY(config_set(c, in->flags[i].id, in->flags[i].value, CONFIG_FLAG, origin, NULL));
    }
    return NULL;
}

Error *config_load(const ConfigInputs *inputs, Config **out)
{
    AUTO(Config) c = mem_new(Config);
    TRY(load(c, inputs));
    *out = STEAL(c);
    return NULL;
}

const char *config_str(const Config *c, SettingId id)
{
    const StrList *texts = &c->values[id].texts;
    return texts->count ? texts->items[0] : NULL;
}

bool config_bool(const Config *c, SettingId id)
{
    return c->values[id].number != 0;
}

int64_t config_int(const Config *c, SettingId id)
{
    return c->values[id].number;
}

uint64_t config_size(const Config *c, SettingId id)
{
    return (uint64_t)c->values[id].number;
}

int64_t config_duration(const Config *c, SettingId id)
{
    return c->values[id].number;
}

Instant config_instant(const Config *c, SettingId id)
{
    return c->values[id].number;
}

const StrList *config_list(const Config *c, SettingId id)
{
    return &c->values[id].texts;
}

ConfigSource config_source(const Config *c, SettingId id)
{
    return c->values[id].source;
}

const char *config_origin(const Config *c, SettingId id)
{
    return c->values[id].origin;
}

char *config_shown(const Config *c, SettingId id)
{
    const StrList *texts = &c->values[id].texts;
    if (!texts->count)
        return NULL;
    if (setting_info(id)->type == SETTING_IS_URL)
        return setting_redact_url(texts->items[0]);
    if (setting_info(id)->type == SETTING_IS_SECRET)
        return mem_strdup("***");
    Buf out = {0};
    for (size_t i = 0; i < texts->count; i++) {
        /* A web address may have a password in it, too. */
        AUTO(char)
        text = strstr(texts->items[i], "://") ? setting_redact_url(texts->items[i])
                                              : mem_strdup(texts->items[i]);
        buf_printf(&out, "%s%s", i ? ", " : "", text);
    }
    return buf_steal_str(&out);
}

const char *config_yaml_file(const Config *c)
{
    return c->yaml_file;
}

const char *config_dotenv_file(const Config *c)
{
    return c->dotenv_file;
}

const StrList *config_libpq(const Config *c)
{
    return &c->libpq;
}

void config_export_libpq(const Config *c)
{
    for (size_t i = 0; i < c->libpq.count; i++) {
        const char *equals = strchr(c->libpq.items[i], '=');
        AUTO(char) name = mem_strndup(c->libpq.items[i], (size_t)(equals - c->libpq.items[i]));
        if (setenv(name, equals + 1, 0) < 0)
            abort(); /* only for want of memory */
    }
}

char *config_take_secret(Config *c, SettingId id)
{
    StrList *texts = &c->values[id].texts;
    if (!texts->count)
        return NULL;
    char *text = texts->items[0];
    texts->count = 0;
    return text;
}

void config_forget_secrets(void)
{
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        char *text = s->type == SETTING_IS_SECRET && *s->env ? getenv(s->env) : NULL;
        if (!text)
            continue;
        explicit_bzero(text, strlen(text));
        unsetenv(s->env);
    }
}
