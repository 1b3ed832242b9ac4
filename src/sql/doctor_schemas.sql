-- Schemas and who owns tables or sequences in them: for GRANTs before PostgreSQL 14.
SELECT DISTINCT pg_catalog.quote_ident(n.nspname),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'S')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2
