"""backup: what it leaves behind, how little it writes, what it can leave out."""

import hashlib
import os
import re
import shutil
import stat
import time
from datetime import datetime, timedelta, timezone

import pytest

from harness import compare
from harness.program import Pgstow

FIELDS = {
    "id": str, "key": str, "timestamp": str, "size": int, "logicalSize": int, "newBytes": int,
    "checksum": str, "compressed": bool, "encrypted": bool, "databaseVersion": str,
    "toolVersion": str, "tables": int, "rows": int, "duration": (int, float),
}  # fmt: skip


@pytest.fixture(scope="module")
def big(cluster):
    """200,000 rows, about 20 MB of text."""
    name = cluster.create("backup_big", sql="""
        CREATE TABLE t (id int PRIMARY KEY, k int, a text, b text);
        INSERT INTO t SELECT g, g % 1000, md5(g::text), 'filler ' || md5((g * 7)::text) FROM generate_series(1, 200000) g;
        VACUUM ANALYZE t;
    """)  # fmt: skip
    yield name
    cluster.drop(name)


@pytest.fixture(scope="module")
def big_first(cluster, big, module_folder):
    """The program with a repository that holds one backup of it."""
    program = Pgstow(cluster, module_folder)
    program.first = program.backup(big)
    return program


@pytest.fixture
def big_repo(cluster, big_first, folder):
    """A copy of that repository, so that each test starts from the same first backup."""
    program = Pgstow(cluster, folder)
    shutil.copytree(big_first.repo, program.repo)
    program.first = big_first.first
    return program


# ---------------------------------------------------------------- what it leaves behind


def test_metadata(cluster, pgstow, shop):
    before = datetime.now(timezone.utc) - timedelta(seconds=2)
    backup = pgstow.backup(shop)
    after = datetime.now(timezone.utc) + timedelta(seconds=2)
    meta = pgstow.metadata(backup)
    for name, kind in FIELDS.items():
        assert isinstance(meta.get(name), kind), (name, meta)
    assert meta["id"] == backup
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", meta["timestamp"])
    when = datetime.fromisoformat(meta["timestamp"].replace("Z", "+00:00"))
    assert before <= when <= after
    assert backup == f"{shop}-{when:%Y%m%dT%H%M%SZ}"
    assert meta["key"] == f"{when:%Y%m%d%H%M%S}"
    manifest = (pgstow.repo / "backups" / f"{backup}.manifest").read_bytes()
    assert meta["checksum"] == hashlib.sha256(manifest).hexdigest()
    assert re.fullmatch(r"PostgreSQL \d+\.\d+", meta["databaseVersion"])
    assert cluster.sql("SHOW server_version").split()[0] in meta["databaseVersion"]
    assert re.search(r"\d+\.\d+", meta["toolVersion"])
    assert meta["compressed"] is True and meta["encrypted"] is False
    assert (meta["tables"], meta["rows"]) == (3, 8500)
    assert meta["logicalSize"] > 500_000
    assert 0 < meta["newBytes"] < meta["logicalSize"]
    assert 0 < meta["size"] <= sum(pgstow.files().values())
    stored = sum(size for name, size in pgstow.files().items() if name.startswith(("packs/", "backups/")))
    assert meta["newBytes"] <= stored


