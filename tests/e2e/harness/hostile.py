"""Clients of the API that mean no good: requests out of a seed, and connections that never end."""

import hashlib
import random
import socket
import struct
import threading
from contextlib import suppress

METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "G" * 300, "", "\x00", "PRI"]
PATHS = [
    "/", "//", "/healthz", "/readyz", "/metrics", "/openapi.json", "*", "/api/v1/backups", "/api/v1/jobs", "/api/v1/jobs/1",
    "/api/v1/backups/../../../../etc/passwd", "/api/v1/backups/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/shadow",
    "/api/v1/backups/%c0%ae%c0%ae/x", "/api/v1/backups/none.dump", "/api/v1/backups/none.sql.gz", "/api/v1/backups/-r",
    "/api/v1/backups/x%00.dump", "/api/v1/backups/\xff\xfe", "/api/v1/jobs/99999999999999999999", "/api/v1/jobs/-1",
    "/api/v1/backups?limit=-1", "/api/v1/backups?since=%f0", "/api/v1/jobs?kind=%27%3bDROP", "/api/v1/backups?" + "a=b&" * 900,
    "/" + "a/" * 1500, "/" + "%41" * 1300, "/" + "x" * 4000, "/" + "x" * 5000, "/api/v1/events?after=x",
    "http://other/healthz", "/api/backup?type=nothing", "/api/v1/tokens", "/api/v1/audit", "/api/v1/config",
    "/api/sync/peer", "/api/sync/peer?x=1", "/api/sync/session?sessionId=x", "/api/sync/schema?sessionId=%2e%2e",
    "/api/sync/download-backup?sessionId=x&name=config", "/api/sync/download-backup?sessionId=x&list=..%2f",
    "/api/sync/receive-backup?sessionId=x&name=config", "/api/sync/rows?sessionId=x&attempt=1", "/api/admin/sync/full-sync",
]  # fmt: skip
POSTS = ["/api/v1/backups", "/api/v1/verify", "/api/v1/drill", "/api/v1/cleanup", "/api/v1/validate", "/api/v1/doctor",
         "/api/v1/tokens", "/api/v1/backups/restore/none.dump", "/api/v1/backups/none/pin", "/healthz",
         "/api/sync/session", "/api/sync/report", "/api/sync/initiate-backup", "/api/sync/restore-backup",
         "/api/sync/receive?sessionId=x", "/api/sync/receive-backup?sessionId=x&name=x&upload=x&offset=0",
         "/api/admin/sync/full-sync"]  # fmt: skip
BODIES = [
    b"", b"{", b"}", b"[]", b"null", b'"x"', b"{}x", b'{"entry": 1}', b'{"entry": null}', b'{"entry": "none"}',
    b'{"entry": "none", "entry": "none"}', b'{"entry": "../../etc"}', b"[" * 5000, b'{"a":' * 3000, b'{"entry": "' + b"x" * 60000 + b'"}',
    b'{"entry": "\\ud800"}', b'{"entry": "\xff"}', b'{"entry": "\x00"}', b'{"entry": 1e999}', b'{"n": ' + b"9" * 4000 + b"}",
    b"\xef\xbb\xbf{}", b"\x00" * 1000, b"%PDF-1.4", b"x" * 65537, b'{"entry": "none", "nonsense": {}}',
]  # fmt: skip
REGISTRATION = "of the tests"
PEER = f"X-Node-ID: hostile\r\nX-Registration-Hash: {hashlib.sha256(REGISTRATION.encode()).hexdigest()}"
HEADERS = [
    "Host: x", "Host: ", "Host: a\r\nHost: b", "X: " + "y" * 3000, "X: " + "y" * 30000, "\r\n".join(f"H{i}: v" for i in range(400)),
    "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 0x10",
    "Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3", "Transfer-Encoding: gzip, chunked",
    "Expect: 100-continue", "Expect: nonsense", "Connection: close", "Connection: Upgrade\r\nUpgrade: h2c", "Range: bytes=0-",
    "Range: bytes=9-1,-5,x", "If-None-Match: *", 'If-None-Match: "' + "x" * 2000, "Authorization: Basic YTpi", "Authorization: Bearer",
    "Authorization: Bearer pgstow_" + "0" * 64, "Cookie: " + "a=b; " * 200, " folded", "no colon here", ": empty", "A\x00B: c",
    "Accept: \xff\xfe", "Last-Event-ID: -1", "Content-Encoding: gzip", "X-HTTP-Method-Override: DELETE",
]  # fmt: skip


