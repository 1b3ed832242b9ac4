-- Tables that row security applies to for this user: pg_dump and COPY refuse to read those.
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND c.relrowsecurity
   AND pg_catalog.row_security_active(c.oid)
 ORDER BY 1
