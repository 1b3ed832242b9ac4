"""restore and export of a part: tables, schemas, definitions or rows alone, under other names."""

import contextlib

import pytest

from harness import compare
from harness.program import Pgstow, program

STORE = """
CREATE SCHEMA shop;
CREATE SCHEMA app;
COMMENT ON SCHEMA shop IS 'the shop';
CREATE EXTENSION citext WITH SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN app.percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE FUNCTION app.double(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.note := coalesce(NEW.note, '') || ' stamped';
    RETURN NEW;
END $$;
CREATE TABLE shop.customer (id serial PRIMARY KEY, name app.citext NOT NULL UNIQUE, mood app.mood DEFAULT 'ok',
    share app.percent, CHECK (app.double(id) > 0));
COMMENT ON TABLE shop.customer IS 'who buys';
COMMENT ON COLUMN shop.customer.name IS E'a name\\nand more';
COMMENT ON CONSTRAINT customer_pkey ON shop.customer IS 'the key';
CREATE TABLE shop.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int NOT NULL REFERENCES shop.customer, note text, twice int GENERATED ALWAYS AS (customer * 2) STORED);
CREATE INDEX orders_note ON shop.orders (lower(note));
COMMENT ON INDEX shop.orders_note IS 'an index';
CREATE STATISTICS shop.orders_st ON customer, note FROM shop.orders;
CREATE RULE loud AS ON DELETE TO shop.orders DO ALSO NOTIFY x;
CREATE POLICY mine ON shop.orders USING (customer > 0);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, REPLICA IDENTITY FULL;
GRANT SELECT ON shop.orders TO fid_reader;
GRANT SELECT (name) ON shop.customer TO fid_reader;
CREATE TABLE shop.event (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE shop.event_1 PARTITION OF shop.event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.event_2 PARTITION OF shop.event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX ON shop.event (at);
CREATE SEQUENCE shop.free START 50;
CREATE TABLE shop.numbered (n int DEFAULT nextval('shop.free'), t text);
CREATE TABLE shop.base (a int);
CREATE TABLE shop.kid (b int) INHERITS (shop.base);
CREATE TABLE shop.node (id int PRIMARY KEY, up int REFERENCES shop.node);
CREATE VIEW shop.loud AS SELECT c.name, count(*) FROM shop.customer c JOIN shop.orders o ON o.customer = c.id GROUP BY 1;
CREATE MATERIALIZED VIEW shop.kept AS SELECT * FROM shop.loud;
CREATE TABLE "Odd.Name" ("a=b" int);
INSERT INTO shop.customer (name, share) SELECT 'name ' || g, g % 100 FROM generate_series(1, 300) g;
INSERT INTO shop.orders (customer, note) SELECT 1 + g % 300, 'note ' || g FROM generate_series(1, 3000) g;
CREATE TRIGGER stamp BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION app.stamp();
COMMENT ON TRIGGER stamp ON shop.orders IS 'stamps';
INSERT INTO shop.event SELECT g, date '2024-01-01' + g FROM generate_series(1, 700) g;
INSERT INTO shop.numbered (t) SELECT 'x' FROM generate_series(1, 10);
INSERT INTO shop.base VALUES (1);
INSERT INTO shop.kid VALUES (2, 3);
INSERT INTO shop.node VALUES (1, 2), (2, 1);
INSERT INTO "Odd.Name" VALUES (7);
REFRESH MATERIALIZED VIEW shop.kept;
"""


@pytest.fixture(scope="module")
def store(cluster, module_folder):
    """A database with a little of everything, and its backup."""
    made = Pgstow(cluster, module_folder)
    made.source = cluster.create("partial_store", sql=STORE)
    made.id = made.backup(made.source)
    yield made
    cluster.drop(made.source)


def definition(cluster, db, *tables):
    """What stock pg_dump says of these tables: definitions and rows, without its random lines."""
    args = [arg for table in tables for arg in ("-t", table)]
    out = cluster.tool("pg_dump", *args, database=db).stdout.decode()
    return sorted(line for line in out.splitlines() if line and not line.startswith(("\\", "--")))


