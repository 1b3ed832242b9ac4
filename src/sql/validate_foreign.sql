-- Rows that refer to nothing. Equality is what the constraint itself uses, under the collation of the column referred to. A partition's
-- share of its parent's constraint is the parent's. MATCH FULL also forbids that only some columns are NULL.
SELECT o.schema, o.name, k.conname, pg_catalog.pg_get_constraintdef(k.oid),
       k.conrelid, o.bytes,
       CASE WHEN k.confmatchtype <> 'f' OR x.width = 1 THEN 'FROM ' || o.source || ' f'
            ELSE pg_catalog.format('FROM (SELECT f.ctid, f.* FROM %1$s f WHERE %2$s AND NOT EXISTS (%3$s) UNION ALL '
                                   'SELECT f.ctid, f.* FROM %1$s f WHERE pg_catalog.num_nulls(%4$s) BETWEEN 1 AND %5$s) f',
                                   o.source, x.known, y.target, x.columns, x.width - 1)
       END,
       CASE WHEN k.confmatchtype <> 'f' OR x.width = 1 THEN x.known || ' AND NOT EXISTS (' || y.target || ')'
            ELSE 'true' END,
       o.key || k.conkey,
       k.convalidated,
       CASE WHEN s.json ->> 'conenforced' = 'false' THEN 'warning' ELSE 'error' END,
       CASE WHEN s.json ->> 'conperiod' = 'true' THEN 'unsupported' END,
       'a foreign key with PERIOD'
  FROM ours o
  JOIN pg_catalog.pg_constraint k ON k.conrelid = o.oid AND k.contype = 'f' AND k.conparentid = 0
  JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(k) AS json) s
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(
                  pg_catalog.format('p.%I OPERATOR(%I.%s) f.%I%s', pa.attname, opn.nspname, op.oprname, fa.attname,
                                    CASE WHEN pa.attcollation <> fa.attcollation AND co.oid IS NOT NULL
                                         THEN pg_catalog.format(' COLLATE %I.%I', con.nspname, co.collname)
                                         ELSE '' END), ' AND ' ORDER BY u.n) AS equal,
              pg_catalog.string_agg(pg_catalog.format('f.%I IS NOT NULL', fa.attname), ' AND ' ORDER BY u.n) AS known,
              pg_catalog.string_agg(pg_catalog.format('f.%I', fa.attname), ', ' ORDER BY u.n) AS columns,
              pg_catalog.count(*) AS width
         FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop))
              WITH ORDINALITY u (f, p, op, n)
         JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.conrelid AND fa.attnum = u.f
         JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.p
         JOIN pg_catalog.pg_operator op ON op.oid = u.op
         JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
         LEFT JOIN pg_catalog.pg_collation co ON co.oid = pa.attcollation
         LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace) x
 CROSS JOIN LATERAL (
       SELECT pg_catalog.format('SELECT 1 FROM %s%I.%I p WHERE %s', CASE WHEN t.relkind = 'r' THEN 'ONLY ' ELSE '' END,
                                tn.nspname, t.relname, x.equal) AS target) y
 ORDER BY o.bytes, k.conrelid, k.conname
