/* What is switched off in the tables of a merge until its transaction ends, and back on exactly as
 * it was: user triggers, and identity columns that are GENERATED ALWAYS and would refuse an UPDATE.
 */
#ifndef PGSTOW_PG_MERGE_SWITCH_H
#define PGSTOW_PG_MERGE_SWITCH_H

#include "pg/merge_table.h"

typedef struct MergeSwitch {
    StrList back; /* the statements that undo it, in this order */
} MergeSwitch;
void merge_switch_clear(MergeSwitch *s);
DEFINE_AUTO_VALUE(MergeSwitch, merge_switch_clear)

/* Of those tables into which something is to be written. */
Error *merge_switch_triggers_off(MergeSwitch *s, Conn *c, const MergeTables *tables) MUST_CHECK;
Error *merge_switch_identities(MergeSwitch *s, Conn *c, const MergeTables *tables) MUST_CHECK;
Error *merge_switch_back(const MergeSwitch *s, Conn *c) MUST_CHECK;

#endif
