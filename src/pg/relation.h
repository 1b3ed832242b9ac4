/* Relations: what PostgreSQL's catalog says of tables, their columns, keys and foreign keys.
 *
 * Read from a live database; or at backup under its snapshot, kept beside the rows as one JSON
 * document a line (docs/format.md, stream of kind 4), and read again from there. Tables of the
 * system, temporary ones and views are left out.
 */
#ifndef PGSTOW_PG_RELATION_H
#define PGSTOW_PG_RELATION_H

#include "base/doc.h"
#include "pg/conn.h"

typedef struct RelationColumn {
    char *name;
    char *type; /* as SQL writes it, qualified where needed: numeric(10,2), app.mood[] */
    char *base; /* pg_type's name of what domains come down to, for those of pg_catalog: "int4",
                   "_text", "jsonb"; "enum", "composite", "range"; else "" */
    int number; /* attnum; gaps where columns were dropped */
    bool not_null;
    bool generated; /* GENERATED ALWAYS AS (...): COPY leaves it out */
    char identity;  /* 'a' GENERATED ALWAYS, 'd' BY DEFAULT, 0 none */
    bool defaults;  /* it has a default, its own or its type's; live only: no backup says so */
} RelationColumn;

/* A valid unique index over columns alone: no expression, no predicate. */
typedef struct RelationKey {
    char *name; /* of the index, and of its constraint where it has one */
    bool primary, constraint;
    bool deferrable;
    bool nulls_distinct; /* several rows with NULL are allowed */
    bool not_null;       /* all its columns are NOT NULL */
    StrList columns;
} RelationKey;

typedef struct RelationForeign {
    char *name;
    StrList columns, target_columns; /* same length */
    uint32_t target;                 /* OID of the table referred to */
    char *target_schema, *target_name;
    bool validated, deferrable;
    char match;                /* 's' simple, 'f' full, 'p' partial */
    char on_update, on_delete; /* 'a' no action, 'r' restrict, 'c' cascade, 'n' null, 'd' default */
} RelationForeign;

typedef struct Relation {
    uint32_t oid;
    uint32_t root; /* OID of the topmost partitioned table above a partition; 0 */
    char *schema, *name;
    char kind;      /* relkind: r, p, f */
    bool extension; /* belongs to one */
    RelationColumn *columns;
    size_t column_count, column_cap;
    RelationKey *keys; /* the primary one first, then by name */
    size_t key_count, key_cap;
    RelationForeign *foreigns; /* by name; a partition's that its root has stand there alone */
    size_t foreign_count, foreign_cap;
} Relation;
typedef struct RelationList {
    Relation *items; /* by schema and name */
    size_t count, cap;
    uint32_t *by_oid; /* places in items, sorted by OID */
} RelationList;
void relation_list_clear(RelationList *l);
DEFINE_AUTO_VALUE(RelationList, relation_list_clear)
/* Fills by_oid, for whoever fills items. */
void relation_list_index(RelationList *l);

/* All of the connected database, in UTF-8 (SQL_ASCII: the server's own bytes). */
Error *relation_list_read(Conn *c, RelationList *out) MUST_CHECK;
/* The stream: a line each, sorted; and back. ERR_DAMAGED. */
void relation_list_encode(const RelationList *l, Buf *out);
Error *relation_list_decode(const void *p, size_t n, RelationList *out) MUST_CHECK;
/* The same for one, as a document; and back out of an array of them. */
Doc *relation_doc(const Relation *r);
Error *relation_list_from(const Doc *docs, RelationList *out) MUST_CHECK;

const Relation *relation_find(const RelationList *l, const char *schema,
                              const char *name);                            /* or NULL */
const Relation *relation_find_oid(const RelationList *l, uint32_t oid);     /* or NULL */
const RelationColumn *relation_column(const Relation *r, const char *name); /* or NULL */
/* Whether the column belongs to the primary key. */
bool relation_is_in_key(const Relation *r, const char *column);
/* Where rows of a table of `from` go to in `to`: partitioned tables are one, known by the topmost;
 * a table may be partitioned on one side alone. Or NULL. */
const Relation *relation_counterpart(const RelationList *from, const char *schema, const char *name,
                                     const RelationList *to);
/* schema.name, quoted for SQL; caller frees. */
char *relation_sql_name(const Relation *r);
/* "a, b, c" quoted; caller frees. */
char *relation_sql_columns(const StrList *columns);

#endif
