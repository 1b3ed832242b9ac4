"""A network that fails: what passes between the program and a server (PostgreSQL, or a service's API) can be cut, reset,
held up, slowed down and counted."""

import contextlib
import select
import socket
import struct
import threading
import time

from .cluster import SLOWER

PASS, STALL, RESET, CUT = "pass", "stall", "reset", "cut"
FROM, TO, BOTH = "from", "to", "both"  # the server
STEP = 16384


class Proxy:
    """Passes TCP connections on to a server (host and port are asked for at each connection: it may be restarted).
    Use as a context manager.

    fail(how, after, of): once so many bytes have come from the server (TO: have gone to it; all connections
    together, from heal() on), it fails: CUT ends every connection in an orderly way, RESET by a TCP reset; STALL
    passes nothing more, in either direction, and says nothing. What connects later fails as well, unless `later`
    is PASS. spoil(after): one bit of what comes from the server then is another. refuse(): nobody listens. slow(rate): so many bytes a second, in each direction of each connection.
    `bytes` came from the server, `sent` went to it, since heal().
    """

    def __init__(self, server):
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = []
        self.rate = None
        self.heal()

    def url(self, database, **parameters):
        """As Cluster.url, but through here."""
        direct = self.server.url(database, **parameters)
        through = direct.replace(f":{self.server.port}/", f":{self.port}/", 1)
        assert through != direct
        return through

    def fail(self, how, after=0, later=None, of=FROM):
        with self.lock:
            self.how, self.after, self.later, self.of = how, after, later or how, of

    def spoil(self, after):
        with self.lock:
            self.spoiled = self.bytes + after

    def slow(self, rate):
        self.rate = rate

    def refuse(self):
        """Also ends what is open."""
        with self.lock:
            self.listener.shutdown(socket.SHUT_RDWR)  # closing alone would wait for select()
            self.listener.close()
        self.fail(RESET)
        self.failed.set()

    def heal(self):
        """As new; connections that are held end."""
        with self.lock:
            self.how, self.after, self.later, self.of = PASS, None, PASS, FROM
            self.bytes = self.sent = 0
            self.rate = self.spoiled = None
            if self.listener.fileno() < 0:
                self.listener = socket.create_server((self.host, self.port))
        self.failed = threading.Event()

    # ---------------------------------------------------------------- the threads

    def _count(self, n, back):
        """What is to happen with these bytes; back: they are from the server."""
        with self.lock:
            self.bytes += n if back else 0
            self.sent += 0 if back else n
            counted = {FROM: self.bytes, TO: self.sent, BOTH: self.bytes + self.sent}[self.of]
            if self.how == PASS or counted < self.after or self.of == (TO if back else FROM):
                return PASS
            self.failed.set()
            return self.how

    def _spoil(self, data):
        """What comes from the server, counted already."""
        with self.lock:
            if self.spoiled is None or self.bytes <= self.spoiled:
                return data
            self.spoiled = None
        return data[:-1] + bytes([data[-1] ^ 1])

    def _state(self):
        return self.how if self.failed.is_set() else PASS

    def _accept(self):
        while not self.over.is_set():
            with self.lock:
                listener = self.listener
            if listener.fileno() < 0:
                time.sleep(0.02)
                continue
            try:
                if not select.select([listener], [], [], 0.1)[0]:
                    continue
                client, _ = listener.accept()
            except (OSError, ValueError):  # closed meanwhile
                continue
            self._spawn(self._serve, client, self.failed.is_set())

    def _spawn(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        self.threads.append(thread)

    def _serve(self, client, is_later):
        """One connection. What came after the failure meets `later`."""
        with client:
            try:
                if is_later and self.later == STALL:
                    self._hold(client)
                elif is_later and self.later != PASS:
                    end(client, self.later)
                else:
                    with socket.create_connection((self.server.host, self.server.port)) as server:
                        for end_of_it in (client, server):  # it adds no time of its own to what comes in two parts
                            end_of_it.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self._pump(client, server, is_later)
            except OSError:
                pass

    def _hold(self, *sockets):
        """Open, and nothing passes, until all is over or healed."""
        while not self.over.wait(0.05) and self._state() == STALL:
            pass

    def _pump(self, client, server, is_later):
        while not self.over.is_set():
            state = PASS if is_later else self._state()
            if state == PASS:
                ready = select.select([client, server], [], [], 0.05)[0]
                for source in ready:
                    data = source.recv(STEP)
                    if not data:
                        return
                    if not is_later:
                        state = self._count(len(data), source is server)
                    if source is server:
                        data = self._spoil(data)
                    if self.rate:
                        time.sleep(len(data) / self.rate)
                    if state == PASS:
                        (server if source is client else client).sendall(data)
            if state == STALL:
                return self._hold()
            if state != PASS:
                end(client, state)
                return end(server, state)

    # ---------------------------------------------------------------- life

    def __enter__(self):
        self._spawn(self._accept)
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(20 * SLOWER)
        self.listener.close()


def end(sock, how):
    if how == RESET:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
