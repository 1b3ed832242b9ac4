-- The tables that are the user's: ordinary, partitioned, foreign. With the topmost partitioned table above a partition. Attributes
-- that older servers do not have are asked for through row_to_json.
WITH RECURSIVE part (oid, above) AS (
    SELECT c.oid, h.inhparent
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid
     WHERE c.relkind IN ('r', 'p', 'f')
       AND (pg_catalog.row_to_json(c) ->> 'relispartition')::pg_catalog.bool
    UNION ALL
    SELECT p.oid, h.inhparent
      FROM part p
      JOIN pg_catalog.pg_class a ON a.oid = p.above
      JOIN pg_catalog.pg_inherits h ON h.inhrelid = p.above
     WHERE (pg_catalog.row_to_json(a) ->> 'relispartition')::pg_catalog.bool
)
SELECT c.oid, n.nspname, c.relname, c.relkind,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                  AND d.objsubid = 0 AND d.deptype = 'e'),
       (SELECT p.above FROM part p JOIN pg_catalog.pg_class a ON a.oid = p.above
         WHERE p.oid = c.oid
           AND (pg_catalog.row_to_json(a) ->> 'relispartition')::pg_catalog.bool IS NOT TRUE)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname <> 'information_schema'
 ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C"
