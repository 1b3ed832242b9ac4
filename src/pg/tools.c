#include "pg/tools.h"

#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"

#define VERSION_OUTPUT_MAX ((size_t)64 << 10)
#define VERSION_PATIENCE_MS 30000

/* Patterns of folders. Of one pattern's matches all are looked at. */
static const char *const places[] = {
    "/usr/lib/postgresql/*/bin", /* Debian, Ubuntu */
    "/usr/pgsql-*/bin",          /* RHEL, Fedora with PostgreSQL's own packages */
    "/usr/libexec/postgresql*",  /* Alpine */
    "/usr/lib/postgresql*/bin",  /* SUSE */
    "/usr/lib64/postgresql-*/bin",
    "/usr/local/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
};
#define PLACES (sizeof places / sizeof *places)

typedef struct Search {
    const ToolsOptions *o;
    ToolName name;
    int needed; /* a rank, see rank() */
    int server_version;
    Tool *best;
    bool best_fits;
    Buf found;       /* in words, one after the other */
    StrList visited; /* resolved paths, so that links are not asked twice */
} Search;

static void search_clear(Search *s)
{
    if (s->best)
        tool_free(s->best);
    buf_free(&s->found);
    strlist_free(&s->visited);
}
DEFINE_AUTO_VALUE(Search, search_clear)

const char *tools_name(ToolName name)
{
    static const char *const names[TOOL_NAMES] = {"pg_dump", "pg_restore", "psql"};
    return names[name];
}

void tool_free(Tool *t)
{
    strlist_free(&t->argv);
    free(t->text);
    free(t);
}

/* Major versions in order: 906 for 9.6, 1500 for 15. */
static int rank(int version)
{
    return version >= 100000 ? version / 10000 * 100 : version / 100;
}

static char *version_words(int version)
{
    if (version >= 100000)
        return mem_printf("%d.%d", version / 10000, version % 10000);
    return mem_printf("%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

/* What is needed at least, as people say it: "15", "9.6". */
static char *rank_words(int needed)
{
    return needed % 100 ? mem_printf("%d.%d", needed / 100, needed % 100)
                        : mem_printf("%d", needed / 100);
}

/* "pg_dump (PostgreSQL) 15.18 (Debian ...)", "psql (PostgreSQL) 18beta1" */
static bool parse_version(const char *output, const char *name, Tool *t)
{
    const char *p = strstr(output, name);
    p = p ? strstr(p, ") ") : NULL;
    if (!p || !isdigit((unsigned char)p[2]))
        return false;
    p += 2;
    int parts[3] = {0};
    const char *at = p;
    for (int i = 0; i < 3 && isdigit((unsigned char)*at); i++) {
        while (isdigit((unsigned char)*at) && parts[i] < 1000)
            parts[i] = parts[i] * 10 + (*at++ - '0');
        if (*at != '.')
            break;
        at++;
    }
    t->major = parts[0];
    t->version =
        parts[0] >= 10 ? parts[0] * 10000 + parts[1] : parts[0] * 10000 + parts[1] * 100 + parts[2];
    t->text = mem_strndup(p, strcspn(p, " \t\r\n("));
    return true;
}

/* What `argv --version` prints, without waiting for ever: a command may hang in a container. */
static Error *run_version(const StrList *argv, const Cancel *cancel, Buf *out, char **stderr_text)
{
    AUTO_VALUE(StrList) all = {0}, env = {0};
    AUTO(Proc) p = NULL;
    strlist_copy(&all, argv);
    strlist_add(&all, "--version");
    strlist_add(&env, "LC_ALL=C");
    TRY(proc_start(&(ProcOptions){.argv = &all, .env = &env, .pipe_out = true}, &p));
    int64_t until = clock_mono_ms() + VERSION_PATIENCE_MS;
    for (size_t got = 1; got;) {
        bool ready = false;
        int64_t left = until - clock_mono_ms();
        if (left > 0)
            TRY(cancel_poll(cancel, proc_out(p), POLLIN, left, &ready));
        if (!ready && clock_mono_ms() >= until)
            FAIL(ERR_TOOL_FAILED, "no answer within %d s", VERSION_PATIENCE_MS / 1000);
        if (!ready)
            continue;
        TRY(buf_reserve(out, 4096, VERSION_OUTPUT_MAX));
        TRY(file_read_some(proc_out(p), out->data + out->len, 4096, argv->items[0], &got));
        out->len += got;
    }
    int status;
    TRY(proc_wait(p, &status));
    *stderr_text = mem_strdup(proc_stderr(p));
    return NULL;
}

static char *first_line(const char *s)
{
    AUTO(char) line = mem_strndup(s, strcspn(s, "\r\n"));
    return text_printable(line);
}

static char *joined(const StrList *argv)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < argv->count; i++)
        buf_printf(&b, "%s%s", i ? " " : "", argv->items[i]);
    return buf_steal_str(&b);
}

