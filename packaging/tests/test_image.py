"""packaging/Dockerfile and compose.yaml. No container engine is needed: the steps of the Dockerfile are carried out in private
roots (dockerfile.py), and what it starts is started there, as the user and with the environment that it says."""

import json

import dockerfile
import pytest
import yaml
from root import wait_until


@pytest.fixture(scope="module")
def image(base, source, work):
    (work / "image").mkdir()
    return dockerfile.build(source / "packaging" / "Dockerfile", source, base, work / "image")


@pytest.fixture(scope="module")
def compose(source):
    return yaml.safe_load((source / "packaging" / "compose.yaml").read_text())


def test_the_image(image):
    assert image.user == "pgstow" and image.volumes == ["/var/lib/pgstow"] == [image.cwd]
    assert "pg_dump" in image.run("pg_dump --version").stdout
    assert not list(image.root.folder.glob("packages")) and not list(image.root.folder.glob("var/lib/apt/lists/*"))
    assert image.run("stat -c %U:%a .").last == "pgstow:700"
    image.run([*image.entrypoint, "config", "check"])


def test_compose_names_what_is_there(compose, image, source):
    service = compose["services"]["pgstow"]
    folder = source / "packaging"
    assert (folder / service["build"]["context"]).resolve() == source
    assert (source / service["build"]["dockerfile"]).is_file()
    for mount in service["volumes"]:
        origin, target = mount.split(":")[:2]
        assert (folder / origin).is_file() if origin.startswith(".") else origin in compose["volumes"]
        assert target in [*image.volumes, "/etc/pgstow/pgstow.yaml"]
    assert set(service["depends_on"]) <= set(compose["services"])
    assert service["ports"] == ["127.0.0.1:8080:8080"]


def test_the_service_beside_a_server(compose, image, source):
    """As compose.yaml has it: its settings, its environment, a server of the name db; nothing else to be written to."""
    service = compose["services"]["pgstow"]
    assert service["environment"] == {"PGPASSWORD": "${POSTGRES_PASSWORD:?}"} and service["read_only"]
    environment = {**image.env, "PGPASSWORD": "secret"}
    image.root.run("apt-get -q update && apt-get -q install -y --no-install-recommends postgresql")
    image.root.run("cat >/etc/pgstow/pgstow.yaml", input=(source / "packaging/compose.pgstow.yaml").read_text())
    with image.root.boot("sleep", "infinity") as host:
        host.run("pg_ctlcluster 15 main start && echo '127.0.0.1 db' >>/etc/hosts")
        host.run(["psql", "-qX"], user="postgres", input="ALTER ROLE postgres PASSWORD 'secret'; CREATE DATABASE shop;\n\\c shop\n"
                 "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id")  # fmt: skip

        def pgstow(*words, **kwargs):
            return host.run([*image.entrypoint, *words], user=image.user, env=environment, cwd=image.cwd, **kwargs)

        token = pgstow("token", "add", "me", "--role", "admin").last
        line = " ".join([*image.entrypoint, *image.command])
        host.run(f"setsid {line} >/tmp/log 2>&1 </dev/null &", user=image.user, env=environment, cwd=image.cwd)
        healthy = lambda: host.run(image.health, user=image.user, env=environment, status=None).status == 0  # noqa: E731
        wait_until(healthy, lambda: host.run("cat /tmp/log").stdout)
        api = ["curl", "--silent", "--fail-with-body", "--header", f"Authorization: Bearer {token}", "--data", "{}",
               "http://127.0.0.1:8080/api/v1/backups"]  # fmt: skip
        job = json.loads(host.run(api).stdout)["job"]
        wait_until(lambda: json.loads(pgstow("jobs", job, "--json").stdout)["status"] == "succeeded",
                   lambda: host.run("cat /tmp/log").stdout)  # fmt: skip
        made = json.loads(pgstow("list", "--json").stdout)["backups"]
        assert [b["database"] for b in made] == ["shop"]