def test_modes_whatever_the_umask(pgstow, shop):
    old = os.umask(0)
    try:
        pgstow.backup(shop)
    finally:
        os.umask(old)
    seen = {"d": 0, "f": 0}
    for path in [pgstow.repo, *pgstow.repo.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_dir():
            seen["d"] += 1
            assert mode == 0o700, (path, oct(mode))
        else:
            seen["f"] += 1
            assert mode & 0o177 == 0, (path, oct(mode))
    assert seen["d"] >= 3 and seen["f"] >= 4


def test_layout(pgstow, shop):
    """The names of DESIGN 5, and nothing temporary left."""
    backup = pgstow.backup(shop)
    names = set(pgstow.files())
    assert "config" in names
    assert f"backups/{backup}.manifest" in names and f"backups/{backup}.metadata.json" in names
    assert any(re.fullmatch(r"packs/[0-9a-f]{2}/[0-9a-f]+-\d+", n) for n in names), names
    allowed = r"config|packs/..?/[^/]+|backups/[^/]+\.(manifest|metadata\.json)|sessions/[^/]+|proofs/.*|trash/.*"
    assert [n for n in names if not re.fullmatch(allowed, n)] == []


def test_default_folder_is_backups(pgstow, shop):
    backup = pgstow.run("backup", db=shop, repo=False, cwd=pgstow.folder).id
    assert (pgstow.folder / "backups" / "backups" / f"{backup}.manifest").exists()


def test_backup_dir(pgstow, shop):
    """BACKUP_DIR, relative to where one stands; --repo beats it."""
    env = {"BACKUP_DIR": "else where"}
    backup = pgstow.run("backup", db=shop, repo=False, cwd=pgstow.folder, env=env).id
    assert (pgstow.folder / "else where" / "backups" / f"{backup}.manifest").exists()
    backup = pgstow.run("backup", db=shop, env=env).id
    assert pgstow.manifests() == [backup]


def test_create_is_an_alias(pgstow, shop):
    assert pgstow.run("create", db=shop).id in pgstow.ids()


def test_json(pgstow, shop):
    result = pgstow.run("backup", "--json", db=shop)
    assert result.json["id"] == pgstow.manifests()[0]


def test_quiet_still_says_the_id(pgstow, shop):
    result = pgstow.run("backup", "--quiet", db=shop)
    assert result.stdout.strip() == result.id
    assert result.stderr == ""


def test_no_progress_line_off_a_terminal(pgstow, shop):
    result = pgstow.run("backup", db=shop)
    assert "\r" not in result.said and "\x1b" not in result.said


@pytest.mark.parametrize("how", ["DATABASE_URL", "PG variables", "service", "conninfo"])
def test_ways_to_name_the_database(cluster, pgstow, shop, how):
    url = cluster.url(shop)
    if how == "DATABASE_URL":
        backup = pgstow.run("backup", env={"DATABASE_URL": url}).id
    elif how == "PG variables":
        env = {"PGHOST": cluster.host, "PGPORT": cluster.port, "PGUSER": "postgres", "PGDATABASE": shop}
        backup = pgstow.run("backup", env=env).id
    elif how == "service":
        conf = pgstow.folder / "service.conf"
        conf.write_text(f"[mine]\nhost={cluster.host}\nport={cluster.port}\nuser=postgres\ndbname={shop}\n")
        backup = pgstow.run("backup", env={"PGSERVICE": "mine", "PGSERVICEFILE": str(conf)}).id
    else:
        conninfo = f"host={cluster.host} port={cluster.port} user=postgres dbname={shop}"
        backup = pgstow.run("backup", "--db", conninfo).id
    assert backup.startswith(f"{shop}-")


def test_a_unix_socket(cluster, pgstow, shop):
    backup = pgstow.run("backup", "--db", f"postgresql://postgres@/{shop}?host={cluster.folder}/run&port={cluster.port}")
    assert backup.id in pgstow.manifests()


def test_ids_within_one_second(pgstow, shop):
    """Made unique where two fall into one second; list knows both, latest is the last."""
    made = [pgstow.backup(shop) for _ in range(4)]
    assert len(set(made)) == 4
    assert set(pgstow.ids()) == set(made)
    keys = [pgstow.metadata(m)["key"] for m in made]
    assert len(set(keys)) == 4, keys
    assert pgstow.run("show", "latest", "--json").json["id"] == made[-1]


def test_tags(pgstow, shop):
    backup = pgstow.backup(shop, "--tag", "why=before migration", "--tag", "ticket=42=x")
    doc = pgstow.run("show", backup, "--json").json
    tags = doc["tags"]
    if isinstance(tags, list):
        tags = dict(t.split("=", 1) for t in tags)
    assert tags == {"why": "before migration", "ticket": "42=x"}
    pgstow.run("backup", "--tag", "no equals sign", db=shop, expect="USAGE")


# ---------------------------------------------------------------- how little it writes


def test_second_unchanged(big_repo, big):
    files = set(big_repo.files())
    second = big_repo.metadata(big_repo.backup(big))
    first = big_repo.metadata(big_repo.first)
    assert second["newBytes"] < first["logicalSize"] * 0.005, (first, second)
    assert second["newBytes"] > 0
    added = sum(size for name, size in big_repo.files().items() if name not in files)
    assert added < first["logicalSize"] * 0.01
    assert second["rows"] == 200000


def new_share(program, big):
    """New bytes of a further backup, as a share of what the first one stored."""
    return program.metadata(program.backup(big))["newBytes"] / program.metadata(program.first)["newBytes"]


def test_a_few_updates(cluster, big_repo, big):
    """0.05 % of the rows updated at random: well under the whole."""
    cluster.sql("UPDATE t SET k = k + 1 WHERE id % 2000 = 7", big)
    assert new_share(big_repo, big) < 0.10


def test_vacuum_full(cluster, big_repo, big):
    cluster.sql("DELETE FROM t WHERE id % 10000 = 3; VACUUM FULL t", big)
    assert new_share(big_repo, big) < 0.15


def test_appended_rows(cluster, big_repo, big):
    cluster.sql("INSERT INTO t SELECT g, g, md5(g::text), 'new' FROM generate_series(300001, 304000) g", big)
    assert new_share(big_repo, big) < 0.10


def test_updates_are_in_the_second_backup(cluster, pgstow, shop, database):
    """Deduplication never brings old rows back."""
    first = pgstow.backup(shop)
    before = compare.row_hashes(cluster, shop)
    cluster.sql("UPDATE item SET price = price + 1 WHERE id % 3 = 0; DELETE FROM item WHERE id % 7 = 0; VACUUM item; "
                "INSERT INTO item SELECT g, 1, 9, 'x' FROM generate_series(9001, 9100) g", shop)  # fmt: skip
    second = pgstow.backup(shop)
    for backup, name in ((first, f"{shop}_one"), (second, f"{shop}_two")):
        database.later(name)
        pgstow.restore(backup, shop, "--to-db", name)
    assert compare.row_hashes(cluster, f"{shop}_one") == before
    compare.assert_same(cluster, shop, f"{shop}_two")


def test_parent(big_repo, big):
    """Without a parent all is written again; --parent names one."""
    alone = big_repo.metadata(big_repo.backup(big, "--parent", "none"))
    first = big_repo.metadata(big_repo.first)
    assert alone["newBytes"] > first["newBytes"] * 0.5
    after = big_repo.metadata(big_repo.backup(big, "--parent", big_repo.first))
    assert after["newBytes"] < first["newBytes"] * 0.3
    big_repo.run("backup", "--parent", "nothing-20240101T000000Z", db=big, expect="NOT_FOUND")


def test_another_database_as_parent(cluster, pgstow, shop, database):
    """A copy of a database, with the original named as parent."""
    first = pgstow.metadata(pgstow.backup(shop))
    twin = database(template=shop)
    second = pgstow.metadata(pgstow.backup(twin, "--parent", first["id"]))
    assert second["newBytes"] < first["newBytes"] * 0.2, (first, second)


def test_a_recreated_database_finds_its_parent(cluster, pgstow, shop, shop_template):
    """Dropped and made again: other OIDs, the same names."""
    first = pgstow.metadata(pgstow.backup(shop))
    cluster.drop(shop)
    cluster.create(shop, template=shop_template)
    second = pgstow.metadata(pgstow.backup(shop))
    assert second["newBytes"] < first["newBytes"] * 0.2, (first, second)


# ---------------------------------------------------------------- compression


@pytest.mark.parametrize("value, compressed", [("false", False), ("true", True)] + [(str(n), True) for n in (1, 3, 9)])
def test_compression(cluster, pgstow, shop, database, value, compressed):
    meta = pgstow.metadata(pgstow.backup(shop, env={"BACKUP_COMPRESSION": value}))
    assert meta["compressed"] is compressed
    if compressed:
        assert meta["newBytes"] < meta["logicalSize"] * 0.8
    else:
        assert meta["newBytes"] > meta["logicalSize"] * 0.95
    copy = f"{shop}_{value}"
    database.later(copy)
    pgstow.restore(meta["id"], shop, "--to-db", copy)
    compare.assert_same_rows(cluster, shop, copy)


@pytest.mark.parametrize("value", ["10", "0", "-1", "fast", "yes please"])
def test_bad_compression(pgstow, shop, value):
    result = pgstow.run("backup", db=shop, env={"BACKUP_COMPRESSION": value}, expect="CONFIG")
    result.error_says("BACKUP_COMPRESSION", re.escape(value), "1 (to|-|\\.\\.) ?9|true")
    assert not pgstow.repo.exists() or pgstow.manifests() == []


# ---------------------------------------------------------------- leaving out


def restored_tables(cluster, pgstow, database, shop, backup):
    copy = f"{shop}_part"
    database.later(copy)
    pgstow.restore(backup, shop, "--to-db", copy)
    tables = cluster.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text "
                          "NOT IN ('pg_catalog', 'information_schema') ORDER BY 1", copy)  # fmt: skip
    return copy, [row[0] for row in tables]


