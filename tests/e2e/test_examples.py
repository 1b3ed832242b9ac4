"""The examples of the API as they stand: examples/api.sh and api.py. Those in C are run by test_library.py."""

import subprocess

import pytest
from harness.program import ROOT


def run(api, example, *args, token="operator"):
    env = {**api.pgstow.environment(), "PGSTOW_URL": f"http://127.0.0.1:{api.port}",
           "PGSTOW_TOKEN": api.tokens.get(token, token)}  # fmt: skip
    return subprocess.run([ROOT / "examples" / example, *args], env=env, cwd=api.folder, capture_output=True, text=True,
                          timeout=120)  # fmt: skip


def test_shell(api):
    done = run(api, "api.sh", "e0")
    assert done.returncode == 0 and not done.stderr, done
    made = api.get("/api/v1/backups?entry=e0")["backups"]
    assert done.stdout == made[0]["id"] + "\n"


def test_python(api):
    done = run(api, "api.py", "e1")
    assert done.returncode == 0 and not done.stderr, done
    file = done.stdout.strip()
    assert file == api.get("/api/v1/backups?entry=e1")["backups"][0]["id"] + ".dump"
    listed = subprocess.run(["pg_restore", "--list", api.folder / file], capture_output=True, text=True)
    assert listed.returncode == 0 and "TABLE DATA public t" in listed.stdout, listed
    assert not (api.folder / (file + ".part")).exists()


@pytest.mark.parametrize("example", ["api.sh", "api.py"])
@pytest.mark.parametrize(
    "token, args, words", [("no token", ["e0"], "TOKEN"), ("viewer", ["e0"], "ROLE"), ("operator", ["nobody"], "nobody")]
)
def test_refusals_are_failures(api, example, token, args, words):
    done = run(api, example, *args, token=token)
    assert done.returncode != 0 and words in done.stdout + done.stderr, done


@pytest.mark.parametrize("example", ["api.sh", "api.py"])
def test_a_job_that_fails_is_a_failure(cluster, api, example):
    """Its database is gone."""
    gone = api.names[1]
    cluster.sql(f"ALTER DATABASE {gone} RENAME TO {gone}_gone")
    try:
        done = run(api, example, "e1")
    finally:
        cluster.sql(f"ALTER DATABASE {gone}_gone RENAME TO {gone}")
    assert done.returncode == 1 and "failed" in done.stderr and gone in done.stderr, done
