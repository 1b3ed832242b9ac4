"""What goes in comes out, where the database itself is unusual: its names and settings shadow the system's,
sequences run on meanwhile, tables as wide as they get, templates, labels of security."""

import re

import pytest

from harness import compare
from harness.program import ROOT

# ---------------------------------------------------------------- schemas that shadow pg_catalog

# Everything of pg_catalog that pgstow's own statements use (and much that they don't) once more in a schema that
# stands first in the search path: whoever calls it by its bare name fails. Names of functions come from the sources.
SHADOW = r"""
CREATE SCHEMA evil;
CREATE FUNCTION evil.boom() RETURNS bool LANGUAGE plpgsql VOLATILE AS
    $$ BEGIN RAISE EXCEPTION 'the shadow was called'; END $$;
CREATE AGGREGATE evil.count(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '-100000');
DO $do$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS args, p.prorettype::regtype AS type, p.proretset
               FROM pg_proc p
              WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proname = ANY (string_to_array('%NAMES%', ' '))
                AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) t(oid) JOIN pg_type y USING (oid)
                                 WHERE y.typtype = 'p' AND y.typname NOT IN ('void', 'record'))
                AND p.proargmodes IS NULL
    LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s%s LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.boom(); END $$',
                       r.proname, r.args, CASE WHEN r.proretset THEN 'SETOF ' ELSE '' END, r.type);
    END LOOP;
    FOR r IN SELECT o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, row_number() OVER () AS n, o.oprresult::regtype AS type
               FROM pg_operator o
              WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0
                AND o.oprname IN ('=', '<>', '~', '!~', '||', '/', '<', '>', '>=', '+', '-', '*')
                AND o.oprleft IN ('oid'::regtype, 'name'::regtype, 'text'::regtype, 'char'::regtype, '"char"'::regtype,
                                  'int4'::regtype, 'int8'::regtype, 'int2'::regtype, 'bool'::regtype, 'oidvector'::regtype)
    LOOP
        EXECUTE format('CREATE FUNCTION evil.op%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.boom(); END $$',
                       r.n, r.l, r.r, r.type);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.op%s)', r.oprname, r.l, r.r, r.n);
    END LOOP;
    FOR r IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
                AND relname IN (SELECT unnest(string_to_array('%NAMES%', ' ')))
    LOOP
        EXECUTE format('CREATE TABLE evil.%I (evil text)', r.relname);
    END LOOP;
    FOR r IN SELECT unnest(ARRAY['text', 'oid', 'name', 'regclass', 'regnamespace', 'bytea', '"char"', 'int8', 'int4', 'bool']) AS name
    LOOP
        EXECUTE format('CREATE TYPE evil.%s AS ENUM (''shadow'')', r.name);
    END LOOP;
END $do$;
CREATE TABLE evil.rows (id pg_catalog.int4 PRIMARY KEY, t pg_catalog.text, by_hash pg_catalog.text);
INSERT INTO evil.rows SELECT g, 'row ' || g, md5(g::text) FROM generate_series(1, 3000) g;
CREATE TABLE evil.parted (m evil.int4, n pg_catalog.int4) PARTITION BY HASH (m);
CREATE TABLE evil.parted_0 PARTITION OF evil.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE evil.parted_1 PARTITION OF evil.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO evil.parted SELECT 'shadow', g FROM generate_series(1, 10) g;
SET SESSION AUTHORIZATION fid_shadowed; -- a restored extension belongs to who restores
CREATE EXTENSION pgstow_fixture WITH SCHEMA evil;
RESET SESSION AUTHORIZATION;
INSERT INTO evil.fixture_settings VALUES ('mine', 'x', false);
INSERT INTO evil.fixture_children SELECT g, 'mine', repeat('child', 50) FROM generate_series(1, 500) g;
SELECT setval('evil.fixture_seq', 7), lo_from_bytea(4711, 'an object'), lo_from_bytea(4712, decode(repeat('ab', 70000), 'hex'));
CREATE SCHEMA public_too;
CREATE TABLE public_too.t AS SELECT 1 AS a;
"""


def names_in_sources():
    """Words before a parenthesis, and names of catalogs, in all statements of the program."""
    text = "".join(p.read_text() for p in (ROOT / "src").rglob("*") if p.suffix in (".sql", ".c"))
    names = set(re.findall(r"\b([a-z_][a-z0-9_]+)\(", text)) | set(re.findall(r"\bpg_[a-z_]+\b", text))
    assert {"quote_ident", "pg_export_snapshot", "lo_get", "pg_class"} <= names
    return " ".join(sorted(names))


