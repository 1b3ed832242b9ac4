/* Notes of merges: which backup was merged into which database, when, and which tables. The next
 * merge into the same database takes it for the state that both sides have in common. A target is
 * known by its server's system identifier and its OID there.
 */
#ifndef PGSTOW_REPO_MERGE_NOTE_H
#define PGSTOW_REPO_MERGE_NOTE_H

#include "repo/repo.h"
#include "base/text.h"

typedef struct MergeNote {
    char *backup;
    Instant time;
    bool all;       /* every table of the backup */
    StrList tables; /* else: schema.name */
} MergeNote;
typedef struct MergeNotes {
    MergeNote *items; /* the newest first */
    size_t count, cap;
} MergeNotes;
void merge_notes_clear(MergeNotes *l);
DEFINE_AUTO_VALUE(MergeNotes, merge_notes_clear)

Error *merge_note_put(Repo *r, const char *system, const char *database_oid, const char *database,
                      const MergeNote *note) MUST_CHECK;
/* The newest ones, at most 100. */
Error *merge_notes_read(Repo *r, const char *system, const char *database_oid,
                        MergeNotes *out) MUST_CHECK;

#endif
