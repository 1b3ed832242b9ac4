-- Sequences that are named, or owned by a column of some tables.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), s.seqincrement, s.seqmin, s.seqmax,
       d.refobjid, pg_catalog.quote_ident(a.attname)
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend d
         ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.seqrelid AND d.objsubid = 0
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE d.refobjid = ANY ($1::pg_catalog.oid[])
    OR ($2::pg_catalog.bool AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND d.refobjid IS NULL)
 ORDER BY 1
