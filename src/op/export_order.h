/* The order in which tables are written so that what a row refers to is there before it. */
#ifndef PGSTOW_OP_EXPORT_ORDER_H
#define PGSTOW_OP_EXPORT_ORDER_H

#include "op/export_rows.h"

/* A foreign key that cannot be kept by order: its table comes before the one that it refers to, or
 * is that one. */
typedef struct ExportLoop {
    const Relation *table;
    const RelationForeign *foreign;
} ExportLoop;
typedef struct ExportOrder {
    const ExportTable **tables; /* all, those of one partitioned table side by side */
    size_t count;
    ExportLoop *loops;
    size_t loop_count, loop_cap;
} ExportOrder;
void export_order_clear(ExportOrder *o);
DEFINE_AUTO_VALUE(ExportOrder, export_order_clear)

void export_order_make(const RelationList *relations, const ExportTables *tables, ExportOrder *out);

#endif
