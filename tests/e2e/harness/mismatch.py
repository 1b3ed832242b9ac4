"""Versions that do not fit: what is refused or warned of, and that nothing is touched then. And what crosses
versions although they do not fit, or in many pieces."""

from . import compare
from .crossing import ARCHIVES, LARGE_OBJECTS, READS, same

SIMPLE = r"""
CREATE TABLE customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, at timestamptz);
CREATE TABLE item (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer, t text, d numeric(10, 2));
CREATE INDEX ON item (customer);
CREATE INDEX ON item (lower(t));
INSERT INTO customer (name, at) SELECT 'name ' || g, '2024-01-01' FROM generate_series(1, 300) g;
INSERT INTO item SELECT g, 1 + g % 300, md5(g::text), g / 4.0 FROM generate_series(1, 3000) g;
CREATE VIEW rich AS SELECT customer, sum(d) AS sum FROM item GROUP BY customer;
CREATE SEQUENCE counter;
SELECT setval('counter', 4711);
SELECT lo_from_bytea(77001, 'a large object');
"""

# Of three owners and six kinds of privileges, more than pg_dump 17 and newer puts into one entry.
OBJECTS = r"""
DO $$
DECLARE
    o oid;
BEGIN
    FOR i IN 1..2600 LOOP
        o := lo_from_bytea(100000 + i, convert_to(repeat('object ' || i, i % 7), 'UTF8'));
        IF i % 3 = 1 THEN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO fid_owner', o); END IF;
        IF i % 3 = 2 THEN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO fid_writer', o); END IF;
        IF i % 2 = 1 THEN EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO fid_reader', o); END IF;
        IF i % 97 = 0 THEN EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', o, 'it''s ' || i); END IF;
    END LOOP;
END $$;
"""


def untouched(server, run, *kept):
    """Run it; no database came or went, and these are as they were."""
    names = server.databases()
    before = [(name, compare.snapshot(server, name)) for name in kept]
    result = run()
    assert server.databases() == names, f"databases came or went: {server.databases() ^ names}"
    for name, state in before:
        compare.assert_as_before(server, name, state)
    return result


def source_newer_than_pg_dump(fleet, dump):
    """A server newer than every pg_dump: refused, with what is there and what is needed; no backup is made."""
    server = fleet.server(18)
    program = fleet.pgstow(server, "too-new", PGSTOW_PG_DUMP=str(fleet.programs(dump)))
    name = server.create("too_new", sql=SIMPLE)
    program.run("backup", db=name, expect="TOOL_VERSION").error_says(r"18\.\d", rf"{dump}\.\d", "18 or newer is needed")
    assert not list(program.repo.glob("backups/*")), program.files()
    server.drop(name)


def archive_newer_than_pg_restore(fleet, source, dump):
    """Said before anything is touched, also where a database would be replaced."""
    program, backup_id = fleet.backup(source, dump, full=False)
    server = fleet.server(source)
    kept = server.create(sql=SIMPLE)
    env = {"PGSTOW_PG_RESTORE": str(fleet.programs(15) / "pg_restore")}
    for where in (["--to-db", "not_made"], ["--to-db", kept, "--replace"]):
        untouched(server, lambda: program.run("restore", backup_id, *where, "--yes", db="postgres", env=env,
                                              expect="TOOL_VERSION").error_says(r"15\.\d", f"{READS[ARCHIVES[dump]]} or newer"),
                  kept)  # fmt: skip
    server.drop(kept)


def into_an_older_server(fleet, source, target):
    """What only the newer version knows fails, with the entry's name; the old database stays as it was."""
    program, backup_id = fleet.backup(source, source)
    server = fleet.server(target)
    kept = server.create(sql=SIMPLE)
    for where in (["--to-db", "not_made"], ["--to-db", kept, "--replace"]):
        untouched(server, lambda: program.run("restore", backup_id, *where, "--yes", db=server.url("postgres"),
                                              expect="TOOL_FAILED").error_says("older server", "failed at [A-Z]+ "),
                  kept)  # fmt: skip
    server.drop(kept)


