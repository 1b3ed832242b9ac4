"""Backups' data over HTTP: the three forms, parts of them, what is broken off, and restoring."""

import contextlib
import gzip
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess

import pytest
from harness import compare
from harness.api import Api
from harness.cluster import wait_until

SMALL = """CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, "what, so" text, at timestamptz, data jsonb, raw bytea);
INSERT INTO s.t SELECT i, CASE WHEN i % 3 > 0 THEN 'a "' || i || chr(10) || chr(8364) END, now(), jsonb_build_object('i', i),
 decode(md5(i::text), 'hex') FROM generate_series(1, 500) i;
CREATE TABLE s.child (id int REFERENCES s.t); INSERT INTO s.child VALUES (1); CREATE SEQUENCE s.q START 7"""
# More than the system holds ready for one who does not read.
LARGE = """CREATE TABLE big (id int PRIMARY KEY, a text);
INSERT INTO big SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 40000) i"""
FORMS = ["dump", "sql.gz", "json"]


@pytest.fixture(scope="module")
def api(cluster, module_folder):
    made = Api(cluster, module_folder, sql=(SMALL, LARGE, "SELECT 1"))
    yield made
    made.stop()
    cluster.drop(*made.names)


@pytest.fixture(scope="module")
def small(api):
    return api.backup("e0")


@pytest.fixture(scope="module")
def large(api):
    return api.backup("e1")


def ended_downloads(api, name):
    return api.rows(f"SELECT outcome, detail FROM audit WHERE action = 'backup.download' AND object = '{name}'"
                    " AND outcome <> 'begun' ORDER BY id")  # fmt: skip


def exports(api):
    return [pid for pid, line in api.children().items() if b"export" in line]


@pytest.fixture(autouse=True)
def nothing_is_left(api):
    yield
    wait_until(lambda: not exports(api), "a child is left")


@contextlib.contextmanager
def asked(api, path, version="1.1", size=None, headers=""):
    """A connection of a client that does not read on by itself."""
    with socket.socket() as s:
        if size:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        s.settimeout(60)
        s.connect(("127.0.0.1", api.port))
        s.sendall(f"GET {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {api.tokens['admin']}\r\n{headers}\r\n"
                  .encode())
        yield s


def head_of(s):
    got = b""
    while b"\r\n\r\n" not in got:
        more = s.recv(1)
        assert more, got
        got += more
    return got.decode()


# ---------------------------------------------------------------- the forms


def test_dump(cluster, api, small, folder):
    status, headers, body = api.fetch(f"/api/v1/backups/{small}.dump", "operator")
    assert status == 200 and headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == f'attachment; filename="{small}.dump"'
    (folder / "x.dump").write_bytes(body)
    copy = cluster.create()
    cluster.tool("pg_restore", "-e", "-d", copy, folder / "x.dump")
    compare.assert_same(cluster, api.names[0], copy)
    cluster.drop(copy)


def test_sql(cluster, api, small, folder):
    status, headers, body = api.fetch(f"/api/v1/backups/{small}.sql.gz", "operator")
    assert status == 200 and headers["Content-Type"] == "application/gzip" and "Content-Encoding" not in headers
    (folder / "x.sql").write_bytes(gzip.decompress(body))
    copy = cluster.create()
    cluster.load(folder / "x.sql", copy)
    compare.assert_same(cluster, api.names[0], copy)
    cluster.drop(copy)


def test_compressed_as_asked_for(cluster, api, small, folder):
    plain = api.fetch(f"/api/v1/backups/{small}.dump", "operator")
    packed = api.fetch(f"/api/v1/backups/{small}.dump?compression=6", "operator")
    assert packed[0] == 200 and len(packed[2]) < len(plain[2]) and packed[1]["ETag"] != plain[1]["ETag"]
    (folder / "x.dump").write_bytes(packed[2])
    copy = cluster.create()
    cluster.tool("pg_restore", "-e", "-d", copy, folder / "x.dump")
    compare.assert_same(cluster, api.names[0], copy)
    cluster.drop(copy)
    sql = [gzip.decompress(api.fetch(f"/api/v1/backups/{small}.sql.gz{wish}", "operator")[2])
           for wish in ("", "?compression=1")]  # fmt: skip
    assert sql[0] == sql[1]
    for refused in (".dump?compression=10", ".sql.gz?compression=0", ".json?compression=6"):
        assert api.fetch(f"/api/v1/backups/{small}{refused}", "operator")[0] == 400, refused