def test_schemas_that_shadow_pg_catalog(cluster, pgstow, database):
    """A schema first in the search path has tables, types, functions and operators of the system's names."""
    cluster.sql("CREATE ROLE fid_shadowed LOGIN SUPERUSER; ALTER ROLE fid_shadowed SET search_path = evil, public, pg_catalog")
    name = database(sql=SHADOW.replace("%NAMES%", names_in_sources()))
    made = cluster.sql("SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace), (SELECT count(*) "
                       "FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace), (SELECT count(*) FROM pg_class WHERE "
                       "relnamespace = 'evil'::regnamespace AND relname ~ '^pg_')", name).split("|")  # fmt: skip
    assert all(int(n) >= 15 for n in made), made
    url, copy = cluster.url(name, "fid_shadowed"), f"{name}_copy"
    database.later(copy)
    try:
        with pytest.raises(AssertionError, match="the shadow was called"):
            cluster.sql("SELECT quote_ident('x')", name, user="fid_shadowed")
        before = compare.snapshot(cluster, name)
        pgstow.run("doctor", db=url)
        backup = pgstow.backup(url)
        again = pgstow.metadata(pgstow.backup(url))
        assert again["newBytes"] < again["logicalSize"] / 2
        pgstow.restore(backup, url, "--to-db", copy)
        compare.assert_same(cluster, name, copy)
        pgstow.restore(backup, url, "--replace", "--yes")
        compare.assert_as_before(cluster, name, before)
        pgstow.restore(backup, url, "--in-place", "--yes")
        compare.assert_as_before(cluster, name, before)
    finally:
        cluster.drop(name, copy)
        cluster.sql("DROP ROLE fid_shadowed")


# ---------------------------------------------------------------- sequences that run on meanwhile


@pytest.mark.parametrize("point", ["backup.start.locked", "backup.start.snapshot", "backup.start.toc", "backup.copied"])
def test_a_sequence_that_runs_on_meanwhile(cluster, pgstow_faults, database, point):
    """Sequences stand outside of transactions: what pg_dump reads may be ahead of the snapshot's rows, and may
    differ between two runs under one snapshot. It must never be behind a row that the backup has."""
    name = database(sql="""
        CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial UNIQUE, t text);
        INSERT INTO t (t) SELECT 'before ' || g FROM generate_series(1, 50) g;
    """)  # fmt: skip
    with pgstow_faults.start("backup", db=name, env={"PGSTOW_FAULT": f"{point}:stop"}) as running:
        assert running.wait_stopped(), point
        cluster.sql("INSERT INTO t (t) SELECT 'meanwhile ' || g FROM generate_series(1, 500) g", name)
        running.resume()
        backup = running.wait().expect("OK").id
    copy = f"{name}_copy"
    database.later(copy)
    pgstow_faults.restore(backup, name, "--to-db", copy)
    rows = cluster.sql("SELECT count(*), max(id), max(s) FROM t", copy)
    # The snapshot is taken behind the locks: what comes before it is in.
    assert rows == ("550|550|550" if point == "backup.start.locked" else "50|50|50")
    values = cluster.rows("SELECT last_value FROM t_id_seq UNION ALL SELECT last_value FROM t_s_seq", copy)
    assert all(int(v[0]) in (50, 550) and int(v[0]) >= int(rows.split("|")[1]) for v in values), values
    cluster.sql("INSERT INTO t (t) SELECT 'afterwards' FROM generate_series(1, 100)", copy)  # no key is there twice


# ---------------------------------------------------------------- as wide as it gets


def test_a_table_with_1600_columns(cluster, pgstow, database):
    columns = ", ".join(f'"column {i} ""q"" é" int2' for i in range(1600))
    # A row must fit into a page: so many columns are NULL.
    row = lambda r: ", ".join("NULL" if (i + r) % 2 else str(i - 800) for i in range(1600))
    name = database(sql=f"CREATE TABLE wide ({columns}); INSERT INTO wide VALUES ({row(0)}), ({row(1)});"
                        "INSERT INTO wide SELECT w.* FROM wide w, generate_series(1, 40)")  # fmt: skip
    backup = pgstow.backup(name)
    database.later(f"{name}_copy")
    pgstow.restore(backup, name, "--to-db", f"{name}_copy")
    compare.assert_same(cluster, name, f"{name}_copy")
    assert cluster.sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 0",
                       f"{name}_copy") == "1600"  # fmt: skip