def relations(cluster, db):
    return cluster.sql(
        "SELECT string_agg(oid::regclass || ' ' || relfilenode, ',' ORDER BY oid) FROM pg_class "
        "WHERE oid >= 16384", db)  # fmt: skip


@contextlib.contextmanager
def untouched(cluster, db):
    """Nothing in the database changes meanwhile, and no database comes or goes."""
    before = relations(cluster, db), compare.row_hashes(cluster, db), cluster.databases()
    yield
    assert (relations(cluster, db), compare.row_hashes(cluster, db), cluster.databases()) == before


# ------------------------------------------------------------------ into a new database


def test_one_table_into_a_new_database(cluster, store, database):
    database.later("partial_new")
    result = store.restore(store.id, store.source, "--table", "shop.customer", "--to-db", "partial_new")
    assert definition(cluster, "partial_new", "shop.customer") == definition(cluster, store.source, "shop.customer")
    assert cluster.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r'",
                       "partial_new") == "1"  # fmt: skip
    assert cluster.sql("SELECT nextval('shop.customer_id_seq')", "partial_new") == "301"
    assert "orders" not in result.stdout


def test_what_is_needed_comes_without_rows(cluster, store, database):
    """A view's tables, a parent of an inheriting table; and that is said."""
    database.later("partial_view")
    store.restore(store.id, store.source, "--table", "loud", "--table", "kid", "--to-db", "partial_view").error_says(
        "shop.orders is there without rows", "shop.base is there without rows")  # fmt: skip
    counts = cluster.sql("SELECT (SELECT count(*) FROM shop.loud), (SELECT count(*) FROM ONLY shop.base), "
                         "(SELECT count(*) FROM shop.kid)", "partial_view")  # fmt: skip
    assert counts == "0|0|1"


def test_a_schema(cluster, store, database):
    database.later("partial_schema")
    store.restore(store.id, store.source, "--schema", "sho?", "--to-db", "partial_schema")
    ours, theirs = (compare.row_hashes(cluster, db).splitlines() for db in ("partial_schema", store.source))
    assert ours == [line for line in theirs if line.startswith("'shop.")] and len(ours) > 8
    assert definition(cluster, "partial_schema", "shop.*") == definition(cluster, store.source, "shop.*")


def test_all_but_a_table(cluster, store, database):
    """What cannot be without it is left out too, and named."""
    database.later("partial_but")
    store.restore(store.id, store.source, "--exclude-table", "shop.customer", "--to-db", "partial_but").error_says(
        "VIEW shop.loud is left out", "orders_customer_fkey")  # fmt: skip
    assert cluster.sql("SELECT to_regclass('shop.customer'), to_regclass('shop.loud'), to_regclass('shop.kept'), "
                       "(SELECT count(*) FROM shop.orders)", "partial_but") == "|||3000"  # fmt: skip


def test_definitions_alone(cluster, store, database):
    database.later("partial_bare")
    store.restore(store.id, store.source, "--schema-only", "--to-db", "partial_bare")
    dump = lambda db: sorted(cluster.tool("pg_dump", "-s", database=db).stdout.decode().splitlines())
    clean = lambda lines: [line for line in lines if not line.startswith(("\\", "--"))]
    assert clean(dump("partial_bare")) == clean(dump(store.source))
    assert cluster.sql("SELECT count(*) FROM shop.orders", "partial_bare") == "0"


# ------------------------------------------------------------------ into one that has contents


OTHER = """
CREATE SCHEMA shop;
CREATE TABLE shop.other (a int PRIMARY KEY);
INSERT INTO shop.other VALUES (1), (2);
"""


