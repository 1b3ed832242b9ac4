"""The service's API, with the real program: who may do what, what it answers, and clients that mean no good."""

import hashlib
import http.client
import os
import signal
import socket
import subprocess
import time

import pytest
from harness.api import Api
from harness.cluster import free_port, wait_until


@pytest.fixture(scope="module")
def backup(api):
    """The id of a backup that the API has made."""
    status, headers, body = api.call("POST", "/api/v1/backups", "operator", '{"entry": "e0"}')
    assert status == 202 and headers["Location"] == f"/api/v1/jobs/{body['job']}"
    job = api.job(body["job"])
    assert job["status"] == "succeeded" and job["actor"] == "operator" and job["trigger"] == "api", job
    return job["backup"]


def test_backups_and_jobs(api, backup):
    _, headers, body = api.call("GET", "/api/v1/backups", "viewer")
    assert [(b["id"], b["entry"]) for b in body["backups"]] == [(backup, "e0")] and not body["more"]
    status, _, nothing = api.call("GET", "/api/v1/backups", headers={"If-None-Match": headers["ETag"]})
    assert (status, nothing) == (304, None)
    for name in (backup, f"{backup}.metadata.json"):
        one = api.get(f"/api/v1/backups/{name}")
        assert one["id"] == backup and one["database"] == api.names[0] and one["rows"] == 50
        assert one["checksum"] == hashlib.sha256((api.folder / f"repo/backups/{backup}.manifest").read_bytes()).hexdigest()
    assert api.get("/api/v1/backups?database=other")["backups"] == []
    assert api.get("/api/v1/backups?entry=e1")["backups"] == []
    assert api.get("/api/v1/backups?until=2001-01-01")["backups"] == []
    assert len(api.get(f"/api/v1/backups?since=2001-01-01&entry=e0&database={api.names[0]}&limit=1")["backups"]) == 1
    jobs = api.get(f"/api/v1/jobs?kind=backup&status=succeeded&backup={backup}&limit=1")["jobs"]
    assert len(jobs) == 1 and jobs[0]["arguments"]
    assert api.get(f"/api/v1/jobs?before={jobs[0]['id']}")["jobs"] == []
    last = {d["entry"]: d["lastSuccess"] for d in api.get("/api/v1/databases")["databases"]}
    assert last["e0"]["backup"] == backup and last["e1"] is None
    assert [s["name"] for s in api.get("/api/v1/schedules")["schedules"]] == ["backup/e0", "backup/e1"]
    assert api.call("HEAD", "/api/v1/jobs")[::2] == (200, None)


def test_the_list_is_never_an_old_one(api, backup):
    """Its answers are kept and its tag is of what they depend on: whatever is changed, by whomever, changes both."""
    def ask(tag=None):
        status, headers, body = api.call("GET", "/api/v1/backups", headers={"If-None-Match": tag} if tag else {})
        return status, headers["ETag"], {b["id"]: b["pinned"] for b in body["backups"]} if body else None

    _, before, seen = ask()
    assert ask() == (200, before, seen) and ask(before) == (304, before, None)
    api.run("pin", backup, "--entry", "e0")
    status, pinned, now = ask(before)
    assert status == 200 and pinned != before and now == {**seen, backup: True}
    api.run("unpin", backup, "--entry", "e0")
    assert ask(pinned) == (200, before, seen)
    more = api.backup("e0")
    assert ask(before)[2] == {**seen, more: False}
    api.run("delete", more, "--entry", "e0", "--yes")
    assert ask()[2] == seen
    manifest = api.folder / "repo" / "backups" / f"{backup}.manifest"
    whole = manifest.read_bytes()
    manifest.chmod(0o600)
    try:
        time.sleep(0.02)  # a file's time has the steps of the kernel's clock
        manifest.write_bytes(whole[:100] + b"x" * 20 + whole[120:])
        assert backup not in ask(before)[2]
        time.sleep(0.02)
    finally:
        manifest.write_bytes(whole)
    assert ask()[2] == seen


def test_a_backup_is_deleted_by_its_whole_name_only(api):
    job = api.call("POST", "/api/v1/backups", body='{"entry": "e1"}')[2]["job"]
    made = api.job(job)["backup"]
    assert api.call("DELETE", f"/api/v1/backups/{made[:-1]}")[0] == 404
    assert api.call("DELETE", "/api/v1/backups/latest")[0] == 404
    assert api.call("DELETE", f"/api/v1/jobs/{job}")[0] == 409
    status, _, body = api.call("DELETE", f"/api/v1/backups/{made}.dump")
    assert status == 202 and api.job(body["job"])["status"] == "succeeded"
    assert api.call("GET", f"/api/v1/backups/{made}")[0] == 404
    told = api.rows(f"SELECT actor, role, outcome, origin FROM audit WHERE action = 'backup.delete' AND object = '{made}'")
    assert told == [("admin", "admin", "done", "127.0.0.1")]


