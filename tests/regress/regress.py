#!/usr/bin/python3
"""Does pgstow bring PostgreSQL's own regression database back as stock pg_dump and pg_restore do?

PostgreSQL's regression suite leaves a database behind with nearly every kind of object there is. It is
copied by pg_dump and pg_restore, and by all ways that lead through pgstow: restores, exports, imports.
Stock pg_dump must say the same of all copies, line by line in its order, and the rows' hashes must be
equal. The same for the databases of pg_dump's own tests, and for one with every extension that Debian's
server brings.
"""

import argparse
import gzip
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

import source

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness import compare  # noqa: E402
from harness.cluster import Cluster, as_user, clean_environment, scratch_folder  # noqa: E402
from harness.program import Pgstow  # noqa: E402

CACHE = Path(os.environ.get("REGRESS_DIR", "/var/tmp/pgstow-regress"))

PG_DUMP_TESTS = {  # the name of the first is in the script
    "dump_test": "src/bin/pg_dump/t/002_pg_dump.pl",
    "dump_extension": "src/test/modules/test_pg_dump/t/001_base.pl",
}

OBJECTS = r"""
SELECT CASE relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned tables' WHEN 'i' THEN 'indexes'
           WHEN 'I' THEN 'partitioned indexes' WHEN 'S' THEN 'sequences' WHEN 'v' THEN 'views'
           WHEN 'm' THEN 'materialized views' WHEN 'f' THEN 'foreign tables'
           WHEN 'c' THEN 'composite types' ELSE relkind::text END, count(*)
FROM pg_class WHERE oid >= 16384 AND relkind <> 't' GROUP BY 1
UNION ALL SELECT CASE prokind WHEN 'f' THEN 'functions' WHEN 'p' THEN 'procedures' WHEN 'a' THEN 'aggregates'
           ELSE 'window functions' END, count(*) FROM pg_proc WHERE oid >= 16384 GROUP BY 1
UNION ALL SELECT CASE typtype WHEN 'd' THEN 'domains' WHEN 'e' THEN 'enums' WHEN 'r' THEN 'ranges'
           WHEN 'b' THEN 'base types' END, count(*)
    FROM pg_type WHERE oid >= 16384 AND typtype IN ('d', 'e', 'r', 'b') AND typelem = 0 GROUP BY 1
UNION ALL SELECT CASE contype WHEN 'c' THEN 'check constraints' WHEN 'f' THEN 'foreign keys'
           WHEN 'p' THEN 'primary keys' WHEN 'u' THEN 'unique constraints' WHEN 't' THEN 'constraint triggers'
           WHEN 'x' THEN 'exclusion constraints' END, count(*)
    FROM pg_constraint WHERE oid >= 16384 GROUP BY 1
UNION ALL SELECT 'schemas', count(*) FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'
UNION ALL SELECT 'operators', count(*) FROM pg_operator WHERE oid >= 16384
UNION ALL SELECT 'operator classes', count(*) FROM pg_opclass WHERE oid >= 16384
UNION ALL SELECT 'operator families', count(*) FROM pg_opfamily WHERE oid >= 16384
UNION ALL SELECT 'access methods', count(*) FROM pg_am WHERE oid >= 16384
UNION ALL SELECT 'casts', count(*) FROM pg_cast WHERE oid >= 16384
UNION ALL SELECT 'collations', count(*) FROM pg_collation WHERE oid >= 16384
UNION ALL SELECT 'conversions', count(*) FROM pg_conversion WHERE oid >= 16384
UNION ALL SELECT 'triggers', count(*) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'event triggers', count(*) FROM pg_event_trigger
UNION ALL SELECT 'rules', count(*) FROM pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN'
UNION ALL SELECT 'policies', count(*) FROM pg_policy
UNION ALL SELECT 'extended statistics', count(*) FROM pg_statistic_ext
UNION ALL SELECT 'text search objects', (SELECT count(*) FROM pg_ts_config WHERE oid >= 16384)
    + (SELECT count(*) FROM pg_ts_dict WHERE oid >= 16384)
    + (SELECT count(*) FROM pg_ts_parser WHERE oid >= 16384)
    + (SELECT count(*) FROM pg_ts_template WHERE oid >= 16384)
UNION ALL SELECT 'foreign-data wrappers and servers', (SELECT count(*) FROM pg_foreign_data_wrapper)
    + (SELECT count(*) FROM pg_foreign_server)
UNION ALL SELECT 'publications', count(*) FROM pg_publication
UNION ALL SELECT 'subscriptions', count(*) FROM pg_subscription WHERE subdbid =
    (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'transforms', count(*) FROM pg_transform WHERE oid >= 16384
UNION ALL SELECT 'large objects', count(*) FROM pg_largeobject_metadata
UNION ALL SELECT 'extensions', count(*) FROM pg_extension
ORDER BY 1
"""


