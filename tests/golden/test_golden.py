#!/usr/bin/env python3
"""Golden repositories, of every format version a plain and an encrypted one, stay readable: by pgstow, and by
the reader that was written from docs/format.md alone. Both must find what the server said when the repository
was made, and notice a byte that is not what it was. tests/e2e/test_golden_restore.py restores them.

    test_golden.py PGSTOW SOURCE-ROOT
"""
import contextlib
import functools
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
sys.dont_write_bytecode = True
sys.path.insert(0, str(reader.parent))
import read_pgstow  # noqa: E402

# One byte is changed at a time: what all the others become is known. (zstd may be another program each time.)
for pure in ("zstd", "decode"):
    setattr(read_pgstow, pure, functools.lru_cache(maxsize=None)(getattr(read_pgstow, pure)))

DAMAGED, KEY = 21, 41
scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
done = 0


def ok(condition, what):
    global done
    if not condition:
        sys.exit(f"not so: {what}")
    done += 1


class Key:
    """What stands in the environment for a repository to be opened. reads: rows too."""

    def __init__(self, reads=True, **env):
        self.reads, self.env = reads, env

    def __str__(self):
        return f"{self.env}"


def keys_of(expected):
    if "keys" not in expected:
        return [Key()]
    files = {}
    for way in ("file", "writeOnly"):
        files[way] = shutil.copy(HERE / expected["keys"][way], folder)
        os.chmod(files[way], 0o600)
    return [Key(PGSTOW_PASSPHRASE=expected["keys"]["passphrase"]), Key(PGSTOW_KEY_FILE=files["file"]),
            Key(False, PGSTOW_KEY_FILE=files["writeOnly"])]


def run(key, *command):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "BACKUP_", "DATABASE_"))}
    env.update(key.env, XDG_STATE_HOME=tempfile.mkdtemp(dir=folder))  # nothing that was seen earlier
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, env=env, cwd="/")


def read(key, repository, *args):
    found = run(key, sys.executable, "-B", reader, repository, *args)
    ok(found.returncode == 0, f"{reader.name} {args} with {key}: {found.stderr.decode()}")
    return found.stdout


def lines(key, repository, *args):
    return [line.split("\t") for line in read(key, repository, *args).decode().splitlines()]


def streams(key, repository, backup):
    return {name: {"rows": int(rows), "bytes": int(size)} for name, rows, size in lines(key, repository, backup)}


def check_reader(key, repository, expected, every):
    """every: of all backups, else of the newest."""
    listed = [line[0] for line in lines(key, repository)]
    ok(listed == sorted(expected["backups"]), f"the list is {listed}")
    for backup, tables in list(expected["backups"].items())[0 if every else -1:]:
        found = streams(key, repository, backup)
        others = set(found) - set(tables)
        ok({"toc", "large objects"} <= others <= {"toc", "large objects", "relations"} and set(tables) <= set(found),
           f"the streams of {backup} are {list(found)}")
        ok(read(key, repository, backup, "toc").startswith(b"PGDMP"), "a custom archive's header")
        archive = run(key, program, "--repo", repository, "export", backup, "-o", "-").stdout
        ok(archive[:5] == b"PGDMP" and read(key, repository, backup, "--archive") == archive, "a custom archive")
        for name in others:
            ok(len(read(key, repository, backup, name)) == found[name]["bytes"], f"the bytes of {name}")
        for name, table in tables.items():
            data = read(key, repository, backup, name)
            ok(found[name] == {"rows": table["rows"], "bytes": table["bytes"]}, f"sizes of {name}")
            ok(hashlib.sha256(data).hexdigest() == table["sha256"], f"the rows of {name}")


def check_notes(key, repository, expected):
    notes = {name: json.loads(line) for name, line in lines(key, repository, "--notes")}
    ok({n for n in notes if n.startswith("trash/")} == {f"trash/{b}" for b in expected["deleted"]}, "trash")
    for backup in expected["backups"]:
        proofs = [note for name, note in notes.items() if name.startswith(f"proofs/{backup}/")]
        ok(proofs and all(p["good"] and p["backup"] == backup for p in proofs), f"proofs of {backup}")


