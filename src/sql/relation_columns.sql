-- Columns of all tables, by table and place. The base type is what domains come down to. Servers before 12 have no
-- attgenerated, before 10 no attidentity: there the names within the small selects are those of "missing".
WITH RECURSIVE base (oid, base) AS (
    SELECT t.oid, t.oid FROM pg_catalog.pg_type t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.base
      FROM base b
      JOIN pg_catalog.pg_type d ON d.typbasetype = b.oid AND d.typtype = 'd'
)
SELECT a.attrelid, a.attnum, a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN tn.nspname = 'pg_catalog' THEN t.typname
            WHEN t.typtype = 'e' THEN 'enum'
            WHEN t.typtype = 'c' THEN 'composite'
            WHEN t.typtype IN ('r', 'm') THEN 'range'
            ELSE '' END,
       a.attnotnull,
       (SELECT attgenerated FROM pg_catalog.pg_attribute x WHERE x.attrelid = a.attrelid AND x.attnum = a.attnum) <> '',
       (SELECT attidentity FROM pg_catalog.pg_attribute x WHERE x.attrelid = a.attrelid AND x.attnum = a.attnum)
  FROM (SELECT ''::"char" AS attgenerated, ''::"char" AS attidentity) AS missing
 CROSS JOIN pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN base b ON b.oid = a.atttypid
  JOIN pg_catalog.pg_type t ON t.oid = b.base
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname <> 'information_schema'
 ORDER BY a.attrelid, a.attnum
