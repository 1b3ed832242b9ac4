#include "pg/part_rename.h"

#include <stdio.h>
#include <string.h>

#include "pg/part_target.h"
#include "sql.h"

#define NAME_MAX_BYTES 63 /* NAMEDATALEN - 1 */
#define TRIES 1000

void part_names_clear(PartNames *n)
{
    for (size_t i = 0; i < n->count; i++) {
        free(n->items[i].schema);
        free(n->items[i].name);
        free(n->items[i].new_schema);
        free(n->items[i].new_name);
    }
    free(n->items);
    *n = (PartNames){0};
}

const PartName *part_names_find_new(const PartNames *n, const char *schema, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (!strcmp(n->items[i].new_name, name) && !strcmp(n->items[i].new_schema, schema))
            return &n->items[i];
    return NULL;
}

/* At most so many bytes of it, not ending inside of a character. */
static size_t cut_at(const char *s, size_t most)
{
    size_t n = strlen(s);
    if (n <= most)
        return n;
    n = most;
    while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

char *part_rename_like(const char *name, const char *table, const char *new_table, unsigned number)
{
    char suffix[16] = "";
    size_t n = strlen(table);
    bool derived = !strncmp(name, table, n) && name[n] == '_';
    const char *stem = derived ? new_table : name, *rest = derived ? name + n : "";
    if (number)
        snprintf(suffix, sizeof suffix, "_%u", number);
    size_t room = NAME_MAX_BYTES - strlen(suffix), rest_n = cut_at(rest, room);
    /* Something of the table's name always stays. */
    if (rest_n > room - 8)
        rest_n = cut_at(rest, room - 8);
    size_t stem_n = cut_at(stem, room - rest_n);
    return mem_printf("%.*s%.*s%s", (int)stem_n, stem, (int)rest_n, rest, suffix);
}

static Error *is_taken(Conn *c, const char *kind, const char *schema, const char *name, bool *taken)
{
    if (!strcmp(kind, "STATISTICS")) {
        AUTO(Rows) rows = NULL;
        const char *params[] = {schema, name};
        TRY(conn_query(c,
                       "SELECT FROM pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_namespace s "
                       "ON s.oid = e.stxnamespace WHERE s.nspname = $1 AND e.stxname = $2",
                       2, params, &rows));
        *taken = rows_count(rows) > 0;
        return NULL;
    }
    AUTO_VALUE(StrList) schemas = {0};
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(StrList) there = {0};
    strlist_add(&schemas, schema);
    strlist_add(&names, name);
    TRY(part_target_relations(c, &schemas, &names, true, &there));
    *taken = there.count > 0;
    return NULL;
}

/* A name that is free in both databases; the one that it has now counts as free in its own. */
static Error *find_name(Conn *c, Conn *target, const char *kind, const char *schema,
                        const char *name, const char *table, const char *new_table, char **out)
{
    for (unsigned i = 0; i < TRIES; i++) {
        AUTO(char) candidate = part_rename_like(name, table, new_table, i);
        bool taken = false;
        if (target)
            TRY(is_taken(target, kind, schema, candidate, &taken));
        if (!taken && strcmp(candidate, name))
            TRY(is_taken(c, kind, schema, candidate, &taken));
        if (taken)
            continue;
        *out = STEAL(candidate);
        return NULL;
    }
    FAIL(ERR_EXISTS, "no name like \"%s\" is free in schema \"%s\"", name, schema);
}

/* One of the table alone: only there it has to be free. */
static Error *rename_constraint(Conn *c, const char *name, const char *table, const PartName *n)
{
    AUTO(char) wanted = part_rename_like(name, table, n->new_name, 0);
    if (!strcmp(wanted, name))
        return NULL;
    AUTO(char) schema = text_sql_ident(n->new_schema);
    AUTO(char) owner = text_sql_ident(n->new_name);
    AUTO(char) from = text_sql_ident(name);
    AUTO(char) to = text_sql_ident(wanted);
    return conn_execf(c, "ALTER TABLE %s.%s RENAME CONSTRAINT %s TO %s", schema, owner, from, to);
}

static Error *rename_belongings(Conn *c, Conn *target, const char *oid, const PartName *n)
{
    const char *table = n->name, *new_table = n->new_name;
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_part_belongings, 1, &oid, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *kind = rows_text(rows, i, 0), *schema = rows_text(rows, i, 1);
        const char *name = rows_text(rows, i, 2);
        AUTO(char) wanted = NULL;
        if (!strcmp(kind, "CONSTRAINT")) {
            TRY(rename_constraint(c, name, table, n));
            continue;
        }
        TRY(find_name(c, target, kind, schema, name, table, new_table, &wanted));
        if (!strcmp(wanted, name))
            continue;
        AUTO(char) s = text_sql_ident(schema);
        AUTO(char) from = text_sql_ident(name);
        AUTO(char) to = text_sql_ident(wanted);
        TRY(conn_execf(c, "ALTER %s %s.%s RENAME TO %s", kind, s, from, to));
    }
    return NULL;
}

/* By way of a name that nobody has: the old one may be taken in the new schema, and the new one in
 * the old. */
static Error *rename_table(Conn *c, const PartName *n)
{
    AUTO(char) schema = text_sql_ident(n->schema);
    AUTO(char) name = text_sql_ident(n->name);
    AUTO(char) new_schema = text_sql_ident(n->new_schema);
    AUTO(char) new_name = text_sql_ident(n->new_name);
    TRY(conn_execf(c, "ALTER TABLE %s.%s RENAME TO pgstow_renamed", schema, name));
    if (strcmp(n->schema, n->new_schema))
        TRY(conn_execf(c, "ALTER TABLE %s.pgstow_renamed SET SCHEMA %s", schema, new_schema));
    return conn_execf(c, "ALTER TABLE %s.pgstow_renamed RENAME TO %s", new_schema, new_name);
}

static Error *make_schema(Conn *c, const char *schema)
{
    bool there;
    TRY(part_target_has_schema(c, schema, &there));
    AUTO(char) name = text_sql_ident(schema);
    return there ? NULL : conn_execf(c, "CREATE SCHEMA %s", name);
}

Error *part_rename(Conn *c, Conn *target, const char *schema, const char *name,
                   const char *new_schema, const char *new_name, PartNames *out)
{
    AUTO(Rows) tables = NULL;
    const char *params[] = {schema, name};
    TRY(make_schema(c, new_schema));
    TRY(conn_query(c, sql_part_partitions, 2, params, &tables));
    if (!rows_count(tables))
        FAIL(ERR_INTERNAL, "there is no table %s.%s to be renamed", schema, name);
    for (size_t i = 0; i < rows_count(tables); i++) {
        const char *own_schema = rows_text(tables, i, 1), *own = rows_text(tables, i, 2);
        bool moves = !strcmp(own_schema, schema);
        AUTO(char) wanted = i ? NULL : mem_strdup(new_name);
        const char *to_schema = moves ? new_schema : own_schema;
        if (i)
            TRY(find_name(c, target, "TABLE", to_schema, own, name, new_name, &wanted));
        mem_grow(out->items, out->count, out->cap);
        PartName *n = &out->items[out->count++];
        *n = (PartName){.schema = mem_strdup(own_schema),
                        .name = mem_strdup(own),
                        .new_schema = mem_strdup(to_schema),
                        .new_name = STEAL(wanted)};
        TRY_CTX(rename_table(c, n), "renaming %s.%s", own_schema, own);
        TRY_CTX(rename_belongings(c, target, rows_text(tables, i, 0), n), "renaming %s.%s",
                own_schema, own);
    }
    return NULL;
}