def check_write_only(key, repository, expected):
    """It lists the backups, and reads no row."""
    found = run(key, sys.executable, "-B", reader, repository)
    listed = [line.split("\t")[0] for line in found.stdout.decode().splitlines()]
    ok(found.returncode == 0 and listed == sorted(expected["backups"]), f"the list is {listed}")
    ok("rows cannot be read" in found.stderr.decode(), "the reader says what the key cannot do")
    for backup, tables in list(expected["backups"].items())[-1:]:
        ok(set(tables) <= set(streams(key, repository, backup)), f"the streams of {backup}")
        for name in ("toc", "large objects", *[n for n, table in tables.items() if table["bytes"]]):
            check_closed(run(key, sys.executable, "-B", reader, repository, backup, name), f"{name} with {key}")
        check_closed(run(key, program, "--repo", repository, "export", backup, "-o", "-"), f"export with {key}")


def check_closed(done, what):
    ok(done.returncode == KEY and not done.stdout, f"{what}: {done}")


def check_keys(key, repository):
    rows = lines(key, repository, "--keys")
    kinds = {row[2]: row[5] for row in rows if row[0] == "slot"}
    state = "good" if key.reads else "-"
    ok(kinds == dict.fromkeys(("passphrase", "key-file", "write-only"), state), f"the slots: {rows}")
    ok([row[1] for row in rows if row[0] == "epoch"] == ["1", "2"], f"the epochs: {rows}")


def check_pgstow(key, repository, expected):
    listed = run(key, program, "--repo", repository, "list", "--json")
    ok(listed.returncode == 0, f"list: {listed.stderr.decode()}")
    found = json.loads(listed.stdout)
    found = found if isinstance(found, list) else found["backups"]
    ok(sorted(b["id"] for b in found) == sorted(expected["backups"]), f"list says {found}")
    for b in found:
        tables = expected["backups"][b["id"]]
        ok(b["rows"] == sum(t["rows"] for t in tables.values()), f"rows of {b['id']}")
    verified = run(key, program, "--repo", repository, "verify", "--level", "rebuild")
    ok(verified.returncode == 0, f"verify: {verified.stdout.decode()} {verified.stderr.decode()}")
    for backup in expected["deleted"]:
        shown = run(key, program, "--repo", repository, "show", backup)
        ok(shown.returncode == 16, f"a deleted backup is shown: {shown.stdout.decode()}")
    for backup, tables in expected["backups"].items():
        check_rows(run(key, program, "--repo", repository, "export", backup, "--format", "plain", "-o", "-"), backup, tables)


def check_rows(exported, backup, tables):
    """Byte by byte what the server gave: between COPY and its end in the plain SQL."""
    ok(exported.returncode == 0, f"export of {backup}: {exported.stderr.decode()}")
    found = {}
    for name, data in re.findall(rb"^COPY ([^\n]+?) \([^\n]*\) FROM stdin;\n(.*?)^\\\.\n", exported.stdout, re.S | re.M):
        found[name.decode().replace('""', "\0").replace('"', "").replace("\0", '"')] = data
    ok(set(found) == set(tables), f"the tables of {backup} are {list(found)}")
    for name, table in tables.items():
        ok(hashlib.sha256(found[name]).hexdigest() == table["sha256"], f"the rows of {name} in {backup}")


# ---------------------------------------------------------------- damage


@contextlib.contextmanager
def environment(key):
    before = dict(os.environ)
    os.environ.update(key.env)
    yield
    os.environ.clear()
    os.environ.update(before)


def read_all(repository, backup):
    """All streams, by the reader: the frames that were read, as (file, offset, length)."""
    opened = read_pgstow.Repository(repository)
    places, frame = set(), opened.frame

    def noted(pack, number):
        found = frame(pack, number)
        _, offset, length, *_ = opened.packs[pack].frames[number]
        places.add((opened.packs[pack].file, offset, length))
        return found

    opened.frame = noted
    whole = read_pgstow.Backup(opened, backup)
    for stream in whole.streams:
        whole.read(stream, lambda data: None)
    return opened, places


def needed(repository, backup):
    """What a restore reads: (file, offset, length), everything."""
    opened, places = read_all(repository, backup)
    for file in {place[0] for place in places}:
        data = file.read_bytes()
        footer = int.from_bytes(data[-12:-8], "little") + 28
        header = 38 + int.from_bytes(data[36:38], "little") + 16
        places |= {(file, 0, header), (file, len(data) - footer, footer)}
    wholly = [repository / "config", repository / "backups" / f"{backup}.manifest"]
    if opened.keys:
        slot = opened.keys.slot["slot"]
        wholly += [*(repository / "keys").glob(f"{slot}.*"), *(repository / "keys").glob("epoch-*")]
    return sorted(places | {(file, 0, file.stat().st_size) for file in wholly})


