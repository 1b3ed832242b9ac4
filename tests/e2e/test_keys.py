"""Encrypted repositories: every way in, what each may do, and what somebody without a key finds."""

import fcntl
import hashlib
import json
import os
import pty
import re
import select
import stat
import subprocess
import termios
import time

import pytest

from harness import compare
from harness.cluster import SLOWER
from harness.program import Pgstow, program

WORDS = "correct horse battery staple"
CHEAP = {"PGSTOW_CHEAP_PASSPHRASES": "1"}  # heard by the tests' twin only


def sealed(cluster, folder, **env):
    """The program in a folder whose repository opens by WORDS, unless said otherwise."""
    folder.mkdir(exist_ok=True)
    env = {"PGSTOW_PASSPHRASE": WORDS, **CHEAP, **env}
    return Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"), env=env)


@pytest.fixture
def vault(cluster, folder):
    return sealed(cluster, folder)


def only(vault, **env):
    """The same repository with these ways in and no other."""
    new = Pgstow(vault.cluster, vault.folder, binary=vault.binary, env={**CHEAP, **env})
    new.repo = vault.repo
    return new


def key_list(vault):
    return vault.run("key", "list", "--json").json


def by_name(vault):
    return {key["name"]: key for key in key_list(vault)["keys"]}


# ---------------------------------------------------------------- there and back


def test_backup_and_restore(vault, cluster, shop, database):
    target = database()
    made = vault.run("backup", "--encrypt", db=shop)
    made.error_says("pgstow key export")
    vault.restore(made.id, target)
    compare.assert_same(cluster, shop, target)
    assert vault.metadata(made.id)["encrypted"] is True
    config = json.loads((vault.repo / "config").read_text().splitlines()[0])
    assert config["features"] == {use: ["encryption"] for use in ("read", "write", "delete")}
    vault.run("verify", "--level", "rebuild")
    # Once it is there nobody has to say --encrypt again.
    cluster.sql("INSERT INTO customer VALUES (501, 'later', 'x')", shop)
    again = vault.run("backup", "--json", db=shop)
    assert "key export" not in again.stderr  # said once
    second = again.json
    assert 0 < second["newBytes"] < 0.6 * second["size"]


def test_nothing_legible(vault, cluster, shop):
    """No row, no name of a table or column, no word of a filter or tag in any file."""
    vault.backup(shop, "--encrypt", "--compression", "false", "--tag", "why=Rumpelstiltskin")
    vault.run("verify")
    looked = 0
    words = [b"customer", b"name 17", b"price", b"counter", b"large object", b"Rumpelstiltskin", b"name 250"]
    for path in vault.repo.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            looked += len(data)
            found = [w for w in words if w in data]
            assert not found, (path, found)
    assert looked > 200_000


def test_wrong_and_missing_keys(vault, cluster, shop, database):
    made = vault.backup(shop, "--encrypt")
    wrong = only(vault, PGSTOW_PASSPHRASE="correct house")
    none = only(vault)
    target = database()
    for verb in (["list"], ["show", made], ["verify"], ["restore", made], ["backup"], ["key", "list"]):
        db = target if verb[0] in ("restore", "backup") else None
        wrong.run(*verb, db=db, expect="KEY").error_says("PGSTOW_PASSPHRASE does not open")
        none.run(*verb, db=db, expect="KEY").error_says("hint: .*PGSTOW_PASSPHRASE", "--key-file", "--passphrase-command")
    only(vault, PGSTOW_PASSPHRASE="").run("list", expect="KEY")
    assert vault.ids() == [made]


