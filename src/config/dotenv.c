/* .env: KEY=VALUE lines, as applications have them. Most of it is not ours: only names that pgstow
 * or libpq know are taken, and only in those is anything found wrong.
 *
 * "export " may stand in front. 'single quotes': as it is. "double quotes": \n \t \r \" \\ \$. Both
 * may go over several lines. Unquoted: up to the end of the line or a " #", without blanks around.
 * ${NAME} is not replaced but refused, since it would be wrong silently.
 */
#include <ctype.h>
#include <string.h>

#include "config/config_internal.h"

/* The variables that libpq reads (its manual, "Environment Variables"). */
static const char *const libpq_names[] = {"PGAPPNAME",
                                          "PGCHANNELBINDING",
                                          "PGCLIENTENCODING",
                                          "PGCONNECT_TIMEOUT",
                                          "PGDATABASE",
                                          "PGGSSENCMODE",
                                          "PGGSSDELEGATION",
                                          "PGGSSLIB",
                                          "PGHOST",
                                          "PGHOSTADDR",
                                          "PGKRBSRVNAME",
                                          "PGLOADBALANCEHOSTS",
                                          "PGOPTIONS",
                                          "PGPASSFILE",
                                          "PGPASSWORD",
                                          "PGPORT",
                                          "PGREQUIREAUTH",
                                          "PGREQUIREPEER",
                                          "PGREQUIRESSL",
                                          "PGSERVICE",
                                          "PGSERVICEFILE",
                                          "PGSSLCERT",
                                          "PGSSLCERTMODE",
                                          "PGSSLCOMPRESSION",
                                          "PGSSLCRL",
                                          "PGSSLCRLDIR",
                                          "PGSSLKEY",
                                          "PGSSLMAXPROTOCOLVERSION",
                                          "PGSSLMINPROTOCOLVERSION",
                                          "PGSSLMODE",
                                          "PGSSLNEGOTIATION",
                                          "PGSSLROOTCERT",
                                          "PGSSLSNI",
                                          "PGSYSCONFDIR",
                                          "PGTARGETSESSIONATTRS",
                                          "PGTZ",
                                          "PGUSER"};

typedef struct Scanner {
    const char *at;
    size_t line;
} Scanner;

/* The text up to the closing quote, over lines where need be; NULL where none closes it, and then
 * nothing is taken. */
static char *scan_quoted(Scanner *s, bool *expands)
{
    char quote = *s->at;
    size_t line = s->line;
    Buf out = {0};
    const char *p = s->at + 1;
    for (; *p && *p != quote; p++) {
        if (*p == '\n')
            line++;
        if (quote == '"' && *p == '\\' && p[1]) {
            static const char escapes[][2] = {{'n', '\n'}, {'t', '\t'},  {'r', '\r'},
                                              {'"', '"'},  {'\\', '\\'}, {'$', '$'}};
            size_t i = 0, n = sizeof escapes / sizeof *escapes;
            while (i < n && escapes[i][0] != p[1])
                i++;
            if (i < n) {
                buf_u8(&out, (uint8_t)escapes[i][1]);
                p++;
                continue;
            }
        }
        if (quote == '"' && p[0] == '$' && p[1] == '{')
            *expands = true;
        buf_u8(&out, (uint8_t)*p);
    }
    if (*p != quote) {
        buf_free(&out);
        return NULL;
    }
    s->at = p + 1;
    s->line = line;
    return buf_steal_str(&out);
}

static char *scan_plain(Scanner *s, bool *expands)
{
    const char *end = s->at;
    while (*end && *end != '\n' &&
           !(*end == '#' && (end == s->at || isblank((unsigned char)end[-1]))))
        end++;
    const char *last = end;
    while (last > s->at && isspace((unsigned char)last[-1]))
        last--;
    char *text = mem_strndup(s->at, (size_t)(last - s->at));
    *expands = strstr(text, "${") != NULL;
    s->at = end;
    return text;
}

