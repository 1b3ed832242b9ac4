-- NULL in a column that says it has none. num_nulls, because newer planners believe the catalog and would not look.
SELECT o.schema, o.name, a.attname, 'NOT NULL',
       o.oid, o.bytes,
       'FROM ' || o.source,
       pg_catalog.format('pg_catalog.num_nulls(%s.%I) > 0', o.alias, a.attname),
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c.attname), ', ' ORDER BY u.n)
          FROM (SELECT k.num, pg_catalog.min(k.n) AS n
                  FROM pg_catalog.unnest(o.key || a.attnum) WITH ORDINALITY k (num, n) GROUP BY 1) u
          JOIN pg_catalog.pg_attribute c ON c.attrelid = o.oid AND c.attnum = u.num),
       NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k
                    WHERE k.conrelid = o.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated),
       'error', NULL, NULL
  FROM ours o
  JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
 WHERE o.relkind = 'r'
 ORDER BY o.bytes, o.oid, a.attnum