def test_plain_repositories(pgstow, shop):
    pgstow.backup(shop)
    pgstow.run("backup", "--encrypt", db=shop, expect="CONFIG").error_says("not encrypted", "pgstow copy --all --to NEW")
    pgstow.run("backup", db=shop, env={"BACKUP_ENCRYPTION": "true"}, expect="CONFIG")
    # Reading it is no matter of keys.
    pgstow.run("list", env={"BACKUP_ENCRYPTION": "true", "PGSTOW_PASSPHRASE": WORDS})
    pgstow.run("key", "list", expect="KEY").error_says("not encrypted")
    # But who gives a key does not want to write what all can read.
    pgstow.run("list", env={"PGSTOW_PASSPHRASE": WORDS}).error_says("a key is given")
    pgstow.run("backup", db=shop, env={"PGSTOW_PASSPHRASE": WORDS}, expect="CONFIG").error_says("a key is given")
    assert len(pgstow.ids()) == 1


def test_a_key_without_encryption_makes_nothing(vault, shop):
    vault.run("backup", db=shop, expect="CONFIG").error_says("--encrypt")
    assert not vault.repo.exists()
    vault.run("backup", "--encrypt", db=shop, env={"PGSTOW_PASSPHRASE": None}, expect="KEY")
    assert not vault.repo.exists()
    vault.run("backup", "--encrypt", db=shop, env={"PGSTOW_PASSPHRASE": "short"}).error_says("passphrase is short")


def test_the_installed_program_makes_passphrases_slow(cluster, folder, shop):
    real = Pgstow(cluster, folder, env={"PGSTOW_PASSPHRASE": WORDS, **CHEAP})
    real.backup(shop, "--encrypt")
    (slot,) = (real.repo / "keys").glob("*.slot")
    kdf = json.loads(slot.read_text().splitlines()[0])["kdf"]
    assert (kdf["ops"], kdf["memory"]) == (3, 256 << 20)
    assert len(real.ids()) == 1


# ---------------------------------------------------------------- ways in


def test_no_key_to_begin_with(vault, shop):
    """Nothing is there yet, so nothing is called encrypted."""
    said = only(vault).run("backup", "--encrypt", db=shop, expect="KEY")
    said.error_says("is to be encrypted", "PGSTOW_PASSPHRASE")
    assert "is encrypted" not in said.said


def test_key_file(vault, cluster, shop, database, folder):
    file = folder / "the key"
    keyed = only(vault, PGSTOW_KEY_FILE=str(file))
    made = keyed.run("backup", "--encrypt", db=shop)
    made.error_says("made the key file", "pgstow key export")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    target = database()
    keyed.restore(made.id, target)
    compare.assert_same(cluster, shop, target)
    # A flag beats the environment: a wrong passphrase there does not matter.
    only(vault, PGSTOW_PASSPHRASE="wrong").run("list", "--key-file", file)
    file.chmod(0o644)
    keyed.run("list").error_says("chmod 600")
    # A shell's <(...) whose command has not written yet.
    slow = ["bash", "-c", 'f="$1"; shift; exec "$@" --key-file <(sleep 0.5; cat "$f")', "bash", str(file)]
    only_it = only(vault)
    subprocess.run([*slow, *only_it.command(["list"])], env=only_it.environment(), check=True, stdout=subprocess.DEVNULL)
    # A slip of the hand is named.
    text = file.read_text()
    spoilt = folder / "spoilt"
    last = text.rstrip()[-1]
    spoilt.write_text(text.rstrip()[:-1] + ("A" if last != "A" else "B"))
    only(vault, PGSTOW_KEY_FILE=str(spoilt)).run("list", expect="KEY").error_says("slip in groups 15 and 16")
    only(vault, PGSTOW_KEY_FILE=str(folder / "none")).run("list", expect="KEY").error_says("cannot read the key file")


