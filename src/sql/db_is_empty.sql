-- Whether the connected database has nothing but what template databases have: the system, and
-- objects that extensions brought.
WITH own AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, oid, relnamespace AS namespace
    FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace FROM pg_catalog.pg_proc
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typnamespace
    FROM pg_catalog.pg_type WHERE typtype IN ('d', 'e', 'r') OR (typtype IN ('b', 'p') AND typelem = 0)
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid, oprnamespace FROM pg_catalog.pg_operator
    UNION ALL
    SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, oid
    FROM pg_catalog.pg_namespace WHERE nspname <> 'public'
    UNION ALL
    SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, oid, 0 FROM pg_catalog.pg_foreign_server
    UNION ALL
    SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, oid, 0 FROM pg_catalog.pg_event_trigger
    UNION ALL
    SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid, 0
    FROM pg_catalog.pg_largeobject_metadata
)
SELECT NOT EXISTS (
    SELECT FROM own o
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
    WHERE o.oid >= 16384
      AND (n.nspname IS NULL OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e')
)
