/* What the ways of importing one dump share. */
#ifndef PGSTOW_OP_IMPORT_WORK_H
#define PGSTOW_OP_IMPORT_WORK_H

#include "op/import.h"
#include "op/import_input.h"

/* What is known of a dump besides its content: from the metadata file beside it, the options, its
 * name. Strings are owned. */
typedef struct ImportFacts {
    char *id;                              /* to be kept, or NULL */
    char *database;                        /* or NULL */
    char *checksum;                        /* hex SHA-256 of the file, or NULL */
    char *database_version, *tool_version; /* or NULL */
    bool at_given;
    Instant at;
    uint64_t size; /* of the file; 0: not known */
} ImportFacts;
void import_facts_clear(ImportFacts *f);
DEFINE_AUTO_VALUE(ImportFacts, import_facts_clear)
/* NAME.metadata.json beside the dump, where there is one, with its checksum tested: ERR_DAMAGED.
 * Encrypted dumps are ERR_REPO_UNSUPPORTED. */
Error *import_facts_read(const char *path, ImportFacts *out) MUST_CHECK;
bool import_is_metadata(const char *name);
/* The SHA-256 of a file, in hex; caller frees. */
Error *import_checksum(const char *path, char **hex) MUST_CHECK;

/* The server that imported backups are recorded as: a lineage of their own. */
#define IMPORT_SERVER "import"

typedef struct ImportWork {
    const OpContext *c;
    const ImportOptions *o;
    Cancel *cancel;
    const char *path;
    ImportFacts facts;
    ImportInput input; /* not of a folder */
    DumpForm form;
} ImportWork;

/* Custom and directory: its rows go straight into the repository. *fits is false, and nothing done,
 * where the rows are INSERT statements. */
Error *import_archive(ImportWork *w, bool *fits, BackupInfo *out) MUST_CHECK;
/* Plain SQL, tar, INSERTs: through a scratch database. */
Error *import_sql(ImportWork *w, StrList *notes, BackupInfo *out) MUST_CHECK;

#endif
