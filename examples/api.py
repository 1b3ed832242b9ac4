#!/usr/bin/env python3
"""A backup through the API of `pgstow serve`, by the standard library alone: asks for one, waits for its job, downloads it
as a file for pg_restore, and prints that file's name.

    PGSTOW_TOKEN=pgstow_... ./api.py [ENTRY]     the token of an operator: pgstow token add
    PGSTOW_URL=https://backup.example.com        where the service is, if not on this host

ENTRY is a name of `databases:`, where the service has several.
"""

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("PGSTOW_URL", "http://127.0.0.1:8080") + "/api/v1/"


def call(method, path, body=None):
    """The open answer; SystemExit with what the service says where it refuses."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(URL + path, data, method=method)
    request.add_header("Authorization", "Bearer " + os.environ["PGSTOW_TOKEN"])
    try:
        return urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as refused:
        error = json.load(refused)["error"]
        raise SystemExit(f"{error['kind']}: {error['message']}") from None


def backup(entry=None):
    """Its id, once it is made."""
    number = json.load(call("POST", "backups", {"entry": entry} if entry else {}))["job"]
    while True:
        job = json.load(call("GET", f"jobs/{number}"))
        if job["status"] == "succeeded":
            return job["backup"]
        if job["status"] not in ("queued", "running"):
            error = job["error"] or {}
            raise SystemExit(f"job {number} {job['status']}: {error.get('message', '')}")
        time.sleep(1)


def download(name):
    """Under its own name only once it is whole."""
    with call("GET", f"backups/{name}") as answer, open(name + ".part", "wb") as file:
        shutil.copyfileobj(answer, file)  # fails where the service breaks off, but for an answer of known length
        if int(answer.headers.get("Content-Length") or file.tell()) != file.tell():
            raise SystemExit(f"{name}: the answer broke off")
    os.replace(name + ".part", name)
    return name


if __name__ == "__main__":
    print(download(backup(*sys.argv[1:2]) + ".dump"))
