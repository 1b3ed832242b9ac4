"""Every operation of the API, as /openapi.json tells of it: who may do it, that it does it, and what it refuses.

A route that is added shows up in the document, and then has to have a row in OPERATIONS.
"""

import hashlib
import itertools
import json
import signal
import subprocess
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from harness.api import Api
from harness.cluster import wait_until
from harness.openapi import Spec, validator

ROLES = [None, "viewer", "operator", "admin"]
# Beside them: a peer, which has no token, and may do what no token may.
REGISTRATION = "what all have"
PEER = {"X-Node-ID": "testnode", "X-Registration-Hash": hashlib.sha256(REGISTRATION.encode()).hexdigest()}


class Op:
    """How an operation is called well: the least role, or "peer"; what stands in the path, query, body, status; `job`:
    the kind of the job that it begins; `noted`: whether it has an entry in the audit log, by default all but GET; `elsewhere`: the file that
    does it, where that takes more."""

    def __init__(self, least, status=200, part=None, query=None, body=None, job=None, noted=None, elsewhere=None):
        self.least, self.status, self.part, self.query, self.body = least, status, part, query, body
        self.job, self.noted, self.elsewhere = job, noted, elsewhere


BY_PEERS = {
    "test_sync_pull": ["openSync", "getSync", "reportSync", "getSyncSchema", "initiateSyncBackup", "getSyncBackupProgress",
                       "downloadSyncBackup", "lookUpSyncObjects"],
    "test_sync_push": ["restoreSyncBackup", "receiveSyncBackup", "receivedSyncBackup", "removeSyncObject"],
    "test_sync_http": ["receiveSyncRows", "getSyncRows", "sendSyncRows"],
}  # fmt: skip
NOTED = ["openSync", "initiateSyncBackup", "restoreSyncBackup", "receiveSyncRows", "sendSyncRows"]
# "{backup}" is a backup's id; those that change what others need come last.
OPERATIONS = {
    "getHealth": Op(None),
    "getReadiness": Op(None),
    "getOpenApi": Op("viewer"),
    "getMetrics": Op("viewer"),
    "listBackups": Op("viewer", query="entry=e0&limit=1&since=2001-01-01&until=2999-01-01"),
    "getBackup": Op("viewer", part="{backup}"),
    "getBackupMetadata": Op("viewer", part="{backup}"),
    "downloadDump": Op("operator", part="{backup}", noted=True),
    "downloadSql": Op("operator", part="{backup}", noted=True),
    "downloadRows": Op("operator", part="{backup}", noted=True),
    "downloadNewestRows": Op("operator", query="type=full&entry=e0", noted=True),
    "listJobs": Op("viewer", query="kind=backup&status=succeeded&entry=e0&limit=1"),
    "getJob": Op("viewer", part="1", query="after=0&limit=2"),
    "listSchedules": Op("viewer"),
    "listDatabases": Op("viewer"),
    "followJobs": Op("viewer", elsewhere="test_api_events"),
    "followJob": Op("viewer", part="1", elsewhere="test_api_events"),
    "listTrash": Op("viewer", query="entry=e0"),
    "getStats": Op("viewer", query="entry=e0"),
    "check": Op("viewer", query="entry=e0&maxAge=1h"),
    "getConfig": Op("admin", query="entry=e0"),
    "listAudit": Op("admin", query="action=backup.create&outcome=done&actor=operator&limit=1"),
    "listTokens": Op("admin", query="limit=2"),
    "createBackup": Op("operator", 202, body={"entry": "e0"}, job="backup"),
    "verify": Op("operator", 202, body={"level": "rebuild", "ids": ["{backup}"]}, job="verify"),
    "drill": Op("operator", 202, body={"entry": "e0", "ids": ["{backup}"]}, job="drill"),
    "validate": Op("operator", 202, body={"entry": "e0"}, job="validate"),
    "doctor": Op("operator", 202, body={"entry": "e0"}, job="doctor"),
    "runSchedule": Op("operator", 202, part="backup/e1", job="backup"),
    "pinBackup": Op("operator", 202, part="{backup}", job="pin"),
    "unpinBackup": Op("admin", 202, part="{backup}", job="unpin"),
    "cleanup": Op("operator", 202, body={"entry": "e0", "dryRun": True}, job="cleanup"),
    "restoreBackup": Op("admin", 202, part="{backup}", body={"entry": "e0", "toDb": "restored"}, job="restore"),
    "deleteBackup": Op("admin", 202, part="{backup}", job="delete"),
    "undeleteBackup": Op("operator", 202, part="{backup}", job="undelete"),
    "cancelJob": Op("operator", 409, part="1"),
    **{name + what: op for what in ("FullSync", "InitialLoad") for name, op in {
        "start": Op("admin", 404, body={"direction": "pull", "peer": "nobody", "entry": "e0"}),
        "get": Op("viewer", 404, part="none"),
        "cancel": Op("operator", 404, query="sessionId=none"),
        "stop": Op("operator", 404, part="none"),
    }.items()},
    "listFullSyncs": Op("viewer", query="live=true&role=remote&limit=2"),
    "listInitialLoads": Op("viewer", query="status=COMPLETED&peer=nobody&entry=e0&before=7"),
    "addToken": Op("admin", 201, body={"name": "made", "role": "viewer", "expires": "12h"}),
    "revokeToken": Op("admin", 200, part="made"),
    "getPeer": Op("peer"),
    # Of what a sync does in many requests the log has its beginning and its end.
    **{name: Op("peer", noted=name in NOTED, elsewhere=where) for where, names in BY_PEERS.items() for name in names},
}


