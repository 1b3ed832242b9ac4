-- Sequences that a column takes its values from (serial, identity, or a default that names one) and whose next value is used already, or
-- was passed. One that goes in steps is compared with the values on its own track only: others may lie on the others.
SELECT o.schema, o.name, pg_catalog.format('%I.%I', sn.nspname, sc.relname), pg_catalog.format('column %I', a.attname),
       sc.oid,
       CASE WHEN s.seqincrement IN (1, -1)
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                          WHERE i.indrelid = o.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL)
            THEN 8192 ELSE o.bytes END,
       pg_catalog.format('FROM (SELECT CASE WHEN q.is_called THEN q.last_value::pg_catalog.numeric + %s ELSE q.last_value END '
                         'AS next, m.used FROM %I.%I q CROSS JOIN LATERAL (SELECT pg_catalog.%s(t.%I) AS used FROM %s t%s) m) d',
                         s.seqincrement, sn.nspname, sc.relname, CASE WHEN s.seqincrement > 0 THEN 'max' ELSE 'min' END,
                         a.attname, o.source,
                         CASE WHEN s.seqincrement IN (1, -1) THEN ''
                              ELSE pg_catalog.format(' WHERE pg_catalog.mod(t.%I::pg_catalog.numeric - q.last_value, %s) = 0',
                                                     a.attname, s.seqincrement) END),
       CASE WHEN s.seqincrement > 0 THEN 'd.next <= d.used' ELSE 'd.next >= d.used' END,
       'd.next, d.used', false, 'warning', NULL, NULL
  FROM ours o
  JOIN (SELECT d.refobjid AS rel, d.refobjsubid AS num, d.objid AS seq
          FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
         UNION
        SELECT f.adrelid, f.adnum, d.refobjid
          FROM pg_catalog.pg_attrdef f
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
                                     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          JOIN pg_catalog.pg_class c ON c.oid = f.adrelid AND NOT c.relispartition) w ON w.rel = o.oid
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = w.seq AND NOT s.seqcycle
  JOIN pg_catalog.pg_class sc ON sc.oid = w.seq
  JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum = w.num AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typcategory = 'N'
 ORDER BY o.bytes, sc.oid
