-- Rows that break a CHECK, of the table or of a column's domain, and rows in a partition that does not take them. The tables are written
-- without an alias, because expressions may name them; VALUE of a domain's expression is a column of that name in the innermost query.
, domains AS (
SELECT a.attrelid, a.attnum, a.attname, t.oid AS domain, t.typbasetype, t.typnotnull, t.typname
  FROM ours o
  JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype = 'd'
 WHERE o.relkind = 'r'
 UNION ALL
SELECT d.attrelid, d.attnum, d.attname, t.oid, t.typbasetype, t.typnotnull, t.typname
  FROM domains d
  JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype AND t.typtype = 'd'
), bases AS (
SELECT d.attrelid, d.attnum, d.typbasetype AS base
  FROM domains d
  JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype AND t.typtype <> 'd'
), rules AS (
SELECT k.conrelid AS rel, k.conname::pg_catalog.text AS object, pg_catalog.pg_get_constraintdef(k.oid) AS detail,
       'NOT (' || pg_catalog.pg_get_expr(k.conbin, k.conrelid) || ')' AS condition,
       COALESCE(k.conkey, '{}') AS columns, k.convalidated AS proven,
       CASE WHEN pg_catalog.to_jsonb(k) ->> 'conenforced' = 'false' THEN 'warning' ELSE 'error' END AS level,
       (SELECT x.code FROM others x
         WHERE x.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND x.objid = k.oid) AS code
  FROM ours o
  JOIN pg_catalog.pg_constraint k ON k.conrelid = o.oid AND k.contype = 'c'
 WHERE o.relkind = 'r'
 UNION ALL
SELECT d.attrelid, pg_catalog.format('%s of %s', k.conname, d.attname),
       pg_catalog.format('domain %s: %s', d.typname, pg_catalog.pg_get_constraintdef(k.oid)),
       pg_catalog.format('NOT (SELECT %s FROM (SELECT %s.%I::%s AS value) v)', pg_catalog.pg_get_expr(k.conbin, 0),
                         o.alias, d.attname, pg_catalog.format_type(b.base, -1)),
       ARRAY[d.attnum], k.convalidated, 'error',
       (SELECT x.code FROM others x
         WHERE x.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND x.objid = k.oid)
  FROM domains d
  JOIN ours o ON o.oid = d.attrelid
  JOIN bases b ON b.attrelid = d.attrelid AND b.attnum = d.attnum
  JOIN pg_catalog.pg_constraint k ON k.contypid = d.domain AND k.contype = 'c'
 UNION ALL
SELECT d.attrelid, d.attname, pg_catalog.format('domain %s: NOT NULL', d.typname),
       pg_catalog.format('pg_catalog.num_nulls(%s.%I) > 0', o.alias, d.attname),
       ARRAY[d.attnum], true, 'error', NULL
  FROM domains d
  JOIN ours o ON o.oid = d.attrelid
 WHERE d.typnotnull
 UNION ALL
SELECT o.oid, o.name, 'the bounds of the partition',
       'NOT (' || pg_catalog.pg_get_partition_constraintdef(o.oid) || ')',
       '{}', true, 'error',
       (SELECT pg_catalog.min(x.code) FROM others x JOIN pg_catalog.pg_partition_ancestors(o.oid) p ON x.objid = p.relid
         WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
  FROM ours o
 WHERE o.relkind = 'r' AND o.relispartition AND pg_catalog.pg_get_partition_constraintdef(o.oid) IS NOT NULL
)
SELECT o.schema, o.name, r.object, r.detail,
       o.oid, o.bytes,
       'FROM ' || o.source,
       r.condition,
       o.key || r.columns,
       r.proven, r.level,
       CASE WHEN r.code IS NOT NULL THEN 'function' END, r.code
  FROM rules r
  JOIN ours o ON o.oid = r.rel
 ORDER BY o.bytes, o.oid, r.object
