-- Whether rows for the table $1.$2 set off code of the user's: a CHECK of it, or of a domain somewhere in its
-- columns' types, calls a function that is not in C. (Columns that such a function generates: load_generated_tables.)
WITH RECURSIVE asking AS (
    SELECT k.conrelid, k.contypid
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND p.objid = k.oid
    LEFT JOIN pg_catalog.pg_operator o ON p.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass
      AND o.oid = p.refobjid
    JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
      OR (p.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND f.oid = p.refobjid)
    JOIN pg_catalog.pg_language l ON l.oid = f.prolang
    WHERE k.contype = 'c' AND l.lanname NOT IN ('internal', 'c')
), types AS (
    SELECT contypid AS oid FROM asking WHERE contypid <> 0
    UNION
    SELECT made.oid
    FROM types JOIN (
        SELECT typelem AS part, oid FROM pg_catalog.pg_type
        UNION ALL
        SELECT typbasetype, oid FROM pg_catalog.pg_type
        UNION ALL
        SELECT rngsubtype, rngtypid FROM pg_catalog.pg_range
        UNION ALL
        SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        WHERE a.attnum > 0 AND NOT a.attisdropped
    ) made ON made.part = types.oid
)
SELECT EXISTS (SELECT FROM asking WHERE asking.conrelid = c.oid)
    OR EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN types ON types.oid = a.atttypid
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
