-- B-tree indexes as amcheck sees them, where that extension is installed. $1: also look whether every row is in the index.
SELECT o.schema, o.name, c.relname, pg_catalog.pg_get_indexdef(i.indexrelid),
       i.indexrelid, c.relpages::pg_catalog.int8 * 8192,
       pg_catalog.format('FROM (SELECT %I.bt_index_check(''%s''::pg_catalog.regclass, %L) AS c OFFSET 0) d', n.nspname,
                         i.indexrelid, $1::pg_catalog.bool),
       'd.c IS NULL', 'd.c', true, 'error', NULL, NULL
  FROM ours o
  JOIN pg_catalog.pg_index i ON i.indrelid = o.oid AND i.indisvalid AND i.indisready
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' AND c.relpersistence = 'p'
  JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
 CROSS JOIN pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'amcheck' AND e.extversion <> '1.0'
 ORDER BY 6, i.indexrelid
