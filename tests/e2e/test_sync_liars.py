"""A peer that lies: answers of a true one that were altered by whoever holds its key. The sync fails and says so; nothing is
written here by it, and what the peer wrote in its own database is the peer's."""

import hashlib
import http.client
import http.server
import json
import struct
import threading

import pytest
from harness.sites import Place, Sites

SQL = "CREATE TABLE t (id int PRIMARY KEY, v text);"
ROWS = "INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 100) g;"
SIZE, HASH = "X-Pgstow-Size", "X-Pgstow-Sha256"
LISTS = "download-backup?", "&list="


class Liar:
    """Passes requests on to the site, and alters the answers to those for which `lie` has something: lie(method, path,
    headers, body) gives the body instead, or None; headers may be changed in place, and ":status" among them."""

    def __init__(self, site):
        self.lie = None
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                to = http.client.HTTPConnection(site.host, site.port, timeout=60)
                to.request(self.command, self.path, body, dict(self.headers))
                answer = to.getresponse()
                said, headers = answer.read(), dict(answer.getheaders())
                headers[":status"] = answer.status
                changed = liar.lie and liar.lie(self.command, self.path, headers, said)
                said = said if changed is None or changed is False else changed
                self.send_response(headers.pop(":status"))
                for name, value in headers.items():
                    if name not in ("Content-Length", "Connection", "Date", "Transfer-Encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                to.close()

            do_GET = do_POST = do_DELETE = do_HEAD = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port

    def says(self, part, change, method=None, times=None):
        """To requests with all these parts in their path: change(body, headers) is the answer, so many times."""
        parts = (part,) if isinstance(part, str) else part
        left = [times]

        def lie(asked, path, headers, body):
            if any(p not in path for p in parts) or (method and asked != method) or left[0] == 0:
                return None
            left[0] = left[0] and left[0] - 1
            return change(body, headers)

        self.lie = lie

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def pair(cluster, other_cluster, module_folder):
    made = Sites((cluster, other_cluster), module_folder, "")
    made.liar = Liar(made.b)
    made.net.server = Place(made.liar.port)
    yield made
    made.liar.close()
    made.close()


@pytest.fixture
def two(pair):
    for site in (pair.a, pair.b):
        site.sql("DROP TABLE IF EXISTS t; DROP SCHEMA IF EXISTS pgstow CASCADE; " + SQL)
    pair.liar.lie = None
    yield pair
    pair.liar.lie = None


def document(**members):
    """The JSON of the answer with these members; None: without."""

    def change(body, _headers):
        doc = {**json.loads(body), **members}
        return json.dumps({k: v for k, v in doc.items() if v is not None}).encode()

    return change


def instead(text):
    return lambda _body, _headers: text


def wire(*objects, end=0):
    """A list of objects as peers send it: (name, size)."""
    out = b""
    for name, size in objects:
        out += b"\1" + bytes([len(name)]) + name.encode() + struct.pack("<QQ", size, 1) + b"\0"
    out += bytes([end])
    return out + hashlib.sha256(out).digest()


def sealed(change):
    """What was changed comes with the hash that belongs to it."""

    def both(body, headers):
        body = change(body)
        headers[HASH] = hashlib.sha256(body).hexdigest()
        return body

    return both


def without(*names):
    def change(body, headers):
        for name in names:
            headers.pop(name, None)
        return body

    return change


PULLED = {
    "no-json": ("sync/session", instead(b"<html>"), "REFUSED", "peer b"),
    "no-object": ("sync/session", instead(b"[]"), "REFUSED", "no JSON object"),
    "no-tables": ("sync/schema", document(schema=None), "REFUSED", "what its tables are like"),
    "other-tables": ("sync/schema", document(schema={"tables": 7}), "DAMAGED", "the source's tables"),
    "no-status": ("sync/backup-progress", document(status="ASLEEP"), "REFUSED", "how far it is"),
    "no-backup": ("sync/backup-progress", document(backupId=None), "REFUSED", "but not which"),
    "another-backup": ("sync/backup-progress", document(backupId="../../etc/passwd"), None, ""),
    "endless-list": (LISTS, sealed(lambda _: wire(end=2)), "REFUSED", "no end"),
    "foreign-names": (LISTS, sealed(lambda _: wire(("config", 1))), "REFUSED", "not in order"),
    "backward-list": (LISTS, sealed(lambda _: wire(("backups/b", 1), ("backups/a", 1))), "REFUSED", "not in order"),
    "broken-list": (LISTS, sealed(lambda body: body[:-1]), "NETWORK", "otherwise than it was sent"),
    "no-size": ("&offset=", without(SIZE), "REFUSED", "how large an object is"),
    "negative-size": ("&offset=", lambda b, h: h.update({SIZE: "-1"}) or b, "REFUSED", "how large an object is"),
    "short-object": ("&offset=", sealed(lambda body: body[:-1]), "REFUSED", "it was asked for"),
    "no-hash": ("&offset=", without(HASH), "NETWORK", "otherwise than it was sent"),
    "other-bytes": ("name=packs", sealed(lambda body: bytes([body[0] ^ 1]) + body[1:]), "DAMAGED", ""),
}  # fmt: skip


SOON = {"no-object", "no-status", "endless-list", "foreign-names", "short-object", "other-bytes", "empty-result", "another-count"}


def named(lies):
    return [name if name in SOON else pytest.param(name, marks=pytest.mark.slow) for name in lies]


@pytest.mark.parametrize("what", named(PULLED))
def test_pulled_from(two, what):
    two.b.sql(ROWS)
    before = two.a.hashes()
    part, change, kind, words = PULLED[what]
    two.liar.says(part, change)
    result = two.run("pull", "--session", what, expect=kind)
    assert result.status not in (0, -11, -6) and result.json["error"]["kind"] != "INTERNAL", result
    assert words in result.json["error"]["message"], result
    assert two.a.hashes() == before and two.a.session(what)["status"] == "FAILED"


PUSHED = {
    "no-result": (document(result=None), "REFUSED", "what it has written"),
    "empty-result": (document(result={}), "REFUSED", "what it has written"),
    "no-count": (document(result={"backupId": "b", "outcome": {}}), "REFUSED", "what it has written"),
    "another-count": (document(result={"backupId": "b", "outcome": {}, "rows": 99}), "MISMATCH", "100 rows were sent"),
}  # fmt: skip


@pytest.mark.parametrize("what", named(PUSHED))
def test_pushed_to(two, what):
    """What the peer says that it did is compared with what was sent; a result that is none is no result."""
    two.a.sql(ROWS)
    change, kind, words = PUSHED[what]

    def lie(body, headers):
        return change(body, headers) if b'"COMPLETED"' in body else None

    two.liar.says("", lie)
    result = two.run("push", "--session", what, expect=kind)
    assert words in result.json["error"]["message"], result
    assert two.statuses(what) == ("FAILED", "COMPLETED")


@pytest.mark.slow
@pytest.mark.parametrize("change, words", [
    ((document(seq=99), "POST"), "does not say that batch"), ((document(complete=False), "POST"), "does not say that batch"),
    ((instead(b"<html>"), "POST"), "peer b"), ((document(attempt=-1), "GET"), "attempt"),
])  # fmt: skip
def test_rows_pushed_to(two, change, words):
    """Rows that it does not say to have are not there; and nothing is merged."""
    two.a.sql(ROWS)
    two.liar.says("sync/receive", *change)
    assert words in two.run("push", "--method", "http", expect="REFUSED").json["error"]["message"]
    assert two.b.sql("SELECT count(*) FROM t") == "0"


def test_an_end_that_cannot_be_told(two):
    """Of a pull it is the target's: done is done, with a warning. A failure stays the one that it was."""
    two.b.sql(ROWS)
    refuse = lambda body, headers: headers.update({":status": 403}) or b'{"success": false, "error": "no"}'  # noqa: E731
    two.liar.says("sync/report", refuse)
    done = two.pull("--session", "untold")
    assert any("could not be told that it is done" in text for text in done.doc["warnings"])
    two.assert_same()
    two.a.sql("ALTER TABLE t ADD CONSTRAINT few CHECK (id < 200)")
    two.b.sql("INSERT INTO t VALUES (200, 'x')")
    assert "few" in two.run("pull", "--session", "untold-failure", expect=None).json["error"]["message"]
    assert two.a.session("untold-failure")["status"] == "FAILED"
    two.liar.lie = None
    two.a.sql("ALTER TABLE t DROP CONSTRAINT few")
    assert two.pull().counts()["inserted"] == 1