ROUTES = [  # the least role, and what one with it gets
    ("GET", "/healthz", None, 200),
    ("GET", "/readyz", None, 200),
    ("GET", "/api/v1/backups", "viewer", 200),
    ("GET", "/api/v1/backups/none", "viewer", 404),
    ("GET", "/api/v1/jobs", "viewer", 200),
    ("GET", "/api/v1/jobs/999999", "viewer", 404),
    ("GET", "/api/v1/schedules", "viewer", 200),
    ("GET", "/api/v1/databases", "viewer", 200),
    ("POST", "/api/v1/backups", "operator", 400),
    ("DELETE", "/api/v1/jobs/999999", "operator", 404),
    ("DELETE", "/api/v1/backups/none", "admin", 404),
]


@pytest.mark.parametrize("method, path, least, status", ROUTES)
def test_roles(api, method, path, least, status):
    order = [None, "viewer", "operator", "admin"]
    before = api.rows("SELECT count(*) FROM audit")[0][0]
    for role in order:
        allowed = order.index(role) >= order.index(least)
        expected = status if allowed else 403 if role else 401
        got, headers, body = api.call(method, path, role)
        assert got == expected, (role, body)
        assert allowed and status == 200 or set(body["error"]) == {"kind", "message", "hint"}
        assert (got == 401) == ("WWW-Authenticate" in headers)
    assert api.rows("SELECT count(*) FROM audit")[0][0] - before == (0 if method == "GET" else 4)


def test_tokens_end(api):
    ended = api.run("token", "add", "short", "--role", "viewer", "--quiet").stdout.strip()
    assert api.call("GET", "/api/v1/jobs", ended)[0] == 200
    api.run("token", "revoke", "short")
    assert api.call("GET", "/api/v1/jobs", ended)[0] == 401
    used = {t["name"]: t["lastFrom"] for t in api.run("token", "list", "--json").json["tokens"]}
    assert used["short"] == used["admin"] == "127.0.0.1"


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/backups/x/y", 404),
        ("GET", "/api/v1/backups/", 400),
        ("GET", "//healthz", 400),
        ("GET", "/api/v1/backups/../../healthz", 400),
        ("GET", "/api/v1/backups/%2e%2e", 400),
        ("GET", "/api/v1/backups/..%2F..%2Fetc%2Fpasswd", 404),
        ("GET", "/api/v1/backups/-r", 404),
        ("GET", "/api/v1/backups/x%00y", 400),
        ("GET", "/api/v1/backups/x%0d%0aSet-Cookie:a", 400),
        ("GET", "/api/v1/backups/%zz", 400),
        ("GET", "/api/v1/backups/%4", 400),
        ("GET", "/api/v1/backups/%ff", 400),
        ("GET", "/api/v1/backups/%c0%ae", 400),
        ("GET", "/api/v1/backups/%ed%a0%80", 400),
        ("GET", "/api/v1/backups?limit=0", 400),
        ("GET", "/api/v1/backups?limit=1001", 400),
        ("GET", "/api/v1/backups?limit=1&limit=2", 400),
        ("GET", "/api/v1/backups?nonsense=1", 400),
        ("GET", "/api/v1/backups?since=%f0", 400),
        ("GET", "/api/v1/backups?since=yesterday", 400),
        ("GET", "/api/v1/jobs?status=odd", 400),
        ("GET", "/api/v1/jobs?before=-1", 400),
        ("GET", "/api/v1/jobs?kind=';DROP%20TABLE%20job;--", 200),
        ("GET", "/api/v1/jobs/1x", 404),
        ("GET", "/api/v1/jobs/99999999999999999999", 404),
        ("GET", "/api/v1/backups?x=" + "a" * 5000, 414),
        ("PUT", "/api/v1/backups", 405),
        ("DELETE", "/healthz", 405),
    ],
)
def test_what_is_asked_amiss(api, method, path, status):
    got, headers, body = api.call(method, path)
    assert got == status, body
    if status == 405:
        assert headers["Allow"] == ("GET, HEAD, POST" if "backups" in path else "GET, HEAD")
    if status != 200:
        assert body["error"]["message"] and body["error"]["kind"]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "5", '{"entry": 5}', '{"entry": "e0", "x": 1}', '{"x": "e0"}', "\x00", "[" * 60000])  # fmt: skip
