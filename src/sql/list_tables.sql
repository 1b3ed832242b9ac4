-- Every table whose rows could be lost between the snapshot and our reading of them: ordinary and partitioned ones, in any schema but the system's.
SELECT c.oid,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND (c.oid >= 16384 OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
   AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY c.oid
