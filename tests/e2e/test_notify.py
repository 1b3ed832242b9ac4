"""notify test through every channel, against a real SMTP server with TLS and real HTTP receivers."""

import hashlib
import hmac
import json
import re
import socket
import time

import pytest

from harness.receivers import PASSWORD, login, parsed

SIGNING = "a secret that signs"
TOKEN = "123456:SECRET-token"


class Notify:
    """The program with a file of settings."""

    def __init__(self, pgstow, folder):
        self.pgstow, self.folder = pgstow, folder
        self.file = folder / "pgstow.yaml"

    def secret(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def settings(self, text):
        self.file.write_text(text)

    def test(self, *args, expect="OK", **kwargs):
        result = self.pgstow.run("notify", "test", *args, "--config", self.file, expect=expect, **kwargs)
        for word in (PASSWORD, SIGNING, "SECRET"):
            assert word not in result.said, result
        return result


@pytest.fixture
def notify(pgstow, folder):
    return Notify(pgstow, folder)


@pytest.fixture
def nobody():
    """An address that nobody listens at, nor may meanwhile."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{s.getsockname()[1]}"


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_mail(notify, smtp, authority, mode):
    box = smtp(**{mode: authority.context()}, **login(mode))
    text = f"""
        backup: {{notificationEmail: other@example.com}}
        notify:
          to: [dba@example.com, ops@example.com]
          caFile: {authority.file}
          smtp: {{host: localhost, port: {box.port}, tls: {mode}, user: dba, from: pgstow@example.com, PASSWORD}}
    """.replace("\n        ", "\n")
    from_file = f"passwordFile: {notify.secret('password', PASSWORD)}"
    command = f"passwordCommand: cat {notify.secret('other', PASSWORD)}"
    for how, env in ((from_file, {}), (command, {}), ("", {"PGSTOW_SMTP_PASSWORD": PASSWORD})):
        notify.settings(text.replace(", PASSWORD", f", {how}" if how else ""))
        result = notify.test("--json", env=env).json
        assert result == {"channels": [{"channel": "email", "sent": True}]}, result
    assert len(box.mails) == 3
    session, envelope, _ = box.mails[0]
    mail = parsed(envelope)
    assert session.authenticated and envelope.rcpt_tos == ["dba@example.com", "ops@example.com"]
    assert envelope.mail_from == "pgstow@example.com"
    assert re.fullmatch(r"\[pgstow\] a test from \S+", mail["Subject"])
    assert "shows that this channel works" in mail.get_content()
    # a wrong password, none, and a file that is not there
    notify.settings(text.replace("PASSWORD", f"passwordFile: {notify.secret('wrong', 'SECRET')}"))
    notify.test(expect="REFUSED").says("email +failed: .*localhost", "are user and password right")
    notify.settings(text.replace("PASSWORD", "passwordFile: none"))
    notify.test(expect="CONFIG").says("cannot read the file of the mail server's password none")
    notify.settings(text.replace("PASSWORD", "passwordCommand: 'false'"))
    notify.test(expect="CONFIG").says("the command that prints the mail server's password")
    notify.settings(text.replace(", PASSWORD", ""))
    notify.test(expect="CONFIG").error_says("notify.smtp.user is set, but no password")
    assert len(box.mails) == 3


def test_the_sample_of_the_readme(notify, smtp):
    """notificationEmail alone: by this machine's own server, without TLS."""
    box = smtp()
    notify.settings("backup: {notificationEmail: admin@example.com}\nnotify: {smtp: {port: %d}}\n" % box.port)
    notify.test("email")
    (_, envelope, _), = box.mails
    assert envelope.rcpt_tos == ["admin@example.com"] and envelope.mail_from.startswith("pgstow@")


def test_receivers(notify, web, authority):
    server = web(authority.context())
    bad = web()
    notify.settings(f"""
notify:
  caFile: {authority.file}
  webhook: {{url: {server.url}/hook, secretFile: {notify.secret("signing", SIGNING)}}}
  discord: {{urlFile: {notify.secret("discord", server.url + "/SECRET/discord")}}}
  slack: {{urlCommand: cat {notify.secret("slack", server.url + "/SECRET/slack")}}}
  telegram: {{server: {server.url}, chat: "-100", tokenFile: {notify.secret("telegram", TOKEN)}}}
  ntfy: {{url: {server.url}/mytopic, tokenFile: {notify.secret("ntfy", "SECRET")}}}
  ping: {{url: {server.url}/ping/abc?rid=1}}
""")
    result = notify.test()
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        [name, "sent"] for name in ("webhook", "slack", "discord", "telegram", "ntfy", "ping")]
    paths = [path for _, path, _, _ in server.seen]
    assert paths == ["/hook", "/SECRET/slack", "/SECRET/discord", f"/bot{TOKEN}/sendMessage", "/",
                     "/ping/abc/log?rid=1"]  # fmt: skip
    assert {method for method, _, _, _ in server.seen} == {"POST"}
    hook, slack, discord, telegram, ntfy, ping = server.seen
    headers, body = hook[2:]
    stamp = headers["X-Pgstow-Timestamp"]
    expected = hmac.new(SIGNING.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Pgstow-Signature"] == "sha256=" + expected and abs(int(stamp) - time.time()) < 300
    assert headers["X-Pgstow-Event"] == "test" and headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["event"] == "test"
    assert "a test from" in json.loads(slack[3])["text"]
    assert json.loads(discord[3])["allowed_mentions"] == {"parse": []}
    assert json.loads(telegram[3])["chat_id"] == "-100" and ntfy[2]["Authorization"] == "Bearer SECRET"
    assert json.loads(ntfy[3])["topic"] == "mytopic" and b"a test from" in ping[3]
    # the environment beats the file
    env = {"PGSTOW_SLACK_URL": bad.url + "/status/404/SECRET"}
    notify.test("slack", env=env, expect=None)
    assert bad.seen and len(server.seen) == 6


def test_failures(notify, web, nobody):
    server = web()
    server.targets = {"x": "/echo"}
    webhook = "notify:\n  webhook: {url: %s}\n"
    for status, kind, hint in ((404, "REFUSED", "is the address right"), (401, "REFUSED", "is the secret right"),
                               (500, "NETWORK", "tried again"), (429, "NETWORK", "tried again")):  # fmt: skip
        notify.settings(webhook % f"{server.url}/status/{status}")
        notify.test("webhook", expect=kind).says(f"answered with status {status}", hint)
    notify.settings(webhook % f"{server.url}/to/x")
    notify.test(expect="REFUSED").says("answered with status 302")
    notify.settings(webhook % (nobody + "/SECRET"))
    notify.test(expect="NETWORK")
    notify.settings(webhook % "ftp://localhost/SECRET")
    notify.test(expect="CONFIG")
    # one of two
    notify.settings(f"notify:\n  webhook: {{url: {server.url}/echo}}\n  ping: {{url: {nobody}/SECRET}}\n")
    result = notify.test("--json", expect="PARTIAL").json
    assert [c["sent"] for c in result["channels"]] == [True, False]
    assert result["channels"][1]["error"]["kind"] == "NETWORK" and result["error"]["kind"] == "PARTIAL"
    notify.test("webhook")


def test_usage(notify):
    notify.settings("jobs: 1\n")
    notify.test(expect="CONFIG").error_says("nobody would be told", "notificationEmail")
    notify.test("pager", expect="USAGE").error_says("there is no channel", "email, webhook")
    notify.test("slack", expect="CONFIG").error_says("slack is not set up")
    notify.pgstow.run("notify", "send", expect="USAGE")
    for text, says in (("to: [not-an-address]", "notify.to"), ("smtp: {tls: maybe}", "notify.smtp.tls"),
                       ("slack: {url: https://a.b/}", "unknown key")):  # fmt: skip
        notify.settings(f"notify:\n  {text}\n")
        notify.test(expect="CONFIG").error_says(re.escape(says))
    notify.settings("notify:\n  telegram: {chat: '5'}\n")
    notify.test(expect="CONFIG").error_says("no bot's token")


def test_an_entry_has_its_own(notify, web):
    server = web()
    notify.settings(f"""
notify:
  ping: {{url: {server.url}/all}}
databases:
  - name: shop
    notify: {{ping: {{url: {server.url}/shop}}}}
  - name: office
""")
    notify.test("--entry", "shop")
    notify.test("--entry", "office")
    assert [path for _, path, _, _ in server.seen] == ["/shop/log", "/all/log"]