static void note(Search *s, const StrList *argv, const char *what)
{
    AUTO(char) command = joined(argv);
    buf_printf(&s->found, "%s%s (%s)", s->found.len ? ", " : "", command, what);
}

/* Asks one candidate for its version, and keeps it where it is the best so far. Only cancellation
 * is an error: a tool that does not work is one that was found and does not fit. */
static Error *consider(Search *s, const StrList *argv, bool is_command)
{
    AUTO_VALUE(Buf) out = {0};
    AUTO(char) said = NULL;
    AUTO(Tool) t = mem_new(Tool);
    Error *e = run_version(argv, s->o->cancel, &out, &said);
    if (e && cancel_requested(s->o->cancel))
        return e;
    if (e) {
        note(s, argv, error_message(e));
        error_drop(e);
        return NULL;
    }
    AUTO(char) output = buf_steal_str(&out);
    if (!parse_version(output, tools_name(s->name), t)) {
        AUTO(char) line = first_line(*said ? said : output);
        AUTO(char) what = mem_printf("tells no version: %s", *line ? line : "nothing at all");
        note(s, argv, what);
        return NULL;
    }
    note(s, argv, t->text);
    strlist_copy(&t->argv, argv);
    t->is_command = is_command;
    /* The lowest that fits; as long as none fits, or where no server asks, the newest. */
    bool fits = rank(t->version) >= s->needed;
    bool better = !s->best || (fits && !s->best_fits) ||
                  (fits == s->best_fits &&
                   (fits && s->server_version ? rank(t->version) < rank(s->best->version)
                                              : rank(t->version) > rank(s->best->version)));
    if (!better)
        return NULL;
    if (s->best)
        tool_free(s->best);
    s->best = STEAL(t);
    s->best_fits = fits;
    return NULL;
}

static Error *consider_file(Search *s, const char *path)
{
    if (!file_is_executable(path))
        return NULL;
    char real[PATH_MAX];
    const char *resolved = realpath(path, real) ? real : path;
    /* Debian's /usr/bin/pg_dump runs another version depending on its arguments, so what it says
     * of itself is worth nothing; what it runs is found in the next place. */
    if (text_ends(resolved, "/pg_wrapper") || strlist_has(&s->visited, resolved))
        return NULL;
    strlist_add(&s->visited, resolved);
    AUTO_VALUE(StrList) argv = {0};
    strlist_add(&argv, path);
    return consider(s, &argv, false);
}

static Error *consider_path(Search *s)
{
    const char *path = s->o->path ? s->o->path : getenv("PATH");
    AUTO(char) copy = mem_strdup(path ? path : "");
    char *save = NULL;
    for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        AUTO(char) file = file_join(dir, tools_name(s->name));
        TRY(consider_file(s, file));
    }
    return NULL;
}

static Error *consider_place(Search *s, const char *place)
{
    AUTO(char)
    pattern = mem_printf("%s%s/%s", s->o->root ? s->o->root : "", place, tools_name(s->name));
    glob_t found = {0};
    Error *e = NULL;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && !e; i++)
            e = consider_file(s, found.gl_pathv[i]);
    globfree(&found);
    return e;
}

