"""token: who may use the service's API. What a token may do is shown by test_api.py."""

import hashlib
import re
import sqlite3

import pytest
from harness.mounts import needs_root

TOKEN = re.compile(r"pgstow_[0-9a-f]{64}")


@pytest.fixture
def token(pgstow, folder):
    """Runs `pgstow token ...` with a state of the test's own."""
    state = folder / "state"

    def run(*args, **kwargs):
        return pgstow.run("token", *args, repo=False, env={"PGSTOW_STATE_DIR": str(state)}, **kwargs)

    run.database = state / "state.db"
    return run


def rows(token, sql):
    with sqlite3.connect(f"file:{token.database}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def test_a_token_is_told_once_and_kept_as_a_hash(token):
    result = token("add", "deploy", "--role", "operator")
    text = result.stdout.splitlines()[-1]
    assert TOKEN.fullmatch(text) and "deploy" in result.stdout
    assert token("add", "quiet", "--role", "viewer", "--quiet").stdout.count("\n") == 1
    for file in token.database.parent.iterdir():
        assert text.encode() not in file.read_bytes() and text[7:].encode() not in file.read_bytes()
    assert token.database.parent.stat().st_mode & 0o777 == 0o700
    hashes = rows(token, "SELECT hash FROM token WHERE name = 'deploy'")
    assert [bytes(h[0]) for h in hashes] == [hashlib.sha256(text.encode()).digest()]
    assert text not in token("list", "--json").stdout


def test_list_and_revoke(token):
    assert token("list").says("no tokens").status == 0
    token("add", "one", "--role", "admin")
    made = token("add", "two", "--role", "viewer", "--expires", "2h", "--json").json
    assert TOKEN.fullmatch(made["token"]) and made["role"] == "viewer" and made["expires"].endswith("Z")
    token("add", "one", "--role", "viewer", expect="EXISTS").error_says("one")
    assert token("revoke", "one", "--json").json == {"revoked": "one"}
    token("revoke", "one", expect="NOT_FOUND")
    again = token("add", "one", "--role", "viewer", "--expires", "2099-12-31", "--json").json
    assert again["expires"] == "2099-12-31T00:00:00.000Z"
    listed = [(t["name"], t["role"], t["state"], bool(t["expires"])) for t in token("list", "--json").json["tokens"]]
    assert listed == [("one", "viewer", "valid", True), ("two", "viewer", "valid", True), ("one", "admin", "revoked", False)]
    token("list").says(r"one\s+admin\s+revoked", r"two\s+viewer\s+valid")


def test_each_change_is_in_the_audit_log(token):
    token("add", "one", "--role", "admin")
    token("add", "one", "--role", "admin", expect="EXISTS")
    token("revoke", "one")
    token("revoke", "two", expect="NOT_FOUND")
    told = rows(token, "SELECT action, object, outcome, origin, actor <> '' FROM audit ORDER BY id")
    assert told == [("token.add", "one", "done", "cli", 1), ("token.add", "one", "failed", "cli", 1),
                    ("token.revoke", "one", "done", "cli", 1), ("token.revoke", "two", "failed", "cli", 1)]


@pytest.mark.parametrize(
    "args, words",
    [
        (["add", "x"], ["role", "viewer"]),
        (["add", "x", "--role", "owner"], ["no role", "operator"]),
        (["add"], ["needs a name"]),
        (["add", "a b", "--role", "viewer"], ["cannot be a token's name"]),
        (["add", "../x", "--role", "viewer"], ["cannot be a token's name"]),
        (["add", "x", "--role", "viewer", "--expires", "2001-01-01"], ["expired"]),
        (["add", "x", "--role", "viewer", "--expires", "soon"], ["soon", "90d"]),
        (["add", "x", "--role", "viewer", "--expires", "90"], ["90d"]),
        (["add", "x", "--role", "viewer", "--expires", "0d"], ["90d"]),
        (["add", "x", "--role", "viewer", "--expires", "900000000000d"], ["90d"]),
        (["list", "--role", "viewer"], ["token add"]),
        (["list", "x"], ["no argument"]),
        (["burn"], ["burn", "revoke"]),
    ],
)
def test_what_is_no_token_is_refused(token, args, words):
    token(*args, expect="USAGE").error_says(*words)
    assert not token.database.exists() or rows(token, "SELECT count(*) FROM token") == [(0,)]


def test_the_service_of_the_host_has_a_user_of_its_own(pgstow):
    """/var/lib/pgstow is his; root is told so, instead of making tokens that are good for nothing."""
    needs_root()
    program = pgstow.folder / "as_if_installed"
    program.write_text(f"""#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs tmpfs /var/lib && install -d -m 700 -o nobody /var/lib/pgstow &&
    exec setpriv --reuid "$AS" --clear-groups {pgstow.binary} "$@"' sh "$@"
""")
    program.chmod(0o755)
    pgstow.binary = program

    def run(who, *args, expect="OK", **env):
        return pgstow.run(*args, repo=False, env={"XDG_STATE_HOME": None, "AS": who, **env}, expect=expect)

    add = ["token", "add", "one", "--role", "viewer"]
    assert TOKEN.fullmatch(run("nobody", *add).stdout.splitlines()[-1])
    run("root", *add, expect="IO").error_says("another user: nobody", "sudo -u nobody")
    run("root", "jobs", expect="NOT_FOUND").error_says("sudo -u nobody")
    assert not (pgstow.home / ".local").exists()
    run("root", *add, PGSTOW_STATE_DIR=pgstow.folder / "own")