class Asker:
    """Calls operations, and holds every answer against the document."""

    def __init__(self, api):
        self.api, self.spec = api, Spec(api.get("/openapi.json"))

    def target(self, operation, part, query):
        path = self.spec.operations[operation][0]
        if part is not None:
            path = path[: path.index("{")] + part + path[path.index("}") + 1 :]
        return path + (f"?{query}" if query else "")

    def ask(self, operation, token="may", part=None, query=None, body=None, whole=False):
        """Status and body. `token`: a role, "peer", or "may": who may do it. `part` as it stands in the path; `body` a
        text, or what becomes JSON."""
        method = self.spec.operations[operation][1]
        if token == "may":
            token = "peer" if self.spec.operations[operation][2]["x-role"] == "peer" else "admin"
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        headers = PEER if token == "peer" else None
        token = None if token == "peer" else token
        status, headers, answer = self.api.call(method, self.target(operation, part, query), token, body, headers)
        self.judge(operation, status, headers, answer)
        return (status, headers, answer) if whole else (status, answer)

    def judge(self, operation, status, headers, answer):
        responses = self.spec.operations[operation][2]["responses"]
        assert str(status) in responses, f"{operation} answers {status}, which the document does not have: {answer}"
        response = responses[str(status)]
        if "$ref" in response:
            assert answer["error"]["kind"] in self.spec.operations[operation][2]["x-kinds"], answer
            response = self.spec.doc["components"]["responses"][str(status)]
        media = headers["Content-Type"]
        assert media in response["content"], (operation, media)
        if media == "application/json":
            self.spec.check(response["content"][media]["schema"], answer)
        for name in response.get("headers", {}):
            assert name in headers, (operation, status, name)


@pytest.fixture(scope="module")
def api(cluster, module_folder):
    made = Api(cluster, module_folder, env={"SYNC_REGISTRATION_KEY": REGISTRATION}, more="""
database: {url: "postgresql://u:hidden-word@127.0.0.1/x"}
notify: {webhook: {url: "https://u:hidden-word@127.0.0.1/x"}}""")
    yield made
    made.stop()
    cluster.drop(*made.names)


@pytest.fixture(scope="module")
def asker(api):
    return Asker(api)


@pytest.fixture(scope="module")
def backup(asker):
    """The id of a backup of e0."""
    return begin(asker, "createBackup", body={"entry": "e0"})["backup"]


