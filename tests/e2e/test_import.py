"""import: dumps that stock pg_dump (or somebody else) made become backups."""

import gzip
import hashlib
import json
import shutil
import subprocess
import time
from datetime import datetime

import pytest

from harness import compare
from harness.cluster import E2E, wait_until

ROWS = """
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a SELECT i, repeat(md5(i::text), 3) FROM generate_series(1, 20000) i;
CREATE TABLE empty (x int);
CREATE TABLE odd (t text);
INSERT INTO odd VALUES (E'tab\\tnew\\nline\\\\back'), (NULL), (''), ('\\.'), ('$x$;''"--');
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $q$ SELECT ';''' -- no end' $q$;
CREATE FUNCTION atomic(i int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN i > 0 THEN 1 ELSE 2 END; SELECT 3; END;
SELECT lo_from_bytea(4242, 'large \\000 object'), lo_create(4243);
COMMENT ON TABLE a IS E'semi; colon\\n\\\\connect nowhere';
"""


@pytest.fixture(scope="module")
def source(cluster):
    name = cluster.create(sql=ROWS)
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def fidelity(cluster):
    name = cluster.create("import_fidelity")
    cluster.load(E2E / "fidelity.sql", name)
    yield name
    drop_subscribed(cluster, name)


def drop_subscribed(cluster, name):
    cluster.sql("ALTER SUBSCRIPTION fid_subscription DISABLE; DROP SUBSCRIPTION fid_subscription", name)
    cluster.drop(name)


def dump(cluster, database, path, *options):
    cluster.tool("pg_dump", *options, "-f", path, database=database)
    return path


def scratches(cluster):
    return [name for name in cluster.databases() if "_pgstow_" in name]


def restored(cluster, pgstow, backup_id, name):
    pgstow.restore(backup_id, name)
    return name


def test_archives_need_no_server(cluster, pgstow, folder, fidelity):
    """One of them is restored; the others are the same backup, told by diff and by what they stored anew;
    a backup of the database itself finds all of it there."""
    made, second = [], 0
    for n, options in enumerate((["-Fc"], ["-Fc", "-Z0"], ["-Fd"], ["-Fd", "-Z0"], ["-Fd", "-j2"])):
        wait_until(lambda: int(time.time()) > second, "the clock stands still")  # dumps of one second count as one
        path = dump(cluster, fidelity, folder / f"any.name{n}", *options)
        second = int(time.time())
        run = pgstow.run("import", path, "--json", db="postgresql://nobody@127.0.0.1:1/none")
        item = run.json["dumps"][0]
        assert item["state"] == "imported" and item["form"] == ("custom" if "-Fc" in options else "directory")
        assert item["backup"]["database"] == fidelity
        pgstow.run("verify", item["id"], "--level", "rebuild")
        made.append(item["id"])
    for other in made[1:]:
        pgstow.run("diff", made[0], other, "--exit-code")
    for other in (*made[1:], pgstow.backup(fidelity)):
        assert pgstow.metadata(other)["newBytes"] < pgstow.metadata(made[0])["newBytes"] * 0.02, other
    copy = restored(cluster, pgstow, made[0], cluster.fresh_name())
    compare.assert_same(cluster, fidelity, copy)
    drop_subscribed(cluster, copy)


def test_custom_export_of_an_import_is_stock(cluster, pgstow, database, folder, source):
    path = dump(cluster, source, folder / "d", "-Fc")
    backup_id = pgstow.run("import", path).id
    pgstow.run("export", backup_id, "-o", folder / "out.dump")
    copy = database()
    cluster.tool("pg_restore", "-e", "-j2", "-d", copy, folder / "out.dump")
    compare.assert_same(cluster, source, copy)


@pytest.mark.parametrize("options", [[], ["--inserts"], ["-C"], ["-C", "-c", "--if-exists"]], ids=" ".join)
def test_plain_sql_through_a_scratch_database(cluster, pgstow, database, folder, source, options):
    """Also one that would drop and make databases and connect to them: nothing of that is done."""
    path = dump(cluster, source, folder / "x", "-Fp", *options)
    before = compare.snapshot(cluster, source)
    run = pgstow.run("import", path, "--as", "shop", "--json", db=cluster.url("postgres"))
    compare.assert_as_before(cluster, source, before)
    item = run.json["dumps"][0]
    assert item["form"] == "plain" and item["id"].startswith("shop-")
    copy = restored(cluster, pgstow, item["id"], cluster.fresh_name())
    database.later(copy)
    compare.assert_same(cluster, source, copy)
    assert not scratches(cluster)


