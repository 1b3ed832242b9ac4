-- The sequences that were used, with their values, and those that may not be read. Not transactional: a value is never older than the rows that the snapshot sees.
SELECT s.schemaname, s.sequencename, s.last_value, pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE')
  FROM pg_catalog.pg_sequences s
  JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename
 WHERE (s.last_value IS NOT NULL OR NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE'))
   AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2