def simple_into_older(fleet, source, target):
    """What the older version knows too is restored, with a warning."""
    first, second = fleet.server(source), fleet.server(target)
    name = first.create("simple", sql=SIMPLE)
    program = fleet.pgstow(first, f"simple-{source}-{target}")
    try:
        done = program.restore(program.backup(name), second.url("postgres"), "--to-db", "simple")
        done.error_says("older server")
        assert compare.row_hashes(first, name) == compare.row_hashes(second, "simple")
        assert first.sql(LARGE_OBJECTS, name) == second.sql(LARGE_OBJECTS, "simple") != ""
        assert second.sql("SELECT last_value FROM counter", "simple") == "4711"
        assert second.sql("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'u', 'f') "
                          "AND connamespace = 'public'::regnamespace", "simple") == "4"  # fmt: skip
    finally:
        first.drop(name)
        fleet.drop(target, "simple")


def privileges_of_public(fleet):
    """pg_dump 15 and newer takes what schema public has from 15 on for granted: on an older server everybody may
    then create in it, although the source forbade it. Stock restores it so too; ours says it."""
    server = fleet.server(14)
    name = server.create(sql=SIMPLE + "REVOKE CREATE ON SCHEMA public FROM PUBLIC;")
    try:
        for dump, said in ((14, False), (15, True)):
            program = fleet.pgstow(server, f"public-{dump}", PGSTOW_PG_DUMP=str(fleet.programs(dump)))
            done = program.restore(program.backup(name), "postgres", "--to-db", f"public_{dump}")
            assert ("may create objects in schema public" in done.stderr) == said, done
            acl = server.sql("SELECT has_schema_privilege('fid_reader', 'public', 'CREATE')", f"public_{dump}")
            assert acl == ("t" if said else "f")
    finally:
        fleet.drop(14, name, "public_14", "public_15")


def statistics(fleet, target):
    """What pg_dump 18 --statistics wrote goes into servers that have the functions for it, and only there; whole
    and in part."""
    first, second = fleet.server(18), fleet.server(target)
    name, dump = first.create(sql=SIMPLE + "ANALYZE;"), fleet.folder / "statistics.dump"
    program = fleet.pgstow(first, f"statistics-{target}")
    url = second.url("postgres")
    found = "SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND tablename = 'customer'"
    try:
        fleet.tool(18, "pg_dump", first, "-Fc", "--statistics", "-f", dump, database=name)
        backup_id = program.run("import", dump, db=name).id
        program.run("restore", backup_id, "--to-db", "whole", "--no-analyze", db=url)
        assert int(second.sql(found, "whole")) == (3 if target >= 18 else 0)
        second.create("part", sql="CREATE TABLE own (a int)")
        program.run("restore", backup_id, "--to-db", "part", "--table", "customer", "--no-analyze", db=url)
        assert second.sql("SELECT count(*) FROM customer", "part") == "300"
    finally:
        dump.unlink(missing_ok=True)
        first.drop(name)
        fleet.drop(target, "whole", "part")


def many_large_objects(fleet, source, dump, target):
    """One entry each (up to 1.15), or a thousand to an entry (1.16): owner, privileges, comment, contents."""
    first, second = fleet.server(source), fleet.server(target)
    name = first.create("objects", sql=SIMPLE + OBJECTS)
    program = fleet.pgstow(first, f"objects-{source}-{dump}-{target}", PGSTOW_PG_DUMP=str(fleet.programs(dump)))
    try:
        program.restore(program.backup(name), second.url("postgres"), "--to-db", "objects_back")
        one, two = first.sql(LARGE_OBJECTS, name), second.sql(LARGE_OBJECTS, "objects_back")
        assert len(one.splitlines()) == 2601 and one == two
        if source == target:
            same(first, name, "objects_back")
    finally:
        fleet.drop(source, name)
        fleet.drop(target, "objects_back")


