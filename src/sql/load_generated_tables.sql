-- Tables with a stored generated column whose expression calls a function of the user's: it may read other
-- tables. (Those in C belong to extensions and read at most these' configuration.)
SELECT DISTINCT n.nspname, c.relname
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
  AND p.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
JOIN pg_catalog.pg_proc f ON f.oid = p.refobjid
JOIN pg_catalog.pg_language l ON l.oid = f.prolang
WHERE a.attgenerated = 's'
  AND l.lanname NOT IN ('internal', 'c')
