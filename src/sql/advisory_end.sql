-- $1: the pid, $2: when it connected, $3: since when it is idle, both as they were seen. Ends it if
-- it still is the same, and has done nothing since; no row where that is not so.
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity a
WHERE a.pid = $1::pg_catalog.int4
  AND a.backend_start::pg_catalog.text = $2
  AND a.state_change::pg_catalog.text = $3
  AND a.state IN ('idle', 'idle in transaction', 'idle in transaction (aborted)')
