/* What the files filter*.c share: tables with their conditions, and the foreign keys between them.
 */
#ifndef PGSTOW_PG_FILTER_PARTS_H
#define PGSTOW_PG_FILTER_PARTS_H

#include "pg/filter.h"

/* One per relation, at the same place. */
typedef struct FilterTable {
    const Relation *relation;
    bool defined;    /* its definition is in the TOC */
    bool rows;       /* so are rows */
    size_t above;    /* of a partition: the table right above; SIZE_MAX */
    size_t unit;     /* the topmost table above, or itself */
    char *as;        /* quoted; the partitioned table that was named, or NULL */
    char *condition; /* of all that were given */
    StrList given;   /* each of them */
    char **masks;    /* by the place of the column; NULL: none at all */
    char *
        *generated; /* the same: what a generated column is computed from, where rows are masked */
    bool partial;   /* rows of it may be left out */
    size_t cycle;   /* of foreign keys that it is in; SIZE_MAX */
} FilterTable;

typedef struct FilterEdge {
    size_t child, target;
    const RelationForeign *foreign;
    StrList operators; /* as many as columns: key OPERATOR referring value */
    bool period;       /* covers periods (from 18 on): not by one row alone, so nobody follows it */
    bool follows;      /* cascade: rows of the child go with those of the target */
} FilterEdge;

struct Filter {
    const RelationList *relations;
    FilterTable *tables; /* as many as relations */
    FilterEdge *edges;
    size_t edge_count, edge_cap;
    size_t cycles;
    bool cascade;
    StrList masked;
};

#define FILTER_NONE SIZE_MAX

/* A table that itself has rows. */
static inline bool filter_is_leaf(const FilterTable *t)
{
    return t->relation->kind == 'r';
}
/* Whether i is j or a partition somewhere under it. */
bool filter_is_under(const Filter *f, size_t i, size_t j);
/* Whether this column's values are others in the backup. */
bool filter_changes(const FilterTable *t, const char *column);

/* -- filter_keys.c: cascades ------------------------------------------------------------------ */

/* Which rows are left out because of others: fills partial, follows, cycle. */
void filter_spread(Filter *f);

/* -- filter_sql.c: statements ----------------------------------------------------------------- */

/* "ONLY s.t", with its alias. Caller frees. */
char *filter_from(const FilterTable *t);
/* Adds "keys.key OPERATOR values.fk AND ...". */
void filter_match(Buf *b, const FilterEdge *e, const char *keys, const char *values);
/* The condition under which a leaf's rows stay, or NULL: all. Caller frees. */
char *filter_keep(const Filter *f, size_t i);
/* The common table expressions that these tables' conditions refer to: "WITH RECURSIVE ... ", or
 * "". *recursive: they follow a cycle. Caller frees. */
char *filter_with(const Filter *f, const size_t *tables, size_t count, bool *recursive);
/* "SELECT columns FROM ..." of the rows of a table (and its partitions) as the backup has them.
 * Caller frees. */
char *filter_rows(const Filter *f, size_t i, const StrList *columns);
/* A leaf's column as it is read: its name, or what masks it. Caller frees. */
char *filter_value(const FilterTable *t, size_t column);

/* -- filter_check.c --------------------------------------------------------------------------- */

/* Conditions and masks by themselves, before anything follows from them. */
Error *filter_check_expressions(Conn *c, const Filter *f) MUST_CHECK;
/* Masked values, foreign keys, and the statements that will be sent. */
Error *filter_check(Conn *c, Filter *f, bool schemas_chosen, StrList *warnings) MUST_CHECK;

#endif
