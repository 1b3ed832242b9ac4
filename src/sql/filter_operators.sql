-- By which operators foreign keys compare (the key's value left, the referring one right), a row for each pair of columns.
SELECT f.conrelid, f.conname,
       'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')',
       COALESCE((pg_catalog.row_to_json(f) ->> 'conperiod')::pg_catalog.bool, false)
  FROM pg_catalog.pg_constraint f
 CROSS JOIN LATERAL pg_catalog.unnest(f.conpfeqop) WITH ORDINALITY AS k (operator, place)
  JOIN pg_catalog.pg_operator o ON o.oid = k.operator
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
 WHERE f.contype = 'f'
 ORDER BY f.conrelid, f.conname::pg_catalog.text COLLATE "C", f.oid, k.place