def test_exclude_table(cluster, pgstow, shop, database):
    cluster.sql("DROP VIEW rich; CREATE TABLE extra AS SELECT 1 AS a", shop)
    backup = pgstow.backup(shop, "--exclude-table", "item", "--exclude-table", "ext*")
    _, tables = restored_tables(cluster, pgstow, database, shop, backup)
    assert tables == ["customer", "empty_one"]


def test_exclude_table_data(cluster, pgstow, shop, database):
    backup = pgstow.backup(shop, "--exclude-table-data", "it*")
    copy, tables = restored_tables(cluster, pgstow, database, shop, backup)
    assert tables == ["customer", "empty_one", "item"]
    assert cluster.sql("SELECT count(*) FROM item; SELECT count(*) FROM customer", copy) == "0\n500"


def test_schema(cluster, pgstow, shop, database):
    cluster.sql("CREATE SCHEMA other; CREATE TABLE other.o AS SELECT generate_series(1, 5) AS a; "
                "CREATE SCHEMA third; CREATE TABLE third.x ()", shop)  # fmt: skip
    backup = pgstow.backup(shop, "--schema", "other")
    copy, tables = restored_tables(cluster, pgstow, database, shop, backup)
    assert tables == ["o"]
    assert cluster.sql("SELECT sum(a) FROM other.o", copy) == "15"


