/* Giving a table another name, with everything that has a name of its own and belongs to it:
 * partitions, indexes (and with them their constraints), sequences, extended statistics.
 *
 * "orders_pkey" of "orders" becomes "old_pkey" of "old"; a name that does not begin so stays,
 * unless it is taken, and then a number is added.
 */
#ifndef PGSTOW_PG_PART_RENAME_H
#define PGSTOW_PG_PART_RENAME_H

#include "pg/conn.h"

typedef struct PartName {
    char *schema, *name;         /* as it was */
    char *new_schema, *new_name; /* as it is */
} PartName;
typedef struct PartNames { /* tables */
    PartName *items;
    size_t count, cap;
} PartNames;
void part_names_clear(PartNames *n);
DEFINE_AUTO_VALUE(PartNames, part_names_clear)
const PartName *part_names_find_new(const PartNames *n, const char *schema,
                                    const char *name); /* or NULL */

/* In the database of `c`. The names must be free in that of `target` as well (NULL: of no matter).
 * The new schema is made in the database of `c` where it is not there. */
Error *part_rename(Conn *c, Conn *target_or_null, const char *schema, const char *name,
                   const char *new_schema, const char *new_name, PartNames *out) MUST_CHECK;
/* What of `name`, which belongs to `table`, would be called where that gets `new_table`; `number`
 * over 0 is added. At most 63 bytes, cut between characters. Caller frees. */
char *part_rename_like(const char *name, const char *table, const char *new_table, unsigned number);

#endif