def test_a_split_table_with_children(cluster, pgstow, database):
    """A table of more than one piece is read in ranges of its pages, and its children's rows are not its own."""
    name = database(sql="""
        CREATE TABLE parent (id int, t text) WITH (fillfactor = 10, autovacuum_enabled = off);
        CREATE TABLE child (more text) INHERITS (parent);
        ALTER TABLE parent ALTER COLUMN t SET STORAGE PLAIN;
        INSERT INTO parent SELECT g, repeat('parent ', 60) FROM generate_series(1, 9000) g;
        INSERT INTO child SELECT g, 'child', 'more' FROM generate_series(1, 100) g;
    """)  # fmt: skip
    assert int(cluster.sql("SELECT pg_relation_size('parent') / 8192", name)) > 8192  # pages of a piece
    backup = pgstow.backup(name)
    assert pgstow.metadata(backup)["rows"] == 9100
    database.later(f"{name}_copy")
    pgstow.restore(backup, name, "--to-db", f"{name}_copy")
    compare.assert_same(cluster, name, f"{name}_copy")


def test_rows_of_a_foreign_table(cluster, pgstow, database, folder):
    """pg_dump --include-foreign-data: such a dump, imported and restored, writes the rows to the other server, as
    pg_restore does. (A backup of ours never asks for them.)"""
    far = database(sql="CREATE TABLE t (a int, b text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 100) g")
    name = database(sql=f"""
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{cluster.port}', dbname '{far}');
        CREATE USER MAPPING FOR postgres SERVER loop OPTIONS (user 'postgres');
        CREATE FOREIGN TABLE "far t" (b text, a int) SERVER loop OPTIONS (table_name 't');
        CREATE TABLE near AS SELECT 1 AS a;
    """)  # fmt: skip
    ask = "SELECT count(*), md5(string_agg(a || b, '' ORDER BY a)) FROM t"
    before = cluster.sql(ask, far)
    cluster.tool("pg_dump", "-Fc", "--include-foreign-data=loop", "-f", folder / "foreign.dump", database=name)
    ours = pgstow.backup(name)
    imported = pgstow.run("import", folder / "foreign.dump").id
    assert [pgstow.metadata(b)["rows"] for b in (ours, imported)] == [1, 101]
    database.later(f"{name}_copy")
    cluster.sql("DELETE FROM t", far)
    pgstow.restore(imported, name, "--to-db", f"{name}_copy")
    assert cluster.sql(ask, far) == before
    compare.assert_same_dump(cluster, name, f"{name}_copy")


# ---------------------------------------------------------------- whose rows they are


