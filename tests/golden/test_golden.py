#!/usr/bin/env python3
"""Golden repositories, one of every format version, stay readable: by pgstow, and by the reader that was
written from docs/format.md alone. Both must find what the server said when the repository was made.

    test_golden.py PGSTOW SOURCE-ROOT
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

program, root = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])
reader = root / "tools" / "read_pgstow.py"
HERE = root / "tests" / "golden"
state = tempfile.TemporaryDirectory()
done = 0


def ok(condition, what):
    global done
    if not condition:
        sys.exit(f"not so: {what}")
    done += 1


def run(*command, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "BACKUP_", "DATABASE_"))}
    env.update(XDG_STATE_HOME=state.name, **more)
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, env=env, cwd="/")


def read(repository, *args):
    found = run(sys.executable, "-B", reader, repository, *args)
    ok(found.returncode == 0, f"{reader.name} {args}: {found.stderr.decode()}")
    return found.stdout


def streams(repository, backup):
    lines = [line.split("\t") for line in read(repository, backup).decode().splitlines()]
    return {name: {"rows": int(rows), "bytes": int(size)} for name, rows, size in lines}


def check_reader(repository, expected):
    listed = [line.split("\t")[0] for line in read(repository).decode().splitlines()]
    ok(listed == list(expected["backups"]), f"the list is {listed}")
    for backup, tables in expected["backups"].items():
        found = streams(repository, backup)
        ok(set(found) == {"toc", "large objects", *tables}, f"the streams of {backup} are {list(found)}")
        ok(read(repository, backup, "toc").startswith(b"PGDMP"), "a custom archive's header")
        archive = run(program, "--repo", repository, "export", backup, "-o", "-").stdout
        ok(archive[:5] == b"PGDMP" and read(repository, backup, "--archive") == archive, "a custom archive")
        ok(len(read(repository, backup, "large objects")) == found["large objects"]["bytes"], "large objects")
        for name, table in tables.items():
            data = read(repository, backup, name)
            ok(found[name] == {"rows": table["rows"], "bytes": table["bytes"]}, f"sizes of {name}")
            ok(hashlib.sha256(data).hexdigest() == table["sha256"], f"the rows of {name}")


def check_pgstow(repository, expected, **key):
    listed = run(program, "--repo", repository, "list", "--json", **key)
    ok(listed.returncode == 0, f"list: {listed.stderr.decode()}")
    found = json.loads(listed.stdout)
    found = found if isinstance(found, list) else found["backups"]
    ok(sorted(b["id"] for b in found) == sorted(expected["backups"]), f"list says {found}")
    for b in found:
        tables = expected["backups"][b["id"]]
        ok(b["rows"] == sum(t["rows"] for t in tables.values()), f"rows of {b['id']}")
    verified = run(program, "--repo", repository, "verify", "--level", "rebuild", **key)
    ok(verified.returncode == 0, f"verify: {verified.stdout.decode()} {verified.stderr.decode()}")
    for backup in expected["deleted"]:
        shown = run(program, "--repo", repository, "show", backup, **key)
        ok(shown.returncode == 16, f"a deleted backup is shown: {shown.stdout.decode()}")
    for backup, tables in expected["backups"].items():
        check_rows(run(program, "--repo", repository, "export", backup, "--format", "plain", "-o", "-", **key), backup, tables)


def check_rows(exported, backup, tables):
    """Byte by byte what the server gave: between COPY and its end in the plain SQL."""
    ok(exported.returncode == 0, f"export of {backup}: {exported.stderr.decode()}")
    found = {}
    for name, data in re.findall(rb"^COPY ([^\n]+?) \([^\n]*\) FROM stdin;\n(.*?)^\\\.\n", exported.stdout, re.S | re.M):
        found[name.decode().replace('""', "\0").replace('"', "").replace("\0", '"')] = data
    ok(set(found) == set(tables), f"the tables of {backup} are {list(found)}")
    for name, table in tables.items():
        ok(hashlib.sha256(found[name]).hexdigest() == table["sha256"], f"the rows of {name} in {backup}")


def check_keys(repository, expected, folder):
    """Every way in reads all; the write-only key and no key read no row."""
    ways = {}
    for way in ("file", "writeOnly"):
        copy = pathlib.Path(folder) / expected["keys"][way]
        shutil.copy(HERE / copy.name, copy)
        copy.chmod(0o600)
        ways[way] = {"PGSTOW_KEY_FILE": str(copy)}
    check_pgstow(repository, expected, **ways["file"])
    check_pgstow(repository, expected, PGSTOW_PASSPHRASE=expected["keys"]["passphrase"])
    backup = next(iter(expected["backups"]))
    for key in ({}, ways["writeOnly"], {"PGSTOW_PASSPHRASE": "another one altogether"}):
        exported = run(program, "--repo", repository, "export", backup, "--format", "plain", "-o", "-", **key)
        ok(exported.returncode == 41 and not exported.stdout, f"read with {key}: {exported.stderr.decode()}")


def check_damage(repository, expected):
    """Both must notice a changed byte, wherever it is in a pack that the newest backup needs."""
    backup = list(expected["backups"])[-1]
    largest = max((repository / "packs").rglob("*-*"), key=lambda file: file.stat().st_size)
    original = largest.read_bytes()
    for at in (3, 30, len(original) // 3, len(original) * 2 // 3, len(original) - 40, len(original) - 3):
        damaged = bytearray(original)
        damaged[at] ^= 4
        largest.chmod(0o600)
        largest.write_bytes(damaged)
        names = list(streams(repository, backup))
        found = [run(sys.executable, "-B", reader, repository, backup, name).returncode for name in names]
        ok(21 in found and set(found) <= {0, 21}, f"the reader, byte {at}: {found}")
        verified = run(program, "--repo", repository, "verify", "--level", "data")
        ok(verified.returncode == 21, f"verify, byte {at}: {verified.returncode}")
    largest.write_bytes(original)


for description in sorted(HERE.glob("format-*.json")):
    with tempfile.TemporaryDirectory() as folder:
        repository = pathlib.Path(folder) / "repository"  # a copy: verify leaves proofs
        shutil.copytree(HERE / description.stem, repository)
        wanted = json.loads(description.read_text())
        if "keys" in wanted:
            check_keys(repository, wanted, folder)
            continue
        check_reader(repository, wanted)
        check_pgstow(repository, wanted)
        check_damage(repository, wanted)
ok(done > 30, "there is a golden repository")
print(f"{done} checks of golden repositories passed")
