-- 5,000 small tables of four kinds in 50 schemas, as a program has that keeps its customers apart: up to 200 rows
-- each, every tenth one empty.
SELECT format('CREATE SCHEMA tenant_%s', s) FROM generate_series(0, 49) AS s \gexec
SELECT statement
FROM generate_series(1, gen.count(5000)) AS k,
     LATERAL (SELECT format('tenant_%s.table_%s', k % 50, k) AS name,
              CASE WHEN k % 10 = 0 THEN 0 ELSE gen.r(k, 1, 200) END AS rows) AS t,
     LATERAL (VALUES
         (1, format((ARRAY[
             'CREATE TABLE %s (id int PRIMARY KEY, name text NOT NULL, created timestamptz NOT NULL, active boolean)',
             'CREATE TABLE %s (id bigint PRIMARY KEY, owner int NOT NULL, amount numeric(12,2), currency char(3) NOT NULL)',
             'CREATE TABLE %s (key text PRIMARY KEY, value jsonb NOT NULL)',
             'CREATE TABLE %s (day date, hour smallint, count bigint NOT NULL, PRIMARY KEY (day, hour))'])[1 + k % 4], name)),
         (2, format((ARRAY[
             'INSERT INTO %s SELECT i, ''name '' || gen.r(i, %s, 10000), timestamptz ''2026-01-01 00:00:00+00'' + i * interval ''1 h'', i %% 3 > 0',
             'INSERT INTO %s SELECT i, gen.r(i, %s, 500), gen.r(i, %2$s, 1000000) / 100.0, ''EUR''',
             'INSERT INTO %s SELECT ''setting.'' || i, jsonb_build_object(''value'', gen.r(i, %s, 1000), ''by'', ''clerk '' || i)',
             'INSERT INTO %s SELECT date ''2026-01-01'' + i / 24, i %% 24, gen.r(i, %s, 5000)'])[1 + k % 4] ||
             ' FROM generate_series(1, %3$s) AS i', name, k, rows))) AS s(part, statement)
ORDER BY k, part \gexec
