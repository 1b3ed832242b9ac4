-- The user triggers of some tables and of their partitions, as they are switched. A partition's copy of a trigger of its table is
-- only listed where it is switched otherwise than that.
WITH tables (oid) AS (
    SELECT r.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS r (oid)
     UNION
    SELECT p.relid FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS r (oid), pg_catalog.pg_partition_tree(r.oid) AS p
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(t.tgname), t.tgenabled, c.relkind
  FROM pg_catalog.pg_trigger t
  JOIN tables ON tables.oid = t.tgrelid
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_trigger above
         ON above.oid = (pg_catalog.to_jsonb(t) ->> 'tgparentid')::pg_catalog.oid AND NOT above.tgisinternal
 WHERE CASE WHEN above.oid IS NULL THEN NOT t.tgisinternal ELSE above.tgenabled <> t.tgenabled END
 ORDER BY above.oid IS NOT NULL, 1, 2
