"""A slice of ./dev matrix: PostgreSQL 18, server and tools, beside the system's 15."""

import subprocess

import pytest

from harness import crossing, mismatch
from harness.crossing import Crossing, Fleet


@pytest.fixture(scope="module")
def fleet():
    """18 is brought by tests/private_postgres.py where it is not there yet."""
    fleet = Fleet(majors=(15, 18))
    yield fleet
    fleet.destroy()


@pytest.mark.parametrize("source, dump, target", [
    (15, 15, 18),  # an upgrade: archive 1.14
    (18, 18, 18),  # archive 1.16, and all that came since 15
    pytest.param(15, 18, 15, marks=pytest.mark.slow),  # only the newest client: its pg_restore says what the older server refuses
])  # fmt: skip
def test_crossing(fleet, source, dump, target):
    crossing.cross(fleet, Crossing(source, dump, target))


def test_export_of_18(fleet):
    crossing.export(fleet, 18, 18)


def test_source_newer_than_every_pg_dump(fleet):
    mismatch.source_newer_than_pg_dump(fleet, 15)


def test_archive_newer_than_every_pg_restore(fleet):
    mismatch.archive_newer_than_pg_restore(fleet, 15, 18)


def test_into_an_older_server(fleet):
    mismatch.into_an_older_server(fleet, 18, 15)
    mismatch.simple_into_older(fleet, 18, 15)


@pytest.mark.parametrize("packing", ["lz4", "zstd"])
@pytest.mark.parametrize("form", ["-Fc", "-Fd"])
def test_import_of_what_only_newer_tools_compress(fleet, form, packing):
    server, name = fleet.server(15), f"packed_{form[1:]}_{packing}"
    server.create(name, sql="CREATE TABLE t AS SELECT i, md5(i::text) v FROM generate_series(1, 30000) i; SELECT lo_from_bytea(7, 'abc')")
    path = fleet.folder / name
    try:
        subprocess.run(
            [fleet.programs(18) / "pg_dump", form, f"--compress={packing}", "-f", path], env=server.environment(name), check=True
        )
        program = fleet.pgstow(server, f"import_{name}")
        backup = program.run("import", path, "--json").json["dumps"][0]["backup"]
        assert (backup["rows"], backup["largeObjects"]) == (30000, 1)
        program.run("verify", backup["id"], "--level", "rebuild")
        rows = program.run("export", backup["id"], "--format", "csv", "--table", "t", "-o", "-").stdout
        assert rows == "i,v\n" + server.sql("SELECT string_agg(i || ',' || v, E'\\n' ORDER BY i) FROM t", name) + "\n"
    finally:
        fleet.drop(15, name)
