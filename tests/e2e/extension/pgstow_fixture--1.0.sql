CREATE TABLE @extschema@.fixture_settings (
    name text PRIMARY KEY,
    value text,
    builtin boolean NOT NULL DEFAULT true
);
INSERT INTO @extschema@.fixture_settings VALUES ('version', '1.0', true), ('default', E'tab\there', true);
CREATE TABLE @extschema@.fixture_all (id int, note text);
-- Its rows must be loaded behind those that they refer to, although they are more.
CREATE TABLE @extschema@.fixture_children (
    id int PRIMARY KEY, parent text REFERENCES @extschema@.fixture_settings, note text);
CREATE TABLE @extschema@.fixture_not_dumped (id int);
INSERT INTO @extschema@.fixture_not_dumped VALUES (1);
CREATE SEQUENCE @extschema@.fixture_seq;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.fixture_settings', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.fixture_all', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.fixture_children', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.fixture_seq', '');
