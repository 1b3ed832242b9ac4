-- Foreign keys, a row for each pair of columns: by table and name. What a partition has of its root stands with the root alone.
SELECT f.conrelid, f.conname, f.confrelid, tn.nspname, tc.relname,
       f.convalidated, f.condeferrable, f.confmatchtype, f.confupdtype, f.confdeltype,
       a.attname, ta.attname
  FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class tc ON tc.oid = f.confrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
 CROSS JOIN LATERAL pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
  JOIN pg_catalog.pg_attribute ta ON ta.attrelid = f.confrelid AND ta.attnum = f.confkey[k.place]
 WHERE f.contype = 'f'
   AND COALESCE(pg_catalog.row_to_json(f) ->> 'conparentid', '0') = '0'
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname <> 'information_schema'
 ORDER BY f.conrelid, f.conname::pg_catalog.text COLLATE "C", f.oid, k.place