def test_a_dropped_table_comes_back(cluster, store, database):
    """The normal case: one table was lost, the rest went on."""
    db = database(template=store.source)
    wanted = definition(cluster, db, "shop.orders")
    cluster.sql("DROP TABLE shop.orders CASCADE; DELETE FROM shop.event; UPDATE shop.customer SET share = 1", db)
    result = store.restore(store.id, db, "--table", "shop.orders", "--json").json
    assert definition(cluster, db, "shop.orders") == wanted
    assert result["rows"] == 3000 and result["warnings"] == []
    assert cluster.sql("SELECT (SELECT count(*) FROM shop.event), (SELECT sum(share) FROM shop.customer)", db) == "0|300"
    assert cluster.sql("SELECT reltuples > 0 FROM pg_class WHERE oid = 'shop.orders'::regclass", db) == "t"
    cluster.sql("INSERT INTO shop.orders (customer) VALUES (1)", db)
    assert cluster.sql("SELECT max(id) FROM shop.orders", db) == "3001"


def test_what_the_database_lacks_is_made(cluster, store, database):
    db = database(sql=OTHER)
    store.restore(store.id, db, "--table", "customer", "--table", "shop.numbered")
    for table in ("shop.customer", "shop.numbered"):
        assert definition(cluster, db, table) == definition(cluster, store.source, table)
    assert cluster.sql("SELECT nextval('shop.free'), obj_description('shop'::regnamespace, 'pg_namespace')", db) == "60|"


def test_what_is_there_stays_as_it_is(cluster, store, database):
    """A type, a function, an extension, a schema with a comment of its own."""
    db = database(sql=OTHER + """
        CREATE SCHEMA app; COMMENT ON SCHEMA app IS 'theirs';
        CREATE EXTENSION citext WITH SCHEMA app; COMMENT ON EXTENSION citext IS 'mine';
        CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'more');
        CREATE FUNCTION app.double(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'""")
    store.restore(store.id, db, "--table", "shop.customer")
    assert cluster.sql("SELECT app.double(5), 'more'::app.mood, obj_description('app'::regnamespace, 'pg_namespace'), "
                       "(SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'citext')",
                       db) == "6|more|theirs|mine"  # fmt: skip
    assert cluster.sql("SELECT count(*) FROM shop.customer", db) == "300"


def test_a_foreign_key_whose_rows_do_not_fit_is_left_out(cluster, store, database):
    db = database(template=store.source)
    cluster.sql("DROP TABLE shop.orders CASCADE; DELETE FROM shop.customer WHERE id = 7", db)
    store.restore(store.id, db, "--table", "shop.orders").error_says("orders_customer_fkey is left out", "violates")
    assert cluster.sql("SELECT count(*) FROM shop.orders", db) == "3000"
    assert cluster.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'shop.orders'::regclass",
                       db) == "0"  # fmt: skip


def test_a_partition_comes_back_into_its_table(cluster, store, database):
    db = database(template=store.source)
    wanted = definition(cluster, db, "shop.event", "shop.event_1")
    cluster.sql("DROP TABLE shop.event_1", db)
    store.restore(store.id, db, "--table", "shop.event_1")
    assert definition(cluster, db, "shop.event", "shop.event_1") == wanted
    assert cluster.sql("SELECT count(*) FROM shop.event", db) == "700"
    # Without the table it is one by itself.
    other = database(sql=OTHER)
    store.restore(store.id, other, "--table", "shop.event_1").error_says("TABLE ATTACH shop.event_1 is left out")
    assert cluster.sql("SELECT count(*), (SELECT relispartition FROM pg_class WHERE relname = 'event_1') "
                       "FROM shop.event_1", other) == "365|f"  # fmt: skip


def test_a_table_that_is_there_is_refused(cluster, store, database):
    db = database(template=store.source)
    cluster.sql("DROP TABLE shop.numbered", db)
    with untouched(cluster, db):
        store.restore(store.id, db, "--table", "shop.numbered", "--table", "shop.orders", expect="PREFLIGHT").error_says(
            "shop.orders", "--merge", "orders_old")  # fmt: skip


