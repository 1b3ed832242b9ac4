-- $1: how the comment begins. Databases that an earlier restore left behind.
SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database'), d.oid
FROM pg_catalog.pg_database d
WHERE pg_catalog.strpos(pg_catalog.shobj_description(d.oid, 'pg_database'), $1) = 1
ORDER BY d.oid DESC
