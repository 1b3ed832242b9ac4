"""Are two databases the same? Asked of stock pg_dump, and of every table's rows.

The two do not replace each other: pg_dump sees every definition, privilege and sequence, but trusts
that what it reads is what it writes; the hashes are counted inside the server.
"""

import hashlib
import subprocess
from collections import Counter

# What differs between two dumps of one and the same database.
NOISE = (b"\\restrict ", b"\\unrestrict ", b"-- Dumped from ", b"-- Dumped by ")
LONG = 10000

HASHES = r"""
SET extra_float_digits = 3;
SET bytea_output = hex;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
SET row_security = off;
SET search_path = '';
WITH RECURSIVE under_hash AS (
    -- A hash partition's rows may lie in another partition after a restore: such trees count whole.
    SELECT partrelid AS oid FROM pg_catalog.pg_partitioned_table WHERE partstrat = 'h'
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN under_hash u ON i.inhparent = u.oid
), wanted AS (
    SELECT c.oid, n.nspname, c.relname,
           CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END AS only_mark
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relkind = 'r' AND c.oid NOT IN (SELECT oid FROM under_hash)
           OR c.relkind = 'm' AND c.relispopulated
           OR c.relkind = 'p' AND c.oid IN (SELECT oid FROM under_hash))
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
)
SELECT pg_catalog.format(
    'SELECT pg_catalog.quote_literal(%L), pg_catalog.count(*), pg_catalog.md5(coalesce(pg_catalog.string_agg('
    '"e2e hash", '''' ORDER BY "e2e hash" COLLATE "C"), '''')) FROM (SELECT pg_catalog.md5("e2e row"::text) '
    'AS "e2e hash" FROM %s%I.%I AS "e2e row") AS s;',
    pg_catalog.format('%I.%I', nspname, relname), only_mark, nspname, relname)
FROM wanted ORDER BY nspname, relname
\gexec
"""


def count_lines(lines):
    """Each line and how often it came; of very long ones a hash; nothing of the noise."""
    counted = Counter()
    for line in lines:
        if line.startswith(NOISE):
            continue
        if len(line) > LONG:
            line = line[:80] + b"... " + hashlib.sha256(line).hexdigest().encode()
        counted[line] += 1
    return counted


def dump_lines(cluster, database, *options):
    """The lines of a stock pg_dump, counted."""
    args = [cluster.bin / "pg_dump", "--no-sync", *options]
    with subprocess.Popen(
        args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=cluster.environment(database, encoding=None),
    ) as process:  # fmt: skip
        lines = count_lines(process.stdout)
        errors = process.stderr.read().decode(errors="replace")
    assert process.returncode == 0, f"pg_dump of {database}: {errors}"
    assert sum(lines.values()) > 10, f"pg_dump of {database} said nothing"
    return lines


def row_hashes(cluster, database, besides=()):
    """Lines of name, rows and an order-independent hash, of each table and materialized view; besides: how the names
    of schemas begin that do not count."""
    lines = cluster.sql(HASHES, database).splitlines()
    out = "\n".join(line for line in lines if not line.startswith(tuple(f"'{name}" for name in besides)))
    assert out, f"{database} has no tables to compare"
    return out


def differences(first, second, limit=20):
    """A readable account of how two counters of lines differ, or nothing."""
    missing = first - second
    added = second - first
    text = [f"- {line.decode(errors='replace').rstrip()}" for line in list(missing)[:limit]]
    text += [f"+ {line.decode(errors='replace').rstrip()}" for line in list(added)[:limit]]
    if missing or added:
        text.append(f"{sum(missing.values())} lines missing, {sum(added.values())} added")
    return "\n".join(text)


def assert_same_rows(cluster, first, second):
    one, two = (Counter(row_hashes(cluster, name).encode().split(b"\n")) for name in (first, second))
    unlike = differences(one, two)
    assert not unlike, f"rows of {first} and {second} differ:\n{unlike}"


def assert_same_dump(cluster, first, second, *options):
    unlike = differences(dump_lines(cluster, first, *options), dump_lines(cluster, second, *options))
    assert not unlike, f"pg_dump of {first} and {second} differ:\n{unlike}"


def assert_same(cluster, first, second):
    """Two databases are equal in everything but their name."""
    assert_same_rows(cluster, first, second)
    assert_same_dump(cluster, first, second)


def snapshot(cluster, database, *options):
    """What a database is now, to be compared with what it is later: definitions and rows."""
    return dump_lines(cluster, database, *options), row_hashes(cluster, database)


def assert_as_before(cluster, database, before, *options):
    lines, hashes = snapshot(cluster, database, *options)
    unlike = differences(before[0], lines)
    assert not unlike, f"{database} is not what it was:\n{unlike}"
    assert hashes == before[1], f"rows of {database} are not what they were"
