"""What is only large: 20,000 tables, a value of 200 MB, a large object of 1 GB. Long, run by ./dev fault."""

import resource
import subprocess
from collections import Counter

import pytest

from harness import compare
from harness.cluster import Cluster
from harness.program import Pgstow

pytestmark = pytest.mark.slow

TABLES = 20000
SCHEMAS = 20


@pytest.fixture(scope="module")
def roomy(module_folder):
    """A server with room for the locks that pg_dump takes as well as we do."""
    server = Cluster({"max_locks_per_transaction": 1024})
    yield server
    server.destroy()


def peak_memory(pgstow, *args, **kwargs):
    """What a run printed, and the memory in MB that it or one of its tools took at most."""
    command = ["/usr/bin/env", "python3", "-c",
               "import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]).returncode;"
               "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr); sys.exit(r)"]  # fmt: skip
    full = pgstow.command(args, kwargs.pop("db", None))
    done = subprocess.run(command + full, env=pgstow.environment(), capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, (full, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout, int(done.stderr.rsplit("peak ", 1)[1])


def cpu_of(action):
    """Seconds of our own processes' user CPU that an action takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    action()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


@pytest.fixture(scope="module")
def many(roomy):
    name = roomy.create("many")
    for schema in range(SCHEMAS):
        roomy.sql(f"""
            CREATE SCHEMA "s {schema}";
            DO $$ BEGIN FOR i IN 1 .. {TABLES // SCHEMAS} LOOP
                EXECUTE format('CREATE TABLE "s {schema}".%I (id int PRIMARY KEY, t text)', 't ' || i);
                EXECUTE format('INSERT INTO "s {schema}".%I SELECT g, ''{schema} '' || %s || '' '' || g FROM '
                               'generate_series(1, %s) g', 't ' || i, i, i % 4);
            END LOOP; END $$""", name)  # fmt: skip
    return name


def test_20000_tables(roomy, many, module_folder):
    """They come back, and what they cost grows with their number, not with its square."""
    there = Pgstow(roomy, module_folder)
    said, memory = peak_memory(there, "backup", db=many)
    backup = said.splitlines()[-1]
    assert there.metadata(backup)["tables"] == TABLES
    assert memory < 400, memory
    again, memory = peak_memory(there, "backup", db=many)
    assert memory < 400, memory
    first, second = there.metadata(backup), there.metadata(again.splitlines()[-1])
    assert second["newBytes"] < first["newBytes"] * 1.5 and second["rows"] == first["rows"] == TABLES * 6 // 4
    listed = there.run("show", backup, "--tables", "--json", timeout=60).json["tableList"]
    assert len(listed) == TABLES
    assert there.run("show", backup, "--tables", timeout=60).stdout.count("\n") > TABLES
    there.run("verify", backup, "--level", "rebuild")
    _, memory = peak_memory(there, "restore", backup, "--to-db", "many_copy", db=many)
    assert memory < 400, memory
    compare.assert_same_dump(roomy, many, "many_copy")
    counts = "SELECT sum(reltuples)::bigint, count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text ~ '^\"s'"
    assert roomy.sql(counts, "many_copy") == f"{TABLES * 6 // 4}|{TABLES}"  # all of them analyzed
    roomy.drop("many_copy")


def test_20000_tables_without_room_for_their_locks(many, roomy, folder):
    """The error says which setting to raise."""
    roomy.settings = dict(roomy.settings)
    roomy.sql("ALTER SYSTEM SET max_locks_per_transaction = 64")
    roomy.restart()
    try:
        there = Pgstow(roomy, folder)
        result = there.run("backup", db=many, expect=None)
        assert result.status != 0
        assert "max_locks_per_transaction" in result.stderr.partition("hint:")[2], str(result)
        assert not there.repo.exists() or there.manifests() == []
    finally:
        roomy.sql("ALTER SYSTEM RESET max_locks_per_transaction")
        roomy.restart()


def test_a_value_of_200_mb(roomy, module_folder):
    """One row of more than 200 MB as text, one as bytea (twice that in COPY's text)."""
    name = roomy.create(sql="""
        CREATE TABLE big (id int PRIMARY KEY, t text, b bytea);
        ALTER TABLE big ALTER COLUMN t SET STORAGE EXTERNAL, ALTER COLUMN b SET STORAGE EXTERNAL;
        INSERT INTO big SELECT 1, string_agg(md5(g::text), E'\\t\\\\\\n') FROM generate_series(1, 6000000) g;
        INSERT INTO big SELECT 2, NULL, decode(string_agg(md5(g::text), ''), 'hex') FROM generate_series(1, 12600000) g;
        INSERT INTO big VALUES (3, 'small', '\\x00');
    """)  # fmt: skip
    assert all(int(n) > 200_000_000 for n in roomy.sql("SELECT max(length(t)), max(length(b)) FROM big", name).split("|"))
    there = Pgstow(roomy, module_folder)
    said, memory = peak_memory(there, "backup", "--jobs", "1", db=name)
    backup = said.splitlines()[-1]
    # libpq holds a whole row of COPY, in a buffer that doubles.
    assert memory < 1500, memory
    again = there.metadata(there.backup(name))
    assert again["newBytes"] < again["logicalSize"] / 1000
    _, memory = peak_memory(there, "restore", backup, "--to-db", "big_copy", db=name)
    assert memory < 200, memory  # the way back is in slices
    ask = "SELECT id, length(t), md5(t), length(b), md5(b) FROM big ORDER BY id"
    assert roomy.sql(ask, "big_copy") == roomy.sql(ask, name)
    roomy.drop(name, "big_copy")


def test_a_large_object_of_1_gb(roomy, module_folder):
    """A dense one, a sparse one whose bytes lie at its end, and one with owner, privileges and a comment."""
    name = roomy.create(sql="""
        CREATE ROLE fid_objects; CREATE ROLE fid_objects_reader;
        SELECT lo_create(1001), lo_create(1002), lo_create(1003);
        CREATE TABLE block AS SELECT decode(string_agg(md5(g::text), ''), 'hex') AS b FROM generate_series(1, 65536) g;
        DO $$ BEGIN FOR i IN 0 .. 1023 LOOP
            PERFORM lo_put(1001, i * 1048576::bigint, set_byte(b, i, i % 256)) FROM block;
            IF i % 64 = 0 THEN COMMIT; END IF;
        END LOOP; END $$;
        SELECT lo_put(1002, 1073741824 - 7, 'the end');
        SELECT lo_put(1003, 0, 'with everything');
        ALTER LARGE OBJECT 1003 OWNER TO fid_objects;
        GRANT SELECT ON LARGE OBJECT 1003 TO fid_objects_reader;
        COMMENT ON LARGE OBJECT 1003 IS 'has a comment';
    """)  # fmt: skip
    there = Pgstow(roomy, module_folder)
    said, memory = peak_memory(there, "backup", db=name)
    backup = said.splitlines()[-1]
    assert memory < 400, memory
    assert there.metadata(backup)["logicalSize"] > 2 * 1024**3
    assert there.metadata(backup)["newBytes"] < 1024**3  # the hole costs nothing
    _, memory = peak_memory(there, "restore", backup, "--to-db", "objects_copy", db=name)
    assert memory < 400, memory
    sizes = """SELECT oid, (SELECT sum(pageno::bigint * hashint8(pageno)) + count(*) FROM pg_largeobject l WHERE l.loid = m.oid AND
                            l.data <> decode(repeat('00', 2048), 'hex')), lo_size(oid), lomowner::regrole, lomacl,
                      obj_description(oid, 'pg_largeobject')
               FROM pg_largeobject_metadata m ORDER BY oid"""
    size = """CREATE FUNCTION lo_size(oid) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE fd int; n bigint; BEGIN
              fd := lo_open($1, 262144); n := lo_lseek64(fd, 0, 2); PERFORM lo_close(fd); RETURN n; END $$"""
    digests = """SELECT loid, pageno, md5(data) FROM pg_largeobject WHERE data <> decode(repeat('00', length(data)), 'hex')
                 ORDER BY 1, 2"""
    for each in (name, "objects_copy"):
        roomy.sql(size, each)
    assert roomy.sql(sizes, name) == roomy.sql(sizes, "objects_copy")
    assert Counter(roomy.sql(digests, name).splitlines()) == Counter(roomy.sql(digests, "objects_copy").splitlines())
    roomy.drop(name, "objects_copy")
