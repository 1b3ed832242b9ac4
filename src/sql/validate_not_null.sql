-- NULL in a column that says it has none. num_nulls, because newer planners believe the catalog and would not look.
SELECT o.schema, o.name, a.attname, 'NOT NULL',
       o.oid, o.bytes,
       'FROM ' || o.source,
       pg_catalog.format('pg_catalog.num_nulls(%s.%I) > 0', o.alias, a.attname),
       o.key || a.attnum,
       NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k
                    WHERE k.conrelid = o.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated),
       'error', NULL, NULL
  FROM ours o
  JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
 WHERE o.relkind = 'r'
 ORDER BY o.bytes, o.oid, a.attnum
