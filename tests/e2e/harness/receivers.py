"""Whom pgstow tells things: HTTP and SMTP servers of our own, with TLS by certificates of an authority of our own. The
fixtures are known to all tests."""

import asyncio
import datetime
import email
import email.policy
import http.server
import ssl
import threading

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "correct horse"


# -- certificates


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the test")])
        self.file = folder / "ca.pem"
        now = datetime.datetime.utcnow()
        certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2)).not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )  # fmt: skip
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, name="localhost", ends=1):
        """A server's TLS with a certificate for this name, which ends in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).issuer_name(self.name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2)).not_valid_after(now + datetime.timedelta(days=ends))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )  # fmt: skip
        file = self.folder / f"{name}{ends}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture(scope="module")
def authority(module_folder):
    return Authority(module_folder)


# -- HTTP


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def do(self):
        body = self.read_body()
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        kind, _, rest = self.path[1:].partition("/")
        if kind == "status":
            self.answer(int(rest), b"the body of " + rest.encode(), X_Kind="  spaced  ")
        elif kind == "to":
            self.answer(302, b"elsewhere", Location=self.server.targets[rest])
        elif kind == "big":
            self.answer(200, b"x" * int(rest))
        elif kind == "truncated":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
            self.close_connection = True
        elif kind == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Many: 0123456789\r\n" * 100000)
            self.close_connection = True
        elif kind == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                self.wfile.write(b"x" * 65536)
        elif kind == "hang":
            self.server.release.wait(30)
            self.close_connection = True
        else:
            self.answer(200, body, X_Method=self.command)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do


class Web(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.targets, self.release = [], {}, threading.Event()
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if context else ''}://localhost:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):  # handshakes that the client ends
        pass

    def stop(self):
        self.release.set()
        self.shutdown()
        self.server_close()


@pytest.fixture
def web(authority):
    made = []

    def make(context=None):
        made.append(Web(context))
        return made[-1]

    yield make
    for server in made:
        server.stop()


# -- SMTP


class Box:
    """A server's mails, and what it answers to whom."""

    def __init__(self):
        self.mails, self.commands = [], []
        self.answers = {}  # by address

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "data" in self.answers:
            return self.answers["data"]
        self.mails.append((session, envelope, session.ssl is not None))
        return "250 taken"


@pytest.fixture
def smtp(authority):
    made = []

    def make(starttls=None, tls=None, **more):
        box = Box()
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(
            loop.create_server(
                lambda: SMTP(box, loop=loop, hostname="mail.test", tls_context=starttls, **more),
                "127.0.0.1", 0, ssl=tls))  # fmt: skip
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        box.port = server.sockets[0].getsockname()[1]
        made.append((loop, server, thread))
        return box

    async def end(server):
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    yield make
    for loop, server, thread in made:
        asyncio.run_coroutine_threadsafe(end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def login(mode, user=b"dba", password=PASSWORD.encode()):
    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (user, password), handled=False)

    return {"authenticator": check, "auth_required": True, "auth_require_tls": mode == "starttls"}


def parsed(envelope):
    return email.message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=email.policy.default)
