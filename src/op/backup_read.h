/* A backup opened for reading: repository, reader's session, manifest, table of contents; what
 * restore, export, diff and others start with. */
#ifndef PGSTOW_OP_BACKUP_READ_H
#define PGSTOW_OP_BACKUP_READ_H

#include "op/op.h"
#include "pg/archive.h"
#include "pg/globals.h"
#include "pg/relation.h"
#include "repo/session.h"

typedef struct BackupRead {
    const OpContext *c;
    Repo *repo;
    ReadSession *session;
    char *id;
    Manifest *manifest;
    Toc *toc;
    char *encoding; /* of the archive; or NULL */
    RelationList relations;
    bool relations_read;
    uint64_t fetched; /* bytes read by opening it: manifest and table of contents */
} BackupRead;
void backup_read_clear(BackupRead *b);
DEFINE_AUTO_VALUE(BackupRead, backup_read_clear)

/* name: as a person writes it. what: for the session ("export"). */
Error *backup_read_open(const OpContext *c, const char *name, const char *what,
                        BackupRead *out) MUST_CHECK;
/* The same with an id that is known already, in a repository that is open (taken over). */
Error *backup_read_open_id(const OpContext *c, Repo *repo, const char *id, const char *what,
                           BackupRead *out) MUST_CHECK;
/* Fills b->relations. ERR_NOT_FOUND where the backup has none (made by pgstow 0.1, or imported
 * without a server), with what to do about it. */
Error *backup_read_relations(BackupRead *b) MUST_CHECK;
/* Roles, tablespaces ... ERR_NOT_FOUND where the backup has none. */
Error *backup_read_globals(const BackupRead *b, Globals *out) MUST_CHECK;
/* The table's stream, or NULL. */
const Stream *backup_read_table(const BackupRead *b, const char *schema, const char *name);

/* The columns that a table's rows have, in their order, in UTF-8 (SQL_ASCII: the bytes). */
Error *backup_read_columns(const BackupRead *b, const Stream *s, StrList *out) MUST_CHECK;

/* Hands a whole stream on. When this returns NULL it was checked to its end. The job's bytes grow;
 * *fetched (may be NULL) by the stored bytes read of the repository. Several threads may do this
 * with one BackupRead. */
typedef Error *(*StreamTake)(void *to, const void *p, size_t n);
Error *backup_read_stream(const BackupRead *b, const Stream *s, Cancel *cancel, StreamTake take,
                          void *to, uint64_t *fetched) MUST_CHECK;

#endif
