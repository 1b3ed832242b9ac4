-- Who is a member of which role. What came with 16 is null before.
SELECT pg_catalog.json_build_object(
           'kind', 'membership', 'role', r.rolname, 'member', m.rolname, 'grantor', g.rolname,
           'admin', a.admin_option,
           'inherit', (pg_catalog.row_to_json(a) ->> 'inherit_option')::pg_catalog.bool,
           'set', (pg_catalog.row_to_json(a) ->> 'set_option')::pg_catalog.bool)
  FROM pg_catalog.pg_auth_members a
  JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
  JOIN pg_catalog.pg_roles m ON m.oid = a.member
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantor
 WHERE m.rolname !~ '^pg_'
 ORDER BY r.rolname::pg_catalog.text COLLATE "C", m.rolname::pg_catalog.text COLLATE "C",
          g.rolname::pg_catalog.text COLLATE "C"
