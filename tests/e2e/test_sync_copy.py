"""The way between two repositories: what is sent, and what of it again; what of a repository a peer sees."""

import hashlib
import os

import pytest
from harness import proxy
from harness.cluster import wait_until
from harness.sites import ENTRY
from test_sync_pull import SQL, ask, pair, peer_headers, reset  # noqa: F401

PULL = pytest.mark.parametrize("direction", ["pull", pytest.param("push", marks=pytest.mark.slow)])
# About 300 KB that nothing makes smaller.
GROW = "INSERT INTO shop.customer SELECT g, (SELECT string_agg(md5(g * 31 + i || ''), '') FROM generate_series(1, 5) i) FROM generate_series({0}, {0} + 3999) g"


def grow(site, packs):
    """Rows in so many backups, so that the next one has as many packs."""
    for i in range(packs):
        site.sql(GROW.format(1 + i * 4000))
        site.run("backup", "--entry", ENTRY)


def packs(site):
    """Their sizes, by name."""
    return {p.name: p.stat().st_size for p in (site.folder / "repo/packs").glob("??/*")}


def origins(site, ending):
    return [p.name for p in (site.folder / "repo/origins").glob("*/*") if p.name.endswith(ending)]


def asked(result):
    """The requests of a peer's store, as --verbose says them."""
    return [line for line in result.stderr.splitlines() if "/api/sync/download-backup" in line or "/api/sync/receive-backup" in line]


@PULL
def test_no_pack_twice(pair, direction):
    """Killed in the middle of sending, and resumed: what had arrived as a whole is not sent again."""
    two = reset(pair, SQL, SQL)
    source, target = two.source(direction), two.target(direction)
    grow(source, 4)
    before = set(packs(target))
    two.net.heal()
    two.net.fail(proxy.STALL, 1_000_000, of=proxy.FROM if direction == "pull" else proxy.TO)
    with two.start(direction, "--session", f"cut-{direction}") as running:
        wait_until(two.net.failed.is_set, "the network was not used")
        wait_until(lambda: set(packs(target)) - before, "no pack is written")  # what has passed is still to be read
        running.process.kill()
    arrived = len(set(packs(target)) - before)
    assert 1 <= arrived < 4
    two.net.heal()
    two.b.age()
    done = two.a.run("sync", "resume", f"cut-{direction}", "--entry", ENTRY, "--json").json
    two.assert_same()
    assert done["packsThere"] >= arrived and done["packs"] + arrived <= 5, (done["packs"], done["packsThere"], arrived)
    sent = two.net.bytes if direction == "pull" else two.net.sent
    assert sent < (done["packs"] + 1) * max(packs(source).values()) * 1.1, (sent, done["packs"])


@PULL
def test_little_is_asked(pair, direction):
    """Unchanged, then with a row changed: few requests, and few bytes."""
    two = reset(pair, SQL + GROW.format(1), SQL)
    if direction == "pull":
        reset(pair, SQL, SQL + GROW.format(1))
    two.run(direction)
    most = 20 if direction == "pull" else 60
    for change in ("", "UPDATE shop.customer SET name = 'x' WHERE id = 77"):
        if change:
            two.source(direction).sql(change)
        two.net.heal()
        result = two.run(direction, "--verbose")
        assert 0 < len(asked(result)) <= most, "\n".join(asked(result))
        assert two.net.bytes + two.net.sent < 160_000
        two.assert_same()


def test_some_frames(pair):
    """Most rows of the first backup are others by now: of its pack only what is still in use is sent."""
    two = reset(pair, SQL, SQL + GROW.format(200_001) + ";" + GROW.format(204_001))
    two.b.run("backup", "--entry", ENTRY)
    two.b.sql("UPDATE shop.customer SET name = reverse(name) WHERE id <= 205000")
    two.net.heal()
    two.pull()
    two.assert_same()
    assert len(origins(two.a, ".part")) == 1
    two.a.run("verify", "--entry", ENTRY, "--level", "rebuild")


@pytest.mark.slow
def test_one_repository(sites):
    """Both services keep their backups in one: nothing is sent, in either direction."""
    two = sites(SQL, SQL + GROW.format(1))
    settings = two.b.folder / "pgstow.yaml"
    settings.write_text(settings.read_text().replace(f"{two.b.folder}/repo", f"{two.a.folder}/repo"))
    two.b.stop()
    two.b.start()
    two.a.run("backup", "--entry", ENTRY)
    for run in (two.pull, two.push):
        two.net.heal()
        done = run()
        assert done.doc["packs"] == 0 and two.net.bytes + two.net.sent < 100_000
        two.assert_same()
    assert not (two.b.folder / "repo").exists()


