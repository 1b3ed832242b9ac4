#include "pg/pattern.h"

#include <string.h>

#define NAME_MAX_BYTES 63 /* NAMEDATALEN - 1 */

static void part_clear(PatternPart *p)
{
    free(p->tokens);
    free(p->ranges);
}

void pattern_clear(Pattern *p)
{
    free(p->text);
    part_clear(&p->schema);
    part_clear(&p->name);
    *p = (Pattern){0};
}

/* The character at *s, which moves behind it. Bytes that are no UTF-8 count as one character each,
 * with a code that no character has. */
static uint32_t next_char(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    int more = p[0] < 0x80 ? 0 : p[0] < 0xc2 ? -1 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    uint32_t code = more <= 0 ? p[0] : p[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            more = -1;
            break;
        }
        code = code << 6 | (p[i] & 0x3f);
    }
    if (more < 0) {
        ++*s;
        return 0x80000000u | p[0];
    }
    *s += 1 + more;
    return code;
}

static uint32_t fold(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static PatternToken *add_token(PatternPart *p, char kind, uint32_t code)
{
    mem_grow(p->tokens, p->count, p->cap);
    p->tokens[p->count] = (PatternToken){.kind = kind, .code = code, .first = p->range_count};
    return &p->tokens[p->count++];
}

static Error *refuse(const char *text, const char *what)
{
    AUTO(char) shown = text_printable(text);
    return ERROR_NEW(ERR_USAGE, "the pattern %s %s", shown, what);
}

/* "[a-z_]": *s stands behind the bracket. */
static Error *parse_set(const char *text, const char **s, PatternPart *part)
{
    PatternToken *t = add_token(part, '[', 0);
    if (**s == '^') {
        t->negated = true;
        ++*s;
    }
    while (**s && (**s != ']' || !t->count)) {
        uint32_t from = fold(next_char(s)), to = from;
        if ((*s)[0] == '-' && (*s)[1] && (*s)[1] != ']') {
            ++*s;
            to = fold(next_char(s));
        }
        mem_grow(part->ranges, part->range_count, part->range_cap);
        part->ranges[part->range_count][0] = from;
        part->ranges[part->range_count++][1] = to;
        t->count++;
    }
    if (!**s)
        return refuse(text, "has a [ that is not closed");
    ++*s;
    return NULL;
}

/* Up to a dot outside of quotes, or the end. */
static Error *parse_part(const char *text, const char **s, PatternPart *part)
{
    bool quoted = false;
    while (**s && (quoted || **s != '.')) {
        char c = **s;
        if (c == '"' && quoted && (*s)[1] == '"') {
            *s += 2;
            add_token(part, 'c', '"');
        } else if (c == '"') {
            ++*s;
            quoted = !quoted;
        } else if (quoted) {
            add_token(part, 'c', next_char(s));
        } else if (c == '*' || c == '?') {
            ++*s;
            if (c == '?' || !part->count || part->tokens[part->count - 1].kind != '*')
                add_token(part, c, 0);
        } else if (c == '[') {
            ++*s;
            TRY(parse_set(text, s, part));
        } else if (strchr("|()+{}^\\", c)) {
            return error_hint(refuse(text, "is a regular expression"),
                              "known are * ? and [a-z]; what stands in double quotes is taken as "
                              "it is");
        } else {
            add_token(part, 'c', fold(next_char(s)));
        }
    }
    if (quoted)
        return refuse(text, "has a double quote that is not closed");
    if (!part->count)
        return refuse(text, "has an empty name in it");
    return NULL;
}

static Error *parse(const char *text, Pattern *p)
{
    const char *s = text;
    p->text = mem_strdup(text);
    TRY(parse_part(text, &s, &p->name));
    if (!*s)
        return NULL;
    p->schema = p->name;
    p->name = (PatternPart){0};
    p->has_schema = true;
    s++;
    TRY(parse_part(text, &s, &p->name));
    if (*s)
        return error_hint(refuse(text, "has too many dots"),
                          "it is schema.name; a dot in a name needs double quotes");
    return NULL;
}

Error *pattern_parse(const char *text, Pattern *out)
{
    AUTO_VALUE(Pattern) p = {0};
    TRY(parse(text, &p));
    *out = p;
    p = (Pattern){0};
    return NULL;
}

Error *pattern_parse_single(const char *text, Pattern *out)
{
    AUTO_VALUE(Pattern) p = {0};
    TRY(parse(text, &p));
    if (p.has_schema)
        return error_hint(refuse(text, "has a dot in it"), "a dot in a name needs double quotes");
    *out = p;
    p = (Pattern){0};
    return NULL;
}

static bool in_set(const PatternPart *part, const PatternToken *t, uint32_t c)
{
    for (size_t i = t->first; i < t->first + t->count; i++)
        if (c >= part->ranges[i][0] && c <= part->ranges[i][1])
            return !t->negated;
    return t->negated;
}

/* Only the last star has to be gone back to: what those before it took can stay. */
static bool part_matches(const PatternPart *part, const char *s)
{
    size_t at = 0, star = part->count; /* the last star passed; none yet */
    const char *star_s = s;
    while (*s) {
        if (at < part->count && part->tokens[at].kind == '*') {
            star = at++;
            star_s = s;
            continue;
        }
        const char *next = s;
        uint32_t c = next_char(&next);
        if (at < part->count) {
            const PatternToken *t = &part->tokens[at];
            if (t->kind == '?' || (t->kind == 'c' && t->code == c) ||
                (t->kind == '[' && in_set(part, t, c))) {
                at++;
                s = next;
                continue;
            }
        }
        if (star == part->count)
            return false;
        next_char(&star_s);
        s = star_s;
        at = star + 1;
    }
    while (at < part->count && part->tokens[at].kind == '*')
        at++;
    return at == part->count;
}

bool pattern_matches_name(const Pattern *p, const char *name)
{
    return part_matches(&p->name, name);
}

bool pattern_matches(const Pattern *p, const char *schema, const char *name)
{
    return (!p->has_schema || part_matches(&p->schema, schema)) && part_matches(&p->name, name);
}

static bool part_is_plain(const PatternPart *part)
{
    for (size_t i = 0; i < part->count; i++)
        if (part->tokens[i].kind != 'c')
            return false;
    return true;
}

bool pattern_is_plain(const Pattern *p)
{
    return part_is_plain(&p->schema) && part_is_plain(&p->name);
}

const char *pattern_equals(const char *text)
{
    bool quoted = false;
    for (; *text; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '=' && !quoted)
            return text;
    }
    return NULL;
}

