/* The schemas that a restore works with, where its caller names some.
 *
 * pg_dump's archives say `search_path = ''`, because whoever may create objects in a schema of the
 * path could otherwise have code run by who restores. All names in the archive are qualified. But
 * the bodies of functions are not pg_dump's, and a function that an index or a constraint calls may
 * name things as its author's path had them: with an empty one it fails.
 */
#ifndef PGSTOW_PG_TOC_SEARCH_PATH_H
#define PGSTOW_PG_TOC_SEARCH_PATH_H

#include "pg/archive.h"

/* Where a function did not find something during a restore. */
#define SEARCH_PATH_HINT                                                                           \
    "a function of the database names it without its schema; --search-path SCHEMA lets it be "     \
    "found"

/* As the setting's value: names quoted, between commas. Caller frees. */
char *search_path_value(const StrList *schemas);
/* Replaces *toc by one whose SEARCHPATH entry sets this path. ERR_ARCHIVE where it has none (before
 * 1.13). */
Error *toc_set_search_path(Toc **toc, const StrList *schemas) MUST_CHECK;

#endif