def test_damaged_on_the_way(pair):
    """What arrives otherwise than it was sent is sent again, and nobody notices."""
    two = reset(pair, SQL, SQL + GROW.format(1))
    for after in (60_000,):
        two.b.sql("UPDATE shop.customer SET name = md5(name) || name")
        two.net.heal()
        two.net.spoil(after)
        two.pull()
        assert two.net.spoiled is None
        two.assert_same()


def test_a_writer_of_another_host(pair):
    """Its host cannot be asked whether it lives, but its sync is over: the next one does not wait a day for it."""
    two = reset(pair, SQL + GROW.format(100_001), SQL)
    elsewhere = two.a.pgstow
    plain = elsewhere.command
    elsewhere.command = lambda *args: ["unshare", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c", "hostname far; \"$@\"; exit $?", "sh", *plain(*args)]
    try:
        result = two.run("push", "--session", "far", expect=None, env={"PGSTOW_FAULT": "copy.pack.finish:kill"})
    finally:
        elsewhere.command = plain
    assert result.status != 0
    sessions = two.b.folder / "repo/sessions"
    assert len(os.listdir(sessions)) == 1
    two.b.age()
    two.a.age()
    two.push()
    two.assert_same()
    assert os.listdir(sessions) == [] and os.listdir(two.b.folder / "repo/peers") == []


def test_objects(pair):
    """By plain HTTP: what a backup is made of, objects whole and in part; and nothing else, nor by anybody else."""
    two = reset(pair, SQL + GROW.format(1), SQL)
    status, made = ask(two.a, "initiate-backup", {"sessionId": "plain"})
    assert status == 200
    status, said = ask(two.a, "download-backup?sessionId=plain")
    assert (status, said["success"], said["backupId"]) == (200, True, made["backupId"])

    def get(name, method="GET", node="testnode", session="plain", **headers):
        path = f"/api/sync/download-backup?sessionId={session}&name={name}"
        return two.a.fetch(path, headers={**peer_headers(node=node), **headers}, method=method)

    pack = said["packs"][0]
    whole = (two.a.folder / "repo" / pack).read_bytes()
    status, headers, body = get(pack)
    assert (status, body) == (200, whole)
    status, headers, body = get(pack, Range="bytes=10-99")
    assert (status, body, headers["Content-Range"]) == (206, whole[10:100], f"bytes 10-99/{len(whole)}")
    status, headers, body = get(pack, method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(whole)))
    assert get(pack, Range=f"bytes={len(whole)}-")[0] == 416
    status, headers, body = get(f"{pack}&offset=5&length=10")
    assert body == whole[5:15] and headers["X-Pgstow-Sha256"] == hashlib.sha256(body).hexdigest()
    assert get("packs/00/none")[0] == 404
    for name in ("ledger/a", "../pgstow.yaml", "tmp/a", "%2Fetc%2Fpasswd"):
        assert get(name)[0] == 403, name
    assert get(pack, node="somebody")[0] == 409 and get(pack, session="none")[0] == 409
    # Whoever is pulled from takes nothing.
    nothing = hashlib.sha256(b"").hexdigest()
    for method, more in (("POST", f"&sha256={nothing}&whole={nothing}"), ("DELETE", "")):
        path = f"/api/sync/receive-backup?sessionId=plain&name={pack}{more}"
        status, headers, answer = two.a.call(method, path, token=None, headers=peer_headers())
        assert (status, answer["success"], answer["error"]["kind"]) == (403, False, "REPO_PERMISSION"), answer
    assert (two.a.folder / "repo" / pack).read_bytes() == whole


@pytest.mark.slow
def test_both_are_encrypted(sites):
    """Each by a passphrase of its own: opened with the peer's key, sealed again with one's own, in both directions."""
    two = sites(SQL, SQL + GROW.format(1))
    for site, own, peers in ((two.a, "first", "second"), (two.b, "second", "first")):
        settings = site.folder / "pgstow.yaml"
        text = settings.read_text().replace("backup: {", "backup: {encryption: true, ")
        settings.write_text(text.replace("nodeId: a, ", f'nodeId: a, repoPassphraseCommand: "echo {peers} passphrase", ')
                                .replace("nodeId: b, ", f'nodeId: b, repoPassphraseCommand: "echo {peers} passphrase", '))  # fmt: skip
        site.pgstow.env["PGSTOW_PASSPHRASE"] = f"{own} passphrase"
        site.kill()
        site.back()
    two.pull()
    two.assert_same()
    two.a.sql("UPDATE shop.customer SET name = 'x' WHERE id = 5")
    two.push()
    two.assert_same()
    for site in (two.a, two.b):
        assert all(b["encrypted"] for b in site.run("list", "--json").json["backups"])
        site.run("verify", "--entry", ENTRY, "--level", "rebuild")