@pytest.mark.parametrize("way", ["--replace", "--in-place"])
def test_a_part_never_replaces_a_database(cluster, store, database, way):
    db = database(sql=OTHER)
    with untouched(cluster, db):
        store.restore(store.id, db, way, "--yes", "--table", "shop.orders", expect="USAGE").error_says("--merge")


def test_unknown_names_are_errors(cluster, store, database):
    db = database(sql=OTHER)
    with untouched(cluster, db):
        store.restore(store.id, db, "--table", "shop.ordres", expect="NOT_FOUND").error_says("shop.orders")
        store.restore(store.id, db, "--schema", "shup", expect="NOT_FOUND").error_says("did you mean shop")
        store.restore(store.id, db, "--table", "a.b.c", expect="USAGE")
        store.restore(store.id, db, "--table", "orders", "--exclude-table", "nothing*", expect="NOT_FOUND")
    store.run("restore", "--table", "shop.orders", expect="USAGE", db=db)


def test_quoted_patterns(cluster, store, database):
    db = database(sql=OTHER)
    store.restore(store.id, db, "--table", 'public."Odd.Name"')
    assert cluster.sql('SELECT "a=b" FROM "Odd.Name"', db) == "7"


def test_dry_run(cluster, store, database):
    db = database(sql=OTHER)
    with untouched(cluster, db):
        plan = store.restore(store.id, db, "--table", "shop.orders", "--dry-run", "--json").json
        store.restore(store.id, db, "--table", "shop.orders", "--dry-run").says("TABLE shop.orders", "3,000 rows")
    assert plan["chosen"] == ["TABLE shop.orders"] and plan["possible"] and plan["rows"] == 3000
    assert "FUNCTION app.stamp()" in plan["needed"] and "TABLE shop.customer" not in plan["needed"]


@pytest.mark.parametrize("point", ["restore.within.defined", "restore.within.table", "restore.within.copied",
                                   "restore.within.commit"])  # fmt: skip
@pytest.mark.parametrize("how", ["error", "kill"])
def test_all_or_nothing(cluster, store, database, point, how):
    """Whatever fails, and killed at any moment: the database is as it was, and the next run goes through."""
    db = database(sql=OTHER)
    faulty = Pgstow(cluster, store.folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    args = ["restore", store.id, "--table", "customer", "--table", "orders", "--table", "event"]
    with untouched(cluster, db):
        with faulty.start(*args, db=db, env={"PGSTOW_FAULT": f"{point}:{how}"}) as running:
            assert running.wait().status != 0
        cluster.assert_no_connections(db)
    store.run(*args, db=db)
    assert cluster.sql("SELECT count(*) FROM shop.orders", db) == "3000"


def test_rows_that_do_not_fit_change_nothing(cluster, store, database):
    """The type is there, but with other values."""
    db = database(sql=OTHER + "CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('good');")
    with untouched(cluster, db):
        store.restore(store.id, db, "--table", "shop.numbered", "--table", "shop.customer", expect="DB").error_says(
            "is as it was", "mood")  # fmt: skip


# ------------------------------------------------------------------ rows alone


def test_rows_alone(cluster, store, database):
    """Into empty tables: foreign keys both ways, triggers not fired, sequences set."""
    database.later("partial_rows")
    store.restore(store.id, store.source, "--schema-only", "--to-db", "partial_rows")
    store.restore(store.id, "partial_rows", "--data-only")
    compare.assert_same(cluster, store.source, "partial_rows")
    triggers = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal"
    keys = "SELECT conname, condeferrable, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
    for ask in (triggers, keys):
        assert cluster.sql(ask, "partial_rows") == cluster.sql(ask, store.source)
    assert cluster.sql("SELECT count(*) FROM shop.orders WHERE note LIKE '%stamped%'", "partial_rows") == "0"


ROWS_ALONE_SEQUENCES = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"


def test_rows_alone_that_do_not_fit_change_nothing(cluster, store, database):
    """Not even a sequence, whose setval no server takes back."""
    database.later("partial_unfit")
    store.restore(store.id, store.source, "--schema-only", "--to-db", "partial_unfit")
    cluster.sql("ALTER TABLE shop.orders ADD CONSTRAINT narrow CHECK (id < 2000)", "partial_unfit")
    before = cluster.sql(ROWS_ALONE_SEQUENCES, "partial_unfit")
    with untouched(cluster, "partial_unfit"):
        store.restore(store.id, "partial_unfit", "--data-only", expect="DB").error_says("is as it was", "narrow")
    assert cluster.sql(ROWS_ALONE_SEQUENCES, "partial_unfit") == before
    cluster.sql("ALTER TABLE shop.orders DROP CONSTRAINT narrow", "partial_unfit")
    store.restore(store.id, "partial_unfit", "--data-only")
    wanted = cluster.sql(ROWS_ALONE_SEQUENCES, store.source)
    assert wanted != before and cluster.sql(ROWS_ALONE_SEQUENCES, "partial_unfit") == wanted


def test_rows_alone_never_mix_with_rows_that_come_meanwhile(cluster, store, database):
    database.later("partial_mixed")
    store.restore(store.id, store.source, "--schema-only", "--to-db", "partial_mixed")
    faulty = Pgstow(cluster, store.folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))
    args = ["restore", store.id, "--data-only", "--table", "shop.numbered"]
    with faulty.start(*args, db="partial_mixed", env={"PGSTOW_FAULT": "restore.within.defined:stop"}) as running:
        assert running.wait_stopped()
        cluster.sql("INSERT INTO shop.numbered VALUES (-1, 'mine')", "partial_mixed")
        running.resume()
        running.wait().expect("PREFLIGHT").error_says("shop.numbered", "is as it was")
    assert cluster.sql("SELECT count(*) FROM shop.numbered", "partial_mixed") == "1"


