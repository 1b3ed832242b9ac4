"""Peers: who is let in at /api/sync/, by the old header or by a signature, and `pgstow peer`. Two real services; one of
them speaks TLS with a certificate of an authority of the test."""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import select
import signal
import socket
import sqlite3
import ssl
import subprocess
import time

import pytest
from harness.cluster import free_port, wait_until
from harness.program import Pgstow
from harness.receivers import authority  # noqa: F401 (a fixture)

REGISTRATION, KEY = "what all have", "a key of the two, and of nobody else"
EMPTY = hashlib.sha256(b"").hexdigest()
OTHER = {"PGSTOW_NODE_ID": "a-node-without-a-key"}
PEER = "/api/sync/peer"
POST = "/api/sync/initiate-backup"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Node:
    """A service that knows peers."""

    def __init__(self, name, folder, more="", registration=REGISTRATION, certificate=None):
        self.name, self.folder, self.port = name, folder, free_port()
        self.folder.mkdir()
        self.certificate = certificate
        self.more = more
        self.pgstow = Pgstow(None, folder, env={} if registration is None else {"SYNC_REGISTRATION_KEY": registration})
        self.key = folder / "key"
        self.key.write_text(KEY + "\n")
        self.key.chmod(0o600)
        self.running = None

    @property
    def url(self):
        return f"http{'s' if self.certificate else ''}://localhost:{self.port}"

    def start(self):
        tls = f", tlsCertificate: {self.certificate}, tlsKey: {self.certificate}" if self.certificate else ""
        (self.folder / "pgstow.yaml").write_text(
            f"server: {{port: {self.port}, stateDir: {self.folder}/state, drain: 0s{tls}}}\n"
            f"backup: {{backupDir: {self.folder}/repo}}\nsync: {{nodeId: {self.name}}}\n{self.more}")  # fmt: skip
        self.running = self.pgstow.start("serve", repo=False)
        wait_until(self.is_up, "the service does not listen")
        return self

    def is_up(self):
        assert self.running.process.poll() is None, self.running.wait()
        with contextlib.suppress(OSError):
            return self.call(path="/healthz")[0] == 200
        return False

    def connection(self):
        if not self.certificate:
            return http.client.HTTPConnection("localhost", self.port, timeout=20)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)

    def call(self, headers=(), method="GET", path=PEER, body=None):
        """Status and JSON, or the error's kind. `headers`: a dict, or pairs."""
        connection = self.connection()
        with contextlib.closing(connection):
            connection.putrequest(method, path)
            pairs = list(headers.items() if isinstance(headers, dict) else headers)
            for name, value in pairs + ([("Content-Length", len(body))] if body is not None else []):
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            doc = json.loads(answer.read() or b"null")
            return answer.status, doc if answer.status < 400 else doc["error"]["kind"] if doc else None

    def run(self, *args, **kwargs):
        return self.pgstow.run(*args, repo=False, **kwargs)

    def stop(self, how=signal.SIGTERM):
        self.running.process.send_signal(how)
        said = self.running.wait()
        assert KEY not in said.stderr and REGISTRATION not in said.stderr
        return said


def old(node="testnode", key=REGISTRATION):
    return {"X-Node-ID": node, "X-Registration-Hash": digest(key)}


def signed(node="hamburg", method="GET", path=PEER, body=b"", ahead=0, key=KEY, nonce=None):
    """The headers of a signed request."""
    parts = {
        "X-Pgstow-Body": hashlib.sha256(body).hexdigest(),
        "X-Pgstow-Time": str(int((time.time() + ahead) * 1000)),
        "X-Pgstow-Nonce": nonce or os.urandom(16).hex(),
        "X-Node-ID": node,
    }
    text = "\n".join(["pgstow-sync-1", method, path, *parts.values()])
    return {**parts, "X-Pgstow-Signature": hmac.new(key.encode(), text.encode(), "sha256").hexdigest()}


