"""The parts of the benchmark: what is run on which data, in which order. See bench.py.

Each takes a Record. What is compared is measured in turns, so that what a machine does at some minute falls
on all of it.
"""

import shutil
from pathlib import Path

from measure import folder_bytes, run_timed

PARTS = ["tpch", "changes", "log", "wide", "toast", "small", "list", "large"]
DEFAULT = [part for part in PARTS if part != "large"]  # which takes too long for every time
LARGE = 5  # times the scale
BACKUPS = 10_000  # of the repository that is listed
ONE_TABLE = "returned"  # about 1 % of the TPC-H-like data


def database_of(part):
    """Which one is generated for it."""
    return {"tpch": "tpch", "changes": "tpch", "list": None, "large": "tpch"}.get(part, part)


def run_part(part, record):
    {
        "tpch": tpch,
        "changes": changes,
        "log": log,
        "wide": lambda r: data_set(r, "wide"),
        "toast": lambda r: data_set(r, "toast"),
        "small": lambda r: data_set(r, "small", slow_dump=False),
        "list": listing,
        "large": large,
    }[part](record)


def rounds(record):
    for number in range(record.arguments.runs):
        print(f" run {number + 1} of {record.arguments.runs}", flush=True)
        yield number, number < record.arguments.slow_runs


# ---------------------------------------------------------------------- the whole comparison


def tpch(record):
    s = record.subject
    s.floor("tpch")  # warms the caches, not counted
    files = ["z1.dump", "z0.dump"]  # what pg_restore reads: the faster one stays after the first run
    record.dump("pg_dump -Fc -Z1", "z1.dump", "tpch", "-Fc", "-Z1", keep=True)
    record.dump("pg_dump -Fc -Z0", "z0.dump", "tpch", "-Fc", "-Z0", keep=True)
    for number, slow in rounds(record):
        record.measure("floor", lambda: s.floor("tpch"))
        first = first_backups(record, plain_last=number % 2 == 1)
        competitors(record, slow)
        s.restic_init()
        record.measure("pg_dump -Fc -Z0 | restic first", lambda: s.restic("tpch"))
        record.bytes["pg_dump -Fc -Z0 | restic first"] = folder_bytes(s.path("restic"))
        if first:
            record.backup("pgstow again", "repo", "tpch")
        record.measure("pg_dump -Fc -Z0 | restic again", lambda: s.restic("tpch"))
        s.remove("restic")
        if first:
            record.measure("pgstow verify --level data", lambda: s.verify("repo", "tpch", first[1]))
            record.measure("sha256sum of the packs", lambda: s.sha256sum("repo", 1))
            record.measure(f"sha256sum, {s.jobs} at a time", lambda: s.sha256sum("repo", s.jobs))
        files = restores(record, files, first)
    for file in (*files, "repo"):
        s.remove(file)


def first_backups(record, plain_last):
    """Plain and encrypted, now one and now the other as the first. Returns the plain one."""
    s = record.subject
    for repo in ("repo", "sealed", "bench.key"):
        s.remove(repo)
    first = None
    for encrypted in (True, False) if plain_last else (False, True):
        if encrypted:
            record.backup("pgstow first, encrypted", "sealed", "tpch", s.encrypted)
        else:
            first = record.backup("pgstow first", "repo", "tpch")
    s.remove("sealed")
    return first


def competitors(record, slow):
    zstd = ["zstd", "-q", "-1", "-f", "-o", record.subject.path("z0.zst")]
    record.dump("pg_dump -Fc -Z0 | zstd -1", "z0.zst", "tpch", "-Fc", "-Z0", then=zstd)
    if slow:
        record.dump("pg_dump -Fc", "fc.dump", "tpch", "-Fc")
        record.dump("pg_dump -Fd -j2", "fd", "tpch", "-Fd", "-j2")
        record.dump("pg_dump -Fd -j2 -Z1", "fd", "tpch", "-Fd", "-j2", "-Z1")


def restores(record, files, first):
    """Returns the files that the next run restores from."""
    s = record.subject
    for file in files:
        name = f"pg_restore -j{s.jobs} from -{file[:2].upper()}"
        record.measure(name, lambda: s.pg_restore(file, "restored_stock", "-j", str(s.jobs)))
        if file == files[-1]:
            record.measure("vacuumdb --analyze-only after it", lambda: s.analyze("restored_stock"))
        s.drop("restored_stock")
    if len(files) > 1:
        taken = {file: record.median(f"pg_restore -j{s.jobs} from -{file[:2].upper()}") for file in files}
        fastest = min(files, key=lambda file: taken[file] or float("inf"))
        for file in files:
            if file != fastest:
                s.remove(file)
        record.facts["fastest"] = f"-{fastest[:2].upper()}"
        files = [fastest]
    if first:
        record.measure("pgstow restore", lambda: s.restore("repo", "tpch", first[1], "restored_ours"))
        s.drop("restored_ours")
        one_table(record, files[0], first[1])
    return files


