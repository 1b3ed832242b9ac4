"""tools/read_pgstow.py, written from docs/format.md alone, on encrypted repositories of today's program."""

import json
import os
import re
import subprocess
import sys

import pytest

from harness.cluster import E2E
from harness.errors import status_of
from harness.program import Pgstow, program

READER = E2E.parents[1] / "tools" / "read_pgstow.py"
WORDS = "words for the reader"


class Vault:
    """An encrypted repository, opened by WORDS or by what is said."""

    def __init__(self, cluster, folder, **env):
        self.env = {"PGSTOW_PASSPHRASE": WORDS, "PGSTOW_CHEAP_PASSPHRASES": "1", **env}
        self.pgstow = Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"), env=self.env)

    def read(self, *args, expect="OK", **key):
        env = {n: v for n, v in os.environ.items() if not n.startswith("PGSTOW_")}
        env.update(key or {"PGSTOW_PASSPHRASE": WORDS})
        done = subprocess.run([sys.executable, "-B", READER, self.pgstow.repo, *args], env=env, capture_output=True)
        assert done.returncode == status_of(expect), done
        return done.stdout

    def notes(self):
        rows = (line.split("\t", 1) for line in self.read("--notes").decode().splitlines())
        return {name: json.loads(text) for name, text in rows}

    def folders(self):
        return {name.split("/")[0] for name in self.notes()}

    def assert_same(self, backup, **key):
        """The reader's archive is export's, byte by byte."""
        ours = self.pgstow.run("export", backup, "-F", "custom", "-o", "-").stdout_bytes
        assert ours.startswith(b"PGDMP") and self.read(backup, "--archive", **key) == ours


def ciphers(vault):
    """Those in the key blocks of packs, which begin at byte 38."""
    return {path.read_bytes()[38] for path in (vault.pgstow.repo / "packs").rglob("*-*")}


@pytest.mark.parametrize("env, cipher", [({}, 1), ({"PGSTOW_NO_AES": "1"}, 2)], ids=["aes", "chacha20"])
def test_ciphers(cluster, folder, shop, env, cipher):
    vault = Vault(cluster, folder, **env)
    made = vault.pgstow.backup(shop, "--encrypt")
    if cipher == 1 and " aes " not in open("/proc/cpuinfo").read():
        cipher = 2  # this processor has none, and the program says so by itself
    assert ciphers(vault) == {cipher}
    vault.assert_same(made)
    relations = [json.loads(line) for line in vault.read(made, "relations").splitlines()]
    assert {"customer", "item", "empty_one"} <= {r["name"] for r in relations}
    # Either is opened everywhere, and one repository may hold both.
    vault.pgstow.env = {**vault.env, "PGSTOW_NO_AES": "1"}
    cluster.sql("UPDATE customer SET note = 'later' WHERE id < 9", shop)
    later = vault.pgstow.backup(shop)
    vault.assert_same(later)
    assert ciphers(vault) == {cipher, 2}


def test_keys_and_epochs(cluster, folder, shop, database):
    vault = Vault(cluster, folder)
    other = database(sql="CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 100) g")
    first = vault.pgstow.backup(shop, "--encrypt")
    host, sheet = folder / "host", folder / "sheet.pdf"
    vault.pgstow.run("key", "add", "--write-only", "--database", shop, "--new-key-file", host, "--name", "host")
    vault.pgstow.run("key", "export", "-o", sheet)
    vault.pgstow.run("key", "rotate")
    cluster.sql("UPDATE customer SET note = 'later' WHERE id < 9", shop)
    second = vault.pgstow.backup(shop)
    third = vault.pgstow.backup(other)

    text = subprocess.run(["pdftotext", "-layout", sheet, "-"], check=True, capture_output=True, text=True).stdout
    paper = folder / "paper"
    paper.write_text(" ".join(re.findall(r"\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b", text)).lower().replace("0", "o"))
    for backup in (first, second, third):
        vault.assert_same(backup)
        vault.assert_same(backup, PGSTOW_KEY_FILE=str(paper))
    typed = paper.read_text().replace("-", "- ")
    paper.write_text(typed[:-1] + ("y" if typed[-1] == "x" else "x"))
    vault.read(expect="KEY", PGSTOW_KEY_FILE=str(paper))
    vault.read(expect="KEY", PGSTOW_PASSPHRASE="others")

    # The write-only key: its own database's list, and no row of any.
    only = {"PGSTOW_KEY_FILE": str(host)}
    assert [line.split("\t")[0] for line in vault.read(**only).decode().splitlines()] == sorted([first, second])
    assert b"public.customer\t500\t" in vault.read(first, **only)
    for backup in (first, second, third):
        assert vault.read(backup, "public.customer" if backup != third else "public.t", expect="KEY", **only) == b""
    states = [line.split("\t") for line in vault.read("--keys").decode().splitlines()]
    assert {row[2]: row[5] for row in states if row[0] == "slot"} == dict.fromkeys(("passphrase", "write-only", "recovery"), "good")
    assert [row[1] for row in states if row[0] == "epoch"] == ["1", "2"]

    # Without its epoch a set does not count.
    epoch = vault.pgstow.repo / "keys" / "epoch-2"
    epoch.chmod(0o600)
    epoch.unlink()
    vault.read(second, expect="DAMAGED")


def test_other_objects_are_in_nobodys_way(cluster, folder, shop):
    """What is kept beside backups: pins, markers, numbers of lineages, origins. All are notes that it reads."""
    vault = Vault(cluster, folder)
    backups = [vault.pgstow.backup(shop, *args) for args in (["--encrypt"], [], [])]
    vault.pgstow.run("pin", backups[0])
    vault.pgstow.run("verify", "--level", "data")
    vault.pgstow.run("delete", backups[2])
    assert {"pins", "proofs", "ledger", "trash"} <= vault.folders()
    vault.pgstow.run("cleanup", "--yes", "--trash-days", "0")
    assert "lineages" in vault.folders() and "trash" not in vault.folders()
    kept = [line.split("\t")[0] for line in vault.read().decode().splitlines()]
    assert kept == backups[:2] == sorted(vault.pgstow.ids())
    copy = Vault(cluster, folder)
    copy.pgstow.repo = folder / "copy"
    vault.pgstow.run("copy", "--all", "--to", copy.pgstow.repo, "--encrypt", "--to-key-file", folder / "copy.key")
    key = {"PGSTOW_KEY_FILE": str(folder / "copy.key")}
    copy.pgstow.env = {**copy.env, **key, "PGSTOW_PASSPHRASE": ""}
    for backup in kept:
        vault.assert_same(backup)
        copy.assert_same(backup, **key)
    assert any(line.startswith(b"origins/") for line in copy.read("--notes", **key).splitlines())