def begin(asker, operation, token="operator", **how):
    """The job that it begins, once it has succeeded."""
    status, headers, answer = asker.ask(operation, token, whole=True, **how)
    assert status == 202 and headers["Location"] == f"/api/v1/jobs/{answer['job']}", answer
    job = asker.api.job(answer["job"])
    assert job["status"] == "succeeded" and job["actor"] == token and job["trigger"] == "api", job
    return job


# ---------------------------------------------------------------- the document


def test_the_document_is_openapi(api, module_folder):
    doc = api.get("/openapi.json")
    assert doc["openapi"] == "3.1.0"
    path = module_folder / "openapi.json"
    path.write_text(json.dumps(doc))
    valid = subprocess.run(validator(path), capture_output=True, text=True)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    # The validator is one that finds something.
    del doc["info"]["title"]
    path.write_text(json.dumps(doc))
    assert subprocess.run(validator(path), capture_output=True).returncode != 0


def test_the_document_is_the_one_in_the_repository(api):
    kept = Path(__file__).resolve().parents[2] / "docs" / "generated" / "openapi.json"
    assert json.loads(kept.read_text()) == api.get("/openapi.json")


def test_every_operation_has_a_row(asker):
    assert set(OPERATIONS) == set(asker.spec.operations)
    ids = [op["operationId"] for item in asker.spec.doc["paths"].values() for op in item.values()]
    assert len(ids) == len(set(ids))


# ---------------------------------------------------------------- who may what


@pytest.mark.parametrize("operation", OPERATIONS)
def test_roles(asker, operation):
    """With a parameter that no operation has: who may use it is told that, all others that they may not."""
    least = OPERATIONS[operation].least
    path, method, op = asker.spec.operations[operation]
    assert op["x-role"] == least and (op.get("security") == []) == (least is None)
    before = asker.api.rows("SELECT count(*) FROM audit")[0][0]
    part = "x" if "{" in path else None
    roles = [*ROLES, "peer"]
    for role in roles:
        if least == "peer":
            expected = (400, "USAGE") if role == "peer" else (401, "TOKEN")
        elif role in (None, "peer"):
            expected = (400, "USAGE") if least is None else (401, "TOKEN")
        else:
            expected = (400, "USAGE") if ROLES.index(role) >= ROLES.index(least) else (403, "ROLE")
        status, answer = asker.ask(operation, role, part, query="nonsense=1")
        assert (status, answer["error"]["kind"]) == expected, (role, answer)
    noted = asker.api.rows("SELECT count(*) FROM audit")[0][0] - before
    is_noted = OPERATIONS[operation].noted
    assert noted == (len(roles) if (method != "GET" if is_noted is None else is_noted) else 0)


# ---------------------------------------------------------------- that they work


def test_all_of_them_in_turn(asker, backup):
    def filled(text):
        return text.replace("{backup}", backup)

    begin(asker, "createBackup", body={"entry": "e1"})
    for operation, op in OPERATIONS.items():
        how = {"part": quote(filled(op.part), safe="") if op.part else None, "query": op.query,
               "body": json.loads(filled(json.dumps(op.body))) if op.body else None}  # fmt: skip
        if op.elsewhere:
            assert Path(__file__).with_name(f"{op.elsewhere}.py").exists()
        elif op.job:
            job = begin(asker, operation, op.least, **how)
            assert job["kind"] == op.job, job
        else:
            status, answer = asker.ask(operation, op.least, **how)
            assert status == op.status, (operation, answer)
    done = {action for (action,) in asker.api.rows("SELECT action FROM audit WHERE outcome = 'done'")}
    assert done >= {"backup.create", "backup.delete", "backup.undelete", "backup.pin", "backup.unpin", "verify", "drill",
                    "cleanup", "validate", "doctor", "schedule.run", "token.add", "token.revoke", "backup.download",
                    "backup.restore"}  # fmt: skip