@pytest.fixture(scope="module")
def nodes(module_folder, authority):  # noqa: F811
    authority.context("localhost")
    a = Node("hamburg", module_folder / "a")
    b = Node("berlin", module_folder / "b", certificate=authority.folder / "localhost1.pem")
    a.more = f"""peers:
- {{name: berlin, url: "{b.url}", nodeId: berlin, keyFile: {a.key}, caFile: {authority.file}, entry: shop}}
- {{name: unknown-authority, url: "{b.url}", nodeId: berlin, keyFile: {a.key}}}
- {{name: wrong-name, url: "https://127.0.0.1:{b.port}", nodeId: berlin, keyFile: {a.key}, caFile: {authority.file}}}
- {{name: old, url: "{b.url}", caFile: {authority.file}}}
- {{name: itself, url: "{a.url}", nodeId: hamburg}}
"""
    b.more = f"""peers:
- {{name: the-one-in-hamburg, url: "{a.url}", nodeId: hamburg, keyCommand: "cat {b.key}"}}
"""
    a.start(), b.start()
    yield a, b
    a.stop(), b.stop()


@pytest.fixture
def berlin(folder):
    """One of its own: wrong keys cost time, and those of other tests too."""
    node = Node("berlin", folder / "own")
    node.more = f"""peers:
- {{name: the-one-in-hamburg, url: "http://localhost:1", nodeId: hamburg, keyCommand: "cat {node.key}"}}
- {{name: both, url: "http://localhost:1", nodeId: both, keyFile: {node.key}, legacyHeader: true}}
"""
    node.start()
    yield node
    node.stop()


# ---------------------------------------------------------------- the old header


def test_old_header(berlin):
    status, answer = berlin.call(old())
    assert status == 200 and answer["success"] is True and answer["nodeId"] == "berlin"
    assert answer["knownAs"] is None and answer["signed"] is False
    assert abs(answer["timeMs"] / 1000 - time.time()) < 60
    assert [t["name"] for t in answer["tools"]] == ["pg_dump", "pg_restore", "psql"]
    upper = {**old(), "X-Registration-Hash": digest(REGISTRATION).upper()}
    assert berlin.call(upper)[0] == 200
    for wrong in (old(key="another"), old(key=""), {"X-Node-ID": "testnode"}, {**old(), "X-Registration-Hash": ""},
                  {"X-Registration-Hash": digest(REGISTRATION)}, {**old(), "X-Node-ID": ""},
                  {**old(), "X-Registration-Hash": REGISTRATION}, {}):  # fmt: skip
        assert berlin.call(wrong) == (401, "TOKEN"), wrong


def test_old_header_turned_off_for_a_peer_with_a_key(berlin):
    assert berlin.call(old("hamburg")) == (401, "TOKEN")
    assert berlin.call(old("the-one-in-hamburg")) == (401, "TOKEN"), "nor can anybody take its name here"
    assert berlin.call(old("both"))[1]["knownAs"] == "both"
    assert berlin.call(signed("both"))[1]["signed"] is True


@pytest.mark.parametrize("registration", [None, ""])
def test_off(folder, registration):
    """Without the key, or with an empty one, nobody comes in, and it is said how to turn it on."""
    node = Node("off", folder / "off", registration=registration).start()
    try:
        for headers in (old(), old(key=""), signed(), {}, {"X-Node-ID": "x", "X-Registration-Hash": EMPTY}):
            assert node.call(headers) == (403, "ROLE"), headers
        with contextlib.closing(node.connection()) as c:
            c.request("GET", PEER, headers=old(key=""))
            answer = json.loads(c.getresponse().read())
        assert answer["success"] is False and "SYNC_REGISTRATION_KEY" in answer["error"]["hint"]
    finally:
        node.stop()


def test_a_key_of_a_peer_opens_nothing_to_the_old_header(folder):
    node = Node("n", folder / "n", registration=None, more="")
    node.more = f'peers: [{{name: hamburg, url: "http://localhost:1", nodeId: hamburg, keyFile: {node.key}}}]\n'
    node.start()
    try:
        assert node.call(signed())[0] == 200
        for headers in (old(), old("hamburg"), old(key=""), old("hamburg", "")):
            assert node.call(headers) == (401, "TOKEN")
        # A key that cannot be read is none.
        node.key.unlink()
        assert node.run("peer", "ping", "hamburg", expect="CONFIG").error_says("key")
    finally:
        node.stop()