class Checks:
    """Counts what was as it must be. One that raises has failed, and the next ones are still made."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def check(self, what, function, *args):
        began = time.monotonic()
        try:
            answer = function(*args)
        except Exception as problem:
            self.failed.append(what)
            known = isinstance(problem, (AssertionError, source.SourceError))
            text = str(problem) if known else traceback.format_exc()
            print(f"FAILED  {what}\n{text}", flush=True)
            return None
        self.passed += 1
        print(f"ok      {what} ({time.monotonic() - began:.1f} s)", flush=True)
        return True if answer is None else answer

    def end(self):
        for what in self.failed:
            print(f"failed: {what}")
        print(f"{self.passed} passed, {len(self.failed)} failed")
        return 1 if self.failed or not self.passed else 0


# ---------------------------------------------------------------- the databases


def run_suite(cluster, tree, folder):
    """PostgreSQL's tests in their parallel schedule; leaves the database regression."""
    suite = tree / "src/test/regress"
    out = folder / "suite"
    out.mkdir()
    libraries = out / "lib"
    libraries.mkdir()
    for name in ("regress.so", "refint.so", "autoinc.so"):
        (libraries / name).symlink_to(suite / name)
    out.chmod(0o777)  # the server writes here, and so do the tests as its user
    command = [
        suite / "pg_regress", f"--inputdir={suite}", f"--outputdir={out}", f"--bindir={tree / 'src/bin/psql'}",
        f"--dlpath={libraries}", f"--schedule={suite / 'parallel_schedule'}", "--host=127.0.0.1",
        f"--port={cluster.port}", "--user=postgres", "--dbname=regression", "--encoding=UTF8",
        "--no-locale", "--max-concurrent-tests=20",
    ]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), cwd=out, capture_output=True, text=True, env=clean_environment(),
        **as_user(cluster.user),
    )  # fmt: skip
    results = re.findall(r"^(?:test|    )\s*(\S+)\s+\.\.\. (\S+)", done.stdout, re.MULTILINE)
    assert len(results) > 150, f"the suite did not run:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    unlike = [name for name, said in results if said != "ok"]
    text = f"        {len(results) - len(unlike)} of its {len(results)} tests gave the expected output"
    print(f"{text}; not: {' '.join(unlike)}" if unlike else text, flush=True)
    assert cluster.exists("regression"), "the suite left no database"


def load_label_provider(cluster, tree):
    """From here on in every session. Not before the suite, which tests that there is none."""
    library = tree / "src/test/modules/dummy_seclabel/dummy_seclabel.so"
    cluster.sql(f"ALTER SYSTEM SET session_preload_libraries = '{library}'; SELECT pg_reload_conf()")
    deadline = time.monotonic() + 60
    while str(library) not in cluster.sql("SHOW session_preload_libraries"):
        assert time.monotonic() < deadline, "the server does not load dummy_seclabel"
        time.sleep(0.05)


def make_pg_dump_tests(cluster, tree):
    """The databases of pg_dump's own tests: all that it can dump, and an extension with privileges."""
    load_label_provider(cluster, tree)
    share = next(path for path in (cluster.folder / "pg").rglob("extension") if path.is_dir())
    module = tree / "src/test/modules/test_pg_dump"
    for file in (module / "test_pg_dump.control", module / "test_pg_dump--1.0.sql"):
        (share / file.name).write_bytes(file.read_bytes())
    for database, script in PG_DUMP_TESTS.items():
        command = ["perl", Path(__file__).with_name("pg_dump_objects.pl"), tree / script]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        cluster.create(database)
        cluster.sql(made.stdout, database)
    cluster.load(Path(__file__).with_name("labels.sql"), "dump_test")
    # Its privileges are in the archive and it is not, since CREATE EXTENSION would not make it again: stock
    # pg_restore reports an error.
    cluster.sql("ALTER EXTENSION test_pg_dump DROP TABLE regress_pg_dump_table_added", "dump_extension")
    print("        without regress_pg_dump_table_added in test_pg_dump: stock pg_restore fails at it")