def test_schema_public(cluster, pgstow, shop, database):
    """pg_dump -n public makes the schema that a new database has already; privileges and owner come back."""
    cluster.sql("CREATE ROLE owns_public; ALTER SCHEMA public OWNER TO owns_public; GRANT CREATE ON SCHEMA public TO PUBLIC", shop)
    look = "SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'public'"
    backup = pgstow.backup(shop, "--schema", "public")
    copy, tables = restored_tables(cluster, pgstow, database, shop, backup)
    assert "customer" in tables and cluster.sql(look, copy) == cluster.sql(look, shop)


def test_a_pattern_that_matches_nothing(pgstow, shop):
    """A filter that filters nothing is a mistake: --schema must match."""
    result = pgstow.run("backup", "--schema", "no_such_schema", db=shop, expect=None)
    assert result.status != 0, str(result)
    result.error_says("no matching schemas")
    assert "lock" not in result.stderr, f"a hint that does not fit: {result}"
    assert pgstow.manifests() == []


def test_a_filtered_backup_is_shown_as_such_and_is_not_the_last_good_one(pgstow, shop):
    whole = pgstow.backup(shop)
    part = pgstow.backup(shop, "--exclude-table", "item")
    doc = {b["id"]: b for b in pgstow.list()}
    assert doc[part].get("filter") and not doc[whole].get("filter")
    pgstow.run("check", "--max-age", "1h", db=shop)
    # Deduplicated against the whole one, it costs little.
    assert pgstow.metadata(part)["newBytes"] < pgstow.metadata(whole)["newBytes"] * 0.5


# ---------------------------------------------------------------- limits, interruption


