-- Who holds advisory locks in the connected database, one row a lock, those that others wait for
-- first. What the connected role may not see of others is NULL. A lock without a pid is a prepared
-- transaction's.
SELECT l.pid,
       CASE l.objsubid
           WHEN 1 THEN ((l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8)::pg_catalog.text
           ELSE pg_catalog.concat(
               l.classid::pg_catalog.int8 - CASE WHEN l.classid::pg_catalog.int8 > 2147483647 THEN 4294967296 ELSE 0 END,
               ', ',
               l.objid::pg_catalog.int8 - CASE WHEN l.objid::pg_catalog.int8 > 2147483647 THEN 4294967296 ELSE 0 END)
       END AS key,
       l.mode,
       a.usename,
       a.application_name,
       CASE WHEN a.state IS NULL THEN NULL ELSE pg_catalog.concat(pg_catalog.host(a.client_addr)) END AS client,
       a.state,
       pg_catalog.floor(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.state_change) * 1000)::pg_catalog.int8 AS idle_ms,
       pg_catalog.floor(pg_catalog.date_part('epoch', a.backend_start) * 1000)::pg_catalog.int8 AS connected,
       a.backend_start::pg_catalog.text,
       a.state_change::pg_catalog.text,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks w
        WHERE NOT w.granted AND w.locktype = 'advisory' AND w.database = l.database
          AND w.classid = l.classid AND w.objid = l.objid AND w.objsubid = l.objsubid) AS waiting,
       (SELECT x.gid FROM pg_catalog.pg_locks t
        JOIN pg_catalog.pg_prepared_xacts x ON x.transaction = t.transactionid
        WHERE l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid'
          AND t.virtualtransaction = l.virtualtransaction LIMIT 1) AS gid,
       l.objsubid = 2 AND l.classid::pg_catalog.int8 & 4294967295
           = pg_catalog.hashtext('pgstow restore')::pg_catalog.int8 & 4294967295 AS is_restore
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
  AND l.granted
  AND l.database = (SELECT oid FROM pg_catalog.pg_database
                    WHERE datname = pg_catalog.current_database())
  AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
ORDER BY waiting DESC, l.pid, key
