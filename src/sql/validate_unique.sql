-- Keys that a unique index should have kept from coming twice. Read from the table: an index that is wrong would not tell.
SELECT o.schema, o.name, c.relname, NULL,
       i.indexrelid, o.bytes,
       pg_catalog.format('FROM (SELECT %s, pg_catalog.count(*) AS times FROM (SELECT %s FROM %s%s) s%s '
                         'GROUP BY %s HAVING pg_catalog.count(*) > 1) d',
                         x.names, x.expressions, o.source,
                         COALESCE(' WHERE ' || pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''),
                         CASE WHEN pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' THEN ''
                              ELSE ' WHERE pg_catalog.num_nulls(' || x.names || ') = 0' END,
                         x.names),
       'true', 'd.*', true, 'error',
       CASE WHEN NOT x.usual THEN 'unsupported' WHEN f.code IS NOT NULL THEN 'function' END,
       COALESCE(f.code, 'its operator class has an equality of its own')
  FROM ours o
  JOIN pg_catalog.pg_index i ON i.indrelid = o.oid AND i.indisunique AND i.indisvalid AND i.indisready
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
  LEFT JOIN others f ON f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND f.objid = i.indexrelid
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg('s.' || pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.n) AS names,
              pg_catalog.string_agg(
                  pg_catalog.format('%s%s AS %I', COALESCE(pg_catalog.quote_ident(ta.attname),
                                                           pg_catalog.pg_get_indexdef(i.indexrelid, u.n::pg_catalog.int4, false)),
                                    CASE WHEN co.oid IS NOT NULL
                                         THEN pg_catalog.format(' COLLATE %I.%I', con.nspname, co.collname) ELSE '' END,
                                    a.attname), ', ' ORDER BY u.n) AS expressions,
              pg_catalog.bool_and(oc.opcdefault OR oc.opcname LIKE '%pattern_ops') AS usual
         FROM ROWS FROM (pg_catalog.unnest(i.indclass::pg_catalog.oid[]), pg_catalog.unnest(i.indcollation::pg_catalog.oid[]),
                         pg_catalog.unnest(i.indkey::pg_catalog.int2[])) WITH ORDINALITY u (class, coll, num, n)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = u.n
         JOIN pg_catalog.pg_opclass oc ON oc.oid = u.class
         LEFT JOIN pg_catalog.pg_attribute ta ON ta.attrelid = i.indrelid AND ta.attnum = u.num AND u.num <> 0
         LEFT JOIN pg_catalog.pg_collation co ON co.oid = u.coll
         LEFT JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace) x
 WHERE o.relkind = 'r'
 ORDER BY o.bytes, i.indexrelid
