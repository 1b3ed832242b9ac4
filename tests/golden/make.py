#!/usr/bin/env python3
"""Makes the golden repository of the present format, once for every format version:

    tests/golden/make.py BUILD NAME        (BUILD: a build folder; NAME: format-1, format-1-encrypted, format-1-columns)

writes tests/golden/NAME/ and, as read from the server and not from the repository, NAME.json; of an encrypted
one, made where NAME ends so, also its key files NAME.key and NAME.write-only.key. Made once, it is never made again: it stands for the repositories that people have. test_golden.py reads it."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True
from private_server import PrivateServer  # noqa: E402

TABLES = r'''
    CREATE TABLE notes (id int PRIMARY KEY, body text, made timestamptz, raw bytea, amount numeric);
    INSERT INTO notes VALUES (1, E'tab\t, newline\n, backslash \\', '2024-01-15 10:30:00+00', '\x00ff', 'NaN'),
        (2, NULL, 'infinity', '', 1.10), (3, '', NULL, NULL, -0.5), (4, 'Grüße, 世界', NULL, NULL, 1e20);
    CREATE TABLE empty (nothing int);
    CREATE TABLE middle AS SELECT i AS id, repeat(md5((i * 7)::text), 120) AS filler FROM generate_series(1, 160) i;
    CREATE TABLE "large ""one""" AS
        SELECT i AS id, repeat(md5(i::text), 120) AS filler FROM generate_series(1, 1100) i;
    CREATE TABLE sales AS
        SELECT i AS id, 1000000 - i * 7 % 1000 AS customer, round((i * 7919 % 100000) / 100.0, 2) AS price,
               i % 977 / 8.0::float8 AS score, date '2024-01-01' + i / 50 AS day,
               timestamptz '2024-01-01 10:30:00+00' + i * interval '37.25 seconds' AS made,
               timestamp '2024-01-01' + i * interval '37.5 seconds' + i % 90 * interval '1 second' AS paid,
               CASE WHEN i % 7 > 0 THEN (ARRAY['new', 'paid', '', 'back \\ slash'])[1 + i % 4] END AS state,
               'Clerk#' || lpad((i % 1000)::text, 9, '0') AS clerk, CASE WHEN i % 40 > 0 THEN i % 13 / 4.0 ELSE 'NaN' END AS tax,
               (SELECT string_agg((ARRAY['parcels ', 'wait ', 'the ', 'Grüße ', 'boldly, ', 'ledgers. ', 'of ', 'spices '])
                    [1 + (hashint4(i * 16 + n) & 7)], '')
                FROM generate_series(1, 4 + i % 9) n) AS remark
        FROM generate_series(1, 9000) i;
    SELECT lo_from_bytea(4242, decode(repeat('00112233', 30000), 'hex')), lo_from_bytea(4243, '');
'''
NAMES = ["notes", "empty", "sales", "middle", 'large "one"']


def rows(server, database):
    """What each table holds, by psql's COPY."""
    found = {}
    for name in NAMES:
        quoted = name.replace('"', '""')
        text = subprocess.run(
            [server.bin / "psql", "-X", "-q", "-d", server.conninfo(database), "-c",
             f'COPY public."{quoted}" TO STDOUT'], check=True, stdout=subprocess.PIPE).stdout
        found[f"public.{name}"] = {"rows": text.count(b"\n"), "bytes": len(text),
                                   "sha256": hashlib.sha256(text).hexdigest()}
    return found


def fill(server, target, program, expected, sealed):
    keys = {"PGSTOW_KEY_FILE": f"{target}.key"} if sealed else {}

    def pgstow(*args, program=program, **env):
        command = [program, "--repo", target, "--db", server.url("shop"), "--quiet", "--yes", *args]
        return subprocess.run(command, env={**os.environ, "TZ": "UTC", **keys, **env}, text=True,
                              stdout=subprocess.PIPE)

    def add_keys():
        """A passphrase, quick to try (only the tests' twin makes such), and a key that may only write."""
        words = "golden since its first day"
        pgstow("key", "add", "--name", "words", program=f"{program}-faults", PGSTOW_NEW_PASSPHRASE=words,
               PGSTOW_CHEAP_PASSPHRASES="1").check_returncode()
        write_only = f"{target}.write-only.key"
        pgstow("key", "add", "--write-only", "--database", "shop", "--new-key-file", write_only,
               "--name", "writer").check_returncode()
        expected["keys"] = {"file": f"{target.name}.key", "passphrase": words, "writeOnly": f"{target.name}.write-only.key"}

    def backup(*args):
        done = pgstow("backup", *args)
        done.check_returncode()
        expected["backups"][done.stdout.split()[-1]] = rows(server, "shop")
        return done.stdout.split()[-1]

    server.psql("postgres", "CREATE DATABASE shop")
    server.psql("shop", TABLES)
    backup("--tag", "why=the first", *(["--encrypt"] if sealed else []))
    if sealed:
        add_keys()
    server.psql("shop", "UPDATE middle SET filler = 'changed' WHERE id = 40;"
                        "DELETE FROM notes WHERE id = 3; INSERT INTO empty VALUES (1)")
    died = pgstow("backup", program=f"{program}-faults", PGSTOW_FAULT="writer.commit.manifest:kill")
    if died.returncode == 0:
        raise SystemExit("the run that should have died did not")
    if sealed:  # two epochs of keys, and a backup by the key that cannot read
        pgstow("key", "rotate").check_returncode()
        backup()
        server.psql("shop", "UPDATE middle SET filler = 'by the write-only key' WHERE id = 41")
        keys["PGSTOW_KEY_FILE"] = f"{target}.write-only.key"
        backup()
        keys["PGSTOW_KEY_FILE"] = f"{target}.key"
    backup()
    deleted = backup()
    pgstow("delete", deleted).check_returncode()
    del expected["backups"][deleted]
    expected["deleted"] = [deleted]
    pgstow("verify", "--level", "rebuild").check_returncode()


def main(build, name):
    target, expected = HERE / name, {"backups": {}}
    if target.exists():
        raise SystemExit(f"{target} is there already; a golden repository is made once")
    program = pathlib.Path(build).resolve() / "pgstow"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)  # the server runs as another user
        os.environ["XDG_STATE_HOME"] = str(pathlib.Path(folder) / "state")
        with PrivateServer(pathlib.Path(folder) / "server", {"TimeZone": "UTC"}) as server:
            fill(server, target, program, expected, name.endswith("-encrypted"))
    shutil.rmtree(target / "tmp", ignore_errors=True)
    (HERE / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
