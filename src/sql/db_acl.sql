-- $1: the database's OID. Grantee NULL: PUBLIC.
SELECT CASE WHEN a.grantor <> d.datdba THEN pg_catalog.pg_get_userbyid(a.grantor) END,
       CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
       a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(d.datacl) a
WHERE d.oid = $1::pg_catalog.oid
