-- $1: names, with their schema where they are not of pg_catalog. Those that a function bears whose value changes from call to call.
SELECT DISTINCT p.proname
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.provolatile = 'v'
   AND (n.nspname = 'pg_catalog' AND p.proname::pg_catalog.text = ANY ($1::pg_catalog.text[])
        OR n.nspname || '.' || p.proname = ANY ($1::pg_catalog.text[]))
 ORDER BY 1
