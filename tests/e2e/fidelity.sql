-- A database with one of (nearly) everything that PostgreSQL 15 can hold, and values and names that
-- have broken backup tools before. Load it into an empty UTF-8 database as a superuser, after
-- fidelity_globals.sql, with ON_ERROR_STOP. fidelity_big.sql adds the parts that are only large,
-- fidelity_16.sql and so on what those versions brought. What 13 and 14 lack is left out there.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

SELECT current_setting('server_version_num')::int >= 140000 AS v14,
       current_setting('server_version_num')::int >= 150000 AS v15 \gset
-- Parts of statements, where only a part differs.
\set multirange_name ', multirange_type_name = app.floatspans'
\set multirange int4multirange
\set floatspans app.floatspans
\set numeric_infinity '\'Infinity\''
\set numeric_minus_infinity '\'-Infinity\''
\set elements anycompatiblearray
\set element anycompatible
\set lz4 'COMPRESSION lz4'
\set pglz 'COMPRESSION pglz'
\set subscription_option ', binary = true'
\set not_distinct 'NULLS NOT DISTINCT'
\set unlogged UNLOGGED
\set invoker ', security_invoker = true'
\if :v14
\else
    \set multirange_name
    \set multirange text
    \set floatspans text
    \set numeric_infinity '\'1e99\''
    \set numeric_minus_infinity '\'-1e99\''
    \set elements anyarray
    \set element anyelement
    \set lz4
    \set pglz
    \set subscription_option
\endif
\if :v15
\else
    \set not_distinct
    \set unlogged
    \set invoker
\endif

-- ------------------------------------------------------------------ schemas, comments, extensions
COMMENT ON SCHEMA public IS E'the public schema, with a comment of its own: quote '' and \\ and\na second line';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO fid_reader;

CREATE SCHEMA app AUTHORIZATION fid_owner;
COMMENT ON SCHEMA app IS 'where most things live';
CREATE SCHEMA "Strange.schema ""q"" 100% \ back" AUTHORIZATION "Fid ""quoted"" rôle";
CREATE SCHEMA U&"new\000Aline";
CREATE SCHEMA "схема_с_очень_длинным_именем_é";
CREATE SCHEMA shadow;
CREATE SCHEMA ext;
CREATE SCHEMA empty_schema;
GRANT USAGE, CREATE ON SCHEMA app TO fid_writer WITH GRANT OPTION;
GRANT USAGE ON SCHEMA shadow TO PUBLIC;

CREATE EXTENSION hstore WITH SCHEMA ext;
CREATE EXTENSION citext WITH SCHEMA ext;
CREATE EXTENSION ltree WITH SCHEMA ext;
CREATE EXTENSION btree_gist WITH SCHEMA ext;
CREATE EXTENSION pg_trgm WITH SCHEMA ext;
CREATE EXTENSION file_fdw WITH SCHEMA ext;
CREATE EXTENSION postgres_fdw WITH SCHEMA ext;
COMMENT ON EXTENSION hstore IS 'the comment was changed';

-- An extension of the tests' own: two configuration tables, one with a row condition, and a sequence.
CREATE EXTENSION pgstow_fixture WITH SCHEMA ext;
INSERT INTO ext.fixture_settings (name, value, builtin)
VALUES ('site', 'ours', false), (E'odd\tname', E'a\\.b\n\\.', false), ('nothing', NULL, false);
INSERT INTO ext.fixture_all VALUES (101, 'added'), (102, NULL);
SELECT setval('ext.fixture_seq', 4711);

-- ------------------------------------------------------------------ types
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy', 'it''s', 'с п а c e', '');
ALTER TYPE app.mood ADD VALUE 'so so' BEFORE 'ok';
ALTER TYPE app.mood OWNER TO fid_owner;
COMMENT ON TYPE app.mood IS 'an enum whose order is not that of its making';
CREATE TYPE app.pair AS (a int, "B b" text, c numeric(10, 3)[]);
COMMENT ON COLUMN app.pair."B b" IS 'a composite type''s column';
CREATE TYPE app.nothing AS ();
CREATE DOMAIN app.percent AS numeric(5, 2) DEFAULT 0 NOT NULL
    CONSTRAINT "between 0 and 100%" CHECK (VALUE BETWEEN 0 AND 100);
COMMENT ON DOMAIN app.percent IS 'a domain';
COMMENT ON CONSTRAINT "between 0 and 100%" ON DOMAIN app.percent IS 'a domain''s constraint';
CREATE DOMAIN app.percents AS app.percent[] CHECK (cardinality(VALUE) < 10);
CREATE DOMAIN app.goodpair AS app.pair CHECK ((VALUE).a > 0);
CREATE TYPE app.floatspan AS RANGE (subtype = float8, subtype_diff = float8mi :multirange_name);
GRANT USAGE ON TYPE app.mood TO fid_reader;
REVOKE USAGE ON TYPE app.pair FROM PUBLIC;

