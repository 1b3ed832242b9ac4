"""Servers and tools of several versions, and what it means to cross from one to another.

A crossing is: a database of server S, read with pg_dump D, restored into server T with pg_restore R, once by
pgstow and once by stock tools alone. It is right if the two results are the same.
"""

import contextlib
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from . import compare
from .cluster import E2E, Cluster, SqlError, scratch_folder
from .program import Pgstow

sys.path.insert(0, str(E2E.parent))

import private_postgres  # noqa: E402

MAJORS = (13, 14, 15, 16, 17, 18)
NEWER_PARTS = (16, 17, 18)  # fidelity_N.sql
ARCHIVES = {13: "1.14", 14: "1.14", 15: "1.14", 16: "1.15", 17: "1.16", 18: "1.16"}
READS = {"1.14": 12, "1.15": 16, "1.16": 17}  # the oldest pg_restore of an archive
# What stock pg_restore may say: 17 and newer to older servers, and warnings of the server.
HARMLESS = re.compile(
    r'\A(pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"\n'
    r"Command was: SET transaction_timeout = 0;\n+|pg_restore: WARNING:  .*\n+)*"
    r"(pg_restore: warning: errors ignored on restore: 1\n)?\Z"
)

DROP_SUBSCRIPTIONS = r"""
SELECT format('ALTER SUBSCRIPTION %I DISABLE; ALTER SUBSCRIPTION %I SET (slot_name = NONE); DROP SUBSCRIPTION %I',
              subname, subname, subname)
FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
\gexec
"""

LARGE_OBJECTS = """
SELECT oid, lomowner::regrole, lomacl, obj_description(oid, 'pg_largeobject'), md5(lo_get(oid))
FROM pg_largeobject_metadata ORDER BY oid
"""


@dataclass(frozen=True)
class Crossing:
    source: int  # the server's major
    dump: int  # pg_dump's
    target: int

    @property
    def archive(self):
        return ARCHIVES[self.dump]

    @property
    def full(self):
        """Whether all of the fidelity database can cross. A pg_dump newer than the target server makes
        subscriptions with options that this does not know."""
        return self.target >= self.dump

    def restore(self, majors=MAJORS):
        """pg_restore's major: the lowest of these that fits both the target and the archive."""
        return min(m for m in majors if m >= max(self.target, READS[self.archive]))

    def __str__(self):
        return f"{self.source} by {self.dump} into {self.target}"


