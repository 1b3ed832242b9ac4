-- What stands before each of the other files here. They make the same rows at every run and on every machine,
-- since every value comes from a hash of the row's key. The setting bench.scale says how many.
SET work_mem = '512MB';
SET maintenance_work_mem = '512MB';
SET jit = off;
SET synchronous_commit = off;

CREATE SCHEMA gen;
CREATE FUNCTION gen.count(base int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT greatest(1, round(base * current_setting('bench.scale')::numeric))::bigint $$;
-- A pseudo-random number from 0 to n - 1.
CREATE FUNCTION gen.r(key bigint, seed bigint, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(key, seed) & 9223372036854775807) % n $$;