def test_what_jobs_found(asker, backup):
    doctor = begin(asker, "doctor", body={"entry": "e0"})["result"]
    assert doctor["ready"] is True and doctor["findings"]
    verified = begin(asker, "verify", body={"entry": "e0", "level": "quick"})
    assert verified["arguments"]["words"] == ["verify", "--level", "quick"]
    cleaned = begin(asker, "cleanup", body={"entry": "e0", "dryRun": True})["result"]
    assert cleaned["dryRun"] is True and backup in [b["id"] for b in cleaned["backups"]]
    assert {b["database"] for b in cleaned["backups"]} == {asker.api.names[0]}, "it is the entry's database alone"
    run = begin(asker, "runSchedule", part="backup%2Fe0")
    assert run["entry"] == "e0" and run["backup"]


def test_cleanup_of_a_repository_that_others_share(asker, backup):
    """An entry of all databases has rules; those of other entries have theirs."""
    api, settings = asker.api, Path(asker.api.folder, "pgstow.yaml")
    before = settings.read_text()

    def entries():
        return [d["entry"] for d in api.get("/api/v1/databases")["databases"]]

    def reload(text, wanted):
        settings.write_text(text)
        api.running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: ("all" in entries()) == wanted, "the settings are not read anew")

    url = api.pgstow.cluster.url("postgres")
    reload(f'{before}- {{name: all, url: "{url}", allDatabases: true, enabled: false}}\n', True)
    try:
        status, answer = asker.ask("cleanup", body={"entry": "all", "dryRun": True})
        assert status == 400 and "database" in answer["error"]["hint"], answer
        database = api.names[0]
        job = begin(asker, "cleanup", body={"entry": "all", "dryRun": True, "database": database})
        assert {b["database"] for b in job["result"]["backups"]} == {database}
    finally:
        reload(before, False)


def test_pin_and_trash(asker):
    made = begin(asker, "createBackup", body={"entry": "e1"})["backup"]
    begin(asker, "pinBackup", part=made)
    assert asker.ask("getBackup", part=made)[1]["pinned"] is True
    status, answer = asker.ask("deleteBackup", part=made)
    assert (status, answer["error"]["kind"]) == (409, "PINNED")
    begin(asker, "unpinBackup", "admin", part=made)
    begin(asker, "deleteBackup", "admin", part=made)
    assert asker.ask("getBackup", part=made)[0] == 404
    assert made in [t["id"] for t in asker.ask("listTrash", query="entry=e1")[1]["deleted"]]
    assert begin(asker, "undeleteBackup", part=made)["entry"] == "e1"
    assert asker.ask("getBackup", part=made)[0] == 200
    assert asker.ask("undeleteBackup", part=made)[0] == 404


def test_check_and_stats(asker, backup):
    assert asker.ask("check", "viewer", query="entry=e0&maxAge=1h")[1]["fresh"] is True
    ask = partial(asker.ask, "check", "viewer", query="entry=e0&maxAge=0s")
    wait_until(lambda: ask()[0] == 503, "it is never too old")  # of two in one second the second bears the next one
    assert ask()[1]["error"]["kind"] == "STALE"
    stats = {s["database"]: s for s in asker.ask("getStats", query="entry=e0")[1]["databases"]}
    assert stats[asker.api.names[0]]["backups"] >= 1
    assert asker.ask("getStats")[0] == 400, "there are two entries"


def test_config_tells_no_secret(asker):
    status, answer = asker.ask("getConfig", query="entry=e0")
    settings = {s["name"]: s for s in answer["settings"]}
    assert status == 200 and settings["database.url"]["source"] == "entry"
    assert answer["databases"] == ["e0", "e1"]
    without = asker.ask("getConfig")[1]
    shown = {s["name"]: s["value"] for s in without["settings"]}
    assert shown["database.url"] == "postgresql://u:***@127.0.0.1/x"
    assert shown["notify.webhook.url"] == "https://u:***@127.0.0.1/x"
    assert "hidden-word" not in json.dumps([answer, without])


