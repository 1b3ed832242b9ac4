-- Of all tables: estimated rows (-1: unknown), estimated bytes with what is kept apart and indexes, and whether there are rules
-- that would change what is written.
SELECT c.oid,
       CASE WHEN c.reltuples < 0 OR c.reltuples = 0 AND c.relpages = 0 AND c.relkind <> 'p' THEN -1 ELSE c.reltuples::pg_catalog.int8 END,
       (c.relpages + COALESCE(t.relpages, 0)
        + COALESCE((SELECT pg_catalog.sum(i.relpages) FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
                     WHERE x.indrelid = c.oid), 0))::pg_catalog.int8
       * pg_catalog.current_setting('block_size')::pg_catalog.int8,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1' AND r.ev_enabled <> 'D')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
 WHERE c.relkind IN ('r', 'p', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname <> 'information_schema'
