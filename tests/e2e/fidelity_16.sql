-- What PostgreSQL 16 brought. To be loaded behind fidelity.sql.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA v16;

CREATE COLLATION v16.ruled (provider = icu, locale = 'und', rules = '&V << w <<< W');
COMMENT ON COLLATION v16.ruled IS 'with rules: quote '' and \ in a comment';
CREATE TABLE v16.sorted (t text COLLATE v16.ruled PRIMARY KEY);
INSERT INTO v16.sorted VALUES ('v'), ('w'), ('W'), ('x'), ('V');

CREATE TABLE v16.stored (id int, ext text STORAGE EXTERNAL, main text STORAGE MAIN COMPRESSION pglz);
INSERT INTO v16.stored SELECT g, repeat('e', 3000), repeat('m', 3000) FROM generate_series(1, 5) g;
CREATE STATISTICS ON id, main FROM v16.stored;

CREATE VIEW v16.json AS
    SELECT JSON_OBJECT('id': id, 'ext': left(ext, 3) ABSENT ON NULL) AS o,
           JSON_ARRAY(id, NULL NULL ON NULL) AS a,
           ext IS JSON OBJECT WITH UNIQUE KEYS AS is_json
    FROM v16.stored;
CREATE VIEW v16.aggregated AS
    SELECT any_value(id) AS one, JSON_ARRAYAGG(id ORDER BY id RETURNING jsonb) AS ids, JSON_OBJECTAGG(id: main) AS by_id
    FROM v16.stored;
CREATE MATERIALIZED VIEW v16.kept AS SELECT * FROM v16.json;

CREATE TABLE v16.parent (a int, g int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE v16.child (a int, g int GENERATED ALWAYS AS (a * 3) STORED);
ALTER TABLE v16.child INHERIT v16.parent;
INSERT INTO v16.parent VALUES (1);
INSERT INTO v16.child VALUES (2);

CREATE TRIGGER cut BEFORE TRUNCATE ON v16.parent FOR EACH STATEMENT EXECUTE FUNCTION app.note();
SET client_min_messages = error;
CREATE SUBSCRIPTION v16_subscription CONNECTION 'host=192.0.2.1 dbname=x' PUBLICATION other
    WITH (connect = false, slot_name = NONE, origin = none, streaming = parallel, run_as_owner = true,
          password_required = false, disable_on_error = true);
