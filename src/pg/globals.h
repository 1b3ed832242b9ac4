/* Globals: what belongs to a server and not to one of its databases: roles and who is a member of
 * them, their settings (those of databases too), tablespaces, privileges on parameters.
 *
 * Kept as one JSON object a line (docs/format.md, stream of kind 5), so that each server can be
 * given statements that it understands.
 */
#ifndef PGSTOW_PG_GLOBALS_H
#define PGSTOW_PG_GLOBALS_H

#include "base/doc.h"
#include "pg/conn.h"

typedef struct Globals {
    Doc **items; /* roles, memberships, settings, tablespaces, parameters; each by name */
    size_t count, cap;
} Globals;
void globals_clear(Globals *g);
DEFINE_AUTO_VALUE(Globals, globals_clear)

/* With hashes of passwords ERR_DB_PERMISSION where the user is no superuser. `c` is in UTF-8. */
Error *globals_read(Conn *c, bool passwords, Globals *out) MUST_CHECK;
void globals_encode(const Globals *g, Buf *out);
Error *globals_decode(const void *p, size_t n, Globals *out) MUST_CHECK; /* ERR_DAMAGED */

/* How many of a kind: "role", "tablespace", ...; with passwords: "role" only. */
size_t globals_count(const Globals *g, const char *kind, bool with_password);
/* The one of this kind and name, or NULL. */
const Doc *globals_find(const Globals *g, const char *kind, const char *name);

/* The statements that make one, for a server of this version (150018); none for what it does not
 * know. */
void globals_statements(const Doc *item, int server_version, StrList *out);
/* GRANT of a membership; by its grantor or by whoever runs it. Caller frees. */
char *globals_grant(const Doc *item, int server_version, bool by_grantor);
/* All of it as SQL for psql. */
void globals_script(const Globals *g, int server_version, Buf *out);

typedef struct GlobalsResult {
    StrList roles, tablespaces; /* that were made, or would be */
    StrList warnings;
} GlobalsResult;
void globals_result_clear(GlobalsResult *r);
DEFINE_AUTO_VALUE(GlobalsResult, globals_result_clear)

/* What is missing on the server is made, what is there stays as it is and is named in a warning
 * where it differs. Roles and what belongs to them come all or not at all. A tablespace that cannot
 * be made is a warning. `c`: in UTF-8, in no transaction. Without `really` it is only looked at. */
Error *globals_apply(Conn *c, const Globals *g, bool really, bool tablespaces,
                     GlobalsResult *out) MUST_CHECK;

#endif