static bool is_libpq_name(const char *name)
{
    for (size_t i = 0; i < sizeof libpq_names / sizeof *libpq_names; i++)
        if (!strcmp(libpq_names[i], name))
            return true;
    return false;
}

static bool find_env(const char *name, SettingId *out)
{
    for (SettingId id = 0; id < SETTINGS; id++)
        if (*setting_info(id)->env && !strcmp(setting_info(id)->env, name)) {
            *out = id;
            return true;
        }
    return false;
}

typedef struct Assignment {
    char *name, *value;
    size_t line;
    bool open, expands; /* a quote that nothing closes; a ${NAME} */
} Assignment;
static void assignment_clear(Assignment *a)
{
    if (a->value)
        explicit_bzero(a->value, strlen(a->value));
    free(a->name);
    free(a->value);
}
DEFINE_AUTO_VALUE(Assignment, assignment_clear)

/* The assignment of the line at hand, if it is one; goes on to the next line either way. */
static void scan_line(Scanner *s, Assignment *out)
{
    s->at += strspn(s->at, " \t");
    if (text_starts(s->at, "export ") || text_starts(s->at, "export\t"))
        s->at += 7 + strspn(s->at + 7, " \t");
    size_t n = 0;
    while (isalnum((unsigned char)s->at[n]) || s->at[n] == '_')
        n++;
    const char *equals = s->at + n + strspn(s->at + n, " \t");
    if (n && *equals == '=') {
        out->name = mem_strndup(s->at, n);
        out->line = s->line;
        s->at = equals + 1 + strspn(equals + 1, " \t");
        if (*s->at == '"' || *s->at == '\'') {
            out->value = scan_quoted(s, &out->expands);
            out->open = !out->value;
        } else {
            out->value = scan_plain(s, &out->expands);
        }
    }
    s->at += strcspn(s->at, "\n");
    if (*s->at) {
        s->at++;
        s->line++;
    }
}

static void take_libpq(Config *c, const Assignment *a)
{
    size_t n = strlen(a->name);
    for (size_t i = 0; i < c->libpq.count; i++)
        if (!strncmp(c->libpq.items[i], a->name, n) && c->libpq.items[i][n] == '=') {
            free(c->libpq.items[i]); /* the last of two counts, as in a shell */
            c->libpq.items[i] = mem_printf("%s=%s", a->name, a->value);
            return;
        }
    strlist_own(&c->libpq, mem_printf("%s=%s", a->name, a->value));
}

Error *config_read_dotenv(Config *c, SourceFile *f, char *const *environment, bool *found)
{
    AUTO_VALUE(Buf) text = {0};
    *found = config_file_is_there(f->path);
    if (!*found)
        return NULL;
    TRY(config_read_file(f, &text));
    Scanner s = {.at = (const char *)text.data, .line = 1};
    if (text_starts(s.at, "\xef\xbb\xbf"))
        s.at += 3;
    while (*s.at) {
        AUTO_VALUE(Assignment) a = {0};
        SettingId id = SETTINGS;
        scan_line(&s, &a);
        if (!a.name)
            continue;
        bool libpq = is_libpq_name(a.name);
        if (!libpq && !find_env(a.name, &id))
            continue;
        if (a.open)
            FAIL(ERR_CONFIG, "%s:%zu: %s: nothing closes the quote", f->shown, a.line, a.name);
        if (a.expands)
            return error_hint(ERROR_NEW(ERR_CONFIG, "%s:%zu: %s: ${...} is not replaced here",
                                        f->shown, a.line, a.name),
                              "write the value out, or put it in single quotes if it is meant so");
        if (!*a.value)
            continue;
        if (!libpq)
            TRY(config_set_from_file(c, id, a.value, CONFIG_DOTENV, f, a.line, a.name));
        else if (!config_getenv(environment, a.name))
            take_libpq(c, &a);
    }
    explicit_bzero(text.data, text.len);
    return NULL;
}