def test_json_and_the_rows_of_the_newest(cluster, api, small):
    status, headers, body = api.fetch(f"/api/v1/backups/{small}.json", "operator")
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in body.decode().splitlines()]
    assert lines[0]["header"]["backup"] == small and lines[-1]["end"] == {"tables": 2, "rows": 501}
    rows = [line["row"] for line in lines if "what, so" in line.get("row", {})]
    stored = cluster.rows("SELECT id, md5(\"what, so\"), data FROM s.t ORDER BY id LIMIT 2", api.names[0])
    assert [str(r["id"]) for r in rows[:2]] == [s[0] for s in stored] and rows[0]["data"] == json.loads(stored[0][2])
    assert rows[0]["what, so"] == 'a "1\n\u20ac' and rows[2]["what, so"] is None

    later = api.backup("e0")
    status, headers, newest = api.fetch("/api/backup?type=full&entry=e0", "operator")
    assert status == 200 and newest.replace(later.encode(), small.encode()).splitlines()[1:] == body.splitlines()[1:]
    assert headers["Accept-Ranges"] == "none"
    assert api.fetch("/api/backup?type=full&entry=e0", headers={"Range": "bytes=5-"})[0::2] == (200, newest)
    assert f'"{later}.json"' in api.fetch("/api/backup?type=full&entry=e0", method="HEAD")[1]["Content-Disposition"]


@pytest.mark.parametrize("path, status, word", [
    ("/api/backup", 400, "type is missing"),
    ("/api/backup?type=incremental&entry=e0", 400, "allowed: full"),
    ("/api/backup?type=full", 400, "several"),
    ("/api/backup?type=full&entry=none", 404, "no entry"),
    ("/api/backup?type=full&entry=e2", 404, "POST"),
    ("/api/backup?type=full&entry=e0&x=1", 400, "no parameter"),
    ("/api/v1/backups/none.dump", 404, "no backup"),
    ("/api/v1/backups/latest.dump", 404, "no backup"),
    ("/api/v1/backups/.dump", 404, "no backup"),
    ("/api/v1/backups/-x.sql.gz", 404, "no backup"),
    ("/api/v1/backups/..%2Fx.json", 404, "no backup"),
])  # fmt: skip
def test_asked_amiss(api, path, status, word):
    got, _, body = api.call("GET", path)
    assert got == status and word in json.dumps(body), body


def test_the_bytes_are_always_the_same(api, small, large):
    """As the command line writes them, whatever the jobs."""
    for backup in small, large:
        for form, flags in {"dump": [], "sql.gz": ["--format", "plain", "-Z", "6"], "json": ["--format", "json"]}.items():
            body = api.fetch(f"/api/v1/backups/{backup}.{form}")[2]
            for jobs in 1, 4:
                again = api.run("--entry", "e0", "--jobs", jobs, "export", backup, *flags, "-o", "-")
                assert again.stdout_bytes == body, (form, jobs)


# ---------------------------------------------------------------- parts


def test_tags(api, small, large):
    tags = set()
    for path in [f"/api/v1/backups/{b}.{f}" for b in (small, large) for f in FORMS]:
        tag = api.fetch(path, method="HEAD")[1]["ETag"]
        status, headers, body = api.fetch(path, headers={"If-None-Match": f'"x", {tag}'})
        assert (status, body, headers["ETag"]) == (304, b"", tag) and "Content-Type" not in headers
        tags.add(tag)
    assert len(tags) == 6 and all(t.startswith('"') for t in tags)


def test_no_export_for_a_head_or_what_is_known(api, large, away):
    """The repository's data are not there: whoever exports it fails."""
    path = f"/api/v1/backups/{large}.json"
    with away():
        status, headers, body = api.fetch(path, method="HEAD")
        assert (status, body) == (200, b"")
        assert api.fetch(path, headers={"If-None-Match": headers["ETag"]})[0] == 304
        assert api.fetch(path)[0] == 500