# How a database is made that has the newest kind of locale of its version.
LOCALES = {
    13: "LOCALE 'C'",
    15: "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'",
    16: "LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&V << w <<< W' LOCALE 'C.UTF-8'",
    17: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'",
    18: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C'",
}
# Columns of pg_database are named differently: what a version has of them.
ITSELF = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype, row_to_json(d) ->> 'datlocprovider',
       coalesce(row_to_json(d) ->> 'datlocale', row_to_json(d) ->> 'daticulocale'), row_to_json(d) ->> 'daticurules',
       datconnlimit, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a), shobj_description(d.oid, 'pg_database'), pg_get_userbyid(datdba),
       (SELECT string_agg(format('%s %s', setrole::regrole, setconfig), ' ' ORDER BY setrole)
        FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d WHERE datname = current_database()
"""


def database_itself(fleet, source, target):
    """Locale and its provider, settings, privileges, limit, comment."""
    first, second = fleet.server(source), fleet.server(target)
    name = first.fresh_name("itself")
    first.sql(f"CREATE DATABASE {name} TEMPLATE template0 {LOCALES[source]}")
    first.sql(SIMPLE, name)
    first.sql(f"""
        ALTER DATABASE {name} CONNECTION LIMIT 17;
        ALTER DATABASE {name} SET work_mem = '8MB';
        ALTER ROLE fid_owner IN DATABASE {name} SET search_path = a, "b c";
        REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;
        GRANT CREATE ON DATABASE {name} TO fid_reader WITH GRANT OPTION;
        COMMENT ON DATABASE {name} IS 'it''s here';
        ALTER DATABASE {name} OWNER TO fid_owner;
    """)
    program = fleet.pgstow(first, f"itself-{source}-{target}")
    back = f"{name}_back"
    try:
        done = program.restore(program.backup(name), second.url("postgres"), "--to-db", back)
        was, now = first.rows(ITSELF, name)[0], second.rows(ITSELF, back)[0]
        if source < 15 <= target:
            was[3] = "c"
        if target < 15 <= source:  # which has no providers
            done.error_says("does not sort by the operating system's locales")
            was[3] = was[4] = ""
        assert was == now, f"{was}\n{now}"
        assert compare.row_hashes(first, name) == compare.row_hashes(second, back)
    finally:
        fleet.drop(source, name)
        fleet.drop(target, back)


def named(name, check, *args):
    return name, lambda fleet: check(fleet, *args)


CHECKS = [
    named("refused: source 18 with only pg_dump 17", source_newer_than_pg_dump, 17),
    named("refused: archive 1.15 with only pg_restore 15", archive_newer_than_pg_restore, 15, 16),
    named("refused: archive 1.16 with only pg_restore 15", archive_newer_than_pg_restore, 15, 17),
    *(named(f"fails: everything of {s} into {t}", into_an_older_server, s, t) for s, t in ((14, 13), (16, 15), (18, 17))),
    named("warned of: privileges of schema public, by pg_dump 15 of 14", privileges_of_public),
    *(named(f"simple things of {s} into older {t}", simple_into_older, s, t)
      for s, t in ((14, 13), (15, 13), (16, 15), (17, 16), (18, 13), (18, 15), (18, 17))),
    *(named(f"2,600 large objects of {s} by {d} into {t}", many_large_objects, s, d, t)
      for s, d, t in ((13, 13, 13), (13, 13, 18), (13, 18, 13), (15, 15, 17), (15, 16, 15), (15, 17, 15), (18, 18, 18))),
    *(named(f"statistics of 18 into {t}", statistics, t) for t in (15, 17, 18)),
    *(named(f"the database itself of {s} into {t}", database_itself, s, t)
      for s, t in ((13, 13), (13, 18), (15, 14), (15, 15), (15, 17), (16, 16), (16, 18), (17, 17), (17, 18), (18, 18))),
]  # fmt: skip