def test_rows_alone_need_empty_tables(cluster, store, database):
    db = database(template=store.source)
    cluster.sql("TRUNCATE shop.orders; DROP TABLE shop.numbered", db)
    with untouched(cluster, db):
        store.restore(store.id, db, "--data-only", "--table", "shop.customer", expect="PREFLIGHT").error_says(
            "shop.customer", "--merge")  # fmt: skip
        store.restore(store.id, db, "--data-only", "--table", "shop.numbered", expect="PREFLIGHT").error_says(
            "shop.numbered", "without --data-only")  # fmt: skip
        store.restore(store.id, db, "--data-only", "--table", "loud", expect="NOT_FOUND")
    store.restore(store.id, db, "--data-only", "--table", "shop.orders")
    assert cluster.sql("SELECT count(*) FROM shop.orders", db) == "3000"


# ------------------------------------------------------------------ other names


def test_another_name_beside_the_old_one(cluster, store, database):
    db = database(template=store.source)
    cluster.sql("UPDATE shop.orders SET note = 'spoilt'", db)
    before = definition(cluster, db, "shop.orders")
    store.restore(store.id, db, "--table", "shop.orders=Orders_Old").error_says("orders_customer_fkey")
    assert definition(cluster, db, "shop.orders") == before
    assert cluster.sql("SELECT count(*), count(*) FILTER (WHERE note = 'spoilt') FROM shop.orders_old", db) == "3000|0"
    # All that belongs to it is its own, and nothing else differs.
    as_old = [line.replace("orders_old", "orders") for line in definition(cluster, db, "shop.orders_old")]
    original = [line for line in definition(cluster, store.source, "shop.orders") if "fkey" not in line]
    fkey = [line for line in as_old if line not in original], [line for line in original if line not in as_old]
    assert fkey[0] == [] and all("customer" in line for line in fkey[1]), fkey
    cluster.sql("INSERT INTO shop.orders_old (customer) VALUES (1)", db)
    assert cluster.sql("SELECT max(id) FROM shop.orders_old", db) == "3001"


