-- Roles of the server, but for those that come with PostgreSQL.
SELECT pg_catalog.json_build_object(
           'kind', 'role', 'name', r.rolname, 'superuser', r.rolsuper, 'inherit', r.rolinherit,
           'createRole', r.rolcreaterole, 'createDb', r.rolcreatedb, 'login', r.rolcanlogin,
           'replication', r.rolreplication, 'bypassRls', r.rolbypassrls, 'connectionLimit', r.rolconnlimit,
           'validUntil', r.rolvaliduntil::pg_catalog.text,
           'comment', pg_catalog.shobj_description(r.oid, 'pg_authid'))
  FROM pg_catalog.pg_roles r
 WHERE r.rolname !~ '^pg_'
 ORDER BY r.rolname::pg_catalog.text COLLATE "C"
