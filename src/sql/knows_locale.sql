-- $1: a locale's name, of which systems write the encoding differently: C.UTF-8, C.utf8.
WITH wanted AS (
    SELECT pg_catalog.replace(pg_catalog.lower($1), '-', '') AS name
)
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_database, wanted
    WHERE pg_catalog.replace(pg_catalog.lower(datcollate::text), '-', '') = wanted.name
    UNION ALL
    SELECT FROM pg_catalog.pg_collation, wanted
    WHERE pg_catalog.replace(pg_catalog.lower(collcollate::text), '-', '') = wanted.name
)
