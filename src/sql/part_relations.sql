-- The relations $1[i].$2[i], each with whether it is there.
SELECT w.schema || '.' || w.name, c.oid IS NOT NULL
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS w(schema, name, n)
LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = w.schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = w.name
ORDER BY w.n
