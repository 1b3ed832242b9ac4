/* The ledger: when each pack was last read from end to end and found whole, kept in the repository
 * so that every host goes on where another one stopped.
 *
 * Notes under ledger/, each written once: a run that checks packs puts one for those that it found
 * whole, with the time at which it began. What is damaged stands nowhere here. When the notes
 * become many they are written anew as few and the old ones deleted; so a reader to whom one is
 * gone begins again. A note that cannot be read counts as if it had never been written: packs are
 * then read more often than needed, never less.
 *
 * In memory: 32 bytes a pack, and one note at a time (at most LEDGER_NOTE_PACKS packs). A Ledger
 * belongs to one thread.
 */
#ifndef PGSTOW_REPO_LEDGER_H
#define PGSTOW_REPO_LEDGER_H

#include "repo/repo.h"

#define LEDGER_NOTE_PACKS 50000u
#define LEDGER_NOTES_MAX 64u /* beyond so many they are written anew */

typedef struct Ledger Ledger;
Error *ledger_read(Repo *r, Ledger **out) MUST_CHECK;
void ledger_free(Ledger *l);
DEFINE_AUTO(Ledger, ledger_free)
/* 0: never, or at a time that is still to come (a clock was wrong: nobody may believe it). */
Instant ledger_when(const Ledger *l, PackId pack);
size_t ledger_packs(const Ledger *l);
size_t ledger_notes(const Ledger *l);

/* Notes that these packs were found whole by a run that began at `when`. Sorts them. Thread-safe.
 */
Error *ledger_put(Repo *r, PackId *packs, size_t count, Instant when) MUST_CHECK;
/* Where the notes have become many: writes them anew, without the packs that `keep` (may be NULL:
 * all stay) does not want, and deletes those that were read. */
Error *ledger_compact(Repo *r, Ledger *l, bool (*keep)(void *ctx, PackId pack),
                      void *ctx) MUST_CHECK;
/* What is wrong with one note: for whoever checks the repository. ERR_DAMAGED. */
Error *ledger_check_note(Repo *r, const char *name) MUST_CHECK;

#endif
