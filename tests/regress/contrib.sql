-- Tables that use what PostgreSQL's contrib extensions bring: a column of each type, and their indexes.

-- hstore, ltree, citext, cube, seg, isn, intarray, lo
CREATE TABLE hstores (id int PRIMARY KEY, v hstore NOT NULL DEFAULT 'a=>1', w hstore[]);
CREATE INDEX ON hstores USING gin (v);
CREATE INDEX ON hstores USING gist (v);
CREATE UNIQUE INDEX ON hstores (v);
INSERT INTO hstores SELECT g, hstore(ARRAY['k' || g, 'quote"d', 'null'], ARRAY[g::text, E'tab\tback\\slash', NULL]),
    ARRAY[hstore('x', g::text), NULL] FROM generate_series(1, 100) g;

CREATE TABLE ltrees (id int PRIMARY KEY, path ltree, many ltree[], q lquery, t ltxtquery);
CREATE INDEX ON ltrees USING gist (path);
CREATE INDEX ON ltrees USING gist (path gist_ltree_ops(siglen = 100));
CREATE INDEX ON ltrees USING gist (many);
INSERT INTO ltrees SELECT g, ('Top.a' || g || '.b')::ltree, ARRAY['x.y', 'z']::ltree[], 'Top.*{1,3}.!b', 'Top & !c'
    FROM generate_series(1, 100) g;

CREATE TABLE citexts (name citext PRIMARY KEY, more citext[] CHECK (cardinality(more) < 9));
CREATE DOMAIN mail AS citext CHECK (VALUE ~ '@');
CREATE TABLE mails (m mail UNIQUE);
INSERT INTO citexts SELECT 'Name' || g, ARRAY['A', 'b']::citext[] FROM generate_series(1, 100) g;
INSERT INTO mails VALUES ('Someone@Example.org'), (NULL);

CREATE TABLE cubes (c cube, s seg, near earth);
CREATE INDEX ON cubes USING gist (c);
CREATE INDEX ON cubes USING gist (s);
-- No index on ll_to_earth(...): its body names the type earth without a schema, and where pg_restore works, with
-- an empty search_path, that cannot be found. Stock cannot restore such an index either.
INSERT INTO cubes SELECT cube(ARRAY[g, g / 3.0], ARRAY[g + 1, g * 2.5]), (g || ' .. ' || g + 0.50)::seg,
    ll_to_earth(g / 10.0, g / 5.0) FROM generate_series(1, 100) g;
INSERT INTO cubes VALUES ('(1e300,-0)', '~6.50', NULL), (NULL, '<4.0e-3 .. >12', NULL);

CREATE TABLE numbers_of_books (a ean13, b isbn13, c ismn13, d issn13, e isbn, f ismn, g issn, h upc);
CREATE INDEX ON numbers_of_books (b);
CREATE INDEX ON numbers_of_books USING hash (e);
INSERT INTO numbers_of_books VALUES ('9780393040029', '978-0-393-04002-9', '9790901679177', '9771436452008',
    '0-393-04002-X', 'M-9016-7917-7', '1436-4522', '220356483481');

CREATE TABLE arrays (id int, a int[]);
CREATE INDEX ON arrays USING gist (a gist__int_ops(numranges = 50));
CREATE INDEX ON arrays USING gist (a gist__intbig_ops);
CREATE INDEX ON arrays USING gin (a gin__int_ops);
INSERT INTO arrays SELECT g, ARRAY[g, g % 7, -g] FROM generate_series(1, 100) g;
CREATE TABLE queries (q query_int);
INSERT INTO queries VALUES ('1&(2|!3)');

CREATE TABLE images (title text, raster lo);
CREATE TRIGGER t_raster BEFORE UPDATE OR DELETE ON images FOR EACH ROW EXECUTE FUNCTION lo_manage(raster);
INSERT INTO images SELECT 'picture ' || g, lo_from_bytea(910000 + g, decode(repeat('ff00', g), 'hex'))
    FROM generate_series(1, 20) g;