class Attack:
    """So many requests by so many clients at once; each client's are out of a seed of its own."""

    def __init__(self, api, requests, clients=16, seed=1):
        self.api, self.clients, self.seed = api, clients, seed
        self.each = requests // clients
        self.sent = self.answered = 0
        self.lock = threading.Lock()
        self.strange = []

    def run(self):
        threads = [threading.Thread(target=self.client, args=(i,)) for i in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.strange, self.strange[:3]

    def client(self, number):
        try:
            self.ask_on(number)
        except BaseException as problem:  # among them: nobody listens any more
            self.strange.append(problem)

    def ask_on(self, number):
        rng = random.Random(f"{self.seed} {number}")
        left = self.each
        while left > 0:
            n = min(left, rng.choice([1, 1, 1, 3, 10]))
            answers = self.connection(rng, [self.request(rng) for _ in range(n)])
            left -= n
            with self.lock:
                self.sent += n
                self.answered += answers

    def request(self, rng):
        """The bytes of one."""
        if rng.random() < 0.05:
            return rng.randbytes(rng.choice([1, 10, 1000, 20000]))
        method, path, body = rng.choice(METHODS), rng.choice(PATHS), b""
        lines = rng.sample(HEADERS, rng.choice([0, 1, 1, 2, 4]))
        # What is well formed reaches further: a viewer may change nothing, and an admin's bodies are no good.
        role = rng.choice([None, None, "viewer", "viewer", "admin", "peer"])
        if rng.random() < 0.3:
            method, path, body, lines = "POST", rng.choice(POSTS), rng.choice(BODIES[1:]), []
            lines.append(f"Content-Length: {len(body) + rng.choice([0, 0, 0, 0, 1, -1])}")
        elif role == "admin" or rng.random() < 0.4:
            method, lines = "GET", lines[:1]
        if role == "peer":
            lines.append(PEER)
        elif role:
            lines.append(f"Authorization: Bearer {self.api.tokens[role]}")
        version = rng.choice(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", ""])
        if "Host: x" not in lines and rng.random() < 0.9:
            lines.insert(0, "Host: x")
        end = rng.choice(["\r\n"] * 9 + ["\n"])
        head = end.join([f"{method} {path} {version}", *lines, "", ""]).encode("latin-1", "replace")
        whole = bytearray(head + body)
        if whole and rng.random() < 0.1:
            for _ in range(rng.choice([1, 5])):
                whole[rng.randrange(len(whole))] = rng.randrange(256)
        return bytes(whole[: rng.randrange(len(whole) + 1)] if rng.random() < 0.1 else whole)

    def connection(self, rng, requests):
        """All of them down one connection, which then ends in one of many ways. How many answers came."""
        how = rng.choice(["wait", "wait", "half", "leave", "reset"])
        got = b""
        s = socket.create_connection(("127.0.0.1", self.api.port), timeout=30)
        with suppress(OSError), s:
            if rng.random() < 0.1:
                for request in requests:
                    for at in range(0, min(len(request), 2000), 100):
                        s.send(request[at : at + 100])
            else:
                s.sendall(b"".join(requests))
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif how != "leave":
                if how == "half":
                    s.shutdown(socket.SHUT_WR)
                s.settimeout(0.2 if how == "wait" else 25)
                while more := s.recv(65536):
                    got += more
        if b"HTTP/1.1 500" in got and b"INTERNAL" in got:
            self.strange.append((requests, got[:500]))
        return got.count(b"HTTP/1.")


class Slow:
    """Clients that take their time: with their headers, their body, or with reading what they asked for."""

    def __init__(self, api, count):
        self.api, self.sockets = api, []
        head = f"Host: x\r\nAuthorization: Bearer {api.tokens['viewer']}\r\n"
        starts = [
            f"GET /api/v1/jobs HTTP/1.1\r\n{head}X: ".encode(),
            f"POST /api/v1/verify HTTP/1.1\r\n{head}Content-Length: 5000\r\n\r\n{{".encode(),
            f"GET /openapi.json HTTP/1.1\r\n{head}\r\n".encode() * 200,
        ]
        for i in range(count):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", api.port))
            s.setblocking(False)
            self.sockets.append((s, i % len(starts)))
            with suppress(BlockingIOError):
                s.send(starts[i % len(starts)])

    def creep(self):
        """A byte more of each; the readers read none. How many are still open."""
        still = 0
        for s, kind in self.sockets:
            try:
                still += kind == 2 or s.send(b"x")
            except BlockingIOError:
                still += 1
            except OSError:
                pass
        return still

    def readers_cut_off(self):
        """What had come before is still to be read; then it ends."""
        ended = 0
        for s, kind in self.sockets:
            if kind != 2:
                continue
            s.settimeout(10)
            try:
                while s.recv(1 << 20):
                    pass
                ended += 1
            except ConnectionError:
                ended += 1
            except TimeoutError:
                pass
        return ended

    def close(self):
        for s, _ in self.sockets:
            s.close()