# ---------------------------------------------------------------- signed


def test_signed(berlin):
    status, answer = berlin.call(signed())
    assert status == 200 and answer["knownAs"] == "the-one-in-hamburg" and answer["signed"] is True
    assert berlin.call(signed(key="another key that is long enough")) == (401, "TOKEN")
    assert berlin.call(signed("nobody")) == (401, "TOKEN")
    assert berlin.call(signed(method="HEAD"), "HEAD")[0] == 200


def test_what_was_signed_for_another_request(berlin):
    """Signed, and then altered on the way: method, path, query, any of the headers."""
    assert berlin.call(signed(method="POST")) == (401, "TOKEN")
    assert berlin.call(signed(), "HEAD")[0] == 401
    assert berlin.call(signed(path="/api/sync/schema?sessionId=x")) == (401, "TOKEN")
    path = "/api/sync/schema?sessionId=x"
    assert berlin.call(signed(path=path), path=path)[0] not in (401, 403)
    assert berlin.call(signed(path=path), path=path + "y") == (401, "TOKEN")
    assert berlin.call(signed(path="/api/sync/%70eer"), path=PEER) == (401, "TOKEN")
    headers = signed()
    for name in headers:
        value = headers[name]
        for altered in ("", value[:-1], value[:-1] + ("0" if value[-1] != "0" else "1"), value + "0", "x" * 200):
            assert berlin.call({**headers, name: altered}) == (401, "TOKEN"), (name, altered)
        assert berlin.call({n: v for n, v in headers.items() if n != name})[0] == 401, name
    assert berlin.call(headers)[0] == 200, "none of these has used it up"


def test_body_altered_on_the_way(berlin):
    good, bad = b'{"sessionId": "x y"}', b'{"sessionId": "x z"}'
    ask = {"method": "POST", "path": POST, "body": good}
    assert berlin.call(signed(**ask), **ask)[0] not in (401, 403, 200)  # no such id can be
    for other in (bad, b"", good + b" "):
        assert berlin.call(signed(**ask), **{**ask, "body": other}) == (401, "TOKEN")
    # Without a length, in chunks.
    chunked = [*signed(**ask).items(), ("Transfer-Encoding", "chunked")]
    connection = berlin.connection()
    with contextlib.closing(connection):
        connection.request("POST", POST, body=iter([bad]), headers=dict(chunked), encode_chunked=True)
        assert connection.getresponse().status == 401


def test_replay(berlin):
    once = signed()
    assert berlin.call(once)[0] == 200
    for _ in range(3):
        assert berlin.call(once) == (401, "TOKEN")
    # The nonce in another form is not another one, and one nonce is good for no second request.
    again = signed(nonce=once["X-Pgstow-Nonce"])
    assert berlin.call(again) == (401, "TOKEN")
    assert berlin.call({**signed(), "X-Pgstow-Nonce": once["X-Pgstow-Nonce"].upper()}) == (401, "TOKEN")


def test_replay_after_a_kill(nodes):
    """What one service has taken the next one does not take; and what is sent anew it does."""
    a, b = nodes
    a.run("peer", "ping", "berlin")
    once = signed()
    assert b.call(once)[0] == 200
    b.stop(signal.SIGKILL)
    b.start()
    assert b.call(once) == (429, "RATE")
    a.run("peer", "ping", "berlin")
    assert b.call(once)[0] in (401, 429)


@pytest.mark.parametrize("ahead", [3600, -3600, 301 + 30, -301 - 30])
def test_clock(berlin, ahead):
    assert berlin.call(signed(ahead=ahead)) == (401, "TOKEN")


