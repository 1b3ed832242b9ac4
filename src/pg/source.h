/* Sources: from what a TABLE DATA entry of the TOC must be read, and by which statements. Tables
 * are resolved by OID; the columns come from the entry's COPY statement.
 */
#ifndef PGSTOW_PG_SOURCE_H
#define PGSTOW_PG_SOURCE_H

#include "pg/archive.h"
#include "pg/conn.h"

typedef struct Source {
    int dump_id;
    uint32_t oid;
    char *schema, *name; /* in UTF-8; SQL_ASCII: the bytes that the server has */
    char *qualified;     /* quoted, in the client's encoding */
    char *columns;   /* "(a, b)" without the parentheses, quoted as pg_dump wrote it; empty: all, or
                        none */
    char *condition; /* "WHERE ..." of an extension's configuration table, or empty */
    /* What a filter adds, each NULL where it does not: the condition under which rows are read,
     * what stands in the columns' places, the name that both call the table by, and the common
     * table expressions that the condition refers to. */
    char *where, *values, *as, *with;
    char relkind;
    bool lockable;
    bool splittable; /* by ctid ranges */
    uint64_t pages;  /* of its heap, now */
    uint64_t heap_bytes, toast_bytes;
} Source;
typedef struct SourceList {
    Source *items;
    size_t count, cap;
} SourceList;
void source_list_clear(SourceList *l);
DEFINE_AUTO_VALUE(SourceList, source_list_clear)

/* What the server says of these tables: may be asked before it is known which of them the TOC has.
 * `c` must read under the backup's snapshot. */
Error *source_ask(Conn *c, const uint32_t *oids, size_t count, Rows **out) MUST_CHECK;
/* One per TABLE DATA entry, in the order of the TOC. `asked` is what source_ask gave, or NULL; what
 * is not in it is asked for now. ERR_DB_CHANGED where one is not there. */
Error *source_resolve(Conn *c, const Toc *toc, const Rows *asked, SourceList *out) MUST_CHECK;
/* A table of this name (in the client's encoding), to be read in these columns, as columns above
 * has them; adds nothing where there is none. */
Error *source_named(Conn *c, const char *schema, const char *name, const char *columns,
                    SourceList *out) MUST_CHECK;
/* Whether the statement is somebody's own, which may read other tables too. */
bool source_is_filtered(const Source *s);
/* What is read of a filtered one: see source_copy_sql. Caller frees. */
char *source_select_sql(const Source *s, uint64_t from, uint64_t to);
/* COPY ... TO STDOUT of pages [from, to) (to 0: to the end), or of the whole where both are 0.
 * Caller frees. */
char *source_copy_sql(const Source *s, uint64_t from, uint64_t to);
/* The column list of "COPY s.t (a, \"b)\") FROM stdin;": what stands between the outermost
 * parentheses. Caller frees. */
char *source_columns(const char *copy_stmt);

#endif
