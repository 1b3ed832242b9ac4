-- Privileges on settings of the server (from 15 on).
SELECT pg_catalog.json_build_object(
           'kind', 'parameter', 'name', p.parname,
           'privileges', (
               SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                          'grantor', pg_catalog.pg_get_userbyid(a.grantor),
                          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
                          'privilege', a.privilege_type, 'grantable', a.is_grantable))
                 FROM pg_catalog.aclexplode(p.paracl) a
                WHERE a.grantee <> 10))
  FROM pg_catalog.pg_parameter_acl p
 ORDER BY p.parname COLLATE "C"
