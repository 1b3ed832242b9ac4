-- $1: names. Those that a function bears whose value changes from call to call.
SELECT DISTINCT p.proname
  FROM pg_catalog.pg_proc p
 WHERE p.proname = ANY ($1::pg_catalog.name[]) AND p.provolatile = 'v'
 ORDER BY 1
