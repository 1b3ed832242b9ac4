-- What the catalog says by itself: indexes that are not valid (but those that somebody builds just now), and foreign keys whose triggers
-- are off.
SELECT o.schema, o.name, c.relname,
       CASE WHEN c.relkind = 'I' THEN 'not every partition has its part of it'
            WHEN NOT i.indisready THEN 'it is not kept up to date, no query uses it, and a backup leaves it out'
            ELSE 'no query uses it, and a backup leaves it out' END,
       i.indexrelid, 0, NULL, NULL, NULL, false, 'warning', NULL, 'index'
  FROM ours o
  JOIN pg_catalog.pg_index i ON i.indrelid = o.oid AND NOT (i.indisvalid AND i.indisready)
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
 UNION ALL
SELECT o.schema, o.name, k.conname, pg_catalog.pg_get_constraintdef(k.oid),
       k.oid, 0, NULL, NULL, NULL, false, 'warning', NULL, 'trigger'
  FROM ours o
  JOIN pg_catalog.pg_constraint k ON k.conrelid = o.oid AND k.contype = 'f'
 WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled IN ('D', 'R'))
 ORDER BY 1, 2, 3
