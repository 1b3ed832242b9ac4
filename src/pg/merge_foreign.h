/* The foreign keys around the tables of a merge, and what is done with each so that sets of rows
 * can be written one after another and the whole still is what the keys allow.
 *
 * - What is deferrable is deferred. What is not, and would be checked too early, is made so until
 *   the end of the transaction (ALTER CONSTRAINT), and is then as it was.
 * - Where very many rows are inserted, the key is taken away and made again at the end: one join
 *   instead of a look-up for each row, all of which the server would have to remember.
 * - A key with an action of its own (CASCADE, SET NULL ..., RESTRICT) whose action would hit rows
 *   that the source has, is taken away and made again: until then the rows are what the source
 *   says. Then its action is done for the rows that only the target has, and the whole is checked
 * by one join.
 */
#ifndef PGSTOW_PG_MERGE_FOREIGN_H
#define PGSTOW_PG_MERGE_FOREIGN_H

#include "pg/merge_table.h"

typedef enum ForeignWay { FOREIGN_AS_IS, FOREIGN_DEFER, FOREIGN_SUSPEND } ForeignWay;
typedef struct MergeForeign {
    uint32_t oid;
    char *name;                   /* quoted */
    char *child, *parent;         /* quoted tables */
    char child_kind, parent_kind; /* relkind */
    MergeTable *from, *to;        /* of the merge, by their roots; NULL where not in it */
    bool validated, deferrable;
    char on_update, on_delete;
    char *definition, *comment;
    StrList columns, target_columns, operators, set_columns; /* names; SQL; names */
    bool owned; /* both tables belong to the user: it may be made again */
    bool moves; /* rows that it may refer to go, or get another key */
    ForeignWay way;
    size_t number; /* mN holds the keys of `to` that go or change */
} MergeForeign;
typedef struct MergeForeigns {
    MergeForeign *items;
    size_t count, cap;
} MergeForeigns;
void merge_foreigns_clear(MergeForeigns *l);
DEFINE_AUTO_VALUE(MergeForeigns, merge_foreigns_clear)

/* `relations`: those of the target. */
Error *merge_foreigns_read(Conn *c, const RelationList *relations, const MergeTables *tables,
                           MergeForeigns *out) MUST_CHECK;
/* The tables with those referred to first, as far as there is such an order; caller frees. */
size_t *merge_foreigns_order(const MergeForeigns *l, const MergeTables *tables);
/* Settles the way of each by what the tables' counts say is to be written. `order` as above. */
void merge_foreigns_plan(MergeForeigns *l, const MergeTables *tables, const size_t *order);

/* Inside the merge's transaction: before the first row is written, and after the last one. */
Error *merge_foreigns_begin(Conn *c, const MergeForeigns *l, const char *schema) MUST_CHECK;
Error *merge_foreigns_end(Conn *c, const MergeForeigns *l, const char *schema) MUST_CHECK;

#endif
