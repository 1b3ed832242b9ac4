-- Every partition with the table right above it.
SELECT h.inhrelid, h.inhparent
  FROM pg_catalog.pg_inherits h
  JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid
 WHERE c.relkind IN ('r', 'p', 'f')
   AND (pg_catalog.row_to_json(c) ->> 'relispartition')::pg_catalog.bool
