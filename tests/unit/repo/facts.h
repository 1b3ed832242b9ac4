/* The facts of a backup of nothing. */
#ifndef PGSTOW_TESTS_REPO_FACTS_H
#define PGSTOW_TESTS_REPO_FACTS_H

#include "repo/manifest.h"

static inline void facts_of(const char *database, Instant t, BackupInfo *i)
{
    char key[CLOCK_TEXT];
    i->id = backup_id_make(database, t);
    i->key = mem_strdup(clock_key(t, key));
    i->database = mem_strdup(database);
    i->filter = mem_strdup("");
    i->server = mem_strdup("localhost:5432");
    i->database_version = mem_strdup("PostgreSQL 15.3");
    i->timestamp = i->started = i->finished = t;
}

#endif
