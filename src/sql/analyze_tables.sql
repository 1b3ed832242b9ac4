-- What ANALYZE takes, the largest first. A partitioned table takes its partitions along.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p')
  AND coalesce(pg_catalog.row_to_json(c) ->> 'relispartition', 'false') = 'false'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY pg_catalog.pg_table_size(c.oid) DESC, c.oid
