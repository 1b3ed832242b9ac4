#include "pg/dbadmin_setting.h"

#include <ctype.h>
#include <string.h>

/* The settings that PostgreSQL marks GUC_LIST_QUOTE, as its own pg_dump has to know them;
 * extensions cannot have such. */
static bool is_name_list(const char *name)
{
    static const char *const names[] = {"local_preload_libraries",   "search_path",
                                        "session_preload_libraries", "shared_preload_libraries",
                                        "temp_tablespaces",          "unix_socket_directories"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal_nocase(name, names[i]))
            return true;
    return false;
}

/* A list of identifiers, quoted where need be and divided by commas, as string literals. */
static void add_names(const char *s, Buf *out)
{
    bool first = true;
    for (;;) {
        s += strspn(s, " ");
        AUTO_VALUE(Buf) name = {0};
        if (*s == '"') {
            for (s++; *s && (*s != '"' || *++s == '"'); s++)
                buf_u8(&name, (uint8_t)*s);
        } else {
            size_t n = strcspn(s, ",");
            size_t trimmed = n;
            while (trimmed && s[trimmed - 1] == ' ')
                trimmed--;
            buf_add(&name, s, trimmed);
            s += n;
        }
        AUTO(char) text = buf_steal_str(&name);
        AUTO(char) literal = text_sql_literal(text);
        buf_printf(out, "%s%s", first ? "" : ", ", literal);
        first = false;
        s += strspn(s, " ");
        if (*s != ',')
            return;
        s++;
    }
}

char *db_setting_clause(const char *setting)
{
    size_t n = strcspn(setting, "=");
    AUTO(char) name = mem_strndup(setting, n);
    const char *value = setting[n] ? setting + n + 1 : "";
    AUTO_VALUE(Buf) b = {0};
    /* A custom setting's name has a dot in it: each part is an identifier. */
    const char *part = name;
    for (const char *dot; (dot = strchr(part, '.')); part = dot + 1) {
        AUTO(char) one = mem_strndup(part, (size_t)(dot - part));
        AUTO(char) quoted = text_sql_ident(one);
        buf_printf(&b, "%s.", quoted);
    }
    AUTO(char) last = text_sql_ident(part);
    buf_printf(&b, "%s TO ", last);
    if (is_name_list(name)) {
        add_names(value, &b);
    } else {
        AUTO(char) literal = text_sql_literal(value);
        buf_add_str(&b, literal);
    }
    return buf_steal_str(&b);
}