def test_plain_sql_of_every_kind_of_object(cluster, pgstow, folder, fidelity):
    path = dump(cluster, fidelity, folder / "x.sql", "-Fp")
    backup_id = pgstow.run("import", path, "--as", "shop", db=cluster.url("postgres")).id
    copy = restored(cluster, pgstow, backup_id, cluster.fresh_name())
    compare.assert_same(cluster, fidelity, copy)
    drop_subscribed(cluster, copy)


@pytest.mark.parametrize("options", [["-Ft"], ["-Fc", "--inserts"], ["-Fd", "--inserts"]], ids=" ".join)
def test_what_pg_restore_reads_goes_through_it(cluster, pgstow, database, folder, source, options):
    path = dump(cluster, source, folder / "x", *options)
    backup_id = pgstow.run("import", path, "--as", "shop", db=cluster.url("postgres")).id
    copy = restored(cluster, pgstow, backup_id, cluster.fresh_name())
    database.later(copy)
    compare.assert_same(cluster, source, copy)
    assert not scratches(cluster)


def compressed(path, program):
    out = path.parent / (path.name + ".packed")
    with open(out, "wb") as f:
        subprocess.run([program, "-c", path], stdout=f, check=True)
    return out


@pytest.mark.parametrize("program", ["gzip", "zstd", "lz4"])
@pytest.mark.parametrize("format", ["-Fc", "-Fp"])
def test_compressed_ones_whatever_their_name(cluster, pgstow, database, folder, source, program, format):
    path = compressed(dump(cluster, source, folder / "nightly.sql.gz", format), program)
    backup_id = pgstow.run("import", path, "--as", "shop", db=cluster.url("postgres")).id
    copy = restored(cluster, pgstow, backup_id, cluster.fresh_name())
    database.later(copy)
    compare.assert_same(cluster, source, copy)


def test_custom_archive_named_sql_gz(cluster, pgstow, folder, source):
    """They exist in the wild; the content counts."""
    path = dump(cluster, source, folder / "nightly.sql.gz", "-Fc")
    assert pgstow.run("import", path, "--json").json["dumps"][0]["form"] == "custom"


def metadata(path, **fields):
    content = path.read_bytes()
    fields = {"checksum": hashlib.sha256(content).hexdigest(), "size": len(content), **fields}
    stem = path.name.split(".")[0]
    (path.parent / f"{stem}.metadata.json").write_text(json.dumps({k: v for k, v in fields.items() if v is not None}))


def test_a_folder_with_metadata_keeps_ids_and_times(cluster, pgstow, database, folder, source):
    dumps = folder / "dumps"
    dumps.mkdir()
    dump(cluster, source, dumps / "one.dump", "-Fc")
    metadata(dumps / "one.dump", id="backup-2024-01-15", timestamp="2024-01-15T10:30:00.000Z", database="shop")
    with gzip.open(dumps / "two.sql.gz", "wb") as f:
        f.write(dump(cluster, source, folder / "plain", "-Fp").read_bytes())
    metadata(dumps / "two.sql.gz", id="two", timestamp=1705400000000, database="shop", databaseVersion="PostgreSQL 15.3")
    dump(cluster, source, dumps / "three", "-Fd")
    (dumps / ".hidden").write_text("not a dump")
    run = pgstow.run("import", dumps, "--json", db=cluster.url("postgres"))
    assert [(i["id"], i["state"]) for i in run.json["dumps"]][:1] == [("backup-2024-01-15", "imported")]
    listed = {b["id"]: b for b in pgstow.list()}
    assert listed["backup-2024-01-15"]["timestamp"] == "2024-01-15T10:30:00.000Z"
    assert listed["two"]["timestamp"] == "2024-01-16T10:13:20.000Z"
    assert listed["two"]["databaseVersion"] == "PostgreSQL 15.3"
    assert len(listed) == 3
    for backup_id in ("backup-2024-01-15", "two"):
        copy = restored(cluster, pgstow, backup_id, cluster.fresh_name())
        database.later(copy)
        compare.assert_same(cluster, source, copy)
    # Once more: what is there already is passed over.
    again = pgstow.run("import", dumps, "--json", db=cluster.url("postgres"))
    assert [i["state"] for i in again.json["dumps"]] == ["there"] * 3
    assert len(pgstow.list()) == 3