@pytest.mark.parametrize("form", FORMS)
def test_parts(api, form):
    backup = api.backup("e0")  # whose length nobody knows
    path = f"/api/v1/backups/{backup}.{form}"
    status, headers, tail = api.fetch(path, headers={"Range": "bytes=1000-"})
    assert status == 206 and headers["Accept-Ranges"] == "bytes"
    status, known, whole = api.fetch(path)
    n, tag = len(whole), known["ETag"]
    assert status == 200 and known["Content-Length"] == str(n) and headers["ETag"] == tag
    assert headers["Content-Range"] == f"bytes 1000-{n - 1}/{n}" and tail == whole[1000:]
    for text, first, last in [
        ("0-", 0, n - 1), ("0-0", 0, 0), ("5-9", 5, 9), (f"{n - 1}-", n - 1, n - 1), ("-1", n - 1, n - 1),
        (f"-{n * 2}", 0, n - 1), ("17-99999999999999999999", 17, n - 1), (f"7-{n - 2}", 7, n - 2),
        ("-99999999999999999999", 0, n - 1), (" 3-4 ", 3, 4),
    ]:  # fmt: skip
        status, headers, body = api.fetch(path, headers={"Range": f"bytes={text}", "If-Range": tag})
        assert (status, headers["Content-Range"]) == (206, f"bytes {first}-{last}/{n}"), text
        assert body == whole[first : last + 1] and headers["Content-Length"] == str(len(body)), text
    for text in "-0", str(n) + "-", "99999999999999999999-", "18446744073709551615-18446744073709551615":
        status, headers, body = api.fetch(path, headers={"Range": f"bytes={text}"})
        assert (status, headers["Content-Range"], json.loads(body)["error"]["kind"]) == (416, f"bytes */{n}", "RANGE"), text
    for text in ["bytes=", "bytes=-", "bytes=a-", "bytes=5-3", "bytes=0-1,4-5", "bytes=1 -2", "bytes=0x1-", "items=0-1",
                 "bytes=--5", "bytes=1-2-3", "bytes=+1-", "bytes=99999999999999999999-5", "\xff", "bytes"]:  # fmt: skip
        status, headers, body = api.fetch(path, headers={"Range": text})
        assert (status, body == whole, headers["Content-Range"]) == (200, True, None), text
    for stale in '"stale"', "W/" + tag, "Sat, 29 Oct 1994 19:43:31 GMT":
        assert api.fetch(path, headers={"Range": "bytes=5-9", "If-Range": stale})[2] == whole
    status, headers, body = api.fetch(path, headers={"Range": "bytes=5-9"}, method="HEAD")
    assert (status, body, headers["Content-Length"], headers["Content-Range"]) == (200, b"", str(n), None)
    # By a stock client, from where it was.
    curl = ["curl", "-fsS", "-H", f"Authorization: Bearer {api.tokens['operator']}", "-C", str(n // 2), "-o", "-"]
    done = subprocess.run([*curl, f"http://127.0.0.1:{api.port}{path}"], capture_output=True, timeout=60)
    assert done.stdout == whole[n // 2 :], done.stderr


@pytest.mark.parametrize("headers", ["", "Range: bytes=0-\r\n"])
def test_the_length_is_not_known_at_first(api, headers):
    path = f"/api/v1/backups/{api.backup('e0')}.dump"
    assert api.fetch(path, method="HEAD")[1]["Content-Length"] is None
    with asked(api, path, headers=headers) as s:
        head = head_of(s)
        assert head.startswith("HTTP/1.1 200") and "chunked" in head and "Content-Length" not in head
    whole = api.fetch(path)[2]
    assert api.fetch(path, method="HEAD")[1]["Content-Length"] == str(len(whole))


# ---------------------------------------------------------------- broken off


@pytest.fixture
def away(api):
    """Takes the packs away for a while."""

    @contextlib.contextmanager
    def without():
        packs = api.folder / "repo" / "packs"
        packs.rename(packs.with_name("elsewhere"))
        packs.mkdir()
        try:
            yield
        finally:
            packs.rmdir()
            packs.with_name("elsewhere").rename(packs)

    return without


@pytest.mark.parametrize("form", FORMS)
def test_what_fails_at_once_is_told(api, small, away, form):
    path = f"/api/v1/backups/{small}.{form}"
    with away():
        status, headers, body = api.fetch(path, headers={"Range": "bytes=5-"})
    error = json.loads(body)["error"]
    assert status == 500 and error["kind"] == "DAMAGED" and error["message"] and error["hint"], error
    assert headers["Content-Type"] == "application/json" and "ETag" not in headers
    assert api.fetch(path)[0] == 200


def files_of(api, folder):
    return {p for p in (api.folder / "repo" / folder).rglob("*") if p.is_file()}


def test_damage_on_the_way(cluster, api):
    """Of one that was never sent, and of one whose length is known: the client does not get a whole body."""
    cluster.sql("UPDATE big SET a = a || id", api.names[1])
    before = files_of(api, "packs")
    backup = api.backup("e1")
    pack = max(files_of(api, "packs") - before, key=lambda p: p.stat().st_size)
    good = pack.read_bytes()
    bad = bytearray(good)
    for at in range(len(good) * 3 // 4, len(good) - 4096):
        bad[at] ^= 1
    pack.chmod(0o600)
    for known in False, True:
        for form in FORMS:
            name = f"{backup}.{form}"
            pack.write_bytes(bad)
            connection = api.begin(f"/api/v1/backups/{name}")
            answer = connection.getresponse()
            assert answer.status == 200 and (answer.headers["Content-Length"] is not None) == known
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                answer.read()
            connection.close()
            wait_until(lambda: len(ended_downloads(api, name)) == 1 + 2 * known, "not in the audit log")
            outcome, detail = ended_downloads(api, name)[-1]
            assert outcome == "failed" and "check does not match" in detail, detail
            pack.write_bytes(good)
            if not known:
                assert api.fetch(f"/api/v1/backups/{name}")[0] == 200


@pytest.mark.parametrize("version, headers", [("1.1", ""), ("1.0", ""), ("1.1", "Range: bytes=9-\r\n")])
def test_a_killed_child(api, version, headers):
    name = f"{api.backup('e1')}.dump"
    with asked(api, f"/api/v1/backups/{name}", version, 65536, headers) as s:
        head = head_of(s)
        assert (" 206 " in head) == bool(headers)
        (child,) = exports(api)
        os.kill(child, signal.SIGKILL)
        got = b""
        try:
            while more := s.recv(1 << 20):
                got += more
            ended = True
        except ConnectionResetError:
            ended = False
        # HTTP/1.0 knows no other sign of it than a reset; 1.1 has its length, or the last chunk.
        assert not ended or version == "1.1"
        assert not got.endswith(b"0\r\n\r\n") and len(got) < 10_000_000
    wait_until(lambda: ended_downloads(api, name), "not in the audit log")
    (entry,) = ended_downloads(api, name)
    assert entry[0] == "failed" and "signal 9" in entry[1]


@pytest.mark.parametrize("how", ["close", "half", "reset"])
def test_a_client_hangs_up(api, large, how):
    before = len(ended_downloads(api, f"{large}.json"))
    with asked(api, f"/api/v1/backups/{large}.json", size=65536) as s:
        head_of(s)
        assert len(exports(api)) == 1
        if how == "half":
            s.shutdown(socket.SHUT_WR)
            s.settimeout(60)
            with contextlib.suppress(ConnectionResetError):
                while s.recv(1 << 20):
                    pass
        elif how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    wait_until(lambda: not exports(api), "the child goes on")
    wait_until(lambda: len(ended_downloads(api, f"{large}.json")) > before, "not in the audit log")
    assert ended_downloads(api, f"{large}.json")[-1][0] == "failed"


def test_many_at_once(api, small, large):
    """Eight are made, a hundred wait, and then there is no more room."""
    with contextlib.ExitStack() as stack:
        api.fetch(f"/api/v1/backups/{small}.dump")  # so that its length is known
        slow = [stack.enter_context(asked(api, f"/api/v1/backups/{large}.json", size=65536)) for _ in range(8)]
        assert all(" 200 " in head_of(s) for s in slow)
        others = [stack.enter_context(asked(api, f"/api/v1/backups/{small}.dump")) for _ in range(103)]

        def answered():
            return select.select(others, [], [], 0)[0]

        wait_until(lambda: len(answered()) == 3, "too few or too many wait")
        refused = answered()
        for s in refused:
            head = head_of(s)
            assert " 503 " in head and "Retry-After: " in head and b'"BUSY"' in s.recv(65536)
        assert len(exports(api)) == 8 and not answered()
        waiting = [s for s in others if s not in refused]
        for s in waiting[10:]:  # they lose patience
            s.close()
        slow[0].close()
        for s in waiting[:10]:
            head = head_of(s)
            assert " 200 " in head
            left = int(re.search(r"Content-Length: (\d+)", head)[1])
            while left:
                more = s.recv(left)
                assert more
                left -= len(more)
    wait_until(lambda: not exports(api), "children are left")
    assert api.fetch(f"/api/v1/backups/{small}.dump")[0] == 200


def test_the_service_stops(cluster, folder, api):
    """While downloads run and wait."""
    other = Api(cluster, folder, sql=(LARGE,))
    path = f"/api/v1/backups/{other.backup('e0')}.dump"
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(asked(other, path, size=65536)) for _ in range(10)]
        wait_until(lambda: len(select.select(slow, [], [], 0)[0]) == 8, "too few begin")
        children = exports(other)
        assert len(children) == 8
        other.stop()
        assert not any(os.path.exists(f"/proc/{c}") for c in children)
        for s in slow:
            with contextlib.suppress(ConnectionResetError):
                got = b""
                while more := s.recv(1 << 20):
                    got += more
                assert not got.endswith(b"0\r\n\r\n")
    cluster.drop(*other.names)


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("method, path, least, status", [
    ("GET", "/api/v1/backups/{}.dump", "operator", 200),
    ("GET", "/api/v1/backups/{}.sql.gz", "operator", 200),
    ("GET", "/api/v1/backups/{}.json", "operator", 200),
    ("GET", "/api/v1/backups/{}.metadata.json", "viewer", 200),
    ("GET", "/api/v1/backups/{}", "viewer", 200),
    ("GET", "/api/backup?type=full&entry=e0", "operator", 200),
    ("POST", "/api/v1/backups/restore/{}", "admin", 400),
])  # fmt: skip
def test_roles(api, small, method, path, least, status):
    order = [None, "viewer", "operator", "admin"]
    for role in order:
        allowed = order.index(role) >= order.index(least)
        if allowed and status == 200:
            assert api.fetch(path.format(small), role)[0] == 200
        else:
            got, _, body = api.call(method, path.format(small), role, body="[]" if method == "POST" else None)
            assert got == (status if allowed else 403 if role else 401), body


def test_audit(api, large):
    last = api.rows("SELECT max(id) FROM audit")[0][0]
    name = f"{large}.dump"
    n = len(api.fetch(f"/api/v1/backups/{name}", "operator")[2])
    part = len(api.fetch(f"/api/v1/backups/{name}", "operator", headers={"Range": "bytes=5-6"})[2])
    api.fetch(f"/api/v1/backups/{name}", "operator", method="HEAD")
    api.call("GET", f"/api/v1/backups/{name}", "viewer")
    wanted = "SELECT actor, role, outcome, origin, action, json_extract(detail, '$.bytes') FROM audit WHERE object LIKE "

    def entries():
        return api.rows(f"{wanted} '{large}%' AND id > {last} ORDER BY id")

    wait_until(lambda: len(entries()) == 5, "an entry is missing")
    begun = ("operator", "operator", "begun", "127.0.0.1", "backup.download", None)
    done = ("operator", "operator", "done", "127.0.0.1", "backup.download")
    refused = ("viewer", "viewer", "refused", "127.0.0.1", "backup.download", None)
    assert sorted(entries(), key=str) == sorted([begun, (*done, n), begun, (*done, part), refused], key=str)


def test_of_an_encrypted_repository(cluster, folder, api):
    key = folder / "key"
    key.write_text("a long enough passphrase for this\n")
    other = Api(cluster, folder, sql=(SMALL,), backup="encryption: true",
                more=f'encryption: {{passphraseCommand: "cat {key}"}}')  # fmt: skip
    backup = other.backup("e0")
    assert other.get(f"/api/v1/backups/{backup}")["encrypted"]
    status, _, body = other.fetch(f"/api/v1/backups/{backup}.json")
    assert status == 200 and body.count(b'{"row"') == 501
    other.stop()
    cluster.drop(*other.names)


# ---------------------------------------------------------------- restoring


def restore(api, name, **wish):
    return api.call("POST", f"/api/v1/backups/restore/{name}", body=json.dumps(wish) if wish else None)


def restored(api, name, **wish):
    status, headers, body = restore(api, name, **wish)
    assert status == 202 and headers["Location"] == f"/api/v1/jobs/{body['job']}", body
    job = api.job(body["job"])
    assert (job["status"], job["kind"], job["trigger"], job["actor"]) == ("succeeded", "restore", "api", "admin"), job
    return job


def needs_confirm(answer, name):
    status, _, body = answer
    assert status == 412 and body["error"]["kind"] == "CONFIRM", body
    assert json.loads(re.search("{.*}", body["error"]["hint"])[0]) == {"confirm": name}, body


def test_restore(cluster, api, small):
    jobs = api.rows("SELECT max(id) FROM job")[0][0]
    copy = cluster.fresh_name()
    job = restored(api, small, toDb=copy)
    assert job["database"] == copy and job["entry"] == "e0" and job["backup"] == small
    compare.assert_same(cluster, api.names[0], copy)
    told = api.rows("SELECT actor, outcome, object FROM audit WHERE action = 'backup.restore' ORDER BY id DESC LIMIT 1")
    assert told == [("admin", "done", f"{small} into {copy}")]

    cluster.sql("DELETE FROM s.child; DELETE FROM s.t WHERE id > 3; CREATE TABLE mine ()", copy)
    before = compare.snapshot(cluster, copy)
    for mode in "replace", "inPlace", "upsert", "mirror", "insert":
        needs_confirm(restore(api, f"{small}.dump", toDb=copy, mode=mode), copy)
        for wrong in "yes", copy + " ", copy.upper() + "X", api.names[0]:
            needs_confirm(restore(api, small, toDb=copy, mode=mode, confirm=wrong), copy)
    assert api.rows("SELECT max(id) FROM job")[0][0] == jobs + 1
    compare.assert_as_before(cluster, copy, before)

    restored(api, small, toDb=copy, mode="insert", tables=["s.t"], confirm=copy)
    assert cluster.sql("SELECT count(*) FROM s.t", copy) == "500"
    restored(api, f"{small}.sql.gz", toDb=copy, mode="replace", confirm=copy)
    compare.assert_same(cluster, api.names[0], copy)
    cluster.sql("DROP SCHEMA s CASCADE", copy)
    restored(api, small, toDb=copy, mode="inPlace")  # nothing is in it that would be lost
    compare.assert_same(cluster, api.names[0], copy)

    cluster.sql("DROP TABLE s.child", copy)
    restored(api, small, toDb=copy, tables=["s.child"])
    assert cluster.sql("SELECT id FROM s.child", copy) == "1"
    status, _, body = restore(api, small, toDb=copy)
    assert status == 202 and api.job(body["job"])["error"]["kind"] == "DB_EXISTS"
    cluster.drop(copy)


def test_restore_into_its_own_database(cluster, api):
    backup = api.backup("e0")
    cluster.sql("CREATE TABLE mine ()", api.names[0])
    needs_confirm(restore(api, backup, mode="replace"), api.names[0])
    restored(api, backup, mode="replace", confirm=api.names[0])
    assert cluster.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'", api.names[0]) == "0"


@pytest.mark.parametrize("body, status", [
    ("[]", 400), ("5", 400), ("{", 400), ('"x"', 400), ("null", 400), ('{"x": 1}', 400), ('{"mode": 5}', 400),
    ('{"mode": "Replace"}', 400), ('{"mode": "--yes"}', 400), ('{"mode": ""}', 400), ('{"confirm": true}', 400),
    ('{"tables": "s.t"}', 400), ('{"tables": []}', 400), ('{"tables": [5]}', 400), ('{"tables": [""]}', 400),
    ('{"tables": {"a": "b"}}', 400), ('{"schemas": [null]}', 400), ('{"toDb": ["x"]}', 400), ('{"toDb": null}', 400),
    ('{"toDb": "a\\u0000b"}', 400), ('{"entry": "none"}', 404), ('{"entry": 1}', 400), ('{"confirm": "x", "yes": true}', 400),
])  # fmt: skip
def test_restore_amiss(api, small, body, status):
    got, _, answer = api.call("POST", f"/api/v1/backups/restore/{small}", body=body)
    assert got == status and answer["error"]["message"], answer


def test_restore_of_what_is_not_there(api):
    for name in "none", "latest", "..%2F..", "-x", "none.dump":
        assert restore(api, name, toDb="x")[0] == 404


def test_names_are_no_flags_and_no_sql(cluster, api, small):
    """A database may be named as a flag is."""
    for name in "--dry-run", "a=b --yes", "x'; DROP DATABASE y; --", '"':
        restored(api, small, toDb=name)
        compare.assert_same_rows(cluster, api.names[0], name)
        needs_confirm(restore(api, small, toDb=name, mode="replace"), name)
        cluster.drop(name)


def test_a_restore_that_cannot_work(api, small):
    """Nobody is asked to confirm what then fails: the reason is told, and no job is made."""
    jobs = api.rows("SELECT max(id) FROM job")[0][0]
    for confirm in {}, {"confirm": "template1"}:
        status, _, body = restore(api, small, toDb="template1", mode="replace", **confirm)
        assert status == 412 and body["error"]["kind"] == "PREFLIGHT" and "template" in body["error"]["message"], body
    assert api.rows("SELECT max(id) FROM job")[0][0] == jobs