def test_another_schema_and_odd_names(cluster, store, database):
    """Names with quotes; partitions go along; what is taken is not taken twice."""
    db = database(sql='CREATE SCHEMA "New ""one"; CREATE TABLE "New ""one".event_at_idx (a int); '
                      'CREATE TABLE "New ""one".event_1 (a int);')  # fmt: skip
    store.restore(store.id, db, "--table", 'shop.event="New ""one"."E.v=1"')
    ask = 'SELECT count(*) FROM "New ""one"."E.v=1"'
    assert cluster.sql(ask, db) == "700"
    assert cluster.sql("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'", db) == "2"
    assert cluster.sql("SELECT count(*) FROM pg_inherits", db) == "6"  # two partitions, and their two indexes each
    # Again, under a third name: everything finds a free one.
    store.restore(store.id, db, "--table", 'shop.event="New ""one".event')
    assert cluster.sql('SELECT count(*) FROM "New ""one".event', db) == "700"
    # A serial column has its sequence along.
    store.restore(store.id, db, "--table", 'shop.customer="New ""one".people')
    cluster.sql("""INSERT INTO "New ""one".people (name) VALUES ('new')""", db)
    assert cluster.sql('SELECT max(id) FROM "New ""one".people', db) == "301"
    assert cluster.sql("SELECT pg_get_serial_sequence('\"New \"\"one\".people', 'id')", db) == '"New ""one".people_id_seq'
    with untouched(cluster, db):
        store.restore(store.id, db, "--table", "shop.event=nowhere.event", expect="PREFLIGHT").error_says("nowhere")
        store.restore(store.id, db, "--table", 'shop.event="New ""one".event', expect="PREFLIGHT").error_says("has these")
        store.restore(store.id, db, "--table", "shop.*=x", expect="USAGE")


def test_another_name_in_a_new_database(cluster, store, database):
    database.later("partial_renamed")
    store.restore(store.id, store.source, "--table", "shop.orders=app.kept_orders", "--to-db", "partial_renamed")
    assert cluster.sql("SELECT count(*) FROM app.kept_orders", "partial_renamed") == "3000"
    assert cluster.sql("SELECT indexname FROM pg_indexes WHERE tablename = 'kept_orders' ORDER BY 1",
                       "partial_renamed") == "kept_orders_note\nkept_orders_pkey"  # fmt: skip


# ------------------------------------------------------------------ surroundings


