-- Columns of all tables, by table and place. The base type is what domains come down to. Servers before 12 have no
-- attgenerated, before 10 no attidentity: there the names within the small select are those of "missing".
WITH RECURSIVE domain (oid, base) AS (
    SELECT d.oid, d.typbasetype FROM pg_catalog.pg_type d WHERE d.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype
      FROM domain d
      JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd'
)
SELECT a.attrelid, a.attnum, a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN tn.nspname = 'pg_catalog' THEN t.typname
            WHEN t.typtype = 'e' THEN 'enum'
            WHEN t.typtype = 'c' THEN 'composite'
            WHEN t.typtype IN ('r', 'm') THEN 'range'
            ELSE '' END,
       a.attnotnull, a.generated <> '', a.identity,
       a.atthasdef OR (SELECT y.typdefault IS NOT NULL FROM pg_catalog.pg_type y WHERE y.oid = a.atttypid)
  FROM (SELECT ''::"char" AS attgenerated, ''::"char" AS attidentity) AS missing
 CROSS JOIN LATERAL (SELECT attrelid, attnum, attname, atttypid, atttypmod, attnotnull, attisdropped, atthasdef,
                            attgenerated AS generated, attidentity AS identity
                       FROM pg_catalog.pg_attribute) AS a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN domain d ON d.oid = a.atttypid
  JOIN pg_catalog.pg_type t ON t.oid = COALESCE(d.base, a.atttypid) AND t.typtype <> 'd'
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname <> 'information_schema'
 ORDER BY a.attrelid, a.attnum
