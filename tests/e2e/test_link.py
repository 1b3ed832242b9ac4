"""A peer's API from the client's side (src/net/link.c), against peers that are slow, broken, full, or lie."""

import hashlib
import hmac
import json
import socket
import subprocess
import threading

import pytest
from harness.cluster import SLOWER
from harness.program import BUILD

DRIVER = BUILD / "tests" / "net-driver"


def answer(status, body=b"", more=""):
    return f"HTTP/1.1 {status} X\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def error(status, kind, message="no", hint=None, more=""):
    return answer(status, json.dumps({"error": {"kind": kind, "message": message, "hint": hint}}).encode(), more)


class Scripted:
    """A peer that gives these answers in turn, the last one for ever. An answer is bytes, or (bytes, what then):
    "close" ends the connection, "reset" breaks it off."""

    def __init__(self, *answers):
        self.answers, self.requests, self.connections = list(answers), [], 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        data = b""
        with s:
            while True:
                while b"\r\n\r\n" not in data:
                    try:
                        more = s.recv(65536)
                    except OSError:
                        return
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                lines = head.decode().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines[1:])
                length = int(headers.get("Content-Length", 0))
                while len(data) < length:
                    data += s.recv(65536)
                body, data = data[:length], data[length:]
                with self.lock:
                    self.requests.append((lines[0], headers, body))
                    said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                said, then = said if isinstance(said, tuple) else (said, None)
                try:
                    s.sendall(said)
                except OSError:
                    return
                if then == "reset":
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if then:
                    return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def peer():
    made = []

    def make(*answers):
        made.append(Scripted(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def call(peer, method="GET", target="/x", *args, fails=None):
    done = subprocess.run([DRIVER, "link", method, peer.url, target, *map(str, args)], capture_output=True, text=True,
                          timeout=60 * SLOWER)  # fmt: skip
    assert not done.stderr, done.stderr
    if fails:
        assert done.returncode == 1 and f"error {fails}: peer berlin" in done.stdout, done.stdout
    else:
        assert done.returncode == 0, done.stdout
    return done.stdout


AGAIN = ("--retry", 20000)


def test_connections_are_kept(peer):
    p = peer(answer(200, b"body"))
    said = call(p, "GET", "/x", "--times", 20)
    assert said.count("body") == 20 and p.connections == 1
    head, received = p.requests[0], said.split("received ")[1]
    assert int(received) == 20 * len(answer(200, b"body"))
    assert int(said.split("sent ")[1].split()[0]) > 20 * len("GET /x HTTP/1.1\r\n") and head[0] == "GET /x HTTP/1.1"


def test_sent_bodies_are_counted_once(peer):
    p = peer(answer(200))
    said = call(p, "POST", "/x", "--body", "b" * 50_000)
    assert 50_000 < int(said.split("sent ")[1].split()[0]) < 50_600


def test_each_attempt_is_signed_anew(peer):
    p = peer(error(503, "NETWORK"), answer(200))
    call(p, "POST", "/x?a=b", "--body", "text", "--repeatable", 1, "--key", "k" * 16, *AGAIN)
    nonces = set()
    for line, headers, body in p.requests:
        parts = [headers[f"X-Pgstow-{n}"] for n in ("Body", "Time", "Nonce")] + [headers["X-Node-ID"]]
        assert parts[0] == hashlib.sha256(body).hexdigest() and headers["Content-Type"] == "application/json"
        text = "\n".join(["pgstow-sync-1", "POST", "/x?a=b", *parts])
        assert headers["X-Pgstow-Signature"] == hmac.new(b"k" * 16, text.encode(), "sha256").hexdigest()
        assert "X-Registration-Hash" not in headers
        nonces.add(parts[2])
    assert len(p.requests) == len(nonces) == 2


def test_old_header(peer):
    p = peer(answer(200))
    call(p, "GET", "/x", "--registration", "all")
    headers = p.requests[0][1]
    assert headers["X-Registration-Hash"] == hashlib.sha256(b"all").hexdigest() and headers["X-Node-ID"] == "hamburg"
    assert "X-Pgstow-Signature" not in headers and "all" not in headers.values()


@pytest.mark.parametrize("broken", [
    error(503, "NETWORK"), error(429, "RATE"), error(504, "TIMEOUT"), answer(502, b"<html>a proxy"), (b"", "close"),
    (b"", "reset"), (b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nfour", "close"),
    (b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nfour", "reset"), (b"HTTP/1.1 200 X\r\nConte", "close"),
])  # fmt: skip
def test_repeated_until_it_works(peer, broken):
    p = peer(broken, broken, answer(200, b"0123456789"))
    said = call(p, "GET", "/x", "--count-only", *AGAIN)
    assert "bytes 10\n" in said and len(p.requests) == 3, "what came before is dropped"


def test_what_may_not_be_repeated_is_not(peer):
    p = peer((b"", "close"), answer(200))
    call(p, "POST", "/x", "--body", "b", *AGAIN, fails="NETWORK")
    assert len(p.requests) == 1
    p = peer(error(503, "NETWORK"), answer(200))
    call(p, "POST", "/x", "--body", "b", *AGAIN, fails="NETWORK")
    assert len(p.requests) == 1
    p = peer(error(429, "RATE"), answer(200))  # turned away: nothing was done
    call(p, "POST", "/x", "--body", "b", *AGAIN)
    p = peer((b"", "close"), answer(200))
    call(p, "DELETE", "/x", *AGAIN)
    assert len(p.requests) == 2


@pytest.mark.parametrize("status, kind", [(401, "TOKEN"), (403, "ROLE"), (404, "NOT_FOUND"), (409, "BUSY"),
                                          (409, "FENCED"), (412, "PREFLIGHT"), (500, "DAMAGED"), (507, "REPO_FULL"),
                                          (503, "TOOL_MISSING")])  # fmt: skip
def test_errors_are_the_peers_own(peer, status, kind):
    p = peer(error(status, kind, "it \x1b[31mdoes not", "do \x07that"))
    said = call(p, "GET", "/x", *AGAIN, fails=kind)
    assert len(p.requests) == 1 and "peer berlin: it " in said and "hint do " in said
    assert "\x1b" not in said and "\x07" not in said


@pytest.mark.parametrize("status, body, kind", [
    (401, b"", "TOKEN"), (403, b"<html>", "ROLE"), (404, b"{", "NOT_FOUND"), (500, b"[]", "REFUSED"),
    (302, b"", "REFUSED"), (418, b'{"error": 1}', "REFUSED"), (413, b"x" * 100_000, "LIMIT"),
    (409, json.dumps({"error": {"kind": "NEWER", "message": "m"}}).encode(), "BUSY"),
    (400, json.dumps({"error": {"kind": "CANCELLED", "message": "m"}}).encode(), "REFUSED"),
    (500, json.dumps({"success": False, "error": "no pg_dump", "kind": "TOOL_MISSING", "hint": "apt"}).encode(),
     "TOOL_MISSING"),
    (500, json.dumps({"success": False, "error": "no pg_dump"}).encode(), "REFUSED"),
])  # fmt: skip
def test_errors_of_others(peer, status, body, kind):
    """Proxies, newer versions, and whoever would have us believe that we had stopped it ourselves."""
    said = call(peer(answer(status, body, "Location: http://127.0.0.1:1/\r\n")), fails=kind)
    assert len(said) < 4000


def test_long_errors_are_cut(peer):
    said = call(peer(error(500, "DAMAGED", "x" * 200_000, "y" * 200_000)), fails="DAMAGED")
    assert len(said) < 6000


def test_parts(peer):
    p = peer(answer(206, b"0123"))
    assert "bytes 4\n0123" in call(p, "GET", "/x", "--from", 4, "--to", 8)
    assert p.requests[0][1]["Range"] == "bytes=4-7"
    whole = answer(200, b"0123456789" * 1000)
    for counted in ([], ["--count-only"]):
        assert "asked for a part" in call(peer(whole), "GET", "/x", "--from", 4, "--to", 8, *counted, fails="REFUSED")
        call(peer(answer(206, b"012")), "GET", "/x", "--from", 4, "--to", 8, *counted, fails="NETWORK")
        call(peer(error(416, "RANGE")), "GET", "/x", "--from", 4, "--to", 8, *counted, fails="RANGE")
    call(peer(answer(206, b"01234")), "GET", "/x", "--from", 4, "--to", 8, "--count-only", fails="LIMIT")
    # One that is short is asked for once more, and what came of it is dropped.
    p = peer(answer(206, b"012"), answer(206, b"0123"))
    assert "bytes 4\n" in call(p, "GET", "/x", "--from", 4, "--to", 8, "--count-only", *AGAIN)


def test_answers_have_a_limit(peer):
    call(peer(answer(200, b"x" * 2000)), "GET", "/x", "--count-only", "--max", 1000, fails="LIMIT")
    huge = b"HTTP/1.1 200 X\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * (17 << 20)
    call(peer((huge, "close")), fails="LIMIT")
    call(peer((b"HTTP/1.1 500 X\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * (2 << 20), "close")), "GET", "/x",
         "--count-only", fails="LIMIT")  # fmt: skip


def test_a_connection_that_ended_meanwhile(peer):
    """The peer was started anew between two calls: the next one is made on a new connection."""
    p = peer((answer(200, b"one"), "close"), (answer(200, b"two"), "close"))
    said = call(p, "GET", "/x", "--times", 2, *AGAIN)
    assert "one" in said and "two" in said and len(p.requests) == 2


def test_ends_when_told(peer):
    said = subprocess.run([DRIVER, "link", "GET", peer(error(503, "NETWORK")).url, "/x", "--retry", "60000", "--cancel",
                           "300"], capture_output=True, text=True, timeout=30 * SLOWER).stdout  # fmt: skip
    assert said.startswith("error CANCELLED"), said