def test_the_same_bytes_twice_in_one_run(cluster, pgstow, folder, source):
    dumps = folder / "copies"
    dumps.mkdir()
    dump(cluster, source, dumps / "one.dump", "-Fc")
    shutil.copy(dumps / "one.dump", dumps / "two.dump")
    run = pgstow.run("import", dumps, "--json", db=cluster.url("postgres"))
    assert [i["state"] for i in run.json["dumps"]] == ["imported", "there"]
    assert len(pgstow.list()) == 1


def test_one_bad_dump_does_not_stop_the_others(cluster, pgstow, folder, source):
    dumps = folder / "dumps"
    dumps.mkdir()
    good = dump(cluster, source, dumps / "good.dump", "-Fc")
    flipped = bytearray(good.read_bytes())
    metadata(good, id="flipped")
    (dumps / "good.metadata.json").rename(dumps / "flipped.metadata.json")
    flipped[len(flipped) // 2] ^= 1
    (dumps / "flipped.dump").write_bytes(flipped)
    (dumps / "cut.dump").write_bytes(good.read_bytes()[:-40])
    (dumps / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    shutil.copy(good, dumps / "sealed.dump")
    metadata(dumps / "sealed.dump", id="sealed", encrypted=True)
    run = pgstow.run("import", dumps, "--json", expect="PARTIAL")
    result = {i["path"].split("/")[-1]: i for i in run.json["dumps"]}
    assert {k: v["state"] for k, v in result.items()} == {
        "good.dump": "imported", "flipped.dump": "failed", "cut.dump": "failed", "picture.png": "failed",
        "sealed.dump": "failed",
    }  # fmt: skip
    assert "SHA-256" in result["flipped.dump"]["error"]["message"]
    assert "encrypted" in result["sealed.dump"]["error"]["message"]
    assert pgstow.ids() == [result["good.dump"]["id"]]
    pgstow.run("verify")


def test_dumps_of_one_database_share_what_they_hold(cluster, pgstow, database, folder):
    name = database(sql=ROWS)
    first = dump(cluster, name, folder / "1", "-Fc")
    cluster.sql("UPDATE a SET t = 'changed' WHERE id = 5000; INSERT INTO a VALUES (0, 'new')", name)
    second = dump(cluster, name, folder / "2", "-Fc", "-Z0")
    run = pgstow.run("import", first, second, "--json")
    one, two = [i["backup"] for i in run.json["dumps"]]
    assert two["newBytes"] < one["newBytes"] / 4
    # And a real backup of it shares with them.
    own = pgstow.run("backup", "--json", db=cluster.url(name)).json
    assert own["newBytes"] < one["newBytes"] / 2


@pytest.mark.parametrize(
    "text, words",
    [
        ("CREATE TABLE t (x int);\n\\! touch {mark}\n", "command of psql"),
        ("CREATE TABLE t (x int);\n\\connect other\nCREATE TABLE u (x int);\n", "several databases"),
        ("CREATE TABLE t (x text);\nCOPY t FROM PROGRAM 'touch {mark}';\n", "COPY from or to a file"),
        ("CREATE TABLE t (x text);\nCOPY t TO '{mark}';\n", "COPY from or to a file"),
        ("CREATE TABLE t (x text);\n/* it's /**/ */COPY/**/t TO PROGRAM 'touch {mark}';\n", "COPY from or to a file"),
        ("CREATE TABLE t (x text);\nCREATE OR REPLACE VIEW begin AS SELECT 1; COPY t TO PROGRAM 'touch {mark}'; end;\n",
         "multiple commands"),
        ("CREATE TABLE t (x text);\nCOPY t FROM stdin; INSERT INTO t VALUES ('lost');\n\\.\n", "stands on its line"),
        ("SET SESSION AUTHORIZATION no_such_role;\nCREATE TABLE t ();\n", "no_such_role"),
        ("CREATE TABLE t (x text);\nCOPY t FROM stdin;\nabc\n", "cut short"),
        ("CREATE TABLE t (x text);\nINSERT INTO t VALUES ('abc\n", "cut short"),
        ("--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE t (x text);\n", "cut short"),
        ("--\r\n-- PostgreSQL database dump\r\n--\r\n\r\nCREATE TABLE t (x text);\r\n", "cut short"),
        ("BEGIN;\nCREATE TABLE t (x text);\nINSERT INTO t VALUES ('lost');\n", "ends inside a transaction"),
        ("CREATE TABLE t (x text);\nCREATE TABEL u ();\n", "TABEL"),
        ("this is a letter, not a dump", "this is a letter"),
        ("-- only a comment\nSET work_mem = '4MB';\n", "no statement"),
        ("CREATE TABLE t ();\nALTER TABLE t OWNER TO no_such_role;\n", "no_such_role"),
    ],
)  # fmt: skip
def test_plain_sql_that_is_refused(cluster, pgstow, folder, text, words):
    path, mark = folder / "bad.sql", folder / "mark"
    folder.chmod(0o777)
    path.write_text(text.replace("{mark}", str(mark)))
    run = pgstow.run("import", path, "--as", "x", db=cluster.url("postgres"), expect=None)
    assert run.status not in (0, 1)
    run.error_says(words)
    assert not mark.exists()
    assert not scratches(cluster)
    assert not pgstow.manifests()


def test_what_reaches_beyond_the_database_is_not_done(cluster, pgstow, folder, database):
    path = folder / "all.sql"
    kept = database(sql="CREATE TABLE precious (x int)")
    roles = cluster.sql("SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles")
    path.write_text(
        f"DROP DATABASE {kept};\nCREATE DATABASE {kept};\n\\connect {kept}\nCREATE ROLE import_intruder SUPERUSER;\n"
        "ALTER ROLE postgres PASSWORD 'x';\nALTER SYSTEM SET work_mem = '1MB';\nGRANT pg_monitor TO import_intruder;\n"
        f"/* then */ DROP DATABASE {kept};\nCREATE/**/ROLE import_intruder;\nGRANT SET ON PARAMETER work_mem TO fid_reader;\n"
        "REASSIGN OWNED BY fid_owner TO postgres;\nDROP OWNED BY fid_owner;\n"
        "CREATE TABLE t (x int);\nCOPY t FROM stdin;\n1\n2\n\\.\n\nSELECT 1;\n"
    )  # fmt: skip
    run = pgstow.run("import", path, "--as", "shop", "--json", db=cluster.url("postgres"))
    notes = " ".join(run.json["dumps"][0]["notes"])
    assert "roles" in notes and "database itself" in notes and "settings" in notes
    assert run.json["dumps"][0]["backup"]["rows"] == 2
    assert cluster.sql("SELECT count(*) FROM precious", kept) == "0"
    assert cluster.sql("SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles") == roles
    assert cluster.sql("SELECT count(*) FROM pg_parameter_acl") == "0"
    assert "all that a role owns" in notes


def test_privileges_on_what_is_called_like_a_keyword_are_kept(cluster, pgstow, folder, database):
    path, target = folder / "words.sql", cluster.fresh_name("words")
    path.write_text(
        "CREATE TABLE public.database (x int);\nGRANT SELECT ON TABLE public.database TO fid_reader;\n"
        "CREATE SCHEMA tablespace;\nGRANT USAGE ON SCHEMA tablespace TO fid_reader;\nGRANT INSERT ON database TO fid_reader;\n"
    )
    run = pgstow.run("import", path, "--as", "x", "--json", db=cluster.url("postgres"))
    assert not run.json["dumps"][0]["notes"]
    database.later(target)
    pgstow.restore(run.json["dumps"][0]["backup"]["id"], target)
    ask = "SELECT has_table_privilege('fid_reader', 'public.database', 'SELECT, INSERT'), has_schema_privilege('fid_reader', 'tablespace', 'USAGE')"
    assert cluster.sql(ask, target) == "t|t"


def test_what_only_a_newer_server_knows_is_passed_over(cluster, pgstow, folder):
    """pg_dump 17 and 18 write such lines, whatever the server was."""
    path = folder / "new.sql"
    path.write_text(
        "SET statement_timeout = 0;\nSET a_timeout_of_a_later_version = 0;\nCREATE TABLE t (x int);\n"
        "SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer, 'relname', 't');\n"
    )
    run = pgstow.run("import", path, "--as", "x", "--json", db=cluster.url("postgres"))
    assert len(run.json["dumps"][0]["notes"]) == 2
    path.write_text("CREATE TABLE t (x int);\nSELECT no_such_function(1);\n")
    pgstow.run("import", path, "--as", "x", db=cluster.url("postgres"), expect="DB").error_says("no_such_function")


def test_a_byte_order_mark_is_no_statement(cluster, pgstow, folder):
    path = folder / "windows.sql"
    path.write_bytes(b"\xef\xbb\xbfCREATE TABLE t (x int);\r\nINSERT INTO t VALUES (1);\r\n")
    run = pgstow.run("import", path, "--as", "x", "--json", db=cluster.url("postgres"))
    assert run.json["dumps"][0]["backup"]["rows"] == 1


def test_owners_may_be_left_out(cluster, pgstow, database, folder):
    path = folder / "d.sql"
    path.write_text("CREATE TABLE t (x int);\nALTER TABLE public.t OWNER TO nobody_here;\nGRANT ALL ON TABLE t TO nobody_here;\n")
    pgstow.run("import", path, "--as", "x", db=cluster.url("postgres"), expect="DB").error_says("--no-owner")
    pgstow.run("import", path, "--as", "x", "--no-owner", "--no-privileges", db=cluster.url("postgres"))
    path.write_text("SET SESSION AUTHORIZATION 'nobody_here';\nCREATE TABLE t (x int);\n")
    pgstow.run("import", path, "--as", "x", db=cluster.url("postgres"), expect="DB").error_says("--no-owner")
    pgstow.run("import", path, "--as", "x", "--no-owner", db=cluster.url("postgres"))


def test_the_time_is_the_archives_own_or_the_one_given(cluster, pgstow, folder, source):
    path = dump(cluster, source, folder / "d", "-Fc")
    # A time that is neither the file's nor ours: the year stands in the header, behind five numbers.
    content = bytearray(path.read_bytes())
    year = 16 + 5 * 5  # an archive of 15: each number has a sign and four bytes
    assert content[year : year + 5] == bytes([0, datetime.now().year - 1900, 0, 0, 0])
    content[year + 1] = 2019 - 1900
    (folder / "old").write_bytes(content)
    assert pgstow.run("import", folder / "old", "--json").json["dumps"][0]["backup"]["timestamp"].startswith("2019-")
    pgstow.run("delete", "latest")
    pgstow.run("import", path, "--at", "2023-05-06 07:08:09", "--as", "old")
    assert pgstow.ids() == ["old-20230506T070809Z"]
    listed = pgstow.list()[0]
    assert listed["tags"]["imported"] == "d"
    pgstow.run("import", path, "--as", "other", expect="OK").says("there already")


def test_killed_imports_leave_nothing_and_can_be_repeated(cluster, pgstow_faults, folder, source):
    path = dump(cluster, source, folder / "d.sql", "-Fp")
    metadata(path, id="kept", database="shop")
    with pgstow_faults.start(
        "import", path, db=cluster.url("postgres"), env={"PGSTOW_FAULT": "backup.read:kill"}
    ) as run:
        assert run.wait().status == -9
    cluster.assert_no_clients()
    assert len(scratches(cluster)) == 1 and not pgstow_faults.list()
    again = pgstow_faults.run("import", path, "--json", db=cluster.url("postgres"))
    assert again.json["dumps"][0]["id"].startswith("kept")
    assert not scratches(cluster)
    pgstow_faults.run("verify")
