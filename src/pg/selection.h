/* Selections: which entries of an archive's table of contents a restore, an export or a merge takes
 * when it wants a part only: some tables, some schemas, definitions or rows alone.
 *
 * A table brings along its rows, defaults, owned sequences and their values, identity, indexes,
 * constraints, triggers, rules, policies, statistics, comments, privileges; and its partitions.
 * What it cannot be made without (its schema, types, functions, extensions, a sequence that a
 * default uses, a parent that it inherits from, the tables of a view) is marked as needed: whoever
 * makes it leaves out what the target has. (pg_restore -t takes a table's definition and rows
 * alone, pg_dump -t nothing that is only needed.)
 */
#ifndef PGSTOW_PG_SELECTION_H
#define PGSTOW_PG_SELECTION_H

#include "pg/archive.h"
#include "pg/pattern.h"

typedef struct SelectionOptions { /* all borrowed; NULL or empty: no such wish */
    const StrList *tables;  /* patterns of pg/pattern.h; "pattern=new.name" renames one table */
    const StrList *schemas; /* with tables: both are taken */
    const StrList *exclude_tables;
    bool data_only, schema_only;
} SelectionOptions;
/* Whether they ask for less than everything. */
bool selection_wanted(const SelectionOptions *o);

typedef enum SelectionMark {
    SELECTION_OUT,
    SELECTION_CHOSEN,
    SELECTION_NEEDED, /* only where the target lacks it; without rows */
    SELECTION_REFERS  /* of a chosen table, but referring to one that is not: a foreign key, an
                         ATTACH PARTITION. Only where the target has that other table */
} SelectionMark;

/* A table that is to get another name. */
typedef struct SelectionRename {
    const TocEntry *entry; /* the TABLE */
    char *schema, *name;
} SelectionRename;

typedef struct Selection {
    const Toc *toc; /* borrowed */
    SelectionOptions options;
    SelectionMark *marks; /* one for each entry of the Toc */
    int *homes;           /* the place of the entry that each belongs to and goes with; -1: none */
    SelectionRename *renames;
    size_t rename_count, rename_cap;
    StrList left_out; /* sentences: what could not be taken, and why */
} Selection;
void selection_clear(Selection *s);
DEFINE_AUTO_VALUE(Selection, selection_clear)

/* ERR_USAGE for patterns that are none, or ERR_NOT_FOUND for ones that match nothing (naming what
 * is near), and where nothing is left. */
Error *selection_make(const Toc *toc, const SelectionOptions *o, Selection *out) MUST_CHECK;
SelectionMark selection_mark(const Selection *s, const TocEntry *e);
/* What the entry belongs to (the table of an index), or NULL. */
const TocEntry *selection_home(const Selection *s, const TocEntry *e);
/* An archive of the chosen and the needed entries alone, byte by byte as they are, for an empty
 * database: streams whose entry is not in it are not wanted. */
Error *selection_cut(const Selection *s, Toc **out) MUST_CHECK;
/* What somebody who restores that archive should know: foreign keys and the like that are not in
 * it, and tables that are there without their rows. Sentences, added to `out`. */
void selection_notes(const Selection *s, StrList *out);
/* "schema.name" of a relation that has a name of its own in SQL: TABLE, VIEW, SEQUENCE ... */
bool selection_is_relation(const TocEntry *e);

/* The places that homes wants; of selection_homes.c. Caller frees. */
int *selection_homes(const Toc *toc);
/* The place of the table that this one is a partition of, -1 where it is none: for each entry.
 * Caller frees. */
int *selection_parents(const Toc *toc);

#endif
