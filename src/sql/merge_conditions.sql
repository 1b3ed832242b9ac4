-- Of some tables: which rows of an extension's table are the user's, and which tables have rules.
SELECT x.oid, e.condition, false
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS x (oid)
  JOIN (SELECT pg_catalog.unnest(extconfig) AS oid, pg_catalog.unnest(extcondition) AS condition
          FROM pg_catalog.pg_extension) AS e ON e.oid = x.oid
 WHERE e.condition <> ''
 UNION ALL
SELECT DISTINCT r.ev_class, '', true
  FROM pg_catalog.pg_rewrite r
 WHERE r.ev_class = ANY ($1::pg_catalog.oid[]) AND r.ev_type <> '1' AND r.ev_enabled <> 'D'
