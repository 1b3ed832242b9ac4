/* The statements of a merge, as text that the caller frees. They name columns and tables quoted,
 * and expect an empty search_path. What they do is what their names say; each works on whole sets.
 */
#ifndef PGSTOW_PG_MERGE_SQL_H
#define PGSTOW_PG_MERGE_SQL_H

#include "pg/merge_table.h"

/* -- scratch tables ------------------------------------------------------------------------- */

/* Where rows go: sN, bN, aN, or the target itself. */
typedef enum MergeInto {
    MERGE_INTO_SOURCE,
    MERGE_INTO_BASE,
    MERGE_INTO_ADDED,
    MERGE_INTO_TARGET
} MergeInto;
/* One of the first three, empty, with the target's types. A column that the target has not is text.
 *
 * Only where it is made and committed by itself it may be unlogged. An unlogged table whose own
 * transaction is open when the postmaster alone is killed keeps PostgreSQL (15 to 18) from starting
 * again: the abort's deletion of its files is not in the WAL, and the recovery finds one that it
 * wants to make ("could not create file: File exists"). */
char *merge_sql_stage(const MergeTable *t, MergeInto which, bool unlogged);
/* Its name's letter. */
char merge_sql_letter(MergeInto which);
/* encoding: of the bytes, NULL for the client's. */
char *merge_sql_copy(const MergeTable *t, MergeInto into, const StrList *columns,
                     const char *encoding);
/* Rows of sN in which a column of the key is NULL, and keys that it has twice: one number each. */
char *merge_sql_key_nulls(const MergeTable *t);
char *merge_sql_key_twice(const MergeTable *t);

/* -- the comparison ------------------------------------------------------------------------- */

/* dN: action ('i', 'u', 'd'), s, o and t (places: of the source's row, of the target's with its
 * table), conflict, kept (the target's row stays), uq (a unique value changes), rewrite, note ('r':
 * deleted for its unique value, 's': left out for it). */
char *merge_sql_differences(const MergeTable *t, const MergeRules *rules);
/* action, kept, rewrite, note, uq, conflict, count. */
char *merge_sql_count(const MergeTable *t);
/* The rows that stand against it: action and key, as text, at most `limit`. */
char *merge_sql_conflicts(const MergeTable *t, unsigned limit);

/* -- unique values -------------------------------------------------------------------------- */

/* Whether the values of this index can be compared at all: the source has its columns, and it is no
 * exclusion constraint. */
bool merge_sql_can_compare(const MergeTable *t, const MergeUnique *u);
/* qN: rows that are to get a value (place d in dN) which another row of the target has (o and t; x
 * its place in dN, NULL where that row stays; own: the source has a row of its key). */
char *merge_sql_taken(const MergeTable *t, const MergeUnique *u);
/* Out of qN: both rows of a value that goes from one to the other are written anew. */
char *merge_sql_taken_rewrite(const MergeTable *t);
/* Out of qN: text of at most `limit` rows that cannot be written: (mine, other). */
char *merge_sql_taken_shown(const MergeTable *t, const MergeUnique *u, unsigned limit);
/* How many rows of qN stand in the way; how many of these may not be replaced. */
char *merge_sql_taken_count(const MergeTable *t);
char *merge_sql_taken_replace(const MergeTable *t);
char *merge_sql_taken_skip(const MergeTable *t);
/* With exclusion constraints nobody can say which rows meet: all updates write anew. */
char *merge_sql_rewrite_all(const MergeTable *t);

/* -- writing -------------------------------------------------------------------------------- */

char *merge_sql_delete(const MergeTable *t);
char *merge_sql_update(const MergeTable *t);
char *merge_sql_insert(const MergeTable *t);
/* rN keeps what the target has beyond the source, then the rows go and come again. */
char *merge_sql_rewrite_keep(const MergeTable *t);
char *merge_sql_rewrite_delete(const MergeTable *t);
char *merge_sql_rewrite_insert(const MergeTable *t);

/* -- looking again -------------------------------------------------------------------------- */

/* Of the rows that were written (all: of all that were staged), by key: how many; how many of them
 * are not in the target as the source has them. */
char *merge_sql_verify(const MergeTable *t, bool all);
/* Their keys as text, at most `limit`. */
char *merge_sql_verify_shown(const MergeTable *t, bool all, unsigned limit);
/* How many of the rows that were deleted are there. */
char *merge_sql_verify_deleted(const MergeTable *t);
/* How many rows, of a table without a key, only one side has. */
char *merge_sql_verify_keyless(const MergeTable *t);
/* The target's rows as the columns of a stream, as COPY text. */
char *merge_sql_verify_copy(const MergeTable *t, const StrList *columns, const char *encoding);

/* -- parts that others need ----------------------------------------------------------------- */

/* alias."a", alias."b"; alias NULL: without. */
void merge_sql_columns(Buf *b, const char *alias, const StrList *columns);
/* ROW(alias.a, alias.b), as one record; and between two of them: not the same, byte by byte.
 * (Without the cast ROW(a) *<> ROW(b) would compare column by column, by operators that most types
 * don't have.) */
void merge_sql_row(Buf *b, const char *alias, const StrList *columns);
#define MERGE_SQL_UNLIKE " OPERATOR(pg_catalog.*<>) "
/* The target's rows, as `alias`. */
void merge_sql_target_rows(Buf *b, const MergeTable *t, const char *alias);
/* Rows without a key, as s or t: known by their text r and, where several are the same, by a number
 * n. */
void merge_sql_keyless_rows(Buf *b, const MergeTable *t, bool source);
/* left.k = right.k for every column of the key; with `other`, the first is whichever of left and
 * other is there. */
void merge_sql_key_matches(Buf *b, const MergeTable *t, const char *left, const char *other,
                           const char *right);
/* As text, name=value, name=value of a row's key, or of some of its columns; `second` (or NULL)
 * where `first` has none. */
void merge_sql_shown(Buf *b, const StrList *columns, const char *first, const char *second);
/* `alias`.ctid of the target against the place in d. */
void merge_sql_at(Buf *b, const MergeTable *t, const char *alias);

#endif
