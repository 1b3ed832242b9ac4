"""Server-sent events: what they tell, how they go on where they were broken off, and listeners that mean no good."""

import http.client
import json
import socket
import sqlite3

import pytest
from harness.api import Api
from harness.cluster import wait_until
from harness.openapi import Spec

LISTENERS = 64
NO_JOB = "999999999"


class Stream:
    """What one listener gets."""

    def __init__(self, api, path="/api/v1/events", token="viewer", last=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
        headers = {"Authorization": f"Bearer {api.tokens.get(token, token)}"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        self.status, self.headers = self.answer.status, self.answer.headers
        self.last = last
        if self.status == 200:
            assert self.headers["Content-Type"] == "text/event-stream" and self.headers["Cache-Control"]
            assert self.block() == {"retry": "3000"}

    def block(self):
        """The next block of the stream as a dict; None at its end."""
        found = {}
        while line := self.answer.readline():
            line = line.decode().rstrip("\n")
            if not line and found:
                return found
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data", "retry") and name not in found, line
                found[name] = value
        assert not found, f"the stream broke off in {found}"
        return None

    def next(self):
        """(event, data); None at the end."""
        block = self.block()
        if block is None:
            return None
        if "id" in block:
            self.last = int(block["id"])
        return block["event"], json.loads(block["data"])

    def until(self, event, of=None):
        """All up to the first of these, as a list."""
        got = []
        while (one := self.next()) is not None:
            got.append(one)
            if one[0] == event and of in (None, one[1].get("id", one[1].get("job"))):
                return got
        raise AssertionError(f"the stream ended without {event}: {got}")

    def rest(self):
        return list(iter(self.next, None))

    def refusal(self):
        return json.loads(self.answer.read())["error"]["kind"]

    def close(self):
        # The answer has a file of its own, which keeps the socket open.
        self.answer.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture(scope="module")
def spec(api):
    return Spec(api.get("/openapi.json"))


def begin(api, path="/api/v1/backups", body='{"entry": "e0"}'):
    status, _, answer = api.call("POST", path, "operator", body)
    assert status == 202, answer
    return answer["job"]


@pytest.fixture(scope="module")
def ended(api):
    """The number of a job that has ended."""
    number = begin(api)
    assert api.job(number)["status"] == "succeeded"
    return number


def names(events):
    return [name for name, _ in events]


def test_a_job_from_its_beginning_to_its_end(api, spec):
    with Stream(api) as stream:
        job = begin(api)
        got = stream.until("ended", job)
        first, last = got[0], got[-1]
        assert names(got)[:2] == ["queued", "started"] and first[1]["actor"] == "operator"
        assert set(names(got)) <= {"queued", "started", "progress", "log", "ended"}
        assert last[1]["status"] == "succeeded" and last[1]["backup"] and last[1]["result"]["id"] == last[1]["backup"]
        for name, data in got:
            if name in ("queued", "started", "ended"):
                spec.check({"$ref": "#/components/schemas/Job"}, data)
        assert stream.last == api.rows("SELECT max(id) FROM event")[0][0]


def test_it_goes_on_where_it_was_broken_off(api):
    with Stream(api) as stream:
        job = begin(api)
        stream.until("started", job)
        broken_off = stream.last
    assert api.job(job)["status"] == "succeeded"
    with Stream(api, last=broken_off) as stream:
        got = stream.until("ended", job)
        assert "queued" not in names(got) and "started" not in names(got)
        last = stream.last
    # Whoever has seen all gets only what comes.
    with Stream(api, last=last) as stream:
        another = begin(api)
        assert stream.until("ended", another)[0][0] == "queued"


def test_one_job(api, spec, ended):
    """Others are not told; the log comes as well; the stream ends with the job."""
    other = begin(api, body='{"entry": "e1"}')
    job = begin(api, "/api/v1/verify", '{"entry": "e0", "level": "rebuild"}')
    with Stream(api, f"/api/v1/jobs/{job}/events") as stream:
        got = stream.rest()
    assert got[0][0] == "job" and got[0][1]["id"] == job
    assert got[-1][0] == "ended" and got[-1][1]["status"] == "succeeded" and got[-1][1]["result"]
    assert {data.get("job", data.get("id")) for _, data in got} == {job}
    assert api.job(other)["status"] == "succeeded"


def test_one_that_has_ended_already(api, ended):
    with Stream(api, f"/api/v1/jobs/{ended}/events") as stream:
        got = stream.rest()
        assert names(got)[0] == "job" and names(got)[-1] == "ended" and got[-1][1]["status"] == "succeeded"
        last = stream.last
    with Stream(api, f"/api/v1/jobs/{ended}/events", last=last) as stream:
        assert stream.status == 204, "there is nothing to come back for"
    # But who has not seen its end is told.
    with Stream(api, f"/api/v1/jobs/{ended}/events", last=1) as stream:
        assert names(stream.rest())[-1] == "ended"
    with Stream(api, f"/api/v1/jobs/{NO_JOB}/events") as stream:
        assert (stream.status, stream.refusal()) == (404, "NOT_FOUND")


def test_a_log_comes_whole_and_in_order(api):
    """Also one that is larger than what is sent at once."""
    number = begin(api, "/api/v1/verify", '{"entry": "e1", "level": "quick"}')
    api.job(number)
    lines = [f"line {i}" for i in range(1, 201)]
    with sqlite3.connect(f"{api.folder}/state/state.db") as db:
        db.executemany("INSERT OR REPLACE INTO job_log (job, n, at, level, line) VALUES (?, ?, 1, 'info', ?)",
                       [(number, i + 1, line) for i, line in enumerate(lines)])
    with Stream(api, f"/api/v1/jobs/{number}/events") as stream:
        got = stream.rest()
    told = [line for name, data in got if name == "log" for line in data["lines"]]
    assert [t["line"] for t in told] == lines and [t["n"] for t in told] == list(range(1, 201))
    assert names(got)[-1] == "ended"


@pytest.mark.parametrize("last", ["", "x", "-1", "1x", "99999999999999999999", "0x10", "a" * 3000],
                         ids=lambda text: text[:20] or "empty")
def test_last_event_ids_amiss(api, last):
    with Stream(api, last=last) as stream:
        assert (stream.status, stream.refusal()) == (400, "USAGE")


def test_what_is_no_longer_kept(api, ended):
    """A number from another state: all is looked at anew."""
    for path in ("/api/v1/events", f"/api/v1/jobs/{ended}/events"):
        with Stream(api, path, last=10**15) as stream:
            name, _ = stream.next()
            assert name == "lost" and stream.last == api.rows("SELECT max(id) FROM event")[0][0]
            if path != "/api/v1/events":
                assert names(stream.rest())[0] == "job"


def test_roles_and_methods(api, ended):
    for path in ("/api/v1/events", f"/api/v1/jobs/{ended}/events"):
        assert api.call("GET", path, token=None)[0] == 401
        assert api.call("GET", path, token="pgstow_" + "0" * 64)[0] == 401
        assert api.call("HEAD", path, "viewer")[0] == 200
        assert api.call("POST", path)[0] == 405
        assert api.call("GET", path + "?x=1")[0] == 400


def test_a_token_that_ends_ends_its_stream(api):
    text = api.run("token", "add", "listener", "--role", "viewer", "--quiet").stdout.strip()
    with Stream(api, token=text) as stream:
        api.run("token", "revoke", "listener")
        with pytest.raises(http.client.IncompleteRead):
            stream.answer.read()


def test_listeners_that_do_not_read_and_too_many(api):
    """Each costs a thread: so many and no more. One that goes makes room; none is waited for."""
    streams = [Stream(api) for _ in range(LISTENERS)]
    try:
        with Stream(api) as one_more:
            assert (one_more.status, one_more.refusal()) == (429, "RATE") and one_more.headers["Retry-After"]
        job = begin(api)
        assert api.job(job)["status"] == "succeeded"
        streams.pop().close()
        # Half of them just vanish.
        for stream in streams[: LISTENERS // 2]:
            stream.connection.sock and stream.connection.sock.close()
            stream.close()

        def is_let_in():
            with Stream(api) as again:
                return again.status == 200

        wait_until(is_let_in, "nobody is let in any more")
        assert streams[-1].until("ended", job)[-1][1]["status"] == "succeeded"
    finally:
        for stream in streams:
            stream.close()


def test_a_stop_ends_all_streams(cluster, folder):
    api = Api(cluster, folder, sql=(None,))
    with Stream(api) as stream, socket.create_connection(("127.0.0.1", api.port)) as silent:
        silent.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                       + api.tokens["viewer"].encode() + b"\r\n\r\n")  # fmt: skip
        assert silent.recv(10)
        api.stop()
        assert stream.rest() == []
    cluster.drop(*api.names)