def make_contrib(cluster):
    """A database with every extension that the server offers, and their types and indexes in use."""
    cluster.create("contrib")
    names = [row[0] for row in cluster.rows("SELECT name FROM pg_available_extensions ORDER BY 1")]
    for name in names:
        cluster.sql(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE', "contrib")
    cluster.load(Path(__file__).with_name("contrib.sql"), "contrib")


# ---------------------------------------------------------------- copying and comparing


def restored_by_stock(cluster, archive, database, *options):
    cluster.create(database)
    done = cluster.tool(
        "pg_restore", "-d", database, *options, archive, database=database, check=False, timeout=1200
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 and not said, f"pg_restore of {archive.name}:\n{said[-5000:]}"


def dump_text(cluster, database, folder):
    """What stock pg_dump says, in its order, without the lines that differ from run to run."""
    path = folder / f"{database}.sql"
    with open(path, "wb") as out, subprocess.Popen(
        [cluster.bin / "pg_dump", "--no-sync"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=cluster.environment(database, encoding=None),
    ) as process:  # fmt: skip
        out.writelines(line for line in process.stdout if not line.startswith(compare.NOISE))
        errors = process.stderr.read().decode(errors="replace")
    assert process.returncode == 0, f"pg_dump of {database}: {errors}"
    return path


def parts_of(path):
    """A dump's text: the lines outside of COPY's data, and {COPY statement: its rows}."""
    text, rows, inside = [], {}, None
    with open(path, "rb") as lines:
        for line in lines:
            if inside is not None:
                inside.append(line)
                if line == b"\\.\n":
                    inside = None
            else:
                text.append(line)
                if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
                    assert line not in rows, f"twice: {line}"
                    inside = rows[line] = []
    return text, rows


def first_difference(one, two):
    at = next((n for n, (x, y) in enumerate(zip(one, two)) if x != y), min(len(one), len(two)))
    show = lambda lines: "\n".join(f"    {line[:200]!r}" for line in lines[at : at + 6])
    return f"from line {at + 1} of {len(one)} and {len(two)}:\n{show(one)}\n  and:\n{show(two)}"


def assert_same_text(cluster, original, stock, copy, folder):
    """Two dumps are equal line by line. Rows may also be in the order that they had in the original:

    pg_restore's COPY fills gaps in pages where the table was not made in the same transaction (a low
    fillfactor, rows of unlike length), and so the order of its rows can change.
    """
    (text, rows), (other_text, other_rows) = (
        parts_of(dump_text(cluster, name, folder)) for name in (stock, copy)
    )
    assert len(text) > 100, f"pg_dump of {stock} said too little"
    assert text == other_text, f"the dumps differ {first_difference(text, other_text)}"
    unlike = [statement for statement in rows if rows[statement] != other_rows[statement]]
    if unlike:
        first_rows = parts_of(dump_text(cluster, original, folder))[1]
    for statement in unlike:
        wanted = first_rows.get(statement)
        difference = first_difference(rows[statement], other_rows[statement])
        assert other_rows[statement] == wanted, f"{statement.decode()}{difference}"
        name = statement.split()[1].decode()
        print(f"        {name}: rows in the order of {original}, which {stock} has changed")
    size = (folder / f"{copy}.sql").stat().st_size
    print(f"        {size} bytes, {len(rows)} tables, equal", flush=True)


def assert_same_objects(cluster, first, second):
    one, two = (cluster.rows(OBJECTS, name) for name in (first, second))
    assert one == two, f"objects of {first}:\n{one}\nof {second}:\n{two}"


def show_objects(cluster, database):
    counted = cluster.rows(OBJECTS, database)
    print(f"        {database}: " + ", ".join(f"{n} {kind}" for kind, n in counted if n != "0"))
    size = cluster.sql("SELECT pg_size_pretty(pg_database_size(current_database()))", database)
    print(f"        {size} on the server, {sum(int(n) for _, n in counted)} objects", flush=True)


def stored(pgstow):
    return sum(pgstow.files().values())


def copies(cluster, pgstow, database, backup, folder):
    """The ways from the backup, or from a stock dump through pgstow, into a new database."""
    stock = folder / "stock.dump"

    def restored(copy):
        pgstow.restore(backup, database, "--to-db", copy)

    def replaced(copy):
        cluster.create(copy, sql="CREATE TABLE in_the_way (a int); INSERT INTO in_the_way VALUES (1)")
        pgstow.restore(backup, database, "--to-db", copy, "--replace", "--yes", "--jobs", 1)

    def exported(copy):
        file = folder / "exported.dump"
        pgstow.run("export", backup, "--format", "custom", "-o", file)
        print(f"        {file.stat().st_size} bytes")
        restored_by_stock(cluster, file, copy)

    def as_directory(copy):
        file = folder / "exported.folder"
        pgstow.run("export", backup, "--format", "directory", "-o", file)
        restored_by_stock(cluster, file, copy, "--jobs", 2)

    def as_plain(copy):
        file = folder / "exported.sql.gz"
        pgstow.run("export", backup, "--format", "plain", "-o", file)
        cluster.create(copy)
        with gzip.open(file) as sql:
            cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", "-", database=copy,
                         stdout=subprocess.DEVNULL, input=sql.read())  # fmt: skip

    def imported(copy):
        repo = folder / "imported"
        pgstow.run("import", stock, repo=repo)
        pgstow.restore("latest", database, "--to-db", copy, repo=repo)

    return {
        "restored": ("restore", restored),
        "replaced": ("restore --replace --jobs 1", replaced),
        "exported": ("export as custom archive, pg_restore", exported),
        "directory": ("export as directory, pg_restore --jobs", as_directory),
        "plain": ("export as plain SQL, psql in one transaction", as_plain),
        "imported": ("import of the stock archive, restore", imported),
    }


def compare_copies(checks, cluster, database, folder):
    pgstow = Pgstow(cluster, folder)
    stock = f"{database}_stock"
    show_objects(cluster, database)
    archive = folder / "stock.dump"

    def by_stock():
        cluster.tool("pg_dump", "-Fc", "-f", archive, database=database, timeout=1200)
        restored_by_stock(cluster, archive, stock)

    if not checks.check(f"{database}: stock pg_dump and pg_restore have no errors", by_stock):
        return
    print(f"        stock archive: {archive.stat().st_size} bytes")
    backup = checks.check(f"{database}: backup", pgstow.backup, database)
    if not backup:
        return
    first = stored(pgstow)
    print(f"        repository: {first} bytes")

    def again():
        second = pgstow.backup(database)
        grown = stored(pgstow) - first
        print(f"        second backup, nothing changed: {grown} bytes new")
        old, new = pgstow.metadata(backup), pgstow.metadata(second)
        for key in ("rows", "tables", "logicalSize"):
            assert old[key] == new[key], f"{key}: {old[key]} then {new[key]}"

    checks.check(f"{database}: a second backup of the unchanged database", again)
    checks.check(f"{database}: verify --level rebuild", pgstow.run, "verify", "--level", "rebuild")
    for name, (how, make) in copies(cluster, pgstow, database, backup, folder).items():
        copy = f"{database}_{name}"
        if checks.check(f"{database}: {how}", make, copy):
            what = f"{database}: {{}} of what came by {how}"
            checks.check(what.format("stock pg_dump"), assert_same_text, cluster, database, stock, copy, folder)
            checks.check(what.format("rows"), compare.assert_same_rows, cluster, stock, copy)
            checks.check(what.format("objects by kind"), assert_same_objects, cluster, stock, copy)


def compare_all(checks, cluster, tree, folder):
    for what, databases, make in (
        ("PostgreSQL's tests", ["regression"], lambda: run_suite(cluster, tree, folder)),
        ("the objects of pg_dump's tests", list(PG_DUMP_TESTS), lambda: make_pg_dump_tests(cluster, tree)),
        ("every extension of the server", ["contrib"], lambda: make_contrib(cluster)),
    ):
        if checks.check(what, make):
            for database in databases:
                (folder / database).mkdir()
                compare_copies(checks, cluster, database, folder / database)


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--cache", type=Path, default=CACHE, help=f"where PostgreSQL's suite is built ({CACHE})")
    words.add_argument("--keep", type=Path, help="keep what was dumped and the suite's results in this new folder")
    options = words.parse_args()
    checks = Checks()
    cluster = None
    try:
        if options.keep:
            options.keep.mkdir(mode=0o755)
        folder = options.keep or scratch_folder("pgstow-regress-")
        suite = checks.check(
            "PostgreSQL's regression suite",
            lambda: source.prepare("postgresql-15", options.cache, lambda text: print(f"        {text}")),
        )
        if suite:
            print(f"        of Debian's source package {suite[0]}, in {suite[1]}", flush=True)
            cluster = Cluster({"max_locks_per_transaction": 256})
            compare_all(checks, cluster, suite[1], folder)
    finally:
        if cluster:
            cluster.destroy()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
