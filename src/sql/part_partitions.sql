-- The table $1.$2 and all partitions of it, the table first: OID, schema, name.
WITH RECURSIVE t AS (
    SELECT c.oid, 0 AS depth
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = $1 AND c.relname = $2
    UNION ALL
    SELECT c.oid, t.depth + 1
    FROM t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
)
SELECT t.oid, s.nspname, c.relname
FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
ORDER BY t.depth, 2, 3
