-- $1: a table's OID. What its generated columns are computed from.
SELECT a.attnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = $1::pg_catalog.oid
   AND NOT a.attisdropped
   AND COALESCE(pg_catalog.row_to_json(a) ->> 'attgenerated', '') <> ''
