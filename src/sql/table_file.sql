-- A table's name, the file that the snapshot sees, the file that it has now, and whether it is of a kind that can be locked.
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relfilenode,
       pg_catalog.pg_relation_filenode(c.oid),
       c.relkind IN ('r', 'p')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = $1::pg_catalog.oid
