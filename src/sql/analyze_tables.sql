-- What ANALYZE takes, the largest first. A partitioned table takes its partitions along; not one
-- with foreign tables in it, since that would go looking for their servers: there the others are
-- taken one by one.
WITH RECURSIVE far AS (
    SELECT i.inhparent AS oid
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE c.relkind = 'f'
    UNION
    SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN far f ON f.oid = i.inhrelid
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p')
  AND NOT EXISTS (SELECT FROM far WHERE far.oid = c.oid)
  AND (coalesce(pg_catalog.row_to_json(c) ->> 'relispartition', 'false') = 'false'
       OR EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN far ON far.oid = i.inhparent
                  WHERE i.inhrelid = c.oid))
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY pg_catalog.pg_table_size(c.oid) DESC, c.oid
