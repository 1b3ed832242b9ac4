-- $1: the database's OID. Role NULL: for everybody.
SELECT CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END, c.setting
FROM pg_catalog.pg_db_role_setting s, LATERAL pg_catalog.unnest(s.setconfig) c (setting)
WHERE s.setdatabase = $1::pg_catalog.oid
ORDER BY s.setrole