def test_passphrase_command(vault, shop, folder):
    vault.backup(shop, "--encrypt")
    file = folder / "words"
    file.write_text(WORDS + "\n")
    other = only(vault)
    other.run("list", "--passphrase-command", f"cat '{file}'")
    (folder / "own.yaml").write_text(f"encryption:\n  passphraseCommand: cat '{file}'\n")
    other.run("list", "--config", folder / "own.yaml")
    other.run("list", env={"PGSTOW_PASSPHRASE": WORDS + "\r\n"})
    other.run("list", "--passphrase-command", "false", expect="KEY").error_says("failed with status 1")
    other.run("list", "--passphrase-command", "yes", expect="KEY").error_says("printed more than the passphrase can be")
    other.run("list", "--passphrase-command", "true", expect="KEY").error_says("empty")
    other.run("list", "--passphrase-command", "/nonexistent", expect="TOOL_MISSING")


def test_secrets_are_not_handed_on(vault, shop, folder):
    """Neither to a guarded command nor to PostgreSQL's tools; and config show does not tell."""
    vault.backup(shop, "--encrypt")
    spy = folder / "spy"
    log = folder / "seen"
    real = vault.cluster.bin / "pg_dump"
    spy.write_text(f"#!/bin/sh\nenv >>{log}\ntr '\\0' '\\n' </proc/$PPID/environ >>{log} 2>&1\nexec {real} \"$@\"\n")
    spy.chmod(0o755)
    env = {"PGSTOW_NEW_PASSPHRASE": "another secret"}
    vault.run("guard", "--", "sh", "-c", f"env >>{log}; true", db=shop, env={**env, "PGSTOW_PG_DUMP": str(spy)})
    seen = log.read_text()
    assert seen.count("PATH=") >= 2
    assert WORDS not in seen and "another secret" not in seen and not re.search("_PASSPHRASE=.", seen)
    shown = vault.run("config", "show", "--json", env=env)
    assert WORDS not in shown.said and "another secret" not in shown.said
    assert '"***"' in shown.stdout