def test_another_encoding(cluster, pgstow):
    """Names and rows of a LATIN1 database; the pattern is UTF-8 as everything on the command line."""
    names = [cluster.fresh_name("latin") for _ in range(3)]
    for name in names[:2]:
        cluster.sql(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    cluster.create(names[2])
    try:
        cluster.sql("""SET client_encoding = 'UTF8'; CREATE SCHEMA "é"; CREATE TABLE "é"."tablé" (id serial PRIMARY KEY, "ñ" text);
                       INSERT INTO "é"."tablé" ("ñ") VALUES ('ü'); CREATE TABLE other (a int)""", names[0])  # fmt: skip
        backup_id = pgstow.backup(names[0])
        for name in names[1:]:
            pgstow.restore(backup_id, name, "--table", '"é"."tabl"?')
            pgstow.restore(backup_id, name, "--table", '"é"."tablé"=public.plain')
            pgstow.restore(backup_id, name, "--schema", "é", expect="PREFLIGHT").error_says("é.tablé")
            ask = 'SET client_encoding = \'UTF8\'; SELECT "ñ" FROM "é"."tablé" UNION ALL SELECT "ñ" FROM plain'
            assert cluster.sql(ask, name) == "ü\nü"
        pgstow.restore(backup_id, names[0], "--table", "tablè", expect="NOT_FOUND").error_says("did you mean tablé")
    finally:
        cluster.drop(*names)


def test_large_objects_come_with_the_whole_alone(cluster, pgstow, shop, database):
    backup_id = pgstow.backup(shop)
    count = "SELECT count(*) FROM pg_largeobject_metadata"
    database.later("partial_objects")
    pgstow.restore(backup_id, shop, "--schema-only", "--to-db", "partial_objects")
    assert cluster.sql(count, "partial_objects") == "0"
    pgstow.restore(backup_id, "partial_objects", "--data-only")
    compare.assert_same(cluster, shop, "partial_objects")
    assert cluster.sql("SELECT convert_from(lo_get(77001), 'UTF8')", "partial_objects") == "a large object"
    other = database()
    pgstow.restore(backup_id, other, "--table", "item")
    assert cluster.sql(count, other) == "0"


def test_owners_and_privileges(cluster, store, database):
    db = database(sql=OTHER)
    store.restore(store.id, db, "--table", "shop.customer", "--no-privileges", "--no-owner", "--role", "fid_owner",
                  expect="DB_PERMISSION").error_says("is as it was")  # fmt: skip
    cluster.sql("GRANT CREATE ON DATABASE %s TO fid_owner; GRANT CREATE, USAGE ON SCHEMA shop TO fid_owner" % db, db)
    store.restore(store.id, db, "--table", "shop.numbered", "--no-privileges", "--no-owner", "--role", "fid_owner")
    assert cluster.sql("SELECT relowner::regrole FROM pg_class WHERE relname = 'numbered'", db) == "fid_owner"


# ------------------------------------------------------------------ export


def test_export_of_a_table(cluster, store, folder, database):
    """A file that restores into an empty database, by stock pg_restore alone."""
    store.run("export", store.id, "--table", "shop.customer", "-o", folder / "part.dump")
    db = database()
    cluster.tool("pg_restore", "-e", "-d", db, folder / "part.dump")
    assert definition(cluster, db, "shop.customer") == definition(cluster, store.source, "shop.customer")
    store.run("export", store.id, "--table", "shop.orders", "-o", folder / "noted.dump").error_says("orders_customer_fkey")
    store.run("export", store.id, "--table", "shop.nothing", "-o", folder / "no.dump", expect="NOT_FOUND")
    assert not (folder / "no.dump").exists()


# ------------------------------------------------------------------ only what is needed is read


def test_one_table_reads_its_own_chunks(cluster, pgstow, database):
    """One percent of the data costs about one percent of the repository's bytes."""
    db = database(sql="""
        CREATE TABLE large (id int PRIMARY KEY, t text);
        INSERT INTO large SELECT g, repeat(md5(g::text), 6) FROM generate_series(1, 100000) g;
        CREATE TABLE small (id int PRIMARY KEY, t text);
        INSERT INTO small SELECT g, repeat(md5((-g)::text), 6) FROM generate_series(1, 1000) g;""")
    backup_id = pgstow.backup(db)
    stored = sum(size for name, size in pgstow.files().items() if name.startswith(("packs/", "backups/")))
    other = database()
    result = pgstow.restore(backup_id, other, "--table", "small", "--json").json
    assert result["rows"] == 1000 and cluster.sql("SELECT count(*) FROM small", other) == "1000"
    share = result["fetchedBytes"] / stored
    assert 0.005 < share < 0.04, (result["fetchedBytes"], stored)


@pytest.mark.slow
def test_one_table_out_of_a_gigabyte(cluster, pgstow, database):
    """The same with 1 GB: 1.0 % of the rows, 1.0 % of the bytes."""
    text = "||".join(f"md5((g * {k})::text)" for k in (1, 7, 13, 17, 19, 23))
    db = database(sql=f"""
        CREATE UNLOGGED TABLE large AS SELECT g AS id, {text} AS t FROM generate_series(1, 5000000) g;
        CREATE TABLE small AS SELECT -g AS id, {text.replace("g *", "-g *")} AS t FROM generate_series(1, 50000) g""")
    backup_id = pgstow.backup(db, "--validate", "off", timeout=600)
    stored = sum(size for name, size in pgstow.files().items() if name.startswith(("packs/", "backups/")))
    assert pgstow.metadata(backup_id)["logicalSize"] > 1000000000
    result = pgstow.restore(backup_id, database(), "--table", "small", "--json").json
    assert result["rows"] == 50000 and result["fetchedBytes"] / stored < 0.02, (result, stored)
