/* Text: numbers and sizes for people, hex, escaping, and the nearest of some names. */
#ifndef PGSTOW_BASE_TEXT_H
#define PGSTOW_BASE_TEXT_H

#include <stdint.h>
#include "base/buf.h"

/* out has room for 2 * n + 1 characters. */
void text_hex(const void *p, size_t n, char *out);
/* Exactly n bytes from 2 * n hex digits of either case; false where s is anything else. */
bool text_unhex(const char *s, void *out, size_t n);

/* Both return a string in `out` (of at least 32 characters) and `out` itself. */
char *text_size(uint64_t bytes, char *out); /* "1.2 GB": decimal units, three digits */
char *text_duration(int64_t milliseconds,
                    char *out); /* "850 ms", "12.3 s", "4 min 5 s", "3 d 4 h" */

/* "10", "64KiB", "20MB", "1.5G": KB, MB, GB, TB are decimal, KiB ... and bare K, M, G, T binary. */
Error *text_parse_size(const char *s, uint64_t *out) MUST_CHECK;
/* A whole number in [min, max]; nothing else around it. ERR_CONFIG. */
Error *text_parse_int(const char *s, int64_t min, int64_t max, int64_t *out) MUST_CHECK;
/* true/false/yes/no/on/off/1/0 in any case. ERR_CONFIG. */
Error *text_parse_bool(const char *s, bool *out) MUST_CHECK;

/* The nearest of `count` names to `s` by edit distance, NULL where none is near (a third of its
 * length). */
const char *text_nearest(const char *s, const char *const *names, size_t count);
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
bool text_equal_nocase(const char *a, const char *b);

/* How many bytes of it are its first max, or one to three fewer: no half of a character in UTF-8.
 */
size_t text_kept(const char *s, size_t max);
/* These as a text; NULL is the empty one. Caller frees. */
char *text_cut(const char *s, size_t max);

/* Whether these bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond
 * U+10FFFF. */
bool text_is_utf8(const void *p, size_t n);
/* The text, if it is UTF-8; otherwise with each byte beyond ASCII as \xNN: names in a SQL_ASCII
 * database need not be. Caller frees. */
char *text_utf8(const char *s);

/* The name with everything but [A-Za-z0-9_] and non-leading dots and dashes as %XX: safe as a file
 * name, and never taken for an option. Caller frees. */
char *text_escape_name(const char *s);
/* For messages and terminals: control characters as \xNN. Caller frees. */
char *text_printable(const char *s);
/* One SQL identifier or literal, quoted. Caller frees. The literal is for
 * standard_conforming_strings. */
char *text_sql_ident(const char *s);
char *text_sql_literal(const char *s);
/* A value of a libpq conninfo string, quoted. Caller frees. */
char *text_conninfo_value(const char *s);

/* A list of strings that owns them. */
typedef struct StrList {
    char **items;
    size_t count, cap;
} StrList;
void strlist_add(StrList *l, const char *s);
void strlist_own(StrList *l, char *s); /* takes s over */
bool strlist_has(const StrList *l, const char *s);
void strlist_copy(StrList *to, const StrList *from); /* adds all of `from` */
void strlist_sort(StrList *l);                       /* byte by byte */
void strlist_free(StrList *l);
DEFINE_AUTO_VALUE(StrList, strlist_free)

#endif
