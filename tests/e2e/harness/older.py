"""Archives for an older pg_restore: what pg_dump 17 or 18 made, read by one that knows no 1.16."""

from . import compare
from .crossing import ARCHIVES, LARGE_OBJECTS

# Large objects in two groups (owner and privileges are the same within one), as pg_dump 17 groups them.
OBJECTS = '''
SELECT lo_from_bytea(50001 + g, convert_to('object ' || g, 'UTF8')) FROM generate_series(0, 4) g;
SELECT lo_from_bytea(3000000000, '');
GRANT SELECT ON LARGE OBJECT 50001, 50002, 50003 TO PUBLIC;
GRANT UPDATE ON LARGE OBJECT 50001, 50002, 50003 TO "we ""LARGE OBJECT 50001""";
COMMENT ON LARGE OBJECT 50002 IS 'the second';
CREATE TABLE part (id int PRIMARY KEY, t text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
INSERT INTO part SELECT g, 'row ' || g FROM generate_series(1, 500) g;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM part;
'''
ROLE = 'we "LARGE OBJECT 50001"'


def read_by_older(fleet, source, reader, form, jobs):
    """A database of server `source`, exported for pg_restore `reader`, restored by that into the same server."""
    server = fleet.server(source)
    quoted = '"' + ROLE.replace('"', '""') + '"'
    server.sql(f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') "
               f"THEN CREATE ROLE {quoted}; END IF; END $$")  # fmt: skip
    first, second = server.create("older_source", sql=OBJECTS), server.create("older_target")
    program = fleet.pgstow(server, f"older-{source}-{reader}-{form}")
    out = program.folder / f"out.{form}"
    try:
        backup = program.backup(first)
        program.run("export", backup, "--format", form, "--for-pg-restore", reader, "-o", out, "-Z", "1")
        head = (out / "toc.dat" if form == "directory" else out).read_bytes()[:7]
        assert head[5:7] == bytes(map(int, ARCHIVES[reader].split("."))), head
        args = ["-j", jobs] if jobs else []
        fleet.tool(reader, "pg_restore", server, "-e", *args, "-d", second, out, database=second)
        compare.assert_same(server, first, second)
        objects = [server.sql(LARGE_OBJECTS, name) for name in (first, second)]
        assert objects[0] == objects[1] and objects[0].count("\n") == 5, objects
    finally:
        server.drop(first, second)


CHECKS = [
    (f"export of {source} for {reader} {form}", lambda fleet, s=source, r=reader, f=form, j=jobs: read_by_older(fleet, s, r, f, j))
    for source, reader, form, jobs in (
        (17, 15, "custom", None), (18, 15, "custom", 4), (18, 13, "custom", None), (17, 16, "custom", 2),
        (18, 15, "directory", 2), (17, 13, "directory", None), (18, 18, "directory", 2), (16, 15, "custom", 2),
    )
]  # fmt: skip
