-- What is only large: one value of 50 MB and 500 small tables.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA big;
CREATE TABLE big.value (id int PRIMARY KEY, t text, b bytea);
ALTER TABLE big.value ALTER COLUMN t SET STORAGE EXTERNAL;
INSERT INTO big.value
    SELECT 1, string_agg(repeat(md5(g::text) || ' ', 10), E'\\') || E'\nthe end', NULL FROM generate_series(1, 159000) g;
INSERT INTO big.value VALUES (2, 'small', '\x00'), (3, NULL, NULL);
CREATE SCHEMA many;
DO $$
BEGIN
    FOR i IN 1 .. 500 LOOP
        EXECUTE format('CREATE TABLE many.%I AS SELECT g AS id, %L || g AS t FROM generate_series(1, %s) g',
                       't ' || i, 'table ' || i || ' row ', i % 5);
    END LOOP;
END $$;
