-- The enabled triggers of users on the tables $1[i].$2[i]: how to switch each off, and on again as it
-- was.
SELECT pg_catalog.format('ALTER TABLE %I.%I DISABLE TRIGGER %I', s.nspname, c.relname, t.tgname),
       pg_catalog.format('ALTER TABLE %I.%I ENABLE %s TRIGGER %I', s.nspname, c.relname,
                         CASE t.tgenabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' ELSE '' END, t.tgname)
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(schema, name)
JOIN pg_catalog.pg_namespace s ON s.nspname = w.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = w.name
JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
ORDER BY 1
