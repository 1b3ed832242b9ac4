-- One line a table: name, rows, and a sum of the hashes of its rows, whatever their order. Without
-- materialized views: a restore refreshes them, and the original's may be stale.
SET search_path = pg_catalog;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 3;
SET statement_timeout = 0;
SELECT format('SELECT %L, count(*), coalesce(sum(hashtextextended(pgstow_row::text, 0)::numeric), 0) '
              'FROM ONLY %I.%I AS pgstow_row', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY n.nspname, c.relname
\gexec