def one_table(record, file, identity):
    """One table into an empty database, whose making is not counted for either."""
    s = record.subject
    wanted = s.rows("tpch", ONE_TABLE)
    name = "pg_restore -t, one table"
    if record.measure(name, lambda: s.pg_restore(file, "one_stock", "-t", ONE_TABLE)):
        check_rows(record, name, "one_stock", wanted)
    s.drop("one_stock")
    name = "pg_restore -L, one table with its key, and ANALYZE"
    if record.measure(name, lambda: s.pg_restore_one(file, "one_stock", ONE_TABLE)):
        check_rows(record, name, "one_stock", wanted)
    s.drop("one_stock")
    s.create("one_ours")
    name = "pgstow restore --table"
    done = record.measure(name, lambda: s.restore("repo", "tpch", identity, "one_ours", "--table", ONE_TABLE))
    if done:
        check_rows(record, name, "one_ours", wanted)
        record.bytes["read for one table"] = s.said(done)["fetchedBytes"]
        record.bytes["repository"] = folder_bytes(s.path("repo"))
        record.facts["one table, bytes as text"] = s.said(done)["bytes"]
        record.facts["one table, read() of all processes"] = done.read_bytes
    s.drop("one_ours")


def check_rows(record, name, database, wanted):
    found = record.subject.rows(database, ONE_TABLE)
    if found != wanted:
        record.problem(name, f"restored {found} rows of {wanted}")


# ---------------------------------------------------------------------- what a change costs


def changed_copy(record, database, *steps):
    """New bytes of a backup after each step's SQL has changed a copy whose backup is the parent."""
    s = record.subject
    s.remove("repo")
    s.drop("changed")
    s.server.psql("postgres", f"CREATE DATABASE changed TEMPLATE {database} STRATEGY file_copy")
    try:
        first = record.backup(f"pgstow first, before: {steps[0][0]}", "repo", "changed")
        for name, sql in steps:
            s.server.psql("changed", sql)
            if first:
                record.bytes["before the changes"] = first[2]
                record.backup(f"pgstow after: {name}", "repo", "changed")
    finally:
        s.drop("changed")
        s.remove("repo")


def changes(record):
    update = "UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE " \
             "hashint8extended(l_orderkey::bigint * 8 + l_linenumber, {seed}) % {one_in} = 0"
    changed_copy(record, "tpch", ("0.05 % of rows updated", update.format(seed=7, one_in=2000)))
    changed_copy(
        record,
        "tpch",
        ("0.5 % of rows updated", update.format(seed=8, one_in=200)),
        ("VACUUM FULL, after these 0.5 %", "VACUUM FULL"),
    )


# ---------------------------------------------------------------------- other data


def data_set(record, database, slow_dump=True):
    """First and again, beside the floor and pg_dump -Fc, which where it takes long is run less often."""
    s = record.subject
    s.floor(database)
    for _, slow in rounds(record):
        record.measure("floor", lambda: s.floor(database))
        s.remove("repo")
        first = record.backup("pgstow first", "repo", database)
        if slow or not slow_dump:
            record.dump("pg_dump -Fc", "fc.dump", database, "-Fc")
        if first:
            record.backup("pgstow again", "repo", database)
    s.remove("repo")


def log(record):
    data_set(record, "log")
    append = "INSERT INTO log SELECT id + max, at + interval '7 days', host, level, request, message, attributes " \
             "FROM log, (SELECT max(id) FROM log) AS m WHERE id <= max / 100"
    changed_copy(record, "log", ("1 % of rows appended", append))


def large(record):
    """Whether memory grows with the database. One run: it is not about time."""
    s = record.subject
    s.remove("repo")
    first = record.backup("pgstow first", "repo", "tpch")
    if first:
        record.backup("pgstow again", "repo", "tpch")
        record.measure("pgstow verify --level data", lambda: s.verify("repo", "tpch", first[1]))
        record.measure("pgstow restore", lambda: s.restore("repo", "tpch", first[1], "restored_ours"))
        s.drop("restored_ours")
    s.remove("repo")


# ---------------------------------------------------------------------- many backups


def listing(record):
    """A synthetic repository of many backups, whose manifests the real encoder wrote."""
    s = record.subject
    count = max(10, int(BACKUPS * record.arguments.scale)) if record.arguments.scale < 1 else BACKUPS
    maker, repo = s.pgstow.parent / "bench" / "prune_repo", s.path("many")
    s.remove("many")
    run_timed([maker, repo, "1000", str(count), "30"], env=s.env)
    command = [s.pgstow, "--repo", repo]
    ids = run_timed([*command, "list", "--quiet"], env=s.env, cwd=s.work, capture=True).output.split()
    if len(ids) != count:
        record.problem("list", f"lists {len(ids)} backups of {count}")
    record.facts["backups"] = count
    for _ in range(max(3, record.arguments.runs)):
        for name, words in (
            ("list", ["list"]),
            ("list --json", ["list", "--json"]),
            ("show ID", ["show", ids[len(ids) // 2]]),
            ("show latest", ["show", "latest"]),
        ):
            done = record.measure(name, lambda: run_timed([*command, *words], env=s.env, cwd=s.work))
            if done:
                s.peaks[name] = max(done.peak_bytes, s.peaks.get(name, 0))
    shutil.rmtree(Path(repo))