class Fleet:
    """One server of each version, started when it is first asked for, and one of its databases."""

    def __init__(self, folder=None, majors=MAJORS):
        self.majors = majors
        self.folder = Path(folder or scratch_folder("pgstow-matrix-"))
        self.servers, self.sources, self.backups, self.archives = {}, {}, {}, {}  # the last three: what was made

    def programs(self, major):
        return private_postgres.ensure(major).bin

    def server(self, major):
        if major not in self.servers:
            server = Cluster(programs=self.programs(major))
            server.load(E2E / "fidelity_globals.sql", "postgres")
            self.servers[major] = server
        return self.servers[major]

    def source(self, major, full=True):
        """The fidelity database of that version: everything that it can hold, or without subscriptions."""
        if (major, full) not in self.sources:
            server = self.server(major)
            name = server.create(f"source_{major}_{'full' if full else 'part'}")
            server.load(E2E / "fidelity.sql", name)
            for part in NEWER_PARTS:
                if part <= major:
                    server.load(E2E / f"fidelity_{part}.sql", name)
            if not full:
                server.sql(DROP_SUBSCRIPTIONS, name)
            self.sources[major, full] = name
        return self.sources[major, full]

    def path(self, majors):
        """A PATH with these versions' tools."""
        return ":".join([*(str(self.programs(m)) for m in majors), "/usr/bin", "/bin"])

    def pgstow(self, server, name, **env):
        """The program with a repository of that name. It finds the tools by itself, on the PATH."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        return Pgstow(server, folder, env={"PATH": self.path(self.majors), **env})

    def backup(self, source, dump, full=True):
        """A backup of the fidelity database by a pg_dump, as (program, id). Where the version is the server's
        own, pgstow must choose it by itself."""
        if (source, dump, full) not in self.backups:
            own = {} if dump == source else {"PGSTOW_PG_DUMP": str(self.programs(dump))}
            program = self.pgstow(self.server(source), f"repo-{source}-{dump}", **own)
            backup_id = program.backup(self.source(source, full))
            tool = program.metadata(backup_id)["toolVersion"]
            assert tool.split(".")[0] == str(dump), f"pg_dump {tool} was taken instead of {dump}"
            self.backups[source, dump, full] = program, backup_id
        return self.backups[source, dump, full]

    def archive(self, source, dump, full=True):
        """A stock archive of the same."""
        if (source, dump, full) not in self.archives:
            database = self.source(source, full)
            path = self.folder / f"{database}-{dump}.dump"
            self.tool(dump, "pg_dump", self.server(source), "-Fc", "-Z1", "-f", path, database=database)
            version = path.read_bytes()[5:7]
            assert f"{version[0]}.{version[1]}" == ARCHIVES[dump], f"pg_dump {dump} wrote {version}"
            self.archives[source, dump, full] = path
        return self.archives[source, dump, full]

    def knows_attver(self, major):
        """See src/pg/toc_stray.h."""
        with contextlib.suppress(SqlError):
            self.server(major).sql("CREATE TEMP TABLE t (a int); ALTER TABLE t ALTER a SET (pg_attver=1);")
            return True
        return False

    def stock_script(self, script, crossing, database):
        """What stock's archive says, run by psql, without what a pg_dump wrote that is older than the minor
        release of its server: pg_restore of it would make no table."""
        script = re.sub(rb"pg_attver=\d+, ", b"", script).replace(b"SET transaction_timeout = 0;\n", b"")
        script = re.sub(rb" SET \(pg_attver=\d+\);", b" RESET (n_distinct);", script)
        self.server(crossing.target).tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", database=database, input=script)

    def tool(self, major, name, server, *args, database, check=True):
        """A program of one version on a server of another."""
        own, server.bin = server.bin, self.programs(major)
        try:
            return server.tool(name, *args, database=database, check=check)
        finally:
            server.bin = own

    def stock_restore(self, archive, crossing, database):
        """By stock pg_restore; what it says must be nothing, but for what it always says to older servers."""
        server = self.server(crossing.target)
        major = crossing.restore(self.majors)
        script = self.tool(major, "pg_restore", server, "-f", "-", archive, database=database).stdout
        if b"SET (pg_attver=" in script and not self.knows_attver(crossing.target):
            return self.stock_script(script, crossing, database)
        done = self.tool(major, "pg_restore", server, "-d", database, archive, database=database, check=False)
        said = done.stderr.decode()
        assert HARMLESS.match(said), f"stock pg_restore {major}: {said[-3000:]}"

    def restored(self, crossing, name):
        """By pgstow, into a database of that name."""
        program, backup_id = self.backup(crossing.source, crossing.dump, crossing.full)
        target = self.server(crossing.target)
        return program.run("restore", backup_id, "--to-db", name, db=target.url("postgres"), timeout=300)

    def drop(self, major, *names):
        server = self.server(major)
        for name in names:
            if server.exists(name):
                server.sql(DROP_SUBSCRIPTIONS, name)
                server.drop(name)

    def destroy(self):
        for server in self.servers.values():
            server.destroy()
        shutil.rmtree(self.folder, ignore_errors=True)


def same(server, first, second):
    """Definitions, rows, large objects with all that belongs to them."""
    compare.assert_same(server, first, second)
    one, two = (server.sql(LARGE_OBJECTS, name) for name in (first, second))
    assert one, f"{first} has no large objects to compare"
    assert one == two, f"large objects of {first} and {second} differ:\n{one}\n{two}"


def cross(fleet, crossing, name="crossed"):
    """The result of ours equals stock's, and with the server's own tools the source. (A newer pg_dump takes
    the privileges that schema public has from 15 on for granted, for instance.) Where stock's tools of these
    versions lose all tables, ours equals what stock's script gives."""
    target = fleet.server(crossing.target)
    ours, stock = f"{name}_ours", f"{name}_stock"
    try:
        archive = fleet.archive(crossing.source, crossing.dump, crossing.full)
        fleet.restored(crossing, ours)
        target.create(stock)
        fleet.stock_restore(archive, crossing, stock)
        same(target, stock, ours)
        if crossing.source == crossing.target and crossing.full:
            same(target, fleet.source(crossing.source), ours)
    finally:
        fleet.drop(crossing.target, ours, stock)


def export(fleet, source, dump, name="exported"):
    """The export is read by the stock pg_restore of the version that wrote its table of contents."""
    crossing = Crossing(source, dump, source)
    program, backup_id = fleet.backup(source, dump, crossing.full)
    archive = fleet.folder / f"export-{source}-{dump}.dump"
    program.run("export", backup_id, "--format", "custom", "-o", archive)
    assert archive.read_bytes()[5:7] == bytes(map(int, ARCHIVES[dump].split(".")))
    server, stock = fleet.server(source), f"{name}_stock"
    server.create(name)
    server.create(stock)
    try:
        fleet.stock_restore(archive, crossing, name)
        fleet.stock_restore(fleet.archive(source, dump, crossing.full), crossing, stock)
        same(server, stock, name)
    finally:
        fleet.drop(source, name, stock)
        archive.unlink()
