-- What PostgreSQL 17 brought. To be loaded behind fidelity_16.sql.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA v17;

CREATE TABLE v17.kept_in_order (id int PRIMARY KEY, t text);
INSERT INTO v17.kept_in_order SELECT g, md5(g::text) FROM generate_series(1, 100) g;
GRANT MAINTAIN ON v17.kept_in_order TO fid_reader;
GRANT MAINTAIN ON app.worn TO fid_owner WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE fid_owner IN SCHEMA v17 GRANT MAINTAIN ON TABLES TO fid_reader;
CREATE TABLE v17.all_but_maintain (a int);
GRANT ALL ON v17.all_but_maintain TO fid_reader;
REVOKE MAINTAIN ON v17.all_but_maintain FROM fid_reader;

CREATE TABLE v17.numbered (id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 10), part int, t text)
    PARTITION BY RANGE (part);
CREATE TABLE v17.numbered_1 PARTITION OF v17.numbered FOR VALUES FROM (0) TO (10);
CREATE TABLE v17.numbered_2 PARTITION OF v17.numbered FOR VALUES FROM (10) TO (20);
INSERT INTO v17.numbered (part, t) SELECT g % 20, 'n' || g FROM generate_series(1, 200) g;
INSERT INTO v17.numbered OVERRIDING SYSTEM VALUE VALUES (5, 1, 'by hand');

CREATE TABLE v17.rooms (room int, during tstzrange,
    EXCLUDE USING gist (room WITH =, during WITH &&)) PARTITION BY LIST (room);
CREATE TABLE v17.rooms_1 PARTITION OF v17.rooms FOR VALUES IN (1);
INSERT INTO v17.rooms VALUES (1, '[2024-01-01,2024-01-02)'), (1, '[2024-01-02,)');

CREATE TABLE v17.other_am (a int) PARTITION BY LIST (a) USING heap_twin;
CREATE TABLE v17.other_am_1 PARTITION OF v17.other_am FOR VALUES IN (1);
CREATE TABLE v17.other_am_2 PARTITION OF v17.other_am FOR VALUES IN (2) USING heap;
INSERT INTO v17.other_am VALUES (1), (2), (2);

CREATE COLLATION v17.builtin (provider = builtin, locale = 'C.UTF-8');
CREATE TABLE v17.values (
    id int PRIMARY KEY, t text COLLATE v17.builtin, endless interval,
    g int GENERATED ALWAYS AS (id) STORED);
INSERT INTO v17.values VALUES (1, 'ä', 'infinity'), (2, 'Z', '-infinity'), (3, NULL, '1 mon -1 day');
ALTER TABLE v17.values ALTER COLUMN g SET EXPRESSION AS (id + 1);

CREATE TABLE v17.documents (id int, d jsonb);
INSERT INTO v17.documents VALUES (1, '{"a": [{"n": 1, "s": "x"}, {"n": 2}], "q": "it''s"}'), (2, '{}');
CREATE VIEW v17.table_of_json AS
    SELECT d.id, j.*
    FROM v17.documents d, JSON_TABLE(d.d, '$.a[*]' AS all_of_it PASSING 1 AS least COLUMNS (
        row_number FOR ORDINALITY, n int PATH '$.n' DEFAULT 0 ON EMPTY, s text PATH '$.s' KEEP QUOTES,
        has_s boolean EXISTS PATH '$.s')) j;
CREATE VIEW v17.parts_of_json AS
    SELECT JSON_VALUE(d, '$.q' RETURNING text DEFAULT 'none' ON EMPTY) AS q, JSON_QUERY(d, '$.a' WITH WRAPPER) AS a,
           JSON_EXISTS(d, '$.a[*] ? (@.n > $x)' PASSING 1 AS x) AS more, JSON_SCALAR(id) AS scalar,
           JSON_SERIALIZE(d) AS bytes
    FROM v17.documents;
CREATE FUNCTION v17.merged(k int, v text) RETURNS SETOF text LANGUAGE sql
BEGIN ATOMIC
    MERGE INTO v17.kept_in_order o USING (VALUES (k, v)) s (id, t) ON o.id = s.id
        WHEN MATCHED THEN UPDATE SET t = s.t
        WHEN NOT MATCHED BY SOURCE AND o.id < 0 THEN DELETE
        WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.t)
        RETURNING merge_action() || o.t;
END;

CREATE FUNCTION v17.on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER v17_login ON login EXECUTE FUNCTION v17.on_login();