def test_faults_clock_off_by_an_hour_is_told(nodes):  # by libfaketime: ./dev sanitize leaves it out by its name
    a, _ = nodes
    command = ["faketime", "-f", "+1h", str(a.pgstow.binary), "peer", "ping"]
    for name, status, says in (("berlin", 46, b"ahead of this host's"), ("old", 0, b"1 h 0 min behind")):
        env = {**a.pgstow.environment(OTHER if name == "old" else None), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        told = subprocess.run([*command, name], cwd=a.folder, env=env, capture_output=True)
        assert told.returncode == status and says in told.stdout + told.stderr, told


def test_wrong_keys_cost_time(folder):
    """By the registration key, also the right one; a signature always passes."""
    node = Node("n", folder / "n")
    node.more = f'peers: [{{name: hamburg, url: "http://localhost:1", nodeId: hamburg, keyFile: {node.key}}}]\n'
    node.start()
    try:
        assert node.call(old())[0] == 200
        assert {node.call({})[0] for _ in range(30)} == {401}, "who brings none has guessed nothing"
        statuses = [node.call(old(key=f"guess {i}"))[0] for i in range(25)]
        assert statuses == [401] * 20 + [429] * 5
        assert node.call(old()) == (429, "RATE")
        assert node.call(signed())[0] == 200
        assert node.call(signed(key="x" * 20)) == (401, "TOKEN")
    finally:
        node.stop()


# ---------------------------------------------------------------- bodies


def test_large_bodies(berlin):
    """Eight times a mebibyte for who has proven who he is, by the head alone; for others nothing is taken."""
    megabyte = b'{"sessionId": "' + b"x" * (1 << 20) + b'"}'
    largest = b" " * (8 << 20)

    def ask(body, headers):
        status, kind = berlin.call(headers, "POST", POST, body)
        return status

    assert ask(megabyte, signed(method="POST", path=POST, body=megabyte)) == 400
    assert ask(largest, old()) == 400
    with contextlib.suppress(OSError):  # it hangs up before all of it was sent
        assert ask(largest + b" ", old()) == 413
    for headers in ({}, old(key="wrong")):
        assert ask(largest, headers) == 401
        for more in ({"Content-Length": 8 << 20, "Expect": "100-continue"}, {"Content-Length": (8 << 20) + 1}):
            connection = berlin.connection()
            with contextlib.closing(connection):
                connection.putrequest("POST", POST)
                for name, value in {**headers, **more}.items():
                    connection.putheader(name, value)
                connection.endheaders()
                assert connection.getresponse().status == 401, "before any of it is sent"


def test_so_many_large_bodies_at_once(nodes):
    """Sixteen; further ones are told to come later, and may when there is room."""
    a, _ = nodes
    head = f"POST {POST} HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n"
    head += "".join(f"{n}: {v}\r\n" for n, v in old().items()) + "\r\n"
    held = [socket.create_connection(("localhost", a.port)) for _ in range(20)]
    refused = set()

    def look():
        for s in set(select.select(held, [], [], 0.1)[0]) - refused:
            assert b" 429 " in s.recv(65536)
            refused.add(s)
        return len(refused) >= 4

    try:
        for s in held:
            s.sendall(head.encode() + b" " * 1000)
        wait_until(look, "all are taken")
        assert a.call(old())[0] == 200, "those without a body come"
        assert not look() or len(refused) == 4
    finally:
        for s in held:
            s.close()
    body = b" " * 100_000
    wait_until(lambda: a.call(old(), "POST", POST, body)[0] == 400, "there is never room again")


# ---------------------------------------------------------------- hostile values


def test_hostile_headers(berlin):
    odd = ["", " ", "a b", "a/b", "../x", "-", "é".encode(), b"\xff\xfe", "x" * 101, "x" * 8000, "%00", "a\tb", "'; --",
           "0" * 64, "-1", "1e3", "9" * 18, "9" * 400, "0x10"]  # fmt: skip
    for base in (old(), signed()):
        for name in base:
            for value in odd:
                status, kind = berlin.call({**base, name: value})
                # An id may be one that is not known.
                assert status in (400, 401, 429) or (status == 200 and name == "X-Node-ID"), (name, value, kind)
    twice = [*old(key="wrong").items(), *old().items()]
    assert berlin.call(twice)[0] in (401, 429)
    both = {**old(), **signed(key="another key that is long enough")}
    assert berlin.call(both) == (401, "TOKEN"), "a wrong signature is not made good by the old header"


def test_tokens_do_not_help(berlin):
    token = berlin.run("token", "add", "t", "--role", "admin", "--quiet").stdout.strip()
    assert berlin.call({"Authorization": f"Bearer {token}"}) == (401, "TOKEN")
    assert berlin.call(old(), path="/api/v1/jobs") == (401, "TOKEN")
    assert berlin.call(signed(path="/api/v1/jobs"), path="/api/v1/jobs") == (401, "TOKEN")
    assert berlin.call({**old(), "Authorization": f"Bearer {token}"})[0] == 200


# ---------------------------------------------------------------- peer


def test_ping(nodes):
    a, b = nodes
    told = a.run("peer", "ping", "berlin", "--json").json["peers"][0]
    answer = told["answer"]
    assert told["online"] and told["accepted"] and answer["nodeId"] == "berlin" and answer["signed"]
    assert answer["knownAs"] == "the-one-in-hamburg" and abs(told["clockDifferenceMs"]) < 60_000
    assert answer["entries"][0]["repository"]["error"] == "REPO_NOT_FOUND"
    text = a.run("peer", "ping", "berlin").stdout
    assert "own key matches" in text and "pg_dump" in text
    assert "[Local]" in a.run("peer", "ping", "itself").stdout
    assert "registration key matches" in a.run("peer", "ping", "old", env=OTHER).stdout
    # The other way, whose key a command prints.
    assert "own key matches" in b.run("peer", "ping", "the-one-in-hamburg").stdout


def test_ping_finds_what_is_wrong(nodes):
    a, _ = nodes
    a.run("peer", "ping", "unknown-authority", expect="REFUSED").error_says("certificate")
    a.run("peer", "ping", "wrong-name", expect="REFUSED").error_says("127.0.0.1")
    a.run("peer", "ping", "nobody", expect="NOT_FOUND").error_says("nobody", "berlin")
    a.run("peer", "ping", "old", expect="TOKEN").error_says("must sign", "keyFile")
    wrong = a.run("peer", "ping", "old", expect="TOKEN", env={"SYNC_REGISTRATION_KEY": "another"})
    assert "does not match" in wrong.stdout
    nothing = a.run("peer", "ping", "old", expect="CONFIG", env={"SYNC_REGISTRATION_KEY": None})
    nothing.error_says("proves", "SYNC_REGISTRATION_KEY")
    a.run("peer", "ping", "berlin", expect="TOKEN", env={"PGSTOW_NODE_ID": "other"}).error_says("known")
    all_of_them = a.run("peer", "ping", "--json", expect="PARTIAL").json
    assert {p["peer"]: p["accepted"] for p in all_of_them["peers"]} == {
        "berlin": True, "unknown-authority": False, "wrong-name": False, "old": False, "itself": True}  # fmt: skip


def test_what_answers_is_no_service(nodes, folder):
    a, _ = nodes
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        a.run("peer", "add", "odd", "--url", f"http://127.0.0.1:{port}", "--node", "odd")
        try:
            far = b'{"protocol": 1, "timeMs": -9223372036854775808}'
            answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                       b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(far), far), b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                       b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                       b"HTTP/1.1 500 No\r\nContent-Length: 47\r\n\r\n"
                       b'{"error":"oh \x1b[31m no","hint":"do","kind":"HOOK"}', b"SSH-2.0\r\n", b""]  # fmt: skip
            for text in answers:
                with a.pgstow.start("peer", "ping", "odd", "--json", repo=False) as running:
                    s = listener.accept()[0]
                    s.recv(65536)
                    s.sendall(text)
                    s.close()
                    result = running.wait()
                assert result.status not in (0, 1, 139), (text, result)
                assert "\x1b" not in result.stdout + result.stderr
                assert not result.json["peers"][0]["accepted"]
        finally:
            a.run("peer", "remove", "odd")


