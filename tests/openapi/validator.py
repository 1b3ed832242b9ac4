#!/usr/bin/python3
"""The validator of OpenAPI documents, from the npm registry: exactly what package-lock.json names, by its hashes.

    validator.py        bring it, print where it is

It lies in the same cache as the servers of other versions (private_postgres.py), and none of its packages' own scripts
is run.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from private_postgres import Missing, cache_folder  # noqa: E402

PROGRAM = "node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js"


def bring():
    """Its folder, which is there and complete afterwards."""
    wanted = b"".join((HERE / name).read_bytes() for name in ("package.json", "package-lock.json"))
    folder = cache_folder() / f"openapi-{hashlib.sha256(wanted).hexdigest()[:16]}"
    with open(cache_folder() / "openapi.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return folder
        if not shutil.which("npm"):
            raise Missing("npm is missing: it brings the validator of OpenAPI documents (Debian's package npm)")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={**os.environ, "npm_config_update_notifier": "false"})  # fmt: skip
        if done.returncode:
            raise Missing(f"npm could not bring the validator:\n{done.stdout}{done.stderr}")
        (folder / "complete").touch()
    return folder


def validator(path):
    """The command line that says by its status whether the document is valid."""
    return ["node", str(bring() / PROGRAM), str(path)]


if __name__ == "__main__":
    try:
        print(bring() / PROGRAM)
    except Missing as missing:
        sys.exit(str(missing))
