/* Indexes and constraints that are made while other tables are still being loaded: each as soon as
 * its tables have their rows and what it depends on is there. What is not made here (for whatever
 * reason, a failure too) the second run of pg_restore makes, and tells about.
 *
 * Also ANALYZE of tables of which all indexes are made here: without statistics a foreign key that
 * refers to a large table is looked at by sorting the rows that refer to it.
 *
 * Only statements of which the result cannot depend on other tables: indexes of plain columns,
 * primary keys, unique and foreign keys, of tables whose rows come in by a COPY of their own. Never
 * two at once that would wait for each other's locks.
 */
#ifndef PGSTOW_OP_RESTORE_INDEX_H
#define PGSTOW_OP_RESTORE_INDEX_H

#include "op/restore_work.h"
#include "pg/load.h"

typedef struct IndexPlan IndexPlan; /* not safe for several threads by itself */
typedef struct IndexJob IndexJob;   /* one statement; the plan owns it */

/* Of `toc`; tables that are not loaded by a COPY into themselves have no jobs. */
IndexPlan *index_plan_new(const Toc *toc, const Manifest *m, const LoadPlan *tables, bool analyze);
void index_plan_free(IndexPlan *p);
DEFINE_AUTO(IndexPlan, index_plan_free)
size_t index_plan_count(const IndexPlan *p);
/* The rows of this TABLE DATA entry are in. */
void index_plan_loaded(IndexPlan *p, const TocEntry *data);
/* How many bytes could be loaded in the time that the jobs take that need not wait for this TABLE
 * DATA entry (NULL: any), about. Of NULL: 0. */
uint64_t index_plan_besides(const IndexPlan *p, const TocEntry *data);
/* The jobs on this table, one after another, will be the last to end: they and what they wait for
 * are urgent. */
void index_plan_hurry(IndexPlan *p, const TocEntry *data);
/* Whether an urgent job waits for the rows of this TABLE DATA entry. */
bool index_plan_is_awaited(const IndexPlan *p, const TocEntry *data);
/* The first job that may begin, which then counts as running; NULL for none. Urgent ones go first,
 * then the heaviest. */
IndexJob *index_plan_take(IndexPlan *p, bool urgent_only);
void index_plan_done(IndexPlan *p, IndexJob *job, bool made);
/* By places in the Toc: what was made, and of which TABLE DATA the table was analyzed. Borrowed. */
const bool *index_plan_made(const IndexPlan *p);

const char *index_job_name(const IndexJob *job); /* for people */
/* Runs the statement on a session made ready by load_session. */
Error *index_job_run(const RestoreWork *w, Conn *c, const IndexJob *job) MUST_CHECK;

#endif