def test_tokens(asker):
    status, headers, made = asker.ask("addToken", body={"name": "ci", "role": "operator"}, whole=True)
    assert status == 201 and made["expires"] is None and "no-store" in headers["Cache-Control"]
    assert asker.ask("addToken", body={"name": "ci", "role": "viewer"})[0] == 409
    assert asker.ask("listJobs", made["token"])[0] == 200
    assert asker.ask("listTokens", made["token"])[0] == 403
    listed = {t["name"]: t for t in asker.ask("listTokens")[1]["tokens"] if t["state"] == "valid"}
    assert listed["ci"]["role"] == "operator" and listed["ci"]["lastFrom"] == "127.0.0.1"
    assert asker.ask("revokeToken", part="ci")[1] == {"revoked": "ci"}
    assert asker.ask("listJobs", made["token"])[0] == 401
    assert asker.ask("revokeToken", part="ci")[0] == 404
    for expires in ("90", "soon", "2001-01-01", "-1d", "999999999d"):
        assert asker.ask("addToken", body={"name": "late", "role": "viewer", "expires": expires})[0] == 400, expires
    for name in ("", ".x", "a/b", "x" * 64, "ä", "a b", "-r"):
        assert asker.ask("addToken", body={"name": name, "role": "viewer"})[0] == 400, name
    # Of the token's text nothing is kept anywhere.
    state = Path(asker.api.folder, "state")
    assert all(made["token"].encode() not in p.read_bytes() for p in state.iterdir() if p.is_file())
    told = asker.ask("listAudit", query="object=ci")[1]["entries"]
    assert [(e["action"], e["outcome"], e["actor"]) for e in told] == [
        ("token.revoke", "failed", "admin"), ("token.revoke", "done", "admin"), ("token.add", "failed", "admin"),
        ("token.add", "done", "admin")]  # fmt: skip


def test_pages(asker):
    """A list in pages is the same as the whole list."""
    for operation, key in (("listAudit", "entries"), ("listJobs", "jobs"), ("listTokens", "tokens")):
        whole = [x["id"] for x in asker.ask(operation, query="limit=1000")[1][key]]
        got, more, query = [], True, "limit=2"
        while more and len(got) < 6:
            page = asker.ask(operation, query=query)[1]
            got += [x["id"] for x in page[key]]
            more, query = page["more"], f"limit=2&before={got[-1]}"
        assert got == whole[: len(got)] and len(got) == min(6, len(whole)), operation


# ---------------------------------------------------------------- what is refused

PARTS = ["..%2F..%2Fetc%2Fpasswd", "%2e%2e%2f", "..%5c..", "-r", "--help", "%00", "x%00y", "%0d%0aSet-Cookie:a", "%zz", "%4",
         "%ff", "%c0%ae", "%ed%a0%80", "a" * 3000, "latest", "latest:x", "%F0%9F%92%A3", "1e9", "0", "-1",
         "99999999999999999999", "';DROP%20TABLE%20job;--", "$(reboot)", "%25s%25n", "%2F", "*", "backup%2F..%2Fe0"]  # fmt: skip
QUERIES = ["", "%00", "a%0ab", "%ff", "x" * 2000, "-1", "0", "99999999999999999999", "1e3", "0x10", "1 ", "null", "../../x",
           "';--", "%F0%9F%92%A3", "2024-13-45", "9999999999999d"]  # fmt: skip
VALUES = [None, True, 0, -1, 1.5, 10**30, "", "x" * 2000, "a\nb", "\x7f", "\x85", "..", "../../etc/passwd", "-r", "--help", "$(reboot)",
          "\U0001f4a3", [], ["x"], {}, {"a": {}}, [[]], ["x"] * 101, [None], [5]]  # fmt: skip
BODIES = ["{", "[]", "5", "null", "\x00", "{}x", '{"\x00": 1}', '{"entry": "\\u0000"}', '{"entry": "\\ud800"}', "[" * 60000,
          '{"a":' * 3000 + "1" + "}" * 3000, '{"entry": "e0", "entry": "e0"}', '{"entry": 1e999}', '{"__proto__": {}}',
          b'{"entry": "\xff"}', b'{"entry": "\xc0\xae"}', "\ufeff{}".encode(), '{"' + "x" * 60000 + '": 1}',
          "{" + ",".join(f'"k{i}": 1' for i in range(5000)) + "}"]  # fmt: skip


