-- Tables that inherit columns, from near or far, and are no partitions: what they inherit, and from which table.
WITH RECURSIVE up (child, parent) AS (
    SELECT h.inhrelid, h.inhparent
      FROM pg_catalog.pg_inherits h
      JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid
     WHERE c.relkind = 'r'
       AND NOT (pg_catalog.row_to_json(c) ->> 'relispartition')::pg_catalog.bool
    UNION
    SELECT up.child, h.inhparent FROM up JOIN pg_catalog.pg_inherits h ON h.inhrelid = up.parent)
SELECT up.child, up.parent, a.attname
  FROM up
  JOIN pg_catalog.pg_attribute a ON a.attrelid = up.child AND a.attinhcount > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_attribute p ON p.attrelid = up.parent AND p.attname = a.attname
 ORDER BY up.child, a.attnum, up.parent
