-- The tables of these OIDs, sorted by OID: what a TABLE DATA entry is read from. An extension's configuration table comes with the
-- condition under which its rows are the user's. Schema and name are the bytes of UTF-8 in hex, whatever the client's encoding; where
-- the server knows of no conversion, its own bytes.
SELECT c.oid,
       pg_catalog.encode(pg_catalog.convert_to(n.nspname::pg_catalog.text, u.names), 'hex'),
       pg_catalog.encode(pg_catalog.convert_to(c.relname::pg_catalog.text, u.names), 'hex'),
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relkind,
       (SELECT x.condition
          FROM (SELECT pg_catalog.unnest(e.extconfig) AS config,
                       pg_catalog.unnest(e.extcondition) AS condition
                  FROM pg_catalog.pg_extension e
                 WHERE e.extconfig IS NOT NULL) x
         WHERE x.config = c.oid
         LIMIT 1),
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END,
       CASE WHEN c.reltoastrelid <> 0 THEN pg_catalog.pg_relation_size(c.reltoastrelid) ELSE 0 END,
       pg_catalog.current_setting('block_size'),
       COALESCE((SELECT a.amname = 'heap' FROM pg_catalog.pg_am a WHERE a.oid = c.relam), false)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (SELECT CASE WHEN pg_catalog.getdatabaseencoding() IN ('SQL_ASCII', 'MULE_INTERNAL')
                         THEN pg_catalog.getdatabaseencoding()
                         ELSE 'UTF8' END AS names) u
 WHERE c.oid = ANY ($1::pg_catalog.oid[])
 ORDER BY c.oid