static Error *one_name(const char *text, const char **s, char **out)
{
    AUTO_VALUE(Buf) b = {0};
    bool quoted = false;
    for (; **s && (quoted || **s != '.'); ++*s) {
        if (**s != '"') {
            buf_u8(&b, (uint8_t)(quoted ? (unsigned char)**s : fold((unsigned char)**s)));
        } else if (quoted && (*s)[1] == '"') {
            buf_u8(&b, '"');
            ++*s;
        } else {
            quoted = !quoted;
        }
    }
    AUTO(char) shown = text_printable(text);
    if (quoted)
        FAIL(ERR_USAGE, "the name %s has a double quote that is not closed", shown);
    if (!b.len)
        FAIL(ERR_USAGE, "the name %s is empty, or has an empty part", shown);
    if (b.len > NAME_MAX_BYTES)
        FAIL(ERR_USAGE, "the name %s is too long: at most %d bytes", shown, NAME_MAX_BYTES);
    *out = buf_steal_str(&b);
    return NULL;
}

Error *pattern_name(const char *text, char **schema, char **name)
{
    AUTO(char) first = NULL;
    AUTO(char) second = NULL;
    const char *s = text;
    TRY(one_name(text, &s, &first));
    if (*s) {
        s++;
        TRY(one_name(text, &s, &second));
    }
    if (*s) {
        AUTO(char) shown = text_printable(text);
        return error_hint(ERROR_NEW(ERR_USAGE, "the name %s has too many dots", shown),
                          "it is schema.name; a dot in a name needs double quotes");
    }
    *schema = second ? STEAL(first) : NULL;
    *name = second ? STEAL(second) : STEAL(first);
    return NULL;
}