def test_timeout(cluster, pgstow_faults, shop):
    """A table locked by someone else: the time limit ends the wait, and says so."""
    with cluster.session(shop) as other:
        other.run("BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        result = pgstow_faults.run("backup", "--timeout", "2s", db=shop, expect="TIMEOUT")
        assert 1.5 < time.monotonic() - started < 30
        result.error_says("2 ?s|time limit|timeout")
    assert not pgstow_faults.repo.exists()
    pgstow_faults.backup(shop)


def test_max_rate(pgstow, shop):
    """Stored bytes a second are held under a limit (the database makes about 400 KB)."""
    size = pgstow.metadata(pgstow.backup(shop))["newBytes"]
    shutil.rmtree(pgstow.repo)
    result = pgstow.run("backup", "--max-rate", str(max(size // 3, 1)), db=shop)
    assert result.seconds > 1.5, result.seconds


def test_an_interrupted_backup_continues(cluster, big, pgstow_faults):
    """Killed before its manifest: the next run takes what is stored already."""
    names = pgstow_faults.folder / "points"
    pgstow_faults.backup(big, env={"PGSTOW_FAULT_LIST": str(names)})
    whole = pgstow_faults.metadata(pgstow_faults.manifests()[0])
    shutil.rmtree(pgstow_faults.repo)
    points = list(dict.fromkeys(names.read_text().split()))
    manifest = [p for p in points if "manifest" in p]
    assert manifest, points
    with pgstow_faults.start("backup", db=big, env={"PGSTOW_FAULT": f"{manifest[0]}:kill"}) as run:
        assert run.wait().status == -9
    cluster.assert_no_clients()
    assert pgstow_faults.manifests() == []
    assert pgstow_faults.ids() == []
    again = pgstow_faults.metadata(pgstow_faults.backup(big))
    assert again["newBytes"] < whole["newBytes"] * 0.3, (whole, again)
    assert again["rows"] == whole["rows"]
    pgstow_faults.run("verify", "--level", "rebuild")


def test_pieces_fit_what_a_table_has_become(cluster, pgstow_faults):
    """Empty when its pieces were first laid out, two pages with 140 MB of TOAST now: a piece each."""
    name = cluster.create(sql="""
        CREATE TABLE file (id int PRIMARY KEY, b bytea);
        ALTER TABLE file ALTER b SET STORAGE EXTERNAL;
    """)  # fmt: skip
    pgstow_faults.backup(name)
    cluster.sql(
        "INSERT INTO file SELECT i, decode(repeat(lpad(to_hex(i), 4, '0'), 350000), 'hex') "
        "FROM generate_series(1, 200) i",
        name,
    )
    assert cluster.sql("SELECT pg_relation_size('file') / 8192", name) == "2"
    names = pgstow_faults.folder / "points"
    backup = pgstow_faults.backup(name, env={"PGSTOW_FAULT_LIST": str(names)})
    cluster.drop(name)
    assert names.read_text().split().count("backup.copied") == 2
    pgstow_faults.run("verify", backup, "--level", "rebuild")


def test_reading_only(cluster, pgstow, shop):
    """A backup changes nothing in the database, and leaves no connection behind."""
    before = compare.snapshot(cluster, shop)
    pgstow.backup(shop)
    compare.assert_as_before(cluster, shop, before)
    # A backend ends a moment after its client has gone; autovacuum's are nobody's.
    clients = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{shop}' AND backend_type = 'client backend'"
    deadline = time.monotonic() + 10
    while cluster.sql(clients) != "0" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert cluster.sql(clients) == "0"


def test_nothing_outside_the_repository(pgstow, shop):
    """Nothing is staged elsewhere: not in the working folder, HOME or TMPDIR."""
    tmp = pgstow.folder / "tmp"
    cwd = pgstow.folder / "cwd"
    tmp.mkdir()
    cwd.mkdir()
    pgstow.run("backup", db=shop, env={"TMPDIR": str(tmp)}, cwd=cwd)
    assert [*tmp.rglob("*"), *cwd.rglob("*")] == []
    # But for what the host remembers of repositories (docs/encryption.md).
    at_home = {path.name: path.stat().st_size for path in pgstow.home.rglob("*") if path.is_file()}
    assert set(at_home) == {"seen.json", "seen.lock"} and sum(at_home.values()) < 2000


@pytest.mark.parametrize("there", [False, True])
def test_refused_before_there_is_a_repository(pgstow, database, there):
    """Whatever refuses a backup, an import or a copy early: where there was no repository there is none afterwards,
    no folder, and no file in one that was empty."""
    db = database(sql="CREATE TABLE t (a int); CREATE TABLE p (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    key = {"PGSTOW_PASSPHRASE": "correct horse battery staple"}
    dump = pgstow.folder / "dump.sql"
    dump.write_text("SELECT 1;")
    if there:
        pgstow.repo.mkdir()
    for kind, env, args in (
        ("DB_NOT_FOUND", {}, ["backup", "--db", pgstow.cluster.url("no_such_database")]),
        ("USAGE", {}, ["backup", "--where", "public.t: nonsense"]),
        ("USAGE", {}, ["backup", "--where", "public.nothing: true"]),
        ("USAGE", {}, ["backup", "--cascade"]),
        ("USAGE", {}, ["backup", "--role-passwords"]),
        ("NOT_FOUND", {}, ["backup", "--parent", "shop-20240115T103000Z"]),
        ("TOOL_FAILED", {}, ["backup", "--schema", "nonsense"]),
        ("TOOL_MISSING", {"PGSTOW_PG_DUMP": "/nonexistent"}, ["backup"]),
        ("CONFIG", key, ["backup"]),
        ("KEY", {}, ["backup", "--encrypt"]),
        ("IO", {}, ["import", pgstow.folder / "no such file"]),
        ("USAGE", {}, ["import", dump]),
        ("CONFIG", key, ["import", dump, "--as", "x"]),
    ):
        pgstow.run(*args, db=None if "--db" in args else db, env=env, expect=kind)
        assert pgstow.repo.exists() == there, args
        assert not there or not list(pgstow.repo.iterdir()), args
    pgstow.backup(db)
    other = pgstow.folder / "other"
    pgstow.run("copy", "nothing", "--to", other, expect="NOT_FOUND")
    pgstow.run("copy", "--all", "--to", other, env={"PGSTOW_TO_PASSPHRASE": "correct horse battery staple"}, expect="CONFIG")
    assert not other.exists()
    # One that is there is asked first, as ever.
    pgstow.run("backup", "--where", "public.t: nonsense", db=db, env=key, expect="CONFIG").error_says("is not encrypted")
    pgstow.run("backup", "--parent", "nothing", db=db, expect="NOT_FOUND")
    assert len(pgstow.ids()) == 1