def converse(vault, args, answers, timeout=60):
    """Runs it on a terminal of its own and types each answer when a question has come. What was shown."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        vault.command(args), stdin=follower, stdout=follower, stderr=follower, env=vault.environment(),
        cwd=vault.folder, start_new_session=True, close_fds=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(follower)
    shown, answers = b"", list(answers)
    deadline = time.monotonic() + timeout * SLOWER
    asked = 0
    while True:
        assert time.monotonic() < deadline, shown
        if select.select([leader], [], [], 0.2)[0]:
            try:
                got = os.read(leader, 4096)
            except OSError:
                break
            if not got:
                break
            shown += got
        if answers and shown.count(b": ", asked) and shown.rstrip(b" ").endswith(b":"):
            asked = len(shown)
            os.write(leader, answers.pop(0).encode() + b"\n")
    assert termios.tcgetattr(leader)[3] & termios.ECHO, "what is typed next is not shown"
    os.close(leader)
    return process.wait(timeout=timeout), shown.decode(errors="replace")


def test_typed(vault, shop):
    vault.backup(shop, "--encrypt")
    typist = only(vault)
    status, shown = converse(typist, ["list"], [WORDS])
    assert status == 0 and "passphrase or recovery key of" in shown and WORDS not in shown, shown
    status, shown = converse(typist, ["list"], ["something else"])
    assert status != 0 and "what was typed does not open" in shown, shown
    # Neither Ctrl-C nor what would stop or kill it leaves the terminal without echo.
    status, shown = converse(typist, ["list"], ["\x03"])
    assert status != 0 and "does not open" not in shown, shown
    status, shown = converse(typist, ["list", "--json"], ["\x1a\x1c" + WORDS])
    assert status == 0 and WORDS not in shown, shown
    # A new one is asked for twice.
    status, shown = converse(typist, ["key", "add", "--name", "mine"], [WORDS, "a new one, long", "a new one, lung"])
    assert status != 0 and "not the same" in shown, shown
    status, shown = converse(typist, ["key", "add", "--name", "mine"], [WORDS, "a new one, long", "a new one, long"])
    assert status == 0 and 'added' in shown and "a new one" not in shown, shown
    assert len(only(vault, PGSTOW_PASSPHRASE="a new one, long").ids()) == 1
    assert set(by_name(vault)) == {"passphrase", "mine"}


# ---------------------------------------------------------------- slots


def test_add_list_remove_rotate(vault, cluster, shop, folder, database):
    first = vault.backup(shop, "--encrypt")
    vault.run("key", "add", "--name", "colleague", env={"PGSTOW_NEW_PASSPHRASE": "a colleague's words"})
    office = folder / "office.key"
    vault.run("key", "add", "--new-key-file", office, "--name", "office").says("added .* \"office\" \\(key-file\\)")
    assert stat.S_IMODE(office.stat().st_mode) == 0o600
    vault.run("key", "add", "--new-key-file", office, "--name", "again", expect="EXISTS")
    vault.run("key", "add", "--new-key-file", folder / "x", "--name", "office", expect="EXISTS")
    assert not (folder / "x").exists()
    keys = key_list(vault)
    assert keys["epoch"] == 1 and [k["name"] for k in keys["keys"]] == ["passphrase", "colleague", "office"]
    assert [k["inUse"] for k in keys["keys"]] == [True, False, False]
    assert {k["state"] for k in keys["keys"]} == {"good"}

    colleague = only(vault, PGSTOW_PASSPHRASE="a colleague's words")
    assert colleague.ids() == [first]
    colleague.run("key", "rotate").says("epoch 2")
    cluster.sql("UPDATE item SET price = price + 1 WHERE id < 50", shop)
    second = vault.run("backup", "--json", db=shop).json
    assert second["newBytes"] < 0.7 * second["size"]  # the ids of chunks are the same in every epoch
    with_file = only(vault, PGSTOW_KEY_FILE=str(office))
    target = database()
    with_file.restore(second["id"], target)
    compare.assert_same(cluster, shop, target)
    with_file.run("verify", first, "--level", "rebuild")

    # Without a terminal it is said which of the two passphrases is missing.
    vault.run("key", "add", expect="KEY").error_says("no new passphrase", "PGSTOW_NEW_PASSPHRASE")
    # Removed: it opens nothing any more; rotated after that: not even for whoever kept the files.
    vault.run("key", "remove", "colleague").error_says("rotate")
    colleague.run("list", expect="KEY")
    vault.run("key", "remove", by_name(vault)["office"]["id"][:9])
    vault.run("key", "remove", "passphrase", expect="CONFLICT").error_says("last key")
    vault.run("key", "remove", "nobody", expect="NOT_FOUND")
    assert vault.run("key", "rotate", "--json").json["epoch"] == 3
    assert len(vault.ids()) == 2
    vault.run("key", "remove", expect="USAGE")
    vault.run("key", "lost", expect="USAGE").error_says("did you mean list")
    vault.run("key", "list", "--write-only", expect="USAGE").error_says("belongs to key add")


@pytest.mark.parametrize("verb", ["rotate", *(pytest.param(v, marks=pytest.mark.slow) for v in ("add", "remove"))])
def test_killed(cluster, folder, shop, verb):
    """At every point, and with an error instead: whoever could open it can, and the next try works."""
    vault = sealed(cluster, folder)
    made = vault.backup(shop, "--encrypt")
    vault.run("key", "add", "--name", "other", env={"PGSTOW_NEW_PASSPHRASE": "other words, long"})
    saved = folder / "saved"
    subprocess.run(["cp", "-a", vault.repo, saved], check=True)
    other = only(vault, PGSTOW_PASSPHRASE="other words, long")
    args = {"add": ["add", "--new-key-file", "new.key"], "remove": ["remove", "other"], "rotate": ["rotate"]}[verb]

    def fresh():
        subprocess.run(["rm", "-rf", vault.repo, folder / "new.key"], check=True)
        subprocess.run(["cp", "-a", saved, vault.repo], check=True)

    listing = folder / "points"
    vault.run("key", *args, env={"PGSTOW_FAULT_LIST": listing})
    points = [p for p in dict.fromkeys(listing.read_text().split()) if p.startswith("keys.")]
    assert len(points) >= 3
    for point in points:
        for action in ("kill", "error"):
            fresh()
            with vault.start("key", *args, env={"PGSTOW_FAULT": f"{point}:{action}"}) as run:
                assert run.wait().status != 0
            if action == "error":
                assert verb != "add" or not (folder / "new.key").exists(), point
            assert vault.ids() == [made], point
            gone = verb == "remove" and point not in ("keys.remove.begin",)
            other.run("list", expect="KEY" if gone else "OK")
            (folder / "new.key").unlink(missing_ok=True)
            if gone:
                assert set(by_name(vault)) == {"passphrase"}
            else:
                vault.run("key", *args)
            # What was left half done is in nobody's way.
            assert {key["state"] for key in vault.run("key", "rotate", "--json").json["keys"]} == {"good"}
    vault.backup(shop)


def test_killed_at_first_use(cluster, folder, shop):
    listing = folder / "points"
    vault = sealed(cluster, folder / "first")
    vault.run("backup", "--encrypt", db=shop, env={"PGSTOW_FAULT_LIST": listing})
    points = [p for p in dict.fromkeys(listing.read_text().split()) if p.startswith("keys.create")]
    assert len(points) == 3
    for point in points:
        vault = sealed(cluster, folder / point)
        with vault.start("backup", "--encrypt", db=shop, env={"PGSTOW_FAULT": f"{point}:kill"}) as run:
            assert run.wait().status != 0
        cluster.assert_no_clients()
        assert not (vault.repo / "config").exists()
        vault.backup(shop, "--encrypt")
        assert len(vault.ids()) == 1 and len(key_list(vault)["keys"]) >= 1


# ---------------------------------------------------------------- write-only


def test_write_only(vault, cluster, shop, folder, database):
    """A host that backs up with full deduplication, and reads no row back."""
    first = vault.run("backup", "--encrypt", "--compression", "false", "--json", db=shop).json
    file = folder / "web1.key"
    vault.run("key", "add", "--write-only", "--database", shop, "--new-key-file", file, "--name", "web1")
    assert by_name(vault)["web1"]["databases"] == [shop]
    host = only(vault, PGSTOW_KEY_FILE=str(file))
    again = host.run("backup", "--compression", "false", "--json", db=shop).json
    assert again["newBytes"] < 0.1 * first["newBytes"], (first, again)
    cluster.sql("UPDATE customer SET note = 'changed' WHERE id = 7", shop)
    third = host.run("backup", "--compression", "false", "--json", db=shop).json
    assert again["newBytes"] < third["newBytes"] < 0.3 * first["newBytes"]
    assert len(host.ids()) == 3
    host.run("show", third["id"])
    target = database()
    for verb in (
        ["restore", third["id"]], ["restore", third["id"], "--merge", "upsert"], ["verify", third["id"]],
        ["export", third["id"], "-o", folder / "x.dump"], ["export", third["id"], "--format", "csv", "-o", folder / "csv"],
        ["diff", first["id"], third["id"], "--rows"], ["diff", third["id"], "live"],
    ):  # fmt: skip
        result = host.run(*verb, db=target if verb[0] == "restore" else shop, expect=None)
        assert result.status != 0, result
        result.expect("KEY").error_says("may only write backups")
        assert "name 17" not in result.said and "changed" not in result.said
    assert cluster.sql("SELECT count(*) FROM pg_class WHERE relname = 'customer'", target).strip() == "0"
    assert not (folder / "x.dump").exists() and not (folder / "csv").exists()
    host.run("verify", "--level", "quick")
    # Another database is not his, and keys are not either.
    stranger = database(sql="CREATE TABLE t AS SELECT 1 AS a")
    host.run("backup", db=stranger, expect="KEY").error_says("not for")
    other = vault.backup(stranger)
    assert other not in host.run("verify", "--level", "quick", "--json").json["good"]
    host.run("verify", other, "--level", "quick", expect="KEY")
    host.run("key", "rotate", expect="KEY")
    host.run("key", "add", "--new-key-file", folder / "y", expect="KEY")
    assert not (folder / "y").exists()
    # What he wrote is good.
    vault.restore(third["id"], target)
    compare.assert_same(cluster, shop, target)
    vault.run("verify", "--level", "rebuild")
    # After a rotation he goes on, with what he is given then.
    vault.run("key", "rotate")
    fourth = host.run("backup", "--compression", "false", "--json", db=shop).json
    assert fourth["newBytes"] < 0.1 * first["newBytes"]


def test_a_proof_is_not_its_name(vault, shop):
    """Whoever can write to the repository names a file like a proof: verify looks for itself all the same."""
    made = vault.run("backup", "--encrypt", "--json", db=shop).json["id"]
    folder = vault.repo / "proofs" / made
    folder.mkdir(parents=True, exist_ok=True)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    (folder / f"{now}-rebuild-good-0123456789abcdef").write_bytes(b"PGSTOWNT")
    before = set(folder.iterdir())
    report = vault.run("verify", "--level", "rebuild", "--older-than", "30d", "--json", expect=None).json
    assert made in report["good"], report
    assert ["-rebuild-good-" in str(p) for p in set(folder.iterdir()) - before] == [True]


# ---------------------------------------------------------------- the sheet


def test_recovery_sheet(vault, cluster, shop, database, folder):
    """What stands on paper is enough on a new machine: by the code, and by hand."""
    made = vault.backup(shop, "--encrypt")
    vault.run("key", "export", expect="USAGE").error_says("-o recovery.pdf")
    vault.run("key", "export", "-o", folder / "sheet.png", expect="USAGE").error_says("is a PDF")
    sheet = folder / "sheet.pdf"
    vault.run("key", "export", "-o", sheet)
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    vault.run("key", "export", "-o", sheet, expect="EXISTS")
    assert [k["kind"] for k in key_list(vault)["keys"]] == ["passphrase", "recovery"]
    piped = vault.run("key", "export", "-o", "-", "--name", "second")
    assert piped.stdout_bytes.startswith(b"%PDF")

    text = subprocess.run(["pdftotext", "-layout", sheet, "-"], check=True, capture_output=True, text=True).stdout
    config = json.loads((vault.repo / "config").read_text().splitlines()[0])
    assert config["id"] in text and "pgstow restore" in text
    by_hand = re.findall(r"\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b", text)
    assert len(by_hand) == 4, text
    subprocess.run(["pdftoppm", "-r", "100", "-png", sheet, folder / "page"], check=True)
    (page,) = folder.glob("page*.png")
    code = subprocess.run(["zbarimg", "--quiet", "--raw", page], check=True, capture_output=True, text=True).stdout
    assert code.split() == ["PGSTOW-KEY", *by_hand]

    (folder / "new machine").mkdir()
    moved = Pgstow(cluster, folder / "new machine", binary=vault.binary, env=CHEAP)
    moved.repo = folder / "elsewhere"
    subprocess.run(["cp", "-a", vault.repo, moved.repo], check=True)
    (folder / "scanned").write_text(code)
    (folder / "typed").write_text("\n".join(by_hand).lower().replace("-", " ").replace("0", "o"))
    for name in ("scanned", "typed"):
        (folder / name).chmod(0o600)
        target = database()
        moved.restore(made, target, "--key-file", folder / name)
        compare.assert_same(cluster, shop, target)
    moved.run("key", "add", "--key-file", folder / "typed", env={"PGSTOW_NEW_PASSPHRASE": "a fresh start, long"})
    assert len(moved.list(env={"PGSTOW_PASSPHRASE": "a fresh start, long"})) == 1
    status, shown = converse(only(vault), ["list"], [" ".join(by_hand)])
    assert status == 0, shown


# ---------------------------------------------------------------- what this host has seen


@pytest.fixture
def memory(vault):
    """What the one host remembers on which all runs of the vault are."""
    vault.env["XDG_STATE_HOME"] = str(vault.folder / "state")
    return vault.folder / "state/pgstow/seen.json"


def test_an_older_state_is_noticed(vault, memory, shop, folder):
    vault.backup(shop, "--encrypt")
    subprocess.run(["cp", "-a", vault.repo, folder / "older"], check=True)
    second = vault.backup(shop)
    seen = json.loads(memory.read_text())["repositories"]
    assert [(r["place"], r["encrypted"], r["epoch"]) for r in seen] == [(str(vault.repo), True, 1)]
    (last,) = seen[0]["lineages"]
    manifest = (vault.repo / "backups" / f"{second}.manifest").read_bytes()
    assert (last["id"], last["sequence"]) == (second, 2)
    assert last["checksum"] == hashlib.sha256(manifest).hexdigest()

    def exchange(other):
        vault.repo.rename(folder / f"away {time.monotonic()}")
        subprocess.run(["cp", "-a", folder / other, vault.repo], check=True)

    subprocess.run(["cp", "-a", vault.repo, folder / "newest"], check=True)
    exchange("older")
    vault.run("list").error_says("not what it was", second, "backup with --accept-older")
    vault.run("backup", db=shop, expect="CONFIRM").error_says(second, "--accept-older")
    assert len(vault.ids()) == 1
    # It is opened several times by one run: no file of it is closed by what the host remembers.
    # And yet it is said once.
    assert vault.run("verify", "--level", "drill", db=shop).stderr.count("not what it was") == 1
    # Other hosts have not seen it.
    elsewhere = {"XDG_STATE_HOME": folder / "other state"}
    assert "not what it was" not in vault.run("list", env=elsewhere).stderr
    exchange("newest")
    assert "not what it was" not in vault.run("list").stderr
    # A deleted backup is nothing that went back.
    vault.run("delete", second)
    vault.backup(shop)

    vault.run("key", "rotate")
    vault.run("list")
    exchange("newest")
    vault.run("backup", db=shop, expect="CONFIRM").error_says("keys of epoch 2")
    third = vault.backup(shop, "--accept-older")
    assert "not what it was" not in vault.run("list").stderr
    assert third in vault.ids()


def test_another_repository_is_noticed(vault, memory, shop, folder):
    vault.backup(shop, "--encrypt")
    first = vault.repo.rename(folder / "first")
    vault.run("backup", "--encrypt", db=shop, expect="CONFIRM").error_says("now there is none", "not mounted")
    assert not (vault.repo / "config").exists()
    vault.run("list", expect="REPO_NOT_FOUND")
    # A plain one, by somebody who hopes that the next backup goes there.
    only(vault).run("backup", db=shop)
    assert memory.exists()
    vault.run("backup", db=shop, env={"PGSTOW_PASSPHRASE": None}, expect="CONFIRM").error_says("another repository")
    vault.run("list").error_says("another repository")
    subprocess.run(["rm", "-rf", vault.repo], check=True)
    first.rename(vault.repo)
    vault.backup(shop)
    assert "not what it was" not in vault.run("list").stderr


def test_the_memory_stands_in_nobodys_way(vault, memory, shop, folder):
    state = folder / "no folder"
    state.write_text("")
    env = {"XDG_STATE_HOME": state}
    vault.run("backup", "--encrypt", db=shop, env=env).error_says("cannot be kept")
    memory.parent.mkdir(parents=True)
    memory.write_text("{")
    vault.run("backup", db=shop).error_says("is lost")
    assert "warning" not in vault.run("list").stderr
    assert len(vault.ids()) == 2
