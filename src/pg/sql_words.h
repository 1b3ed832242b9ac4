/* Reading SQL that pg_dump wrote, as words: enough to find names in it, no more. */
#ifndef PGSTOW_PG_SQL_WORDS_H
#define PGSTOW_PG_SQL_WORDS_H

#include "base/text.h"

typedef enum SqlKind {
    SQL_END,
    SQL_WORD,   /* a keyword or a name without quotes */
    SQL_QUOTED, /* a name in quotes */
    SQL_STRING, /* '...', E'...', $tag$...$tag$ */
    SQL_MARK    /* any other character by itself */
} SqlKind;
typedef struct SqlWord {
    SqlKind kind;
    const char *start; /* in the text, n bytes */
    size_t n;
} SqlWord;
/* The next word from *at, which moves behind it; spaces and comments are passed over. What does not
 * end, ends with the text. */
SqlWord sql_word_next(const char **at);
bool sql_word_is(const SqlWord *w, const char *keyword); /* in any case; never a quoted name */
bool sql_word_is_mark(const SqlWord *w, char mark);
/* The name that a word or quoted name means, or the text of a '...' string. Caller frees. */
char *sql_word_text(const SqlWord *w);

/* The roles that statements (GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, SET SESSION AUTHORIZATION,
 * CREATE POLICY, CREATE USER MAPPING, ALTER ROLE) name are added to `out`, each once; without
 * PUBLIC and the like. */
void sql_roles(const char *statements, StrList *out);

/* Names as the text of an array: for a parameter of type text[]. Caller frees. */
char *sql_array(const StrList *names);

#endif
