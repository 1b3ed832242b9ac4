"""The service with an encrypted repository: opened once by what its environment has, and by no key that was taken away."""

from harness.api import SQL, Api

FIRST = {"PGSTOW_PASSPHRASE": "correct horse battery staple"}


def spent(api):
    """Seconds of processor of the service, without its children's."""
    with open(f"/proc/{api.running.process.pid}/stat") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / 100


def test_the_passphrase_of_the_environment(cluster, folder):
    api = Api(cluster, folder, sql=(SQL,), backup="encryption: true", env=FIRST)
    try:
        made = api.backup("e0")
        listed = api.get("/api/v1/backups")["backups"]
        assert [(b["id"], b["encrypted"]) for b in listed] == [(made, True)]
        # Stretching a passphrase takes about half a second: it is done once.
        before = spent(api)
        for _ in range(20):
            assert api.get("/api/v1/backups")["backups"] == listed
            assert api.get(f"/api/v1/backups/{made}")["rows"] == 50
            assert api.call("GET", "/metrics")[0] == 200
        assert spent(api) - before < 3
        assert api.fetch(f"/api/v1/backups/{made}.dump")[2][:5] == b"PGDMP"
        # What is kept opens nothing that the repository no longer lets in.
        key = folder / "key"
        api.run("key", "add", "--new-key-file", key)
        slots = api.run("key", "list", "--json").json["keys"]
        old = next(s["id"] for s in slots if s["kind"] == "passphrase")
        api.run("key", "remove", old, "--key-file", key, "--yes")
        status, _, answer = api.call("GET", "/api/v1/backups")
        assert (status, answer["error"]["kind"]) == (403, "KEY")
    finally:
        api.stop()
        cluster.drop(*api.names)