-- A base type made of the input and output functions of text.
CREATE TYPE app.label;
CREATE FUNCTION app.label_in(cstring) RETURNS app.label LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION app.label_out(app.label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE app.label (INPUT = app.label_in, OUTPUT = app.label_out, LIKE = text, CATEGORY = 'U');
CREATE TYPE app.shell_only;

CREATE COLLATION app.phonebook (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION app."any case" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION app.plain_c (provider = libc, locale = 'C');
COMMENT ON COLLATION app.phonebook IS 'as in a phone book';

CREATE CONVERSION app.latin1_to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION app.latin1_to_utf8 IS 'a conversion';

-- ------------------------------------------------------------------ languages, functions, procedures
CREATE FUNCTION app.twin_call() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION app.twin_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE TRUSTED LANGUAGE plpgsql_twin HANDLER app.twin_call INLINE app.twin_inline;
ALTER LANGUAGE plpgsql_twin OWNER TO fid_owner;
REVOKE USAGE ON LANGUAGE plpgsql_twin FROM PUBLIC;
COMMENT ON LANGUAGE plpgsql_twin IS 'another name for plpgsql';

CREATE FUNCTION app.double(x int DEFAULT 21) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    COST 3 AS $$ SELECT x * 2 $$;
\if :v14
CREATE FUNCTION app.standard_body(a int, b int) RETURNS int LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT a + app.double(b);
END;
\else
CREATE FUNCTION app.standard_body(a int, b int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + app.double(b)';
\endif
CREATE FUNCTION app.odd_text() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = app, pg_temp SET work_mem = '8MB' AS $body$
-- A comment line, and then a text with the end mark of COPY in a line of its own.
DECLARE
    v text := E'tab\there $$ and \\ and ''quotes''' || '
\.
--';
BEGIN
    RETURN v;
END
$body$;
ALTER FUNCTION app.odd_text() OWNER TO fid_owner;
REVOKE ALL ON FUNCTION app.odd_text() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.odd_text() TO fid_reader WITH GRANT OPTION;
COMMENT ON FUNCTION app.odd_text() IS E'line one\nline two \\';
CREATE FUNCTION app.many(INOUT a int, OUT b text, VARIADIC c text[] DEFAULT '{}')
    RETURNS SETOF record LANGUAGE plpgsql_twin ROWS 7 AS $$
BEGIN
    b := array_to_string(c, ',');
    RETURN NEXT;
END $$;
CREATE FUNCTION app.as_table(n int) RETURNS TABLE (id int, "na me" text) LANGUAGE sql AS
    $$ SELECT g, 'n' || g FROM generate_series(1, n) g $$;
CREATE FUNCTION app."quoted ""name"" %s"(anyelement) RETURNS anyelement LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION app.is_nice(t text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    $$ SELECT t IS NULL OR length(t) < 1000 $$;
CREATE PROCEDURE app.proc(INOUT n int, note text DEFAULT E'it''s') LANGUAGE plpgsql AS $$
BEGIN
    n := n + 1;
END $$;
COMMENT ON PROCEDURE app.proc(int, text) IS 'a procedure';
CREATE FUNCTION app.win(x int) RETURNS bigint LANGUAGE internal WINDOW AS 'window_row_number';
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO fid_reader;

CREATE TRANSFORM FOR int LANGUAGE sql (
    FROM SQL WITH FUNCTION prsd_lextype(internal),
    TO SQL WITH FUNCTION int4recv(internal));

-- ------------------------------------------------------------------ operators, casts, aggregates
CREATE CAST (app.label AS text) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (text AS app.label) WITH INOUT;
CREATE FUNCTION app.mood_int(app.mood) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE $1 WHEN 'sad' THEN -1 ELSE 1 END $$;
CREATE CAST (app.mood AS int) WITH FUNCTION app.mood_int(app.mood) AS IMPLICIT;
COMMENT ON CAST (app.mood AS int) IS 'a cast';

CREATE FUNCTION app.mod_lt(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1) < abs($2)';
CREATE FUNCTION app.mod_le(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1) <= abs($2)';
CREATE FUNCTION app.mod_eq(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1) = abs($2)';
CREATE FUNCTION app.mod_ge(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1) >= abs($2)';
CREATE FUNCTION app.mod_gt(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1) > abs($2)';
CREATE FUNCTION app.mod_cmp(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS
    'SELECT CASE WHEN abs($1) < abs($2) THEN -1 WHEN abs($1) > abs($2) THEN 1 ELSE 0 END';
CREATE OPERATOR app.<# (LEFTARG = int, RIGHTARG = int, FUNCTION = app.mod_lt, COMMUTATOR = OPERATOR(app.>#),
                        NEGATOR = OPERATOR(app.>=#), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR app.<=# (LEFTARG = int, RIGHTARG = int, FUNCTION = app.mod_le);
CREATE OPERATOR app.=# (LEFTARG = int, RIGHTARG = int, FUNCTION = app.mod_eq, COMMUTATOR = OPERATOR(app.=#),
                        RESTRICT = eqsel, JOIN = eqjoinsel, MERGES);
CREATE OPERATOR app.>=# (LEFTARG = int, RIGHTARG = int, FUNCTION = app.mod_ge, NEGATOR = OPERATOR(app.<#));
CREATE OPERATOR app.># (LEFTARG = int, RIGHTARG = int, FUNCTION = app.mod_gt, COMMUTATOR = OPERATOR(app.<#));
CREATE OPERATOR app.!!! (RIGHTARG = int, FUNCTION = app.double);
COMMENT ON OPERATOR app.=# (int, int) IS 'equal but for the sign';
CREATE OPERATOR FAMILY app.modulo_ops USING btree;
CREATE OPERATOR CLASS app.modulo_int_ops FOR TYPE int USING btree FAMILY app.modulo_ops AS
    OPERATOR 1 app.<#, OPERATOR 2 app.<=#, OPERATOR 3 app.=#, OPERATOR 4 app.>=#, OPERATOR 5 app.>#,
    FUNCTION 1 app.mod_cmp(int, int);
ALTER OPERATOR FAMILY app.modulo_ops USING btree ADD
    OPERATOR 1 pg_catalog.<(int, bigint), FUNCTION 1 btint48cmp(int, bigint);
COMMENT ON OPERATOR CLASS app.modulo_int_ops USING btree IS 'an operator class';
COMMENT ON OPERATOR FAMILY app.modulo_ops USING btree IS 'an operator family';
CREATE OPERATOR FAMILY app.lonely_family USING hash;

CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', COMBINEFUNC = int4pl,
                                 PARALLEL = SAFE);
CREATE FUNCTION app.append(:elements, :element) RETURNS :elements LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
CREATE AGGREGATE app.collect(:element) (SFUNC = app.append, STYPE = :elements, INITCOND = '{}');
CREATE AGGREGATE app.my_percentile(float8 ORDER BY anyelement) (
    STYPE = internal, SFUNC = ordered_set_transition, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
COMMENT ON AGGREGATE app.total(int) IS 'an aggregate';

-- ------------------------------------------------------------------ access methods
CREATE ACCESS METHOD heap_twin TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD gist_twin TYPE INDEX HANDLER gisthandler;
COMMENT ON ACCESS METHOD heap_twin IS 'heap by another name';

-- ------------------------------------------------------------------ text search
CREATE TEXT SEARCH PARSER app.parser_twin (START = prsd_start, GETTOKEN = prsd_nexttoken,
    END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE app.template_twin (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY app.dict_twin (TEMPLATE = app.template_twin, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION app.search_twin (PARSER = app.parser_twin);
ALTER TEXT SEARCH CONFIGURATION app.search_twin ADD MAPPING FOR asciiword, word WITH app.dict_twin, simple;
CREATE TEXT SEARCH CONFIGURATION app."english copy" (COPY = pg_catalog.english);
COMMENT ON TEXT SEARCH CONFIGURATION app.search_twin IS 'a text search configuration';
COMMENT ON TEXT SEARCH DICTIONARY app.dict_twin IS 'a text search dictionary';
COMMENT ON TEXT SEARCH PARSER app.parser_twin IS 'a text search parser';
COMMENT ON TEXT SEARCH TEMPLATE app.template_twin IS 'a text search template';

-- ------------------------------------------------------------------ sequences
CREATE SEQUENCE app.seq_small AS smallint INCREMENT -3 MINVALUE -300 MAXVALUE 30 START 12 CACHE 5 CYCLE;
SELECT nextval('app.seq_small'), nextval('app.seq_small');
CREATE SEQUENCE app.seq_fresh START 77;
CREATE SEQUENCE app.seq_set;
SELECT setval('app.seq_set', 9223372036854775806, false);
CREATE SEQUENCE app."Seq ""%s"" .\";
SELECT setval('app."Seq ""%s"" .\"', 99, true);
CREATE :unlogged SEQUENCE app.seq_unlogged;
SELECT nextval('app.seq_unlogged');
COMMENT ON SEQUENCE app.seq_small IS 'a sequence that counts down';
GRANT USAGE ON SEQUENCE app.seq_fresh TO fid_reader;

-- ------------------------------------------------------------------ tables: values
CREATE TABLE app.texts (
    id int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5) PRIMARY KEY,
    what text NOT NULL,
    t text,
    v varchar(200),
    c char(12),
    n name,
    ci ext.citext,
    one "char"
);
COMMENT ON TABLE app.texts IS E'awkward texts; this comment has a tab\t, a quote '' and a backslash \\';
COMMENT ON COLUMN app.texts.t IS 'a column';
INSERT INTO app.texts (what, t, v, c, n, ci, one) VALUES
    ('plain', 'plain', 'plain', 'plain', 'plain', 'Plain', 'p'),
    ('empty', '', '', '', '', '', ''),
    ('null', NULL, NULL, NULL, NULL, NULL, NULL),
    ('word NULL', 'NULL', 'null', 'NULL', 'NULL', 'NULL', 'N'),
    ('backslash N', '\N', '\\N', '\N', '\N', '\N', '\'),
    ('end of copy', '\.', E'\\.\n', '\.', '\.', '\.', '.'),
    ('end of copy in a line of its own', E'before\n\\.\nafter', NULL, NULL, NULL, NULL, NULL),
    ('single quotes', 'it''s ''''quoted''''', '''', '''', '''', '''', ''''),
    ('double quotes', '"a" ""', '"', '"', '"', '"', '"'),
    ('newlines', E'\n\n a \n', E'a\nb', E'a\n', E'a\nb', E'\n', E'\n'),
    ('carriage returns', E'\r\n \r', E'a\r\nb', E'a\r', E'\r', E'\r', E'\r'),
    ('tabs', E'\t\t a \t', E'a\tb', E'a\t', E'\t', E'\t', E'\t'),
    ('bell, backspace, form feed, vertical tab, escape, delete', E'\x07\x08\x0c\x0b\x1b\x7f', E'\x01',
     E'\x1f', E'\x7f', E'\b', E'\x02'),
    ('backslashes', '\ \\ \\\ \t \n \x41 \101 \', '\', '\\', '\\\', '\', '\'),
    ('spaces at both ends', '   a   ', '  ', '  a', ' a ', '  ', ' '),
    ('dollars', '$$ $tag$ ${x} $1', '$', '$', '$', '$', '$'),
    ('percent and braces', '%s %d %n %% {0} {{x}}', '%', '%', '%', '%', '%'),
    ('comment marks', E'-- not a comment\n/* neither */', '--', '--', '--', '--', '-'),
    ('psql commands', E'\\restrict x\n\\connect y\n\\! rm', '\q', '\q', '\q', '\q', '\'),
    ('unicode', E'žluťoučký 日本語 العربية \U0001F40D \U0001F468\u200D\U0001F469 e\u0301 \u00e9', 'é', 'é日本',
     'ünï', 'ÄÖ', NULL),
    ('last code points', E'\U0010FFFF \uFFFD \uFEFF \u0085 \u2028', NULL, NULL, NULL, NULL, NULL),
    ('commas and semicolons', 'a,b;c|d', ',', ';', '|', ',', ';');
INSERT INTO app.texts (what, t) SELECT 'control ' || g, 'x' || chr(g) || 'y' FROM generate_series(1, 31) g;

CREATE TABLE app."values" (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    b bool, s smallint, i int, l bigint, f4 real, f8 float8, num numeric, num2 numeric(30, 10), m money,
    d date, tm time, ttz timetz, ts timestamp, tstz timestamptz, iv interval,
    by bytea, u uuid, ip inet, net cidr, mac macaddr, mac8 macaddr8,
    bits bit(5), vbits bit varying, j json, jb jsonb, jp jsonpath, x xml,
    pt point, ln line, sg lseg, bx box, pa path, pg polygon, ci circle,
    tv tsvector, tq tsquery, lsn pg_lsn, snap pg_snapshot, rc regclass, rp regprocedure, o oid, t tid,
    ir int4range, imr :multirange, nr numrange, tr tstzrange, dr daterange, fs app.floatspan,
    ia int[], ta text[], ma app.mood[], mo app.mood, pr app.pair, prs app.pair[], pc app.percent,
    pcs app.percents, gp app.goodpair, lb app.label, hs ext.hstore, lt ext.ltree, fss :floatspans,
    r real[][]
);
INSERT INTO app."values" (pc) VALUES (0);
INSERT INTO app."values" VALUES (
    DEFAULT, true, 32767, 2147483647, 9223372036854775807, 'NaN', 'NaN', 'NaN', 12345678901234567890.1234567891,
    '12.34', 'infinity', '24:00:00', '23:59:59.999999+15:59', 'infinity', 'infinity', '1 mon',
    '\x00', '00000000-0000-0000-0000-000000000000', '::1', '10.0.0.0/8', '08:00:2b:01:02:03',
    '08:00:2b:01:02:03:04:05', '10101', '', '{"a": 1,  "a": 2, "x": "\\n\u0001"}',
    '{"a": [1, 2.50, null, "\\", "\"", "\n"], "ž": {}}', '$.a[*] ? (@ > 1)', '<a b="c">&lt;t</a>',
    '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),5>',
    'a:1 fat:2A ''it''''s'':3', 'fat & (rat | ''c\\at'')', 'FF/ABCDEF01', '10:20:10,14,15',
    'app.texts', 'app.double(int)', 4294967295, '(12,34)',
    'empty', '{[1,3), [5,7)}', '[1.5,)', '(,infinity]', '[2020-01-01,2021-01-01)', '[-Infinity,NaN]',
    '[-2:0]={1,NULL,3}', ARRAY['', NULL, 'NULL', 'a"b', E'c\\d', E'e\nf', 'g,h', '{i}', ' j '],
    ARRAY['sad', '', 'it''s']::app.mood[], 'so so', ROW(1, E'a "q" \\ , ( )\n', '{1.5,NULL}'),
    ARRAY[ROW(1, NULL, NULL), NULL, ROW(2, '', '{}')]::app.pair[], 100, '{1.5,99.99}', ROW(1, 'x', NULL),
    E'a lab\tel', 'a=>NULL, "b c"=>"\"", ""=>""', 'Top.Science.Astronomy', '{[1,2],[4,5)}', '{{1,2},{3,NaN}}');
INSERT INTO app."values" (b, s, i, l, f4, f8, num, m, d, ts, tstz, iv, by, pc, ia, ta, r, bits, vbits, j, jb, o)
VALUES
    (false, -32768, -2147483648, -9223372036854775808, 'Infinity', '-Infinity', :numeric_infinity, '-92233720368547758.08',
     '-infinity', '-infinity', '-infinity', '30 days', '\xdeadbeef00ff5c5c2e0a0d09', 0.01, '{}', '{}', '{}',
     '00000', '1', 'null', 'null', 0),
    (NULL, 0, 0, 0, '-0', '-0', :numeric_minus_infinity, '0', '4713-01-01 BC', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59+00',
     '-178000000 years 11 mons -3 days 04:05:06.789', '', 50, '{NULL}', '{NULL}', '{{NULL}}', NULL, '0101', '"\u0000"',
     '"x"', 1),
    (true, 1, 1, 1, 1.17549435e-38, 2.2250738585072014e-308, 1e-500, '0.01', '5874897-12-31', '0001-01-01',
     '1900-01-01 00:00:00.000001+00:19:32', '00:00:00.000001', '\x5c', 33.33, '{{1,2},{3,4}}', '{{a,b},{"",NULL}}',
     '{}', '11111', '', '[]', '{}', 2),
    (true, 1, 1, 1, 3.4028235e38, 0.1, 0.000000000000000000000000000000000000000000000000000001, '1', 'epoch',
     'epoch', 'epoch', '0', '\x2e', 1, NULL, NULL, NULL, NULL, NULL, '1e400', '1e400', 3),
    (true, 1, 1, 1, 0.1, 1e308 * 1.7, repeat('9', 1000)::numeric, '1', '2000-02-29', '2000-02-29 12:00:00.123456',
     '2000-02-29 12:00:00.123456-08', '1 day -1 hour', sha256('a'), 1, NULL, NULL, NULL, NULL, NULL, '""', '""', 4);
INSERT INTO app."values" (by, pc) SELECT string_agg(decode(lpad(to_hex(g), 2, '0'), 'hex'), '' ORDER BY g), 9
    FROM generate_series(0, 255) g;
GRANT SELECT (id, b), UPDATE (i) ON app."values" TO fid_reader;

-- ------------------------------------------------------------------ tables: shapes
CREATE TABLE app.zero_columns ();
INSERT INTO app.zero_columns SELECT FROM generate_series(1, 7);
CREATE TABLE app.only_generated (a int GENERATED ALWAYS AS (40 + 2) STORED);
INSERT INTO app.only_generated SELECT FROM generate_series(1, 3);
CREATE TABLE app.all_dropped (a int, b text);
INSERT INTO app.all_dropped VALUES (1, 'x'), (2, 'y');
ALTER TABLE app.all_dropped DROP COLUMN a, DROP COLUMN b;
CREATE TABLE app.empty_table (a int, b text);
CREATE TABLE app.generated (
    a int, junk text, b text,
    double int GENERATED ALWAYS AS (app.double(a)) STORED,
    "B up" text GENERATED ALWAYS AS (upper(b)) STORED, late int);
INSERT INTO app.generated (a, junk, b, late) SELECT g, 'junk', 'b' || g, -g FROM generate_series(1, 50) g;
ALTER TABLE app.generated DROP COLUMN junk;
ALTER TABLE app.generated ADD COLUMN added text DEFAULT E'fast \\ default\t';
ALTER TABLE app.generated ALTER COLUMN added SET DEFAULT 'changed since';
INSERT INTO app.generated (a, b, late) VALUES (99, NULL, 1);
CREATE UNLOGGED TABLE app.unlogged (id int PRIMARY KEY, t text);
INSERT INTO app.unlogged SELECT g, repeat('u', g) FROM generate_series(1, 20) g;
CREATE TABLE app.of_type OF app.pair (a WITH OPTIONS PRIMARY KEY, "B b" WITH OPTIONS DEFAULT 'of type');
INSERT INTO app.of_type VALUES (1, E'\t', '{1}'), (2, DEFAULT, NULL);
CREATE TABLE app.other_am (a int, b text) USING heap_twin WITH (fillfactor = 40, autovacuum_enabled = off);
INSERT INTO app.other_am SELECT g, md5(g::text) FROM generate_series(1, 100) g;
CREATE TABLE app.in_space (a int, b text) TABLESPACE "fid space";
INSERT INTO app.in_space VALUES (1, 'elsewhere');
CREATE INDEX in_space_idx ON app.in_space (a) TABLESPACE "fid space";
CREATE TABLE app.stored (
    plain text, main text, ext text, lz text :lz4, pglz text :pglz, few int);
ALTER TABLE app.stored ALTER COLUMN plain SET STORAGE PLAIN, ALTER COLUMN main SET STORAGE MAIN,
    ALTER COLUMN ext SET STORAGE EXTERNAL;
ALTER TABLE app.stored ALTER COLUMN few SET STATISTICS 500, ALTER COLUMN few SET (n_distinct = -0.5);
ALTER TABLE app.stored SET (toast_tuple_target = 256, toast.autovacuum_enabled = off);
INSERT INTO app.stored SELECT 'p', repeat('m', 5000), repeat('e' || g, 5000), repeat('l' || g, 9000),
    repeat('g' || g, 9000), g % 3 FROM generate_series(1, 20) g;
CREATE TABLE app.full_identity (a int, b int);
ALTER TABLE app.full_identity REPLICA IDENTITY FULL;
CREATE TABLE app.index_identity (a int NOT NULL, b int);
CREATE UNIQUE INDEX index_identity_idx ON app.index_identity (a) INCLUDE (b);
ALTER TABLE app.index_identity REPLICA IDENTITY USING INDEX index_identity_idx;
ALTER TABLE app.index_identity CLUSTER ON index_identity_idx;
-- Nearly 20,000 rows with holes: updated, deleted, rolled back.
CREATE TABLE app.worn (id serial PRIMARY KEY, k int, t text, u uuid DEFAULT gen_random_uuid());
INSERT INTO app.worn (k, t) SELECT g % 97, md5(g::text) || E'\t' || g FROM generate_series(1, 6000) g;
DELETE FROM app.worn WHERE id % 31 = 0;
UPDATE app.worn SET t = t || E' \\updated' WHERE id % 13 = 0;
BEGIN;
INSERT INTO app.worn (k, t) SELECT g, 'rolled back' FROM generate_series(1, 900) g;
ROLLBACK;
DELETE FROM app.worn WHERE id BETWEEN 1200 AND 2700;
CREATE TABLE app.wide_rows (id int, a text, b bytea);
INSERT INTO app.wide_rows
    SELECT g, string_agg(md5(g::text || h), E'\\\n'), decode(string_agg(md5(h::text || g), ''), 'hex')
    FROM generate_series(1, 10) g, generate_series(1, 3000) h GROUP BY g;

-- ------------------------------------------------------------------ names
CREATE TABLE "Strange.schema ""q"" 100% \ back"."Table.with ""every"" 'thing' %s \n ; -- x" (
    "Column ""1"" 'q' %d \t" int, "a b.c" text, "SELECT" text, "ünïcödé_имя_столбца_日本語_éé" text,
    U&"line\000Abreak" text);
INSERT INTO "Strange.schema ""q"" 100% \ back"."Table.with ""every"" 'thing' %s \n ; -- x"
    VALUES (1, 'a', 'b', 'ü', E'x\ny'), (2, NULL, '', '\', E'\\.');
ALTER TABLE "Strange.schema ""q"" 100% \ back"."Table.with ""every"" 'thing' %s \n ; -- x"
    ADD CONSTRAINT "con.straint ""q"" %" CHECK ("Column ""1"" 'q' %d \t" > 0);
CREATE INDEX "in dex ""q"" \ %" ON
    "Strange.schema ""q"" 100% \ back"."Table.with ""every"" 'thing' %s \n ; -- x" ("a b.c" DESC NULLS LAST);
CREATE TABLE U&"new\000Aline".U&"ta\000Able\000D\0009x" (id serial, U&"co\000Al" text DEFAULT E'new\nline');
INSERT INTO U&"new\000Aline".U&"ta\000Able\000D\0009x" DEFAULT VALUES;
COMMENT ON TABLE U&"new\000Aline".U&"ta\000Able\000D\0009x" IS E'a\n\\.\ncomment';
CREATE VIEW U&"new\000Aline".U&"vi\000Aew" AS SELECT * FROM U&"new\000Aline".U&"ta\000Able\000D\0009x";
CREATE TABLE "схема_с_очень_длинным_именем_é"."таблица_шестьдесят_байтов_в_имени" (
    "колонка_с_именем_почти_на_весь_предел" text, "列" int, "🐍" text);
INSERT INTO "схема_с_очень_длинным_именем_é"."таблица_шестьдесят_байтов_в_имени" VALUES ('ж', 1, '🐍'), (NULL, 2, '');
CREATE TABLE app."restrict" ("from" int, "table" text, "order by" int, "(" text, "," text, ")" text);
INSERT INTO app."restrict" VALUES (1, 'a', 2, '(', ',', ')');
CREATE TABLE public."TABLE DATA public x" (a int);
INSERT INTO public."TABLE DATA public x" VALUES (1);
CREATE TABLE public." leading and trailing " (" a " int);
INSERT INTO public." leading and trailing " VALUES (1);
CREATE TABLE public."-- load via partition root" (a int);
INSERT INTO public."-- load via partition root" VALUES (3);

-- Things that bear the names of pg_catalog's own.
CREATE TABLE shadow.pg_class (relname text, oid int);
INSERT INTO shadow.pg_class VALUES ('not a class', 1);
CREATE TABLE shadow.pg_attribute (a int);
INSERT INTO shadow.pg_attribute VALUES (1);
CREATE DOMAIN shadow.text AS pg_catalog.text CHECK (length(VALUE) < 50);
CREATE TYPE shadow.int4 AS (x pg_catalog.int4);
CREATE FUNCTION shadow.now() RETURNS pg_catalog.text LANGUAGE sql IMMUTABLE AS $$ SELECT 'never' $$;
CREATE FUNCTION shadow.format(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql IMMUTABLE AS $$ SELECT 'x' $$;
CREATE FUNCTION shadow.eq(pg_catalog.int4, pg_catalog.int4) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
CREATE OPERATOR shadow.= (LEFTARG = pg_catalog.int4, RIGHTARG = pg_catalog.int4, FUNCTION = shadow.eq);
CREATE TABLE shadow.uses (a shadow.text DEFAULT 'x', b shadow.int4, c pg_catalog.text DEFAULT shadow.now(),
    d bool GENERATED ALWAYS AS (1 OPERATOR(shadow.=) 1) STORED);
INSERT INTO shadow.uses (a, b) VALUES ('a', ROW(1)), (NULL, NULL);

-- ------------------------------------------------------------------ partitions and inheritance
CREATE TABLE app.by_range (id bigint GENERATED BY DEFAULT AS IDENTITY, d date NOT NULL, t text, PRIMARY KEY (id, d))
    PARTITION BY RANGE (d);
CREATE TABLE app.by_range_2023 PARTITION OF app.by_range FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE app.by_range_2024 PARTITION OF app.by_range FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')
    PARTITION BY RANGE (d);
CREATE TABLE app.by_range_2024_a PARTITION OF app.by_range_2024 FOR VALUES FROM ('2024-01-01') TO ('2024-05-17');
CREATE TABLE app.by_range_2024_rest PARTITION OF app.by_range_2024 DEFAULT;
CREATE TABLE app.by_range_rest PARTITION OF app.by_range DEFAULT;
-- A partition whose columns stand in another order, with a dropped one between, attached later.
CREATE TABLE app.by_range_2026 (t text DEFAULT 'own default', gone int, d date NOT NULL, id bigint NOT NULL);
ALTER TABLE app.by_range_2026 DROP COLUMN gone;
ALTER TABLE app.by_range ATTACH PARTITION app.by_range_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO app.by_range (d, t)
    SELECT '2023-06-01'::date + g, CASE g % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END FROM generate_series(1, 1500, 7) g;
CREATE INDEX by_range_idx ON app.by_range (t);
COMMENT ON INDEX app.by_range_idx IS 'an index on all partitions';
CREATE TABLE app.by_list (t text, n int) PARTITION BY LIST (t);
CREATE TABLE app.by_list_a PARTITION OF app.by_list FOR VALUES IN ('a', E'it''s\n \\', NULL);
CREATE TABLE app.by_list_rest PARTITION OF app.by_list DEFAULT;
INSERT INTO app.by_list VALUES ('a', 1), (E'it''s\n \\', 2), (NULL, 3), ('other', 4), ('', 5);
CREATE TABLE app.by_hash (id int, t text) PARTITION BY HASH (id);
CREATE TABLE app.by_hash_0 PARTITION OF app.by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.by_hash_1 PARTITION OF app.by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.by_hash SELECT g, 'h' || g FROM generate_series(1, 500) g;
-- Hash of an enum: pg_dump loads it through the root, because the enum's OIDs differ elsewhere.
CREATE TABLE app.by_enum (m app.mood, n int, t text) PARTITION BY HASH (m);
CREATE TABLE app.by_enum_0 PARTITION OF app.by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE app.by_enum_1 PARTITION OF app.by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE app."by enum ""2""" PARTITION OF app.by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO app.by_enum SELECT e, g, e || E'\t' || g FROM unnest(enum_range(NULL::app.mood)) e, generate_series(1, 40) g;
CREATE TABLE app.by_expression (a text, n int) PARTITION BY LIST (lower(a));
CREATE TABLE app.by_expression_x PARTITION OF app.by_expression FOR VALUES IN ('x');
INSERT INTO app.by_expression VALUES ('X', 1), ('x', 2);
CREATE TABLE app.partitioned_empty (a int) PARTITION BY RANGE (a);

CREATE TABLE app.animal (id int PRIMARY KEY, name text DEFAULT 'nobody', CONSTRAINT named CHECK (name <> 'x'));
CREATE TABLE app.dog (bark text) INHERITS (app.animal);
ALTER TABLE app.dog ALTER COLUMN name SET DEFAULT 'Rex';
CREATE TABLE app.robot (volts int CHECK (volts > 0) NO INHERIT);
CREATE TABLE app.robodog () INHERITS (app.dog, app.robot);
INSERT INTO app.animal VALUES (1, 'parent');
INSERT INTO app.dog VALUES (1, 'child', 'wuff');
INSERT INTO app.robodog (id, name, bark, volts) VALUES (1, 'grandchild', 'beep', 12);
INSERT INTO app.robot VALUES (5);

-- ------------------------------------------------------------------ constraints
CREATE TABLE app.egg (id int PRIMARY KEY, chicken int NOT NULL, t text);
CREATE TABLE app.chicken (id int PRIMARY KEY, egg int NOT NULL REFERENCES app.egg DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE app.egg ADD CONSTRAINT "laid by" FOREIGN KEY (chicken) REFERENCES app.chicken
    ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO app.egg SELECT g, g + 1, 'e' FROM generate_series(1, 9) g;
INSERT INTO app.egg VALUES (10, 1, 'e');
INSERT INTO app.chicken SELECT g, g FROM generate_series(1, 10) g;
COMMIT;
CREATE TABLE app.tree (id int PRIMARY KEY, parent int REFERENCES app.tree, path ext.ltree);
INSERT INTO app.tree VALUES (3, 3, 'a.b');
INSERT INTO app.tree VALUES (2, 3, 'a'), (1, 2, '');
CREATE TABLE app.booking (
    room int, during tstzrange,
    CONSTRAINT "no overlap" EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (room > 0)
        DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.booking VALUES (1, '[2024-01-01,2024-01-02)'), (1, '[2024-01-02,2024-01-03)'), (0, '(,)'), (0, '(,)');
COMMENT ON CONSTRAINT "no overlap" ON app.booking IS 'an exclusion constraint';
CREATE TABLE app.checked (
    a int CONSTRAINT positive CHECK (a > 0), t text CHECK (app.is_nice(t)),
    u int UNIQUE :not_distinct, UNIQUE (a, t) DEFERRABLE);
INSERT INTO app.checked VALUES (1, 'nice', NULL), (2, NULL, 2);
INSERT INTO app.checked VALUES (3, 'x', 3);
-- Constraints that present rows break: allowed, since nothing ever looked.
CREATE TABLE app.never_validated (a int, b int);
INSERT INTO app.never_validated VALUES (-1, 12345);
ALTER TABLE app.never_validated ADD CONSTRAINT not_checked CHECK (a > 0) NOT VALID,
    ADD CONSTRAINT not_there FOREIGN KEY (b) REFERENCES app.tree NOT VALID;
CREATE TABLE app.range_ref (id bigint, d date, FOREIGN KEY (id, d) REFERENCES app.by_range DEFERRABLE);
INSERT INTO app.range_ref SELECT id, d FROM app.by_range LIMIT 5;

-- ------------------------------------------------------------------ indexes and statistics
CREATE INDEX worn_partial ON app.worn (k) WHERE t LIKE '%updated%';
CREATE INDEX worn_expression ON app.worn ((upper(t) || 'x'), (k + 1) DESC) WITH (fillfactor = 70);
CREATE INDEX worn_hash ON app.worn USING hash (u);
CREATE INDEX worn_brin ON app.worn USING brin (id) WITH (pages_per_range = 8);
CREATE INDEX worn_trgm ON app.worn USING gin (t ext.gin_trgm_ops);
CREATE INDEX worn_modulo ON app.worn (k app.modulo_int_ops) WHERE id <= 500;
CREATE INDEX texts_collated ON app.texts (t COLLATE app.phonebook, v COLLATE "C");
CREATE INDEX values_tv ON app."values" USING gin (tv);
CREATE INDEX values_ip ON app."values" USING spgist (ip);
ALTER INDEX app.worn_expression ALTER COLUMN 1 SET STATISTICS 300;
CREATE STATISTICS app.stat_kinds (ndistinct, dependencies, mcv) ON k, t FROM app.worn;
\if :v14
CREATE STATISTICS app."stat expr" ON (k % 2), (lower(t)) FROM app.worn;
\endif
ALTER STATISTICS app.stat_kinds SET STATISTICS 1000;
ALTER STATISTICS app.stat_kinds OWNER TO fid_owner;
COMMENT ON STATISTICS app.stat_kinds IS 'statistics';

-- ------------------------------------------------------------------ views
CREATE VIEW app.plain_view (x, "y z") AS SELECT id, t FROM app.texts WHERE t <> E'it''s\\';
CREATE VIEW app.guarded WITH (security_barrier :invoker, check_option = cascaded) AS
    SELECT * FROM app.checked WHERE a < 100;
CREATE RECURSIVE VIEW app.counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < 10;
-- Needs the primary key: pg_dump makes it in two steps.
CREATE VIEW app.grouped AS SELECT e.id, e.t, count(*) AS n FROM app.egg e JOIN app.chicken c ON c.egg = e.id GROUP BY e.id;
CREATE MATERIALIZED VIEW app.z_first AS SELECT id, n FROM app.grouped WITH DATA;
CREATE MATERIALIZED VIEW app.a_second WITH (fillfactor = 50) TABLESPACE "fid space" AS
    SELECT sum(n) AS s, max(id) AS m FROM app.z_first;
CREATE MATERIALIZED VIEW app.m_third AS SELECT s + m AS x, app.standard_body(1, 2) AS y FROM app.a_second;
CREATE UNIQUE INDEX z_first_id ON app.z_first (id);
CREATE MATERIALIZED VIEW app.unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE VIEW app.over_mat AS SELECT * FROM app.m_third;
ALTER VIEW app.plain_view ALTER COLUMN "y z" SET DEFAULT 'view default';
COMMENT ON VIEW app.plain_view IS 'a view';
COMMENT ON MATERIALIZED VIEW app.z_first IS 'a materialized view';
COMMENT ON COLUMN app.plain_view."y z" IS 'a view''s column';

-- ------------------------------------------------------------------ rules, triggers, event triggers
CREATE TABLE app.ruled (a int, b text);
CREATE TABLE app.rule_log (a int, b text, at text DEFAULT 'rule');
CREATE RULE log_it AS ON INSERT TO app.ruled DO ALSO INSERT INTO app.rule_log VALUES (NEW.a, NEW.b);
CREATE RULE "no delete %" AS ON DELETE TO app.ruled WHERE OLD.a > 5 DO INSTEAD NOTHING;
CREATE RULE off_rule AS ON UPDATE TO app.ruled DO INSTEAD NOTHING;
ALTER TABLE app.ruled DISABLE RULE off_rule;
COMMENT ON RULE log_it ON app.ruled IS 'a rule';
INSERT INTO app.ruled VALUES (1, 'one'), (9, 'nine');

CREATE FUNCTION app.spoil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.t := 'spoilt by a trigger';
    RETURN NEW;
END $$;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.trigger_log VALUES (TG_OP);
    RETURN NULL;
END $$;
CREATE TABLE app.trigger_log (what text);
CREATE TABLE app.triggered (a int, t text);
INSERT INTO app.triggered SELECT g, 'as it was' FROM generate_series(1, 10) g;
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE OF t ON app.triggered FOR EACH ROW
    WHEN (NEW.t IS NOT NULL) EXECUTE FUNCTION app.spoil('arg', E'a''r\\g');
CREATE TRIGGER always BEFORE INSERT ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.spoil();
ALTER TABLE app.triggered ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER on_replica BEFORE INSERT ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.spoil();
ALTER TABLE app.triggered ENABLE REPLICA TRIGGER on_replica;
CREATE TRIGGER off BEFORE INSERT ON app.triggered FOR EACH ROW EXECUTE FUNCTION app.spoil();
ALTER TABLE app.triggered DISABLE TRIGGER off;
CREATE TRIGGER statement AFTER INSERT ON app.triggered REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION app.note();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON app.triggered DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE TRIGGER instead INSTEAD OF INSERT ON app.plain_view FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE TRIGGER on_all_parts AFTER INSERT ON app.by_range FOR EACH ROW EXECUTE FUNCTION app.note();
COMMENT ON TRIGGER spoil ON app.triggered IS 'a trigger';

CREATE FUNCTION app.on_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER fid_event ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
    EXECUTE FUNCTION app.on_event();
CREATE EVENT TRIGGER fid_event_off ON sql_drop EXECUTE FUNCTION app.on_event();
ALTER EVENT TRIGGER fid_event_off DISABLE;
COMMENT ON EVENT TRIGGER fid_event IS 'an event trigger';

-- ------------------------------------------------------------------ row security
CREATE TABLE app.secrets (id int PRIMARY KEY, who name DEFAULT current_user, what text);
INSERT INTO app.secrets VALUES (1, 'fid_reader', 'seen'), (2, 'fid_owner', 'hidden');
ALTER TABLE app.secrets OWNER TO fid_owner;
ALTER TABLE app.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.secrets FOR SELECT TO fid_reader, "Fid ""quoted"" rôle" USING (who = current_user);
CREATE POLICY "re strict %" ON app.secrets AS RESTRICTIVE FOR ALL TO PUBLIC USING (id < 100) WITH CHECK (id > 0);
COMMENT ON POLICY own ON app.secrets IS 'a policy';
CREATE TABLE app.row_security_only (a int);
ALTER TABLE app.row_security_only ENABLE ROW LEVEL SECURITY;

-- ------------------------------------------------------------------ foreign data
CREATE FOREIGN DATA WRAPPER own_wrapper OPTIONS (dbname 'x''y');
COMMENT ON FOREIGN DATA WRAPPER own_wrapper IS 'a foreign data wrapper';
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE SERVER "far away" TYPE 'pg' VERSION '1.0' FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '192.0.2.1', dbname 'no''where', fetch_size '7', connect_timeout '2');
COMMENT ON SERVER "far away" IS 'a server';
ALTER SERVER files OWNER TO fid_owner;
GRANT USAGE ON FOREIGN SERVER "far away" TO fid_reader;
GRANT USAGE ON FOREIGN DATA WRAPPER own_wrapper TO fid_owner WITH GRANT OPTION;
CREATE USER MAPPING FOR fid_reader SERVER "far away" OPTIONS (user 'u', password 'p''w\x');
CREATE USER MAPPING FOR PUBLIC SERVER "far away";
CREATE FOREIGN TABLE app.from_file (a int OPTIONS (force_null 'true'), b text DEFAULT 'b') SERVER files
    OPTIONS (filename '/nonexistent/file.csv', format 'csv');
CREATE FOREIGN TABLE app.far (a int NOT NULL, b text CHECK (b <> ''), c text COLLATE "C") SERVER "far away"
    OPTIONS (schema_name 's', table_name 't');
COMMENT ON FOREIGN TABLE app.far IS 'a foreign table';
CREATE FOREIGN TABLE app.by_hash_far PARTITION OF app.by_expression FOR VALUES IN ('far') SERVER "far away";

-- ------------------------------------------------------------------ publications, subscriptions
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, delete');
\if :v15
CREATE PUBLICATION some_tables FOR TABLE app.texts (id, t) WHERE (t <> 'x'), app.by_range
    WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION schemas FOR TABLES IN SCHEMA app, "Strange.schema ""q"" 100% \ back" WITH (publish = 'insert');
\else
CREATE PUBLICATION some_tables FOR TABLE app.texts, app.by_range
    WITH (publish = 'insert', publish_via_partition_root = true);
\endif
COMMENT ON PUBLICATION some_tables IS 'a publication';
SET client_min_messages = error;
CREATE SUBSCRIPTION fid_subscription CONNECTION 'host=192.0.2.1 dbname=x' PUBLICATION other
    WITH (connect = false, slot_name = NONE :subscription_option);
SET client_min_messages = warning;
COMMENT ON SUBSCRIPTION fid_subscription IS 'a subscription that was never connected';

-- ------------------------------------------------------------------ privileges
GRANT SELECT ON ALL TABLES IN SCHEMA app TO fid_reader;
GRANT ALL ON app.worn TO fid_owner WITH GRANT OPTION;
SET SESSION AUTHORIZATION fid_owner;
GRANT UPDATE ON app.worn TO "Fid ""quoted"" rôle";
RESET SESSION AUTHORIZATION;
REVOKE ALL ON app.empty_table FROM postgres;
ALTER TABLE app.worn OWNER TO "Fid ""quoted"" rôle";
ALTER DEFAULT PRIVILEGES FOR ROLE fid_owner IN SCHEMA app GRANT SELECT ON TABLES TO fid_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE fid_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE fid_writer IN SCHEMA shadow GRANT USAGE ON SEQUENCES TO "Fid ""quoted"" rôle";
ALTER DEFAULT PRIVILEGES FOR ROLE fid_writer GRANT USAGE ON SCHEMAS TO fid_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE fid_writer GRANT ALL ON TYPES TO fid_reader;

-- ------------------------------------------------------------------ large objects
SELECT lo_create(50001);
SELECT lo_from_bytea(50002, '\x00ff5c2e0a');
SELECT lo_from_bytea(50003, (SELECT decode(string_agg(md5(g::text), ''), 'hex') FROM generate_series(1, 100000) g));
SELECT lo_from_bytea(3000000000, 'an OID above 2^31');
SELECT lo_from_bytea(50004, decode(repeat('00', 5000), 'hex'));
-- A sparse one: 100 bytes at the end of a hole of 100,000.
SELECT lo_create(50005);
SELECT lo_put(50005, 100000, decode(repeat('ab', 100), 'hex'));
ALTER LARGE OBJECT 50002 OWNER TO fid_owner;
GRANT SELECT, UPDATE ON LARGE OBJECT 50002 TO fid_reader;
GRANT SELECT ON LARGE OBJECT 3000000000 TO PUBLIC;
COMMENT ON LARGE OBJECT 50002 IS E'a large object''s comment\n';
CREATE TABLE app.with_objects (id int, object oid);
INSERT INTO app.with_objects VALUES (1, 50002), (2, 3000000000);
