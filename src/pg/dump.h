/* pg_dump, of which only the catalog's part is wanted: header and table of contents of a custom
 * archive, read from its standard output. It is ended as soon as it has written them; the rows are
 * read by our own connections.
 */
#ifndef PGSTOW_PG_DUMP_H
#define PGSTOW_PG_DUMP_H

#include "pg/archive.h"
#include "pg/conn.h"
#include "pg/tools.h"

typedef struct DumpOptions {
    const Tool *tool;
    const Conn *conn; /* the server and database to dump */
    const char *snapshot;
    const char *encoding; /* of the database: not what a setting makes of client_encoding */
    const StrList *exclude_tables, *exclude_table_data, *schemas; /* NULL: none */
    int64_t lock_wait_ms;
    Cancel *cancel;
} DumpOptions;

typedef struct Dump Dump;
/* Starts pg_dump and reads its TOC; it still runs and holds its locks. Its failures become
 * ERR_DB_PERMISSION, ERR_DB_CHANGED (a lock was not to be had: start over), ERR_TOOL_VERSION or
 * ERR_TOOL_FAILED, with what it printed. */
Error *dump_start(const DumpOptions *options, Dump **out) MUST_CHECK;
const Toc *dump_toc(const Dump *d);
/* Ends it, and checks what it had to say: an error that it met before it was ended is one here.
 * Warnings are added to `warnings`. */
Error *dump_end(Dump *d, StrList *warnings) MUST_CHECK;
/* The server's share of pg_dump's words has no code and is in the server's language (lc_messages,
 * which only a superuser may change). For an error of the two above that was not understood: asks
 * the server whether a privilege is missing, row security is in the way, or somebody waits for a
 * lock. Takes `e` over (NULL stays NULL) and gives it back; `c` is in no transaction. */
Error *dump_ask_why(Error *e, Conn *c) MUST_CHECK;
void dump_free(Dump *d);
DEFINE_AUTO(Dump, dump_free)

#endif
