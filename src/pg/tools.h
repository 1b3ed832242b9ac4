/* Finding pg_dump, pg_restore and psql, and telling how to install them.
 *
 * Looked at, in this order, all of them: PATH, /usr/lib/postgresql/N/bin (Debian), /usr/pgsql-N/bin
 * (RHEL), /usr/libexec/postgresqlN (Alpine), /usr/local/bin, /usr/local/pgsql/bin, Homebrew,
 * Postgres.app. Of those found the lowest that is at or above what is needed wins; among equals the
 * first. An explicit setting is the only one looked at: a program, a folder that holds it, or a
 * command ("docker exec db pg_dump").
 */
#ifndef PGSTOW_PG_TOOLS_H
#define PGSTOW_PG_TOOLS_H

#include "base/text.h"
#include "flow/cancel.h"

typedef enum ToolName { TOOL_PG_DUMP, TOOL_PG_RESTORE, TOOL_PSQL, TOOL_NAMES } ToolName;
const char *tools_name(ToolName name); /* "pg_dump" ... */

typedef struct Tool {
    StrList argv;    /* what to run; arguments are added behind */
    int major;       /* 15; 9 for all 9.x */
    int version;     /* 150018, as conn_server_version; the last two digits of 9.x likewise */
    char *text;      /* "15.18": as the tool prints it */
    bool is_command; /* the setting was a command: it may run elsewhere, with other files */
} Tool;
void tool_free(Tool *t);
DEFINE_AUTO(Tool, tool_free)

typedef struct ToolsOptions {
    const char *setting[TOOL_NAMES]; /* explicit settings, NULL or "" where there is none */
    bool force_pg_dump_missing;      /* FORCE_PG_DUMP_MISSING=1 */
    const char *path;                /* instead of PATH; NULL: PATH */
    const char *root;                /* before every absolute folder, for tests; NULL: none */
    const Cancel *cancel;            /* or NULL */
} ToolsOptions;

/* server_version: the server's, as conn_server_version; 0: any will do, then the newest wins.
 * least_major: what else asks for a version (the archive's, for pg_restore); 0: nothing.
 * ERR_TOOL_MISSING where none is found, ERR_TOOL_VERSION where all are too old: both say what was
 * looked for and where, the server's version, what was found, and hint how to install. */
Error *tools_find(const ToolsOptions *options, ToolName name, int server_version, int least_major,
                  Tool **out) MUST_CHECK;
/* The place list in words, one per line; for doctor. Caller frees. */
char *tools_places(const ToolsOptions *options, ToolName name);
/* How to install the client programs of that major (0: the newest) on this system; one or more
 * lines, caller frees. root as above. */
char *tools_install_hint(const char *root_or_null, int major);

#endif