-- pg_trgm, btree_gist, btree_gin, bloom, unaccent, fuzzystrmatch
CREATE TABLE words (id int PRIMARY KEY, w text, n int, at timestamptz, during tstzrange, room int,
    EXCLUDE USING gist (room WITH =, during WITH &&),
    CONSTRAINT other_rooms EXCLUDE USING gist (room WITH =, w WITH <>) DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX ON words USING gin (w gin_trgm_ops);
CREATE INDEX ON words USING gist (w gist_trgm_ops(siglen = 32));
CREATE INDEX ON words USING gin (n, w);
CREATE INDEX ON words USING gist (n, at);
CREATE INDEX ON words USING bloom (n, w) WITH (length = 80, col1 = 2);
CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT public.unaccent('public.unaccent'::regdictionary, $1) $$;
CREATE INDEX ON words (plain(w));
CREATE INDEX ON words (soundex(w), dmetaphone(w));
INSERT INTO words SELECT g, 'café ' || g % 10, g, timestamptz '2020-01-01 UTC' + g * interval '1 day',
    tstzrange(timestamptz '2020-01-01 UTC' + g * interval '1 day', timestamptz '2020-01-01 UTC' + (g + 1) * interval '1 day'),
    g % 10 FROM generate_series(1, 100) g;
ALTER TABLE words ADD COLUMN flat text GENERATED ALWAYS AS (plain(w)) STORED;

-- uuid-ossp, pgcrypto, xml2, tablefunc, dict_int, dict_xsyn, intagg, tcn, moddatetime, autoinc, refint, ...
CREATE TABLE secrets (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), password text DEFAULT crypt('x', gen_salt('bf')));
INSERT INTO secrets VALUES (uuid_generate_v5(uuid_ns_url(), 'http://example.org'), crypt('word', '$1$saltsalt$'));
CREATE TABLE sales (year int, month int, amount int);
INSERT INTO sales SELECT 2000 + g / 12, 1 + g % 12, g FROM generate_series(0, 59) g;
CREATE VIEW by_month AS SELECT * FROM crosstab('SELECT year, month, amount FROM public.sales ORDER BY 1, 2',
    'SELECT generate_series(1, 12)') AS c(year int, m1 int, m2 int, m3 int, m4 int, m5 int, m6 int, m7 int, m8 int,
    m9 int, m10 int, m11 int, m12 int);
CREATE MATERIALIZED VIEW of_january AS SELECT year, m1 FROM by_month;
CREATE TEXT SEARCH CONFIGURATION numbers (COPY = simple);
ALTER TEXT SEARCH DICTIONARY intdict (MAXLEN = 4, REJECTLONG = true);
CREATE TEXT SEARCH DICTIONARY my_int (TEMPLATE = intdict_template, MAXLEN = 3);
CREATE TEXT SEARCH DICTIONARY my_synonyms (TEMPLATE = xsyn_template, RULES = 'xsyn_sample', KEEPORIG = false);
ALTER TEXT SEARCH CONFIGURATION numbers ALTER MAPPING FOR int, uint WITH my_int;
ALTER TEXT SEARCH CONFIGURATION numbers ALTER MAPPING FOR asciiword WITH my_synonyms, unaccent, simple;
CREATE TABLE texts (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('public.numbers', t)) STORED);
CREATE INDEX ON texts USING gin (v);
INSERT INTO texts VALUES ('supernova 123456 crème'), ('');
CREATE TABLE changed (id int PRIMARY KEY, by_whom text, at timestamp);
CREATE SEQUENCE numbers_for_changed START 7;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION insert_username(by_whom);
CREATE TRIGGER b BEFORE UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION moddatetime(at);
CREATE TRIGGER c BEFORE INSERT OR UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION autoinc(id, numbers_for_changed);
CREATE TRIGGER d AFTER INSERT OR UPDATE OR DELETE ON changed FOR EACH ROW EXECUTE FUNCTION triggered_change_notification();
CREATE TABLE referred (id int PRIMARY KEY);
CREATE TABLE referring (id int);
CREATE TRIGGER e BEFORE INSERT OR UPDATE ON referring FOR EACH ROW EXECUTE FUNCTION check_primary_key('id', 'referred', 'id');
INSERT INTO changed (id) SELECT 0 FROM generate_series(1, 10);
INSERT INTO referred VALUES (1);
INSERT INTO referring VALUES (1);
CREATE VIEW sampled AS SELECT id FROM words TABLESAMPLE system_rows(10);
CREATE VIEW pages AS SELECT * FROM pgstattuple('public.words');
CREATE VIEW statements AS SELECT userid, calls FROM pg_stat_statements;

-- Foreign tables: their rows stay where they are.
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE passwords (line text) SERVER files OPTIONS (filename '/etc/passwd', delimiter E'\x01');
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (user 'someone', password 'a ''quoted'' one');
CREATE FOREIGN TABLE remote (id int OPTIONS (column_name 'ID'), v hstore) SERVER elsewhere OPTIONS (table_name 'T');
CREATE SERVER links FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host 'nowhere.invalid');

-- An extension in a schema of its own, with a table that needs it there.
CREATE SCHEMA "Own Place";
ALTER EXTENSION seg SET SCHEMA "Own Place";
CREATE TABLE "Own Place".lengths (s "Own Place".seg);
INSERT INTO "Own Place".lengths VALUES ('1 .. 2');
