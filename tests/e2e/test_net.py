"""Requests and mails against real receivers (harness/receivers.py), and sockets that break the rules. Driven by
net_driver.c."""

import base64
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.cluster import SLOWER
from harness.program import BUILD
from harness.receivers import PASSWORD, login, parsed

DRIVER = BUILD / "tests" / "net-driver"


class Answer:
    """What the driver printed."""

    def __init__(self, status, out, seconds):
        self.status, self.raw, self.seconds = status, out, seconds
        self.text = out.decode(errors="replace")
        self.first = self.text.splitlines()[0] if out else ""

    def value(self, word):
        lines = [line for line in self.text.splitlines() if line.startswith(word + " ")]
        return lines[0][len(word) + 1 :] if lines else None

    @property
    def body(self):
        return self.raw.split(b"\nbytes ", 1)[1].split(b"\n", 1)[1]


def drive(*args, text="", env=None, fails=None):
    began = time.monotonic()
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run([DRIVER, *map(str, args)], input=text.encode(errors="surrogateescape"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * SLOWER,
                          env={**clean, **(env or {})})  # fmt: skip
    answer = Answer(done.returncode, done.stdout, time.monotonic() - began)
    assert not done.stderr, done.stderr  # also what a sanitizer would say
    for word in ("SECRET", PASSWORD, base64.b64encode(PASSWORD.encode()).decode()):
        assert word not in answer.text, answer.text
    if fails:
        assert done.returncode == 1 and answer.first.startswith(f"error {fails}: "), answer.text
    else:
        assert done.returncode == 0, answer.text
    return answer


# -- HTTP


@pytest.fixture
def raw():
    """A server that sends these bytes to whoever connects, and then closes, resets or hangs."""
    made = []

    def make(data=b"", then="close"):
        listener = socket.create_server(("127.0.0.1", 0))
        done = threading.Event()
        made.append((listener, done))

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                    peer.sendall(data)
                    if then == "reset":
                        peer.recv(65536)
                except ConnectionError:
                    continue  # the client was first
                except OSError:
                    return
                if then == "reset":
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if then == "hang":
                    done.wait(30)
                peer.close()

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield make
    for listener, done in made:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_methods_and_bodies(web):
    server = web()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = drive("http", method, server.url + "/echo", "--body", "some body", "-w", "x-METHOD")
        assert answer.value("status") == "200" and answer.body == b"some body", answer.text
        assert answer.value("header x-METHOD:") == method
        large = "0123456789" * 5000
        assert drive("http", method, server.url + "/echo", "--read", large).body.decode() == large
        chunked = server.seen[-1]
        assert chunked[2].get("Transfer-Encoding") == "chunked"
        drive("http", method, server.url + "/echo", "--read", large, "--declare", len(large))
        assert server.seen[-1][2]["Content-Length"] == "50000" and server.seen[-1][3].decode() == large
    answer = drive("http", "GET", server.url + "/echo?a=b", "-H", "X-One", "two", "-H", "X-None", "")
    method, path, headers, body = server.seen[-1]
    assert (method, path, body) == ("GET", "/echo?a=b", b"") and headers["X-One"] == "two"
    assert headers["User-Agent"].startswith("pgstow/") and headers["X-None"] == ""
    assert "Content-Type" not in server.seen[0][2] and "Expect" not in server.seen[0][2]
    assert drive("http", "HEAD", server.url + "/status/200").value("bytes") == "0"
    drive("http", "POST", server.url + "/echo")
    assert server.seen[-1][2]["Content-Length"] == "0"


def test_every_status_is_an_answer(web):
    server = web()
    for status in (204, 302, 401, 404, 429, 500, 503):
        answer = drive("http", "GET", f"{server.url}/status/{status}", "-w", "X-Kind", "-w", "X-Other")
        assert answer.value("status") == str(status)
        assert answer.value("header X-Kind:") == "spaced" and answer.value("header X-Other:") == "(none)"


def test_a_source_that_breaks(web):
    server = web()
    broke = drive("http", "PUT", server.url + "/echo", "--read", "fail", fails="IO")
    assert "the source broke" in broke.first
    drive("http", "PUT", server.url + "/echo", "--read", "0123456789", "--declare", 11, fails="IO")


def test_limits_of_the_answer(web):
    server = web()
    assert drive("http", "GET", server.url + "/big/1000", "--max", 1000).value("bytes") == "1000"
    for size, limit in ((1001, 1000), (2_000_000, 0)):
        drive("http", "GET", f"{server.url}/big/{size}", "--max", limit, fails="LIMIT")
    assert drive("http", "GET", server.url + "/big/5000000", "--count-only").value("bytes") == "5000000"
    drive("http", "GET", server.url + "/endless", fails="LIMIT")
    drive("http", "GET", server.url + "/endless", "--count-only", "--max", 10_000_000, fails="LIMIT")
    drive("http", "GET", server.url + "/headers", fails="LIMIT")


def test_broken_answers(web, raw):
    drive("http", "GET", web().url + "/truncated", fails="NETWORK")
    for data in (b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"):  # fmt: skip
        for then in ("close", "reset"):
            got = drive("http", "GET", f"http://127.0.0.1:{raw(data, then)}/SECRET", fails="NETWORK")
            assert "127.0.0.1" in got.first


def test_not_reached():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        got = drive("http", "POST", f"http://127.0.0.1:{port}/SECRET?a=SECRET", "--body", "SECRET", fails="NETWORK")
        assert f"http://127.0.0.1:{port}: " in got.first
        drive("mail", "127.0.0.1", port, "none", "a@b.c", "d@e.f", fails="NETWORK")
    drive("http", "GET", "http://no-such-host.invalid/", fails="NETWORK")


def test_timeouts_and_cancel(web, raw):
    server = web()
    hanging = raw(b"", "hang")
    for how in (("--whole", 300), ("--stall", 1000)):
        for url in (server.url + "/hang", f"http://127.0.0.1:{hanging}/"):
            drive("http", "GET", url, *how, fails="TIMEOUT")
        drive("mail", "127.0.0.1", hanging, "none", "a@b.c", "d@e.f", *how, fails="TIMEOUT")
    drive("http", "GET", f"https://127.0.0.1:{hanging}/", "--connect", 300, fails="TIMEOUT")
    for words in (("http", "GET", server.url + "/hang"), ("http", "GET", f"https://127.0.0.1:{hanging}/"),
                  ("http", "GET", server.url + "/endless", "--count-only"),
                  ("mail", "127.0.0.1", hanging, "none", "a@b.c", "d@e.f"),
                  ("mail", "127.0.0.1", hanging, "tls", "a@b.c", "d@e.f")):  # fmt: skip
        took = []
        while not took or (took[-1] >= 1.3 * SLOWER and len(took) < 5):  # one may be held up by what else the machine does
            took.append(drive(*words, "--cancel", 300, fails="CANCELLED").seconds)
        assert min(took) >= 0.3 and took[-1] < 1.3 * SLOWER, took


def test_redirects(web, authority):
    plain, other, secure = web(), web(), web(authority.context())
    ca = ("--ca", authority.file)
    plain.targets = {"self": "/echo/1", "other": other.url + "/echo/2", "secure": secure.url + "/echo/3",
                     "loop": "/to/loop", "file": "file:///etc/passwd", "ftp": "ftp://localhost/",
                     "login": f"http://SECRET:SECRET@localhost:{plain.server_port}/echo"}  # fmt: skip
    secure.targets = {"plain": plain.url + "/echo/4", "self": "/echo/5"}
    # not followed unless asked
    answer = drive("http", "GET", plain.url + "/to/self", "-w", "Location")
    assert answer.value("status") == "302" and answer.value("header Location:") == "/echo/1"
    header = ("-H", "Authorization", "Bearer x", "-H", "X-Signature", "y")
    assert drive("http", "GET", plain.url + "/to/self", "--redirects", 1, *header).value("status") == "200"
    assert plain.seen[-1][1] == "/echo/1" and plain.seen[-1][2]["X-Signature"] == "y"
    # elsewhere without the caller's headers
    drive("http", "GET", plain.url + "/to/other", "--redirects", 1, *header)
    assert other.seen[-1][1] == "/echo/2"
    assert not {"Authorization", "X-Signature"} & set(other.seen[-1][2])
    assert drive("http", "GET", plain.url + "/to/secure", "--redirects", 3, *ca).value("status") == "200"
    assert drive("http", "GET", secure.url + "/to/self", "--redirects", 3, *ca).value("status") == "200"
    # what sends something is not sent on
    assert drive("http", "POST", plain.url + "/to/self", "--redirects", 5, "--body", "x").value("status") == "302"
    before = len(plain.seen)
    got = drive("http", "GET", secure.url + "/to/plain", "--redirects", 5, *ca, fails="REFUSED")
    assert "not encrypted" in got.first and len(plain.seen) == before
    for target in ("file", "ftp", "login"):
        drive("http", "GET", plain.url + "/to/" + target, "--redirects", 5, fails="REFUSED")
    drive("http", "GET", plain.url + "/to/loop", "--redirects", 5, fails="LIMIT")
    assert [seen[1] for seen in plain.seen[-6:]] == ["/to/loop"] * 6


def test_proxy_of_the_environment(web):
    """http_proxy is asked with the whole address; no_proxy keeps it out."""
    proxy, server = web(), web()
    drive("http", "GET", "http://example.invalid/status/200", env={"http_proxy": proxy.url})
    assert proxy.seen[-1][1] == "http://example.invalid/status/200"
    drive("http", "GET", server.url + "/echo", env={"http_proxy": proxy.url, "no_proxy": "localhost"})
    assert len(proxy.seen) == 1 and len(server.seen) == 1


def old_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def test_certificates(web, authority, module_folder):
    good = web(authority.context())
    assert drive("http", "GET", good.url + "/echo", "--ca", authority.file).value("status") == "200"
    unknown = drive("http", "GET", good.url + "/SECRET", fails="REFUSED")
    assert "certificate" in unknown.first and "SECRET" not in unknown.text
    drive("http", "GET", good.url.replace("localhost", "127.0.0.1"), "--ca", authority.file, fails="REFUSED")
    for context in (authority.context("other.example"), authority.context(ends=-1)):
        drive("http", "GET", web(context).url, "--ca", authority.file, fails="REFUSED")
    context = old_tls()
    context.load_cert_chain(module_folder / "localhost1.pem")
    drive("http", "GET", web(context).url, "--ca", authority.file, fails="NETWORK")
    drive("http", "GET", good.url, "--ca", module_folder / "none.pem", fails="CONFIG")
    drive("http", "GET", web().url.replace("http:", "https:"), fails="NETWORK")
    assert len(good.seen) == 1


# -- SMTP


HARD = "Grüße, 日本語 🐘\n.\n..dots\n.leading\nFrom here\n\ttab  two spaces  \n" + "long " * 500 + "\n=C3\n" + "ü" * 300


def test_mail_plain(smtp):
    box = smtp()
    subject = "Sicherung von „größe“ fehlgeschlagen: 🐘🐘🐘 " + "sehr lang " * 20 + "!"
    drive("mail", "127.0.0.1", box.port, "none", "pgstow@example.com", "dba@example.com", "x@y.org",
          "--subject", subject, text=HARD)  # fmt: skip
    (session, envelope, tls), = box.mails
    assert envelope.mail_from == "pgstow@example.com"
    assert envelope.rcpt_tos == ["dba@example.com", "x@y.org"] and not tls
    raw = envelope.content
    assert max(map(len, raw.split(b"\r\n"))) <= 78 and raw.isascii() and b"\n" not in raw.replace(b"\r\n", b"")
    mail = parsed(envelope)
    assert not mail.defects and mail["Subject"] == subject and mail["From"].addresses[0].addr_spec == "pgstow@example.com"
    assert [a.addr_spec for a in mail["To"].addresses] == ["dba@example.com", "x@y.org"]
    assert mail.get_content() == HARD + "\n"
    assert abs(mail["Date"].datetime.timestamp() - time.time()) < 60 * SLOWER
    assert mail["Message-ID"].endswith("@example.com>") and mail["MIME-Version"] == "1.0"
    drive("mail", "127.0.0.1", box.port, "none", "pgstow@example.com", "dba@example.com", text="x")
    assert parsed(box.mails[1][1])["Message-ID"] != mail["Message-ID"]


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_mail_with_tls_and_login(smtp, authority, mode):
    box = smtp(**{mode: authority.context()}, **login(mode))
    words = ("mail", "localhost", box.port, mode, "a@b.c", "d@e.f", "--user", "dba", "--ca", authority.file)
    drive(*words, "--password", PASSWORD, text="hello")
    (session, envelope, tls), = box.mails
    assert (tls or mode == "tls") and session.authenticated and parsed(envelope).get_content() == "hello\n"
    refused = drive(*words, "--password", "SECRET", fails="REFUSED")
    assert "localhost" in refused.first and "password" in refused.value("hint")
    drive("mail", "localhost", box.port, mode, "a@b.c", "d@e.f", "--ca", authority.file, fails="REFUSED")
    assert len(box.mails) == 1


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_mail_certificates(smtp, authority, mode):
    words = ("mode", "a@b.c", "d@e.f", "--user", "dba", "--password", PASSWORD)
    contexts = (authority.context(), authority.context("other.example"), authority.context(ends=-1))
    for i, context in enumerate(contexts):
        box = smtp(**{mode: context}, **login(mode))
        ca = ("--ca", authority.file) if i else ()
        got = drive("mail", "localhost", box.port, mode, *words[1:], *ca, fails="REFUSED")
        assert "certificate" in got.first and not box.mails


def test_starttls_is_never_silently_plain(smtp):
    box = smtp(auth_required=False)
    for more in ((), ("--user", "dba", "--password", PASSWORD)):
        drive("mail", "localhost", box.port, "starttls", "a@b.c", "d@e.f", *more, fails="REFUSED")
    drive("mail", "localhost", box.port, "none", "a@b.c", "d@e.f", "--user", "dba", "--password", PASSWORD,
          fails="CONFIG")  # fmt: skip
    assert not box.mails


def test_mail_refused(smtp):
    box = smtp()
    words = ("mail", "127.0.0.1", box.port, "none", "a@b.c")
    box.answers = {"no@e.f": "550 no such user here", "later@e.f": "450 greylisted"}
    got = drive(*words, "d@e.f", "no@e.f", fails="REFUSED")
    assert "no such user here" in got.value("hint")
    assert "greylisted" in drive(*words, "later@e.f", fails="NETWORK").value("hint")
    box.answers = {"data": "554 looks like spam"}
    assert "looks like spam" in drive(*words, "d@e.f", text="x", fails="REFUSED").value("hint")
    box.answers = {"data": "452 disk full"}
    drive(*words, "d@e.f", text="x", fails="NETWORK")
    assert not box.mails


def test_mail_injection(smtp):
    box = smtp()
    words = ("mail", "127.0.0.1", box.port, "none")
    evil = "a@b.c>\r\nRCPT TO:<evil@e.f"
    drive(*words, evil, "d@e.f", fails="CONFIG")
    drive(*words, "a@b.c", evil, fails="CONFIG")
    drive(*words, "a@b.c", "d@e.f", "--subject", "x\r\nBcc: evil@e.f", fails="CONFIG")
    assert not box.mails
    drive(*words, "a@b.c", "d@e.f", text="x\r\n.\r\nMAIL FROM:<evil@e.f>\r\n.\nQUIT\n")
    (_, envelope, _), = box.mails
    assert parsed(envelope).get_content().splitlines() == ["x", ".", "MAIL FROM:<evil@e.f>", ".", "QUIT"]


def test_mail_without_the_login(smtp, authority):
    """A login that is set is used, or nothing is sent."""
    box = smtp(tls=authority.context(), auth_require_tls=True)  # never offered: it sees no STARTTLS
    words = ("mail", "localhost", box.port, "tls", "a@b.c", "d@e.f", "--ca", authority.file)
    got = drive(*words, "--user", "dba", "--password", PASSWORD, text="x", fails="REFUSED")
    assert "takes no login" in got.first and not box.mails
    drive(*words, text="x")
    assert len(box.mails) == 1


def test_mail_servers_that_break(raw):
    for data in (b"", b"220 hi", b"nonsense\r\n", b"554 go away\r\n", b"421 too busy\r\n",
                 b"220 hi\r\n250 ok\r\n250 ok\r\n", b"220 " + b"x" * 200_000):  # fmt: skip
        for then in ("close", "reset") if data.endswith(b"\n") and data[:1] != b"n" else ("close",):
            kind = "REFUSED" if data.startswith(b"554") else "NETWORK"
            got = drive("mail", "127.0.0.1", raw(data, then), "none", "a@b.c", "d@e.f", text="SECRET", fails=kind)
            assert "the mail server 127.0.0.1:" in got.first