def test_bodies_amiss(api, body):
    status, _, answer = api.call("POST", "/api/v1/backups", "operator", body)
    assert status == 400 and answer["error"]["kind"] == "USAGE", answer


def test_too_large(api):
    assert api.call("POST", "/api/v1/backups", body="x" * 70000)[0] == 413
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = f"POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" \
           f"Authorization: Bearer {api.tokens['admin']}\r\n\r\n".encode()
    assert api.raw(head + chunk * 20 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert b" 202 " not in api.raw(head + chunk * 1000)
    many = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 200) for i in range(500))
    assert api.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n").startswith(b"HTTP/1.1 431")
    many = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 200) for i in range(90))
    assert api.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n").startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n" * 1000, b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET /healthz HTTP/9.9\r\n\r\n",
     b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
     b"POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     b"POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", os.urandom(5000)])  # fmt: skip
def test_clients_that_hang_up(api, data):
    assert b" 202 " not in api.raw(data, half_close=True)
    assert api.is_up()


def test_slow_clients_are_cut_off(api):
    """One that goes on and on, byte by byte, and many who say nothing: others are served, and they go."""
    slow = [socket.create_connection(("127.0.0.1", api.port), timeout=40) for _ in range(100)]
    try:
        slow[0].sendall(b"GET /healthz HTTP/1.1\r\nX: ")

        def is_cut_off():
            try:
                slow[0].send(b"x")
            except OSError:
                return True
            return False

        assert api.is_up() and api.get("/api/v1/jobs")
        wait_until(is_cut_off, "a client may take as long as it likes", 60)
        for s in slow[1:]:
            assert s.recv(100) == b""
    finally:
        for s in slow:
            s.close()
    assert api.is_up()


def test_wrong_tokens_come_too_often(cluster, folder):
    """They are no longer answered one by one; a right one from the same address (a proxy's) passes all the same."""
    api = Api(cluster, folder, sql=(None,))  # whose minute begins here, and not with another test's wrong token
    answers = [api.call("GET", "/api/v1/jobs", "pgstow_" + "0" * 64)[0] for _ in range(25)]
    assert answers == [401] * 20 + [429] * 5
    assert api.call("GET", "/api/v1/jobs")[0] == 200
    status, headers, body = api.call("GET", "/api/v1/jobs", "pgstow_" + "1" * 64)
    assert (status, headers["Retry-After"], body["error"]["kind"]) == (429, "60", "RATE")
    api.stop()
    cluster.drop(*api.names)


# ---------------------------------------------------------------- where it listens


def serve(pgstow, server, expect):
    (pgstow.folder / "pgstow.yaml").write_text(f"server: {{stateDir: {pgstow.folder}/state, {server}}}\n")
    return pgstow.run("serve", repo=False, expect=expect)


def test_not_open_to_others_without_tls(pgstow, api):
    serve(pgstow, "address: 0.0.0.0", "CONFIG").error_says("open to others", "insecure")
    serve(pgstow, 'address: "::"', "CONFIG").error_says("open to others")
    serve(pgstow, "address: example", "CONFIG").error_says("no address|open to others")
    serve(pgstow, "tlsKey: /x", "CONFIG").error_says("only one")
    serve(pgstow, "tlsKey: /x, tlsCertificate: /y", "NOT_FOUND").error_says("tlsCertificate")
    serve(pgstow, f"port: {api.port}", "BUSY").error_says(str(api.port), "server.port")


def test_tls(cluster, folder, pgstow):
    import ssl

    key, certificate, port = folder / "key.pem", folder / "cert.pem", free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)  # fmt: skip
    (folder / "pgstow.yaml").write_text(
        f"server: {{stateDir: {folder}/state, port: {port}, tlsKey: {key}, tlsCertificate: {certificate}}}\n")
    with pgstow.start("serve", repo=False) as running:

        def answers():
            assert running.process.poll() is None, running.wait()
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20,
                                                     context=ssl.create_default_context(cafile=certificate))
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except ConnectionRefusedError:
                return False
            finally:
                connection.close()

        wait_until(answers, "no TLS")
        running.process.send_signal(signal.SIGTERM)
        running.wait().expect("OK")
