-- Settings of roles, of databases, and of roles in databases.
SELECT pg_catalog.json_build_object('kind', 'setting', 'role', r.rolname, 'database', d.datname, 'setting', c.setting)
  FROM pg_catalog.pg_db_role_setting s
 CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (setting)
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE (s.setrole = 0 OR r.oid IS NOT NULL) AND (s.setdatabase = 0 OR d.oid IS NOT NULL)
 ORDER BY d.datname::pg_catalog.text COLLATE "C" NULLS FIRST, r.rolname::pg_catalog.text COLLATE "C" NULLS FIRST,
          c.setting COLLATE "C"