def test_row_security_that_pg_dump_does_not_meet(cluster, pgstow, database):
    """pg_dump is ended before it comes to the second table: it is our own reading that must not be filtered."""
    cluster.sql("DO $$ BEGIN CREATE ROLE fid_policed LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    name = database(sql="""
        CREATE TABLE a_first AS SELECT g, repeat('fills the pipe', 100) FROM generate_series(1, 1000) g;
        CREATE TABLE z_second AS SELECT generate_series(1, 100) AS id;
        GRANT SELECT ON a_first, z_second TO fid_policed;
        ALTER TABLE z_second ENABLE ROW LEVEL SECURITY;
        CREATE POLICY few ON z_second FOR SELECT USING (id < 10);
    """)  # fmt: skip
    pgstow.run("backup", db=cluster.url(name, "fid_policed"), expect="DB_PERMISSION").error_says("z_second")
    assert pgstow.manifests() == []


def test_a_table_that_its_owner_may_not_write(cluster, pgstow, database):
    """Privileges come last: an owner who took his own away restores the rows all the same."""
    cluster.sql("DO $$ BEGIN CREATE ROLE fid_modest LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN END $$")
    name = database()
    cluster.sql(f"ALTER DATABASE {name} OWNER TO fid_modest; GRANT ALL ON SCHEMA public TO fid_modest", name)
    cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 100) AS id;"
                "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON t FROM fid_modest", name, user="fid_modest")  # fmt: skip
    url = cluster.url(name, "fid_modest")
    database.later(f"{name}_copy")
    pgstow.restore(pgstow.backup(url), url, "--to-db", f"{name}_copy")
    compare.assert_same_rows(cluster, name, f"{name}_copy")
    privileges = "SELECT relacl FROM pg_class WHERE oid = 't'::regclass"
    assert cluster.sql(privileges, f"{name}_copy") == cluster.sql(privileges, name) != ""


# ---------------------------------------------------------------- databases that are templates, or closed, or ICU's


def test_a_template_database(cluster, pgstow, database):
    name = database(sql="CREATE TABLE t AS SELECT generate_series(1, 10) AS a")
    flags = f"SELECT datistemplate, datallowconn, datconnlimit FROM pg_database WHERE datname = '{name}'"
    cluster.sql(f"ALTER DATABASE {name} IS_TEMPLATE true CONNECTION LIMIT 17")
    try:
        before = compare.snapshot(cluster, name)
        backup = pgstow.backup(name)
        pgstow.restore(backup, name, "--replace", "--yes")
        compare.assert_as_before(cluster, name, before)
        assert cluster.sql(flags) == "t|t|17"
        pgstow.restore(backup, name, "--in-place", "--yes")
        compare.assert_as_before(cluster, name, before)
        assert cluster.sql(flags) == "t|t|17"
    finally:
        cluster.sql(f"ALTER DATABASE {name} IS_TEMPLATE false")


def test_template1_itself(cluster, pgstow, database):
    cluster.sql("CREATE TABLE fid_in_template AS SELECT generate_series(1, 10) AS a", "template1")
    try:
        backup = pgstow.backup("template1")
        database.later("template1_copy")
        pgstow.restore(backup, "template1", "--to-db", "template1_copy")
        compare.assert_same_rows(cluster, "template1", "template1_copy")
        compare.assert_same_dump(cluster, "template1", "template1_copy")
        # A database that is made meanwhile has template1's tables, a restored one never has them twice.
        database.later("template1_other")
        cluster.sql("CREATE DATABASE template1_other")
        pgstow.restore(backup, "template1", "--to-db", "template1_other", expect="DB_EXISTS")
        assert cluster.sql("SELECT datistemplate FROM pg_database WHERE datname = 'template1_copy'") == "t"
    finally:
        cluster.sql("ALTER DATABASE template1_copy IS_TEMPLATE false")
        cluster.sql("DROP TABLE fid_in_template", "template1")


@pytest.mark.parametrize("name", ["template0", "closed"])
def test_a_database_that_takes_no_connections(cluster, pgstow, database, name):
    """Refused with the server's reason, and what to do; nothing is left behind."""
    if name == "closed":
        name = database(sql="CREATE TABLE t AS SELECT 1 AS a")
        cluster.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    result = pgstow.run("backup", db=name, expect="DB")
    result.error_says(name, "not currently accepting connections", "hint:.*ALLOW_CONNECTIONS")
    assert not pgstow.repo.exists() or not pgstow.manifests()


def test_a_database_of_icu(cluster, pgstow, database):
    """The provider and the locale of the database: sorted by the same rules."""
    name = cluster.fresh_name("icu")
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C.UTF-8'")
    database.later(name)
    cluster.sql("CREATE TABLE t AS SELECT unnest(ARRAY['Ärger', 'Affe', 'Zebra', 'Adler', 'ähnlich']) AS t;"
                "CREATE INDEX ON t (t)", name)  # fmt: skip
    database.later(f"{name}_copy")
    pgstow.restore(pgstow.backup(name), name, "--to-db", f"{name}_copy")
    for ask in ("SELECT datlocprovider, daticulocale, datcollate FROM pg_database WHERE datname = current_database()",
                "SELECT string_agg(t, ' ' ORDER BY t) FROM t"):  # fmt: skip
        assert cluster.sql(ask, f"{name}_copy") == cluster.sql(ask, name)
    assert cluster.sql("SELECT string_agg(t, ' ' ORDER BY t) FROM t", name).startswith("Adler ähnlich Ärger")
    compare.assert_same(cluster, name, f"{name}_copy")


# ---------------------------------------------------------------- labels of security


def test_security_labels(cluster, pgstow, database, folder):
    """No provider comes with Debian's packages (dummy_seclabel is only in PostgreSQL's tests), so the label is put
    into the catalog by hand: the archive carries it, and a server without the provider is not said to have it."""
    name = database(sql="""
        CREATE TABLE t AS SELECT 1 AS a;
        SET allow_system_table_mods = on;
        INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'dummy', 'it''s classified');
    """)  # fmt: skip
    backup = pgstow.backup(name)
    archive = folder / "archive"
    pgstow.run("export", backup, "--format", "custom", "-o", archive)
    script = cluster.tool("pg_restore", "-f", "-", archive).stdout.decode()
    assert "SECURITY LABEL FOR dummy ON TABLE public.t IS 'it''s classified';" in script
    database.later(f"{name}_copy")
    result = pgstow.restore(backup, name, "--to-db", f"{name}_copy", expect="TOOL_FAILED")
    result.error_says("SECURITY LABEL.* t", "provider .dummy. is not loaded")
    assert not cluster.exists(f"{name}_copy")