@pytest.fixture
def unchanged(asker, backup):
    """Nothing came of it: no job, no token, no backup less."""

    def all_there_is():
        return asker.api.rows("SELECT (SELECT max(id) FROM job), (SELECT count(*) FROM token WHERE revoked IS NULL)")

    before = all_there_is()
    yield
    assert all_there_is() == before and asker.api.is_up()
    assert asker.ask("getBackup", part=backup)[0] == 200


def refused(asker, operation, statuses=(400, 404, 409), **how):
    status, answer = asker.ask(operation, **how)
    assert status in statuses and answer["error"]["message"], (operation, how, answer)


@pytest.mark.parametrize("operation", [o for o, op in OPERATIONS.items() if op.part])
def test_hostile_parts(asker, unchanged, operation):
    op = OPERATIONS[operation]
    for part in PARTS:
        refused(asker, operation, part=part, body=op.body)


def test_hostile_queries(asker, unchanged):
    for operation, (_, _, op) in asker.spec.operations.items():
        row = OPERATIONS[operation]
        part = "x" if row.part else None
        refused(asker, operation, (400,), part=part, query="nonsense=1")
        refused(asker, operation, (400,), part=part, query="%00=1")
        refused(asker, operation, (400,), part=part, query="x" * 3000)
        for parameter in (p for p in op["parameters"] if p["in"] == "query"):
            name, schema = parameter["name"], parameter["schema"]
            refused(asker, operation, (400,), part=part, query=f"{name}=1&{name}=1")
            for value in QUERIES:
                # What may be any text is one: it finds nothing, or there is no such thing.
                text = schema["type"] == "string" and "enum" not in schema and name not in ("since", "until", "maxAge")
                statuses = (400,) if not text else (200, 400, 404, *([409] if name == "sessionId" else []))
                if schema["type"] == "integer" and value == "0" and schema["minimum"] == 0:
                    continue
                status, answer = asker.ask(operation, part=part, query=f"{name}={value.replace(' ', '%20')}")
                assert status in statuses or (status == 404 and part and value == "0"), (operation, name, value, answer)


@pytest.mark.parametrize("operation", [o for o, op in OPERATIONS.items() if op.body is not None])
def test_hostile_bodies(asker, unchanged, operation):
    body = OPERATIONS[operation].body
    schema = asker.spec.operations[operation][2]["requestBody"]["content"]["application/json"]["schema"]
    for text in BODIES:
        refused(asker, operation, (400,), body=text)
    refused(asker, operation, (400,), body={**body, "nonsense": 1})
    for name in schema["properties"]:
        for value in VALUES:
            hostile = {**{k: v for k, v in body.items() if "{" not in json.dumps(v)}, name: value}
            if asker.spec.refuses(operation, hostile):
                refused(asker, operation, (400,), body=hostile)
            elif schema["properties"][name]["type"] == "string":
                refused(asker, operation, (400, 404), body=hostile)
    for name in schema["required"]:
        refused(asker, operation, (400,), body={k: v for k, v in body.items() if k != name})


def test_bodies_where_none_is_taken(asker, unchanged):
    for operation, (_, method, op) in asker.spec.operations.items():
        if "requestBody" not in op and method != "GET":
            refused(asker, operation, (400,), part="x" if OPERATIONS[operation].part else None, body='{"a": 1}')


def test_ids_of_another_repository(asker, backup):
    for ids in (["latest"], [backup[:-1]], [f"{backup}", "x"], ["--all"], ["-"], ["."]):
        refused(asker, "verify", (404,), body={"entry": "e0", "ids": ids})


def test_other_methods(api):
    paths = Spec(api.get("/openapi.json")).doc["paths"]
    for (path, item), method in itertools.product(paths.items(), ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")):
        if method.lower() in item:
            continue
        status, headers, answer = api.call(method, path.replace("{", "x").replace("}", ""))
        if status == 404 or "get" in item and status == 200:
            continue
        allowed = {m.upper() for m in item} | ({"HEAD"} if "get" in item else set())
        assert (status, answer["error"]["kind"]) == (405, "METHOD"), (method, path, answer)
        assert set(headers["Allow"].split(", ")) >= allowed
