-- What every rule of validate begins with: the tables whose rows are a user's (not the system's, not an extension's), and the functions
-- that a rule would call and that belong to somebody else. `key` are the columns that tell a row: its primary key, or its place. `bytes`
-- is an estimate that needs no lock. What a finding shows of a row is SQL, or numbers of columns, and an index's definition may be NULL:
-- they are put into words for a finding, not for every rule.
-- A table that somebody holds, or waits for, exclusively is left out: the functions that put expressions into words would wait for it.
WITH RECURSIVE held AS MATERIALIZED (
SELECT l.relation
  FROM pg_catalog.pg_locks l
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
), wanted AS MATERIALIZED (
SELECT c.oid, c.relkind, c.relispartition, n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
       pg_catalog.quote_ident(c.relname) AS alias,
       CASE WHEN c.relkind = 'r' THEN 'ONLY ' ELSE '' END
       || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS source,
       CASE WHEN c.relkind = 'r' THEN b.bytes
            ELSE (SELECT COALESCE(pg_catalog.sum(t.relpages::pg_catalog.int8 * 8192), 0)::pg_catalog.int8
                    FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class t ON t.oid = p.relid)
       END AS bytes,
       COALESCE((SELECT i.indkey::pg_catalog.int2[] FROM pg_catalog.pg_index i
                  WHERE i.indrelid = c.oid AND i.indisprimary), '{-1}') AS key
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT GREATEST(c.relpages::pg_catalog.int8 * 8192,
                                     pg_catalog.pg_stat_get_live_tuples(c.oid) * 64) AS bytes) b
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND e.objid = c.oid AND e.deptype = 'e')
), ours AS MATERIALIZED (
SELECT * FROM wanted w WHERE w.oid NOT IN (SELECT relation FROM held)
), others AS MATERIALIZED (
SELECT d.classid, d.objid, pg_catalog.min(f.what) AS code
  FROM pg_catalog.pg_depend d
 CROSS JOIN LATERAL (
       SELECT p.proname::pg_catalog.text AS what, p.proowner AS owner
         FROM pg_catalog.pg_proc p
        WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.refobjid
        UNION ALL
       SELECT p.proname, p.proowner
         FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
        WHERE d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = d.refobjid
        UNION ALL
       SELECT t.typname, t.typowner
         FROM pg_catalog.pg_type t
        WHERE d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.refobjid
          AND t.typtype = 'd') f
  JOIN pg_catalog.pg_roles r ON r.oid = f.owner
 WHERE d.classid IN ('pg_catalog.pg_constraint'::pg_catalog.regclass, 'pg_catalog.pg_class'::pg_catalog.regclass)
   AND d.refobjid >= 16384
   AND NOT r.rolsuper
   AND r.rolname <> current_user
 GROUP BY d.classid, d.objid
)
