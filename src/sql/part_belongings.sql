-- What has a name of its own in a schema and goes with the table $1 (an OID): kind, schema, name.
SELECT 'INDEX', s.nspname, i.relname
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace s ON s.oid = i.relnamespace
WHERE x.indrelid = $1::pg_catalog.oid
UNION ALL
SELECT 'SEQUENCE', s.nspname, q.relname
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'
JOIN pg_catalog.pg_namespace s ON s.oid = q.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = d.classid
    AND d.refobjid = $1::pg_catalog.oid AND d.deptype IN ('a', 'i')
UNION ALL
SELECT 'STATISTICS', s.nspname, e.stxname
FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_namespace s ON s.oid = e.stxnamespace
WHERE e.stxrelid = $1::pg_catalog.oid
UNION ALL
-- Of the table alone, but called after it as well; keys have the names of their indexes.
SELECT 'CONSTRAINT', s.nspname, k.conname
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE k.conrelid = $1::pg_catalog.oid AND k.contype IN ('c', 'f', 'n') AND k.coninhcount = 0
    AND k.conparentid = 0
ORDER BY 1, 3
