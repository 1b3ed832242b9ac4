/* A lineage: the backups of one database that follow each other. The only place that says which
 * those are and in which order.
 *
 * Two backups are of one lineage where database and filter are the same, and the server is: by its
 * system identifier where both know it, otherwise by its address. Order in it is by sequence, since
 * clocks go wrong. Imported ones have their time from the dump, and not in the order in which they
 * came: they are ordered by it.
 */
#ifndef PGSTOW_REPO_LINEAGE_H
#define PGSTOW_REPO_LINEAGE_H

#include "repo/repo.h"

/* Borrowed texts; "" or NULL where one is not known. */
typedef struct Lineage {
    const char *database, *server, *system_identifier, *filter;
} Lineage;
Lineage lineage_of(const BackupInfo *i);
bool lineage_same(const Lineage *a, const Lineage *b);
/* Whether a comes after b: in their lineage where it is one, else by time. */
bool lineage_after(const BackupInfo *a, const BackupInfo *b);

/* Complete (as every backup that is there), unfiltered, and not found damaged. */
bool lineage_good(const BackupInfo *i);

/* "Same" is no partition (where one server's identifier is not known): this is one. group[i] is
 * the place of the first item of i's lineage. A backup that does not know its server's identifier
 * goes to those of the same address that do, where these are of one server; otherwise it stays
 * with its like. So at worst a lineage is two, each of which keeps its last good backup. */
void lineage_groups(const BackupInfo *items, size_t count, size_t *group);
/* By database; in one by time, but never against the order within a lineage: where a clock went
 * back, an earlier one counts as no younger than what followed it. */
void lineage_sort(BackupInfo *items, size_t count);

/* -- numbers that were given, though their backups are gone: lineages/ ------------------------ */

/* Notes the number, and the hex SHA-256 of the manifest that is about to go. */
Error *lineage_remember(Repo *r, const BackupInfo *gone, const char *checksum) MUST_CHECK;
/* The highest that is noted, 0 for none; *checksum (caller frees) is "" where it is not known. */
Error *lineage_remembered(Repo *r, const Lineage *l, uint64_t *sequence,
                          char **checksum) MUST_CHECK;

#endif