def spread(length, count):
    """Places in it: both ends, and between them."""
    return sorted({0, length - 1, *(length * i // count for i in range(1, count))})


def notices(repository, backup):
    try:
        read_all(repository, backup)
        return False
    except (read_pgstow.Damaged, read_pgstow.NoKey):
        return True


def check_damage(key, golden, expected, keys_only):
    """Both must notice a changed byte, wherever it is in what the newest backup needs (keys_only: of its keys)."""
    backup = max(expected["backups"])
    repository = folder / "damaged"
    shutil.copytree(golden, repository)
    places = needed(repository, backup)
    ok(len(places) > 10, "the newest backup needs something")
    if keys_only:
        places = [place for place in places if place[0].parent.name == "keys"]
        ok(places, "the newest backup needs keys")
    for file, offset, length in places:
        original = file.read_bytes()
        large = length > 2000
        for at in spread(length, 4 if large else 8):
            damaged = bytearray(original)
            damaged[offset + at] ^= 4
            file.chmod(0o600)
            file.write_bytes(damaged)
            ok(notices(repository, backup), f"the reader, {file.name}, byte {offset + at}")
            if at in (0, length // 2):
                fresh = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "repository"  # verify marks what is damaged
                shutil.copytree(repository, fresh)
                verified = run(key, program, "--repo", fresh, "verify", backup, "--level", "data")
                ok(verified.returncode in (DAMAGED, KEY), f"verify, {file.name}, byte {offset + at}: {verified}")
                shutil.rmtree(fresh.parent)
        file.write_bytes(original)
    ok(not notices(repository, backup), "what was damaged is whole again")
    if key.env and not keys_only:
        check_forged(key, repository, backup)
    shutil.rmtree(repository)


def check_forged(key, repository, backup):
    """Other words, or another signature, under a sum that is right: by somebody who has no keys."""
    for name, old in (("config", b'"min": 2048'), ("keys/epoch-2", b'"created": "20'), ("config", b'"mac": "'),
                      ("keys/epoch-2", b'"fullMac": "'), ("keys/epoch-2", b'"mac": "')):
        file = repository / name
        original = file.read_bytes()
        line = bytearray(original.split(b"\n")[0])
        at = line.index(old) + len(old) - (1 if name == "config" and b"min" in old else 0)
        line[at] = ord("1") if line[at] != ord("1") else ord("2")
        file.chmod(0o600)
        file.write_bytes(line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n")
        ok(notices(repository, backup), f"the reader, {name} with another {old}")
        verified = run(key, program, "--repo", repository, "verify", backup, "--level", "quick")
        ok(verified.returncode in (DAMAGED, KEY), f"verify, {name} with another {old}: {verified}")
        file.write_bytes(original)


def check(golden, expected):
    keys = keys_of(expected)
    repository = folder / "repository"  # a copy: verify leaves proofs
    shutil.copytree(golden, repository)
    for key in keys:
        if key.reads:
            check_reader(key, repository, expected, key is keys[0])
            check_pgstow(key, repository, expected)
        else:
            check_write_only(key, repository, expected)
        check_notes(key, repository, expected)
        if key.env:
            check_keys(key, repository)
    if keys[0].env:
        for wrong in (Key(), Key(PGSTOW_PASSPHRASE="another one altogether")):
            check_closed(run(wrong, sys.executable, "-B", reader, repository), f"the list with {wrong}")
            exported = run(wrong, program, "--repo", repository, "export", max(expected["backups"]), "-o", "-")
            check_closed(exported, f"export with {wrong}")
    shutil.rmtree(repository)
    for key in keys:  # by a passphrase, which takes long to stretch, only what belongs to it
        if key.reads:
            with environment(key):
                check_damage(key, golden, expected, "PGSTOW_PASSPHRASE" in key.env)


kinds = set()
for description in sorted(HERE.glob("format-*.json")):
    check(HERE / description.stem, json.loads(description.read_text()))
    kinds.add(description.stem.endswith("-encrypted"))
ok(kinds == {False, True}, "there are golden repositories, plain and encrypted")
print(f"{done} checks of golden repositories passed")