/* A folder, a program, or a command with its arguments. */
static Error *consider_setting(Search *s, const char *setting)
{
    struct stat st;
    AUTO_VALUE(StrList) argv = {0};
    if (stat(setting, &st) == 0 && S_ISDIR(st.st_mode))
        strlist_own(&argv, file_join(setting, tools_name(s->name)));
    else if (stat(setting, &st) == 0 && S_ISREG(st.st_mode) && strchr(setting, '/'))
        strlist_add(&argv, setting); /* also with spaces in its path */
    else
        TRY_CTX(proc_split(setting, &argv), "the setting for %s", tools_name(s->name));
    if (!argv.count)
        FAIL(ERR_CONFIG, "the setting for %s is empty", tools_name(s->name));
    return consider(s, &argv, argv.count > 1);
}

static const char *setting_of(const ToolsOptions *o, ToolName name)
{
    return o->setting[name] && *o->setting[name] ? o->setting[name] : NULL;
}

char *tools_places(const ToolsOptions *o, ToolName name)
{
    const char *setting = setting_of(o, name);
    if (setting)
        return mem_printf("the setting for %s: %s", tools_name(name), setting);
    const char *path = o->path ? o->path : getenv("PATH");
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "PATH (%s)", path ? path : "empty");
    for (size_t i = 0; i < PLACES; i++)
        buf_printf(&b, "\n%s%s", o->root ? o->root : "", places[i]);
    return buf_steal_str(&b);
}

/* "for a server of version 15.18, 15 or newer is needed" */
static char *need_words(const Search *s)
{
    AUTO(char) least = rank_words(s->needed);
    if (!s->needed)
        return mem_strdup("any version will do");
    if (!s->server_version)
        return mem_printf("%s or newer is needed", least);
    AUTO(char) server = version_words(s->server_version);
    if (s->needed > rank(s->server_version))
        return mem_printf("the archive asks for %s or newer, the server (%s) would not", least,
                          server);
    return mem_printf("for the server's version %s, %s or newer is needed", server, least);
}

static Error *refuse(const Search *s, ErrorKind kind, bool forced)
{
    const char *name = tools_name(s->name);
    AUTO(char) lines = tools_places(s->o, s->name);
    AUTO_VALUE(Buf) joined_lines = {0};
    for (const char *p = lines; *p; p++)
        buf_add(&joined_lines, *p == '\n' ? ", " : p, *p == '\n' ? 2 : 1);
    AUTO(char) places_text = buf_steal_str(&joined_lines);
    AUTO(char) need = need_words(s);
    AUTO(char) install = tools_install_hint(s->o->root, s->needed / 100);
    const char *found = s->found.len ? (const char *)s->found.data : "";
    int found_len = (int)s->found.len;
    Error *e;
    if (forced)
        e = ERROR_NEW(kind,
                      "%s counts as missing, because FORCE_PG_DUMP_MISSING is set (%s); otherwise "
                      "looked for in: %s",
                      name, need, places_text);
    else if (kind == ERR_TOOL_VERSION)
        e = ERROR_NEW(kind, "every %s found is too old: %s; found: %.*s", name, need, found_len,
                      found);
    else if (found_len)
        e = ERROR_NEW(kind, "no %s that works was found (%s); found: %.*s; looked in: %s", name,
                      need, found_len, found, places_text);
    else
        e = ERROR_NEW(kind, "%s was not found (%s); looked in: %s", name, need, places_text);
    return error_hint(e, "%s%s",
                      forced ? "unset FORCE_PG_DUMP_MISSING; where it really is missing:\n" : "",
                      install);
}

Error *tools_find(const ToolsOptions *o, ToolName name, int server_version, int least_major,
                  Tool **out)
{
    AUTO_VALUE(Search) s = {.o = o, .name = name, .server_version = server_version};
    int server = rank(server_version), least = least_major * 100;
    s.needed = server > least ? server : least;
    if (name == TOOL_PG_DUMP && o->force_pg_dump_missing)
        return refuse(&s, ERR_TOOL_MISSING, true);
    const char *setting = setting_of(o, name);
    if (setting) {
        TRY(consider_setting(&s, setting));
    } else {
        TRY(consider_path(&s));
        for (size_t i = 0; i < PLACES; i++)
            TRY(consider_place(&s, places[i]));
    }
    if (!s.best)
        return refuse(&s, ERR_TOOL_MISSING, false);
    if (!s.best_fits)
        return refuse(&s, ERR_TOOL_VERSION, false);
    *out = STEAL(s.best);
    return NULL;
}
