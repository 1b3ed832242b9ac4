-- Valid unique indexes over columns alone, a row for each column: by table, the primary key first, then by name. Servers before 15 have
-- no indnullsnotdistinct, before 11 no indnkeyatts: there the names within the small select are those of "missing".
SELECT i.indrelid, x.relname, i.indisprimary,
       EXISTS (SELECT FROM pg_catalog.pg_constraint k
                WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')),
       NOT i.indimmediate, NOT i.alike, a.attname
  FROM (SELECT false AS indnullsnotdistinct, NULL::pg_catalog.int2 AS indnkeyatts) AS missing
 CROSS JOIN LATERAL (SELECT indrelid, indexrelid, indkey, indisprimary, indisunique, indisvalid, indisexclusion, indimmediate, indpred,
                            indexprs, indnullsnotdistinct AS alike, COALESCE(indnkeyatts, indnatts) AS width
                       FROM pg_catalog.pg_index) AS i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indisunique
   AND i.indisvalid
   AND NOT i.indisexclusion
   AND i.indpred IS NULL
   AND i.indexprs IS NULL
   AND k.place <= i.width
   AND c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%'
   AND n.nspname <> 'information_schema'
 ORDER BY i.indrelid, i.indisprimary DESC, x.relname::pg_catalog.text COLLATE "C", k.place
