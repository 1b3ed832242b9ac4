-- Foreign keys among the tables $1[i].$2[i] (and of those that they are partitions of) that are looked
-- at at once: how to put each off to the end, and back.
WITH w AS (
    SELECT c.oid
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(schema, name)
    JOIN pg_catalog.pg_namespace s ON s.nspname = w.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = w.name
), k AS (
    -- A partition's is its root's: only that can be altered.
    SELECT DISTINCT CASE WHEN f.conparentid = 0 THEN f.oid ELSE (
        WITH RECURSIVE up AS (
            SELECT p.oid, p.conparentid FROM pg_catalog.pg_constraint p WHERE p.oid = f.conparentid
            UNION ALL
            SELECT p.oid, p.conparentid FROM pg_catalog.pg_constraint p JOIN up ON p.oid = up.conparentid)
        SELECT up.oid FROM up WHERE up.conparentid = 0) END AS oid
    FROM pg_catalog.pg_constraint f
    WHERE f.contype = 'f' AND f.conrelid IN (SELECT oid FROM w)
)
SELECT pg_catalog.format('ALTER TABLE %s ALTER CONSTRAINT %I DEFERRABLE', f.conrelid::pg_catalog.regclass, f.conname),
       pg_catalog.format('ALTER TABLE %s ALTER CONSTRAINT %I NOT DEFERRABLE', f.conrelid::pg_catalog.regclass, f.conname)
FROM k JOIN pg_catalog.pg_constraint f ON f.oid = k.oid
WHERE NOT f.condeferrable
ORDER BY 1
