-- $1: the database.
SELECT s.subname
FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
WHERE d.datname = $1
ORDER BY 1
