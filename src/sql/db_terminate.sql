-- $1: the database. Ends every session in it but our own; how many there were.
SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid))
FROM pg_catalog.pg_stat_activity
WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()
