-- The unique indexes and exclusion constraints of some tables, a row for each column: by table, name and place.
SELECT i.indrelid, x.relname, i.indisexclusion, NOT i.indimmediate,
       COALESCE((pg_catalog.row_to_json(i) ->> 'indnullsnotdistinct')::pg_catalog.bool, false),
       i.indexprs IS NULL,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid),
       pg_catalog.pg_get_indexdef(i.indexrelid, k.place::pg_catalog.int4, false),
       COALESCE((SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                   FROM pg_catalog.pg_opclass oc
                   JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype
                                             AND ao.amoprighttype = oc.opcintype AND ao.amopstrategy = 3
                   JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
                   JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
                  WHERE oc.oid = (i.indclass::pg_catalog.oid[])[k.place - 1] AND NOT i.indisexclusion), 'OPERATOR(pg_catalog.=)'),
       a.attname
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k (attnum, place)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
 WHERE i.indrelid = ANY ($1::pg_catalog.oid[])
   AND (i.indisunique OR i.indisexclusion)
   AND i.indisready
   AND k.place <= i.indnkeyatts
 ORDER BY i.indrelid, x.relname::pg_catalog.text COLLATE "C", k.place
