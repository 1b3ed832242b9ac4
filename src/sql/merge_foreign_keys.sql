-- Foreign keys from or to some tables, a row for each pair of columns: by table and name. Those that a partition has of its root
-- stand with the root alone.
SELECT f.oid, f.conname, f.conrelid, f.confrelid,
       pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind,
       pg_catalog.format('%I.%I', tn.nspname, tc.relname), tc.relkind,
       f.convalidated, f.condeferrable, f.confupdtype, f.confdeltype,
       pg_catalog.pg_get_constraintdef(f.oid), pg_catalog.obj_description(f.oid, 'pg_constraint'),
       a.attname, ta.attname,
       pg_catalog.format('OPERATOR(%I.%s)', op.nspname, o.oprname),
       CASE pg_catalog.jsonb_typeof(pg_catalog.to_jsonb(f) -> 'confdelsetcols') WHEN 'array'
            THEN (pg_catalog.to_jsonb(f) -> 'confdelsetcols') @> pg_catalog.to_jsonb(a.attnum) ELSE true END,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AND pg_catalog.pg_has_role(tc.relowner, 'USAGE')
  FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class tc ON tc.oid = f.confrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
 CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY AS k (own, other, op, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own
  JOIN pg_catalog.pg_attribute ta ON ta.attrelid = f.confrelid AND ta.attnum = k.other
  JOIN pg_catalog.pg_operator o ON o.oid = k.op
  JOIN pg_catalog.pg_namespace op ON op.oid = o.oprnamespace
 WHERE f.contype = 'f'
   AND f.conparentid = 0
   AND COALESCE((pg_catalog.to_jsonb(f) ->> 'conenforced')::pg_catalog.bool, true)
 ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C", f.conname::pg_catalog.text COLLATE "C", f.oid, k.place
