-- What PostgreSQL 18 brought. To be loaded behind fidelity_17.sql.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA v18;

CREATE TABLE v18.virtual (
    a int, b text,
    v int GENERATED ALWAYS AS (a * 2) VIRTUAL, s int GENERATED ALWAYS AS (a + 1) STORED,
    "V ""2""" text GENERATED ALWAYS AS (upper(b)));
INSERT INTO v18.virtual (a, b) SELECT g, 'b' || g FROM generate_series(1, 30) g;
CREATE TABLE v18.only_virtual (v int GENERATED ALWAYS AS (40 + 2) VIRTUAL);
INSERT INTO v18.only_virtual SELECT FROM generate_series(1, 3);
CREATE TABLE v18.virtual_parts (k int, v int GENERATED ALWAYS AS (k * 10) VIRTUAL) PARTITION BY LIST (k);
CREATE TABLE v18.virtual_parts_1 PARTITION OF v18.virtual_parts FOR VALUES IN (1);
CREATE TABLE v18.virtual_parts_2 (v int GENERATED ALWAYS AS (k * 20) VIRTUAL, k int);
ALTER TABLE v18.virtual_parts ATTACH PARTITION v18.virtual_parts_2 FOR VALUES IN (2);
INSERT INTO v18.virtual_parts VALUES (1), (2), (2);

-- Temporal constraints.
CREATE TABLE v18.employed (
    id int, valid_at daterange, t text,
    PRIMARY KEY (id, valid_at WITHOUT OVERLAPS));
INSERT INTO v18.employed VALUES (1, '[2020-01-01,2021-01-01)', 'a'), (1, '[2021-01-01,)', 'b'), (2, '(,)', 'c');
CREATE TABLE v18.paid (
    id int, employee int, valid_at daterange,
    CONSTRAINT "once at a time" UNIQUE (id, valid_at WITHOUT OVERLAPS),
    CONSTRAINT "while employed" FOREIGN KEY (employee, PERIOD valid_at) REFERENCES v18.employed (id, PERIOD valid_at));
INSERT INTO v18.paid VALUES (1, 1, '[2020-06-01,2022-01-01)'), (2, 2, '[1900-01-01,1900-02-01)');

-- NOT NULL constraints are constraints.
CREATE TABLE v18.not_null (
    a int CONSTRAINT "a is %there" NOT NULL, b int CONSTRAINT alone NOT NULL NO INHERIT, c int, d int NOT NULL);
INSERT INTO v18.not_null VALUES (1, 2, NULL, 4);
ALTER TABLE v18.not_null ADD CONSTRAINT not_looked_at NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT "a is %there" ON v18.not_null IS 'a NOT NULL constraint';
COMMENT ON CONSTRAINT not_looked_at ON v18.not_null IS 'one that is not valid';
CREATE TABLE v18.not_null_child () INHERITS (v18.not_null);
ALTER TABLE v18.not_null_child ALTER COLUMN b DROP NOT NULL;
INSERT INTO v18.not_null_child VALUES (1, NULL, 3, 4);
CREATE TABLE v18.not_enforced (
    a int CONSTRAINT wished CHECK (a > 0) NOT ENFORCED,
    b int CONSTRAINT pointed REFERENCES app.tree NOT ENFORCED);
INSERT INTO v18.not_enforced VALUES (-1, 99999);

CREATE TABLE v18.refers (id int, d date) PARTITION BY RANGE (d);
CREATE TABLE v18.refers_1 PARTITION OF v18.refers FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
INSERT INTO v18.refers VALUES (12345, '2024-01-01');
ALTER TABLE v18.refers ADD CONSTRAINT unchecked FOREIGN KEY (id) REFERENCES app.tree NOT VALID;

CREATE COLLATION v18.fast (provider = builtin, locale = 'PG_UNICODE_FAST');
CREATE TABLE v18.newest (id uuid DEFAULT uuidv7() PRIMARY KEY, t text COLLATE v18.fast, folded text
    GENERATED ALWAYS AS (casefold(t COLLATE v18.fast)) STORED);
INSERT INTO v18.newest (t) VALUES ('Straße'), ('ŁÓDŹ');
CREATE TABLE v18.changed (id int PRIMARY KEY, n int);
CREATE FUNCTION v18.change(k int) RETURNS TABLE (was int, is_now int) LANGUAGE sql
BEGIN ATOMIC
    UPDATE v18.changed SET n = n + 1 WHERE id = k RETURNING WITH (OLD AS was, NEW AS now) was.n, now.n;
END;

ALTER DEFAULT PRIVILEGES FOR ROLE fid_owner GRANT SELECT, UPDATE ON LARGE OBJECTS TO fid_reader;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO fid_writer;
SELECT lo_from_bytea(60001, 'made under default privileges');

CREATE PUBLICATION v18_generated FOR TABLE v18.virtual WITH (publish_generated_columns = stored);
CREATE FOREIGN TABLE v18.far_like (LIKE app.far INCLUDING ALL) SERVER "far away" OPTIONS (table_name 't');
