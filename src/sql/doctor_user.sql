-- Who we are: name, superuser, may bypass row security, owner of the database or of tables in it.
SELECT pg_catalog.quote_ident(r.rolname),
       r.rolsuper,
       EXISTS (SELECT 1 FROM pg_catalog.pg_database d
                WHERE d.datname = pg_catalog.current_database() AND d.datdba = r.oid)
       OR EXISTS (SELECT 1 FROM pg_catalog.pg_class c
                   WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'),
       (SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p')
           AND c.relrowsecurity)
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user
