-- Which rows of an extension's table $1.$2 are a user's: the condition, empty for all. No row where it
-- is no such table.
SELECT e.extcondition[a.n]
FROM pg_catalog.pg_extension e, ROWS FROM (pg_catalog.unnest(e.extconfig)) WITH ORDINALITY AS a(relation, n)
JOIN pg_catalog.pg_class c ON c.oid = a.relation
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE s.nspname = $1 AND c.relname = $2
