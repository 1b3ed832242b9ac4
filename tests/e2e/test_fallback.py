"""backup --fallback json: rows without pg_dump, merged into tables that exist."""

import json

import pytest
from harness import compare

NO_PG_DUMP = {"FORCE_PG_DUMP_MISSING": "1"}
TABLES = """
CREATE SCHEMA "Odd ""one";
CREATE TABLE "Odd ""one"."t,()" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "c "" d" text,
    n numeric, twice int GENERATED ALWAYS AS (length("c "" d") * 2) STORED);
CREATE TABLE parts (k int, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (500);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (500) TO (1000);
CREATE TABLE skipped (id int PRIMARY KEY);
CREATE SEQUENCE free START 10;
"""
ROWS = """
INSERT INTO "Odd ""one"."t,()" ("c "" d", n) VALUES (E'tab\\tx\\n\\\\', 'NaN'), (NULL, 1.50), ('', 0);
INSERT INTO parts SELECT i, repeat('v', i % 7) FROM generate_series(0, 999) i;
INSERT INTO skipped VALUES (1);
SELECT nextval('free'), nextval('free');
"""


def test_without_the_setting_it_is_an_error(cluster, pgstow, database):
    run = pgstow.run("backup", db=cluster.url(database()), env=NO_PG_DUMP, expect="TOOL_MISSING")
    assert not pgstow.manifests()
    run.error_says("install")


def test_rows_go_into_tables_that_exist(cluster, pgstow, database):
    source, target = database(sql=TABLES + ROWS), database(sql=TABLES)
    run = pgstow.run("backup", "--fallback", "json", "--json", db=cluster.url(source), env=NO_PG_DUMP)
    info = run.json
    assert info["rows"] == 1004 and info["filter"] == "rows-only" and info["warnings"]
    pgstow.run("verify", info["id"], "--level", "rebuild")
    # It makes no database: that is said before anything is touched.
    pgstow.run("restore", info["id"], "--to-db", "nowhere", db=cluster.url(target), expect="PREFLIGHT").error_says("--merge")
    assert not cluster.exists("nowhere")
    pgstow.run("restore", info["id"], "--merge", "upsert", "--yes", db=cluster.url(target))
    compare.assert_same_rows(cluster, source, target)
    # The sequences go on behind what was taken over.
    assert int(cluster.sql("SELECT nextval('free')", target)) == 12
    cluster.sql("INSERT INTO \"Odd \"\"one\".\"t,()\" (\"c \"\" d\") VALUES ('next')", target)


def test_with_pg_dump_it_is_a_whole_backup(cluster, pgstow, database):
    info = pgstow.run("backup", "--fallback", "json", "--json", db=cluster.url(database(sql=TABLES))).json
    assert not info.get("filter")


def test_as_a_setting_with_patterns_and_as_json(cluster, pgstow, database, folder):
    source = database(sql=TABLES + ROWS)
    (folder / "pgstow.yaml").write_text("backup:\n  fallback: json\n")
    run = pgstow.run(
        "backup", "--exclude-table", "skipped", "--config", folder / "pgstow.yaml", "--json", db=cluster.url(source),
        env=NO_PG_DUMP,
    )  # fmt: skip
    assert run.json["rows"] == 1003
    pgstow.run("export", run.json["id"], "--format", "json", "-o", folder / "rows.json")
    lines = [json.loads(line) for line in (folder / "rows.json").read_text().splitlines()]
    assert len(lines) > 1003


def test_sequences_are_chosen_like_tables(cluster, pgstow, database, folder):
    source = database(sql=TABLES + ROWS)
    run = pgstow.run("backup", "--fallback", "json", "--schema", '"Odd ""one"', "--json", db=cluster.url(source), env=NO_PG_DUMP)
    pgstow.run("export", run.json["id"], "--format", "json", "-o", folder / "rows.json")
    lines = [json.loads(line) for line in (folder / "rows.json").read_text().splitlines()]
    assert [line["sequence"]["schema"] for line in lines if "sequence" in line] == ['Odd "one']
    pgstow.run("backup", "--fallback", "json", "--schema", "ood", db=cluster.url(source), env=NO_PG_DUMP, expect="NOT_FOUND")


def test_a_sequence_that_may_not_be_read_is_not_left_out_silently(cluster, pgstow, database):
    source = database(sql=TABLES + ROWS + 'GRANT USAGE ON SCHEMA "Odd ""one" TO fid_reader;'
                      'GRANT SELECT ON ALL TABLES IN SCHEMA public, "Odd ""one" TO fid_reader;'
                      'GRANT SELECT ON ALL SEQUENCES IN SCHEMA "Odd ""one" TO fid_reader')  # fmt: skip
    before = cluster.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'fid_reader'")
    cluster.sql("ALTER ROLE fid_reader LOGIN")
    try:
        url = cluster.url(source).replace("postgres@", "fid_reader@")
        run = pgstow.run("backup", "--fallback", "json", db=url, env=NO_PG_DUMP, expect="DB_PERMISSION")
        run.error_says("sequence public.free", "GRANT SELECT")
        assert not pgstow.manifests()
        cluster.sql("GRANT SELECT ON SEQUENCE free TO fid_reader", source)
        pgstow.run("backup", "--fallback", "json", db=url, env=NO_PG_DUMP)
    finally:
        cluster.sql(f"ALTER ROLE fid_reader {'LOGIN' if before == 't' else 'NOLOGIN'}")


def test_a_later_whole_backup_shares_with_it(cluster, pgstow, database):
    source = database(sql="CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 50000) i")
    first = pgstow.run("backup", "--json", db=cluster.url(source)).json
    rows = pgstow.run("backup", "--fallback", "json", "--json", db=cluster.url(source), env=NO_PG_DUMP).json
    assert rows["newBytes"] < first["newBytes"] / 20
    # What is not whole is no base for "latest good" questions.
    pgstow.run("check", "--max-age", "1h", db=cluster.url(source)).says(first["id"])


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_other_encodings(cluster, pgstow, database, encoding):
    """Names and values as they were."""
    name = cluster.fresh_name("enc")
    cluster.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    database.later(name)
    made = 'CREATE TABLE "Größe" ("Schlüssel" text PRIMARY KEY, "Maß" text);'
    target = database(sql=made)
    cluster.sql(made + "INSERT INTO \"Größe\" VALUES ('ä', 'weiß'), ('b', 'é')", name)
    info = pgstow.run("backup", "--fallback", "json", "--json", db=cluster.url(name), env=NO_PG_DUMP).json
    pgstow.run("restore", info["id"], "--merge", "upsert", "--yes", db=cluster.url(target))
    assert cluster.sql('SELECT * FROM "Größe" ORDER BY 1', target) == "b|é\nä|weiß"