def test_add_list_remove(nodes, authority):  # noqa: F811
    a, b = nodes
    # The node id is learnt from it.
    added = a.run("peer", "add", "mine", "--url", b.url, "--ca-file", authority.file, "--peer-key-file", a.key,
                  "--peer-entry", "shop", "--json").json  # fmt: skip
    assert added["nodeId"] == "berlin" and added["signed"] and not added["legacy"]
    assert added["keyFile"] == str(a.key)
    a.run("peer", "ping", "mine")
    listed = a.run("peer", "list", "--json").json
    assert listed["nodeId"] == "hamburg"
    by_name = {p["name"]: p for p in listed["peers"]}
    assert by_name["mine"]["from"] == "added" and by_name["berlin"]["from"] == "file"
    assert by_name["itself"]["local"] and not by_name["mine"]["local"]
    text = a.run("peer", "list").stdout
    assert "itself [Local]" in text and "mine" in text
    a.run("peer", "add", "mine", "--url", b.url, expect="EXISTS")
    a.run("peer", "add", "berlin", "--url", b.url, expect="EXISTS").error_says("file")
    a.run("peer", "remove", "berlin", expect="NOT_FOUND").error_says("pgstow.yaml")
    assert a.run("peer", "remove", "mine", "--json").json["removed"] == "mine"
    a.run("peer", "remove", "mine", expect="NOT_FOUND")
    with sqlite3.connect(f"file:{a.folder}/state/state.db?mode=ro", uri=True) as db:
        actions = [row[0] for row in db.execute("SELECT action FROM audit WHERE object = 'mine' ORDER BY id")]
        everything = "\n".join(db.iterdump())
    assert actions == ["peer.add", "peer.remove"]
    assert KEY not in everything and REGISTRATION not in everything


