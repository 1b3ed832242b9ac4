/* Pins: backups that neither cleanup nor delete takes. Objects under pins/. */
#ifndef PGSTOW_REPO_PIN_H
#define PGSTOW_REPO_PIN_H

#include "repo/repo.h"

/* ERR_NOT_FOUND, also where it is deleted at the same moment. One that is pinned stays so. */
Error *pin_put(Repo *r, const char *id) MUST_CHECK;
/* *was: it was pinned. */
Error *pin_remove(Repo *r, const char *id, bool *was) MUST_CHECK;
Error *pin_look(Repo *r, const char *id, bool *pinned) MUST_CHECK;

#endif
