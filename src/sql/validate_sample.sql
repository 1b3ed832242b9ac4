-- What is shown of a row: columns of the table $1 by their numbers $2, each once, with $3 before each.
SELECT pg_catalog.string_agg($3::pg_catalog.text || pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.n)
  FROM (SELECT k.num, pg_catalog.min(k.n) AS n
          FROM pg_catalog.unnest($2::pg_catalog.int2[]) WITH ORDINALITY k (num, n) GROUP BY 1) u
  JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::pg_catalog.oid AND a.attnum = u.num