@pytest.mark.parametrize("kind, args, says", [
    ("USAGE", ["add"], "needs a name"),
    ("USAGE", ["remove"], "needs a name"),
    ("USAGE", ["list", "x"], "no argument"),
    ("USAGE", ["pign"], "ping"),
    ("USAGE", ["ping", "berlin", "--url", "https://x"], "peer add"),
    ("USAGE", ["add", "a b", "--url", "https://x"], "name"),
    ("CONFIG", ["add", "x"], "no url"),
    ("USAGE", ["add", "x", "--url", "berlin"], "url"),
    ("USAGE", ["add", "x", "--url", "https://u:hidden@x"], "url"),
    ("CONFIG", ["add", "x", "--url", "http://example.com"], "not encrypted"),
    ("CONFIG", ["add", "x", "--url", "http://localhost.example.com"], "not encrypted"),
    ("USAGE", ["add", "x", "--url", "https://x", "--peer-key-file", "/nowhere"], "no file"),
    ("USAGE", ["add", "x", "--url", "https://x", "--legacy-header", "perhaps"], "true or false"),
    ("USAGE", ["add", "x", "--url", "https://x", "--node", "a/b"], "nodeId"),
])  # fmt: skip
def test_usage(nodes, kind, args, says):
    result = nodes[0].run("peer", *args, expect=kind)
    assert says in result.stderr and "hidden" not in result.stderr, result.stderr


def test_short_keys_are_refused(nodes, folder):
    short = folder / "short"
    short.write_text("fifteen letters")
    short.chmod(0o600)
    nodes[0].run("peer", "add", "x", "--url", nodes[0].url, "--node", "x", "--peer-key-file", short,
                 expect="CONFIG").error_says("shorter than 16")  # fmt: skip


def test_config_tells_no_secret(nodes):
    a, _ = nodes
    shown = a.run("config", "show", "--json")
    names = [p["name"] for p in shown.json["peers"]]
    assert names == ["berlin", "unknown-authority", "wrong-name", "old", "itself"]
    settings = {s["name"]: s["value"] for s in shown.json["settings"]}
    assert settings["SYNC_REGISTRATION_KEY"] == "***" and settings["sync.nodeId"] == "hamburg"
    text = a.run("config", "show").stdout
    assert "peers: berlin" in text
    for out in (shown.stdout, text):
        assert REGISTRATION not in out and KEY not in out
