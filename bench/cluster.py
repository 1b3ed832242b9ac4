"""The private server of the benchmarks, and the databases that are made in it: see bench.py."""

import hashlib
import json
import os
import platform
import time
from pathlib import Path

from private_server import PrivateServer, find_bin

DATA = Path(__file__).resolve().parent / "data"
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "256MB",
    "autovacuum": "off",  # it would wake up in the middle of whichever command comes then
    "max_connections": "50",
    "max_locks_per_transaction": "1024",  # a backup locks every table: 5,000 of them
}
# Hint bits set and pages frozen, so that no reader measured later has to write.
FINISH = "DROP SCHEMA gen CASCADE;\nVACUUM (FREEZE, ANALYZE);\nCHECKPOINT;\n"


def machine():
    cpu = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "system": platform.platform(),
        "postgresql": find_bin().parent.name,
    }


def place_for(server_folder, out):
    """Where the cluster lies: its account must be able to get there, which a home folder may forbid."""
    given = os.environ.get("BENCH_DIR")
    base = Path(given) if given else out
    base.mkdir(parents=True, exist_ok=True)
    if not PrivateServer(base).can_reach(base):
        if given:
            raise SystemExit(f"the account that runs the server may not enter {base} (BENCH_DIR)")
        base = Path("/var/tmp/pgstow-bench")
        base.mkdir(exist_ok=True)
        base.chmod(0o755)
        print(f"the server's account may not enter {out}: its data goes to {base}")
    return base / server_folder


def clean(server, kept):
    """Drop what an interrupted run has left: every database but those that were generated."""
    for name in server.psql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate"):
        if name not in ("postgres", *kept):
            server.psql("postgres", f'DROP DATABASE "{name}"')


def prepare(server, folder, name, scale, subject):
    """Generate database `name` from data/name.sql, once. Returns how many bytes its rows are as text."""
    sql = "".join((DATA / file).read_text() for file in ("common.sql", f"{name}.sql")) + FINISH
    wanted = hashlib.sha256(f"{scale} {sql}".encode()).hexdigest()
    note = folder / f"{name}.json"
    known = json.loads(note.read_text()) if note.exists() else {}
    if known.get("sha256") == wanted:
        return known["text_bytes"]
    print(f"generating {name} at scale {scale:g}, once", flush=True)
    note.unlink(missing_ok=True)
    server.psql("postgres", f"DROP DATABASE IF EXISTS {name}")
    server.psql("postgres", f"CREATE DATABASE {name}")
    started = time.monotonic()
    server.psql(name, f"SET bench.scale = '{scale}';\n{sql}")
    text_bytes = subject.text_bytes(name)
    note.write_text(json.dumps({"sha256": wanted, "text_bytes": text_bytes}))
    print(f"  {time.monotonic() - started:.0f} s, {text_bytes / 1e6:.0f} MB as text", flush=True)
    return text_bytes
