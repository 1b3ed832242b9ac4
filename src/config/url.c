#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/setting.h"

#define SPACES " \t\r\n\v\f" /* as libpq has them */

static bool is_secret_name(const char *p, size_t n)
{
    static const char *const names[] = {"password", "sslpassword", "passwd", "pass"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && !strncasecmp(names[i], p, n))
            return true;
    return false;
}

/* The same for a name in a URI, in which any character may be %XX. */
static bool is_secret_parameter(const char *p, size_t n)
{
    AUTO_VALUE(Buf) name = {0};
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        char hex[3] = {0};
        if (c == '%' && n - i > 2) {
            memcpy(hex, p + i + 1, 2);
            i += text_unhex(hex, &c, 1) ? 2 : 0;
        }
        buf_u8(&name, c);
    }
    return name.len && is_secret_name((const char *)name.data, name.len);
}

static void redact_uri(const char *url, const char *rest, Buf *out)
{
    /* A person's unescaped password may hold "/", "?" or another "@": libpq reads that differently,
     * but what is shown must hide it either way. So the login is taken to end at the last "@"
     * before the query, or where there is none, at the last one of all. */
    const char *query = strchr(rest, '?');
    const char *at = NULL;
    for (const char *p = rest; *p && (!query || p < query || !at); p++)
        if (*p == '@')
            at = p;
    const char *colon = memchr(rest, ':', at ? (size_t)(at - rest) : 0);
    if (colon && query && colon > query) {
        /* A login with a "?" in its name, or a query with a password that has ":" and "@". */
        buf_add(out, url, (size_t)(query + 1 - url));
        buf_add_str(out, "***");
        return;
    }
    if (colon) {
        if (query && at > query)
            query = strchr(at, '?');
        buf_add(out, url, (size_t)(colon + 1 - url));
        buf_add_str(out, "***");
        url = at;
    }
    const char *p = query ? query : url + strlen(url);
    buf_add(out, url, (size_t)(p - url));
    while (*p) {
        size_t name = strcspn(p + 1, "=&"), all = strcspn(p + 1, "&");
        if (is_secret_parameter(p + 1, name) && p[1 + name] == '=') {
            buf_add(out, p, name + 2);
            buf_add_str(out, "***");
        } else {
            buf_add(out, p, all + 1);
        }
        p += all + 1;
    }
}

static void redact_words(const char *p, Buf *out)
{
    while (*p) {
        size_t space = strspn(p, SPACES);
        buf_add(out, p, space);
        p += space;
        size_t name = strcspn(p, "=" SPACES);
        const char *value = p + name + strspn(p + name, SPACES);
        if (*value != '=') {
            buf_add(out, p, name);
            p += name;
            continue;
        }
        value++;
        value += strspn(value, SPACES);
        const char *end = value;
        bool quoted = *end == '\'';
        for (end += quoted; *end && (quoted ? *end != '\'' : !isspace((unsigned char)*end)); end++)
            if (*end == '\\' && end[1])
                end++;
        if (quoted && *end)
            end++;
        bool secret = is_secret_name(p, name) && end > value;
        buf_add(out, p, (size_t)((secret ? value : end) - p));
        if (secret)
            buf_add_str(out, "***");
        p = end;
    }
}

char *setting_redact_url(const char *url)
{
    Buf out = {0};
    const char *rest = strstr(url, "://");
    const char *equals = strchr(url, '=');
    if (rest && (!equals || rest < equals))
        redact_uri(url, rest + 3, &out);
    else
        redact_words(url, &out);
    return buf_steal_str(&out);
}

bool setting_url_has_secret(const char *url)
{
    AUTO(char) shown = setting_redact_url(url);
    return strcmp(shown, url) != 0;
}
