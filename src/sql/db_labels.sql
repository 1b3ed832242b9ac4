-- $1: the database's OID.
SELECT provider, label
FROM pg_catalog.pg_shseclabel
WHERE classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objoid = $1::pg_catalog.oid
