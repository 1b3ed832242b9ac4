"""A network that fails: what passes between the program and the server can be cut, reset or held up."""

import contextlib
import select
import socket
import struct
import threading

from .cluster import SLOWER

PASS, STALL, RESET, CUT = "pass", "stall", "reset", "cut"
STEP = 16384


class Proxy:
    """Passes TCP connections on to a cluster. Use as a context manager.

    fail(how, after): once so many bytes have come from the server (all connections together), it fails:
    CUT ends every connection in an orderly way, RESET by a TCP reset; STALL passes nothing more, in either
    direction, and says nothing. What connects later fails as well, unless `later` is PASS.
    """

    def __init__(self, cluster):
        self.cluster = cluster
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = []
        self.heal()

    def url(self, database, **parameters):
        """As Cluster.url, but through here."""
        direct = self.cluster.url(database, **parameters)
        through = direct.replace(f":{self.cluster.port}/", f":{self.port}/", 1)
        assert through != direct
        return through

    def fail(self, how, after=0, later=None):
        with self.lock:
            self.how, self.after, self.later = how, after, later or how

    def heal(self):
        with self.lock:
            self.how, self.after, self.later, self.bytes = PASS, None, PASS, 0
        self.failed = threading.Event()

    # ---------------------------------------------------------------- the threads

    def _count(self, n):
        """What is to happen with these bytes from the server."""
        with self.lock:
            self.bytes += n
            if self.how == PASS or self.bytes < self.after:
                return PASS
            self.failed.set()
            return self.how

    def _state(self):
        return self.how if self.failed.is_set() else PASS

    def _accept(self):
        while not self.over.is_set():
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            client, _ = self.listener.accept()
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
                    with socket.create_connection((self.cluster.host, self.cluster.port)) as server:
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
                    if source is server and not is_later:
                        state = self._count(len(data))
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
