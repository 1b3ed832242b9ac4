-- $1: a table's OID, $2: the numbers of its columns whose values change. What these values must fulfil: unique indexes with the list
-- of what is compared and the condition on the rows that count, and expressions that must not be false.
SELECT 'unique' AS kind, x.relname,
       (SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false), ', ' ORDER BY k)
          FROM pg_catalog.generate_series(1, u.keys) k),
       (SELECT pg_catalog.string_agg('(' || pg_catalog.pg_get_indexdef(i.indexrelid, k, false) || ') IS NOT NULL',
                                     ' AND ' ORDER BY k)
          FROM pg_catalog.generate_series(1, u.keys) k
         WHERE NOT COALESCE((pg_catalog.row_to_json(i) ->> 'indnullsnotdistinct')::pg_catalog.bool, false)),
       pg_catalog.pg_get_expr(i.indpred, i.indrelid)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 CROSS JOIN LATERAL (SELECT COALESCE((pg_catalog.row_to_json(i) ->> 'indnkeyatts')::pg_catalog.int4,
                                     i.indnatts)) u (keys)
 WHERE i.indrelid = $1::pg_catalog.oid
   AND i.indisunique AND i.indisvalid
   AND (i.indkey::pg_catalog.int2[] && $2::pg_catalog.int2[] OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
UNION ALL
SELECT 'check', c.conname, pg_catalog.pg_get_expr(c.conbin, c.conrelid), NULL, NULL
  FROM pg_catalog.pg_constraint c
 WHERE c.conrelid = $1::pg_catalog.oid AND c.contype = 'c' AND c.convalidated
   AND (c.conkey IS NULL OR c.conkey && $2::pg_catalog.int2[])
UNION ALL
SELECT 'partition', '', pg_catalog.pg_get_partition_constraintdef(c.oid), NULL, NULL
  FROM pg_catalog.pg_class c
 WHERE c.oid = $1::pg_catalog.oid
   AND (pg_catalog.row_to_json(c) ->> 'relispartition')::pg_catalog.bool
   AND pg_catalog.pg_get_partition_constraintdef(c.oid) IS NOT NULL
 ORDER BY 1, 2
