-- Tablespaces but for PostgreSQL's own. Privileges are null where nobody ever granted any; a grantee of null is PUBLIC.
SELECT pg_catalog.json_build_object(
           'kind', 'tablespace', 'name', t.spcname, 'owner', pg_catalog.pg_get_userbyid(t.spcowner),
           'location', pg_catalog.pg_tablespace_location(t.oid), 'options', t.spcoptions,
           'privileges', CASE WHEN t.spcacl IS NOT NULL THEN COALESCE((
               SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                          'grantor', pg_catalog.pg_get_userbyid(a.grantor),
                          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
                          'privilege', a.privilege_type, 'grantable', a.is_grantable))
                 FROM pg_catalog.aclexplode(t.spcacl) a), '[]') END,
           'comment', pg_catalog.shobj_description(t.oid, 'pg_tablespace'))
  FROM pg_catalog.pg_tablespace t
 WHERE t.spcname !~ '^pg_'
 ORDER BY t.spcname::pg_catalog.text COLLATE "C"
