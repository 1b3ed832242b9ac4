/* Patterns for names, as psql and pg_dump have them: `orders`, `shop.*`, `"Odd name".t?`.
 *
 * `*` is any run of characters, `?` one, `[a-c]` one of a set. A dot stands between schema and
 * name. Letters outside of double quotes count as lower case; inside of quotes everything stands
 * for itself, and a doubled quote for one. What else means something in a regular expression ( | (
 * ) + { } ^ \ ) is refused outside of quotes, since pg_dump would take it for one.
 *
 * A pattern without a schema matches in every schema: an archive knows no search path.
 */
#ifndef PGSTOW_PG_PATTERN_H
#define PGSTOW_PG_PATTERN_H

#include "base/text.h"

typedef struct PatternToken {
    char kind;           /* 'c' a character, '?', '*', '[' */
    bool negated;        /* of '[' */
    uint32_t code;       /* of 'c' */
    size_t first, count; /* of '[': its ranges */
} PatternToken;
typedef struct PatternPart {
    PatternToken *tokens;
    size_t count, cap;
    uint32_t (*ranges)[2]; /* from, to */
    size_t range_count, range_cap;
} PatternPart;
typedef struct Pattern {
    char *text; /* as it was given */
    bool has_schema;
    PatternPart schema, name;
} Pattern;
void pattern_clear(Pattern *p);
DEFINE_AUTO_VALUE(Pattern, pattern_clear)

/* Schema and name. ERR_USAGE. */
Error *pattern_parse(const char *text, Pattern *out) MUST_CHECK;
/* One part only: a dot outside of quotes is ERR_USAGE. Matches by its name. */
Error *pattern_parse_single(const char *text, Pattern *out) MUST_CHECK;
bool pattern_matches(const Pattern *p, const char *schema, const char *name);
bool pattern_matches_name(const Pattern *p, const char *name); /* whatever the schema */
/* Whether it has no wildcards. */
bool pattern_is_plain(const Pattern *p);

/* "pattern=new name": where the first "=" outside of quotes is; NULL where there is none. */
const char *pattern_equals(const char *text);
/* A name without wildcards, folded and unquoted as SQL does it: "c.d" or "d" (then *schema is
 * NULL). Caller frees both. ERR_USAGE; also for names that are longer than PostgreSQL keeps. */
Error *pattern_name(const char *text, char **schema, char **name) MUST_CHECK;

#endif
