#!/usr/bin/python3
"""Watch pgstow work: `./dev demo`.

With DATABASE_URL set it works on that database, reading it and changing nothing; otherwise on a little
shop in a private server. What it makes (server, repository, the restored copy) is removed at the end,
also after Ctrl-C. Exit status 0 means that every step worked and the restored copy was equal.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True
from private_server import PrivateServer, find_bin  # noqa: E402

BOLD, DIM, END = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class DemoFailed(Exception):
    pass


def say(text):
    print("\n" + textwrap.fill(" ".join(text.split()), 96), flush=True)


def megabytes(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def service_entry(url):
    """A connection string as lines of a libpq service file.

    So that its password stands neither in an argument list nor in this program: libpq reads the file.
    """
    pairs = {}
    if "://" in url:
        # Unlike in other URLs several hosts are allowed, each with a port.
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        names, ports = [], []
        for host in hosts.split(",") if hosts else []:
            bracket = host.rfind("]")
            colon = host.find(":", bracket + 1)
            names.append(host if colon < 0 else host[:colon])
            ports.append("" if colon < 0 else host[colon + 1 :])
        pairs["host"] = ",".join(unquote(n.strip("[]")) for n in names)
        pairs["port"] = ",".join(ports) if any(ports) else ""
        pairs["user"], pairs["password"] = unquote(user), unquote(password)
        pairs["dbname"] = unquote(parts.path[1:])
        pairs.update(parse_qsl(parts.query))
        if pairs.pop("ssl", "") == "true":
            pairs["sslmode"] = "require"
    else:
        for word in shlex.split(url.replace(" = ", "=")):
            key, _, value = word.partition("=")
            pairs[key] = value
    if "service" in pairs:
        raise DemoFailed("the demo cannot follow a service= in DATABASE_URL: give host and database there")
    return "".join(f"{key}={value}\n" for key, value in pairs.items() if value)


class Demo:
    def __init__(self, pgstow, work, bin_folder, own):
        self.pgstow, self.work, self.bin = pgstow, work, bin_folder
        self.tools_env = {**os.environ, "PGSERVICEFILE": str(Path(work, "service.conf"))}
        self.database = None
        self.own = own  # the server is ours: the data may be changed
        self.copy = None
        self.times = {}

    def psql(self, sql, database=None):
        command = [self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]
        command.append("service=demo" + (f" dbname='{database}'" if database else ""))
        done = subprocess.run(command, input=sql, text=True, capture_output=True, env=self.tools_env)
        if done.returncode != 0:
            raise DemoFailed(f"psql: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def run(self, *words, name=None, may_fail=False, show=True):
        """One pgstow command, shown as a person would type it; returns the lines it printed."""
        print(f"\n{BOLD}$ pgstow {shlex.join(words)}{END}", flush=True)
        started = time.monotonic()
        child = subprocess.Popen(
            [self.pgstow, *words], cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        lines = []
        try:
            for line in child.stdout:
                lines.append(line.rstrip("\n"))
                if show:
                    print(f"{DIM}  {lines[-1]}{END}", flush=True)
            status = child.wait()
        except BaseException:
            child.terminate()
            child.wait()
            raise
        took = time.monotonic() - started
        if name:
            self.times[name] = took
        print(f"  ({took:.1f} s)")
        if status != 0:
            if not may_fail:
                raise DemoFailed(f"pgstow {words[0]} ended with exit status {status}")
            say(f"(exit status {status}: it found something to remedy.)")
        return lines

    def backup(self, name):
        lines = self.run("backup", name=name)
        if not lines:
            raise DemoFailed("pgstow backup did not print an id")
        identity = lines[-1].strip()
        facts = Path(self.work, "backups", "backups", identity + ".metadata.json")
        return identity, json.loads(facts.read_text())

    def fingerprint(self, database=None):
        rows = self.psql((HERE / "fingerprint.sql").read_text(), database)
        return dict(row.split("|", 1) for row in rows)

    def schema_text(self, database=None, data=False):
        """What stock pg_dump says, sorted, without the random lines that newer ones write."""
        words = [self.bin / "pg_dump", "-d"]
        words.append("service=demo" + (f" dbname='{database}'" if database else ""))
        if not data:
            words.append("--schema-only")
        done = subprocess.run(words, capture_output=True, env=self.tools_env)
        if done.returncode != 0:
            raise DemoFailed(f"pg_dump: {done.stderr.decode(errors='replace').strip()}")
        lines = done.stdout.splitlines()
        return sorted(line for line in lines if not line.startswith((b"\\restrict", b"\\unrestrict")))

    def compare(self, before):
        """before: the fingerprint taken before the backup. Only what stood still can be compared."""
        after, copy = self.fingerprint(), self.fingerprint(self.copy)
        moving = sorted(t for t in before if before[t] != after.get(t))
        wrong = sorted(t for t in before if t not in moving and before[t] != copy.get(t))
        rows = 0
        for table in before:
            rows += int(before[table].split("|")[0])
        same = len(before) - len(moving) - len(wrong)
        say(f"{same} of {len(before)} tables are equal, compared by the hashes of all their rows ({rows:,} rows).")
        if moving:
            say("In use meanwhile, so not comparable: " + ", ".join(moving[:20]))
        whole = self.own
        if self.schema_text(data=whole) == self.schema_text(self.copy, data=whole):
            what = "everything, schema and rows" if whole else "the schema"
            say(f"And stock pg_dump writes the same of both: {what}.")
        elif not moving:
            wrong.append("(the output of pg_dump)")
        if wrong:
            raise DemoFailed("the restored copy differs: " + ", ".join(wrong))

    def drop_copy(self):
        for attempt in range(10 if self.copy else 0):
            try:
                self.psql(f'DROP DATABASE IF EXISTS "{self.copy}"')
                self.copy = None
                return
            except DemoFailed:  # after Ctrl-C the server may still be ending the restore's sessions
                if attempt == 9:
                    raise
                time.sleep(1)

    def may_create(self):
        sql = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        return self.psql(sql) == ["t"]


def tell_story(demo):
    logical = int(demo.psql("SELECT pg_database_size(current_database())")[0])
    say(f"The database is {demo.database}, {megabytes(logical)} on its server's disk. First: is everything here"
        " that a backup of it needs?")
    demo.run("doctor", may_fail=True)

    say("A first backup. It makes the repository, ./backups, which is nothing but files.")
    first, first_facts = demo.backup("first backup")

    if demo.own:
        say("A day passes in the shop: some 3,000 rows are added, changed or deleted. Then the second backup,"
            " which writes only what is new:")
        demo.psql((HERE / "day.sql").read_text())
    else:
        say("This is your data, so nothing is changed here. The second backup therefore has little to write:")
    before = demo.fingerprint()
    second, second_facts = demo.backup("second backup")

    say("Both are complete backups; neither needs the other to be restored.")
    demo.run("list")
    say("Are they still what was stored? This reads every byte of the second one and rebuilds its tables' hashes.")
    demo.run("verify", second, "--level", "rebuild", name="verify")

    if demo.may_create():
        copy = re.sub(r"[^A-Za-z0-9_]", "_", demo.database)[:40] + f"_copy_{os.getpid()}"
        if demo.psql(f"SELECT 1 FROM pg_database WHERE datname = '{copy}'"):
            raise DemoFailed(f"there is a database {copy} already")
        say("Then back: restored beside the original, under another name.")
        demo.copy = copy  # from here on it is ours to drop
        demo.run("restore", second, "--to-db", copy, "--yes", name="restore")
        demo.compare(before)
    else:
        say("This user may not create databases, so a restore beside the original is left out.")

    say("No lock-in: any backup can leave as a file for stock pg_restore.")
    target = Path(demo.work, "out.dump")
    demo.run("export", first, "--format", "custom", "-o", str(target), name="export")
    print(f"\n{BOLD}$ pg_restore -l out.dump{END}")
    done = subprocess.run([demo.bin / "pg_restore", "-l", target], text=True, capture_output=True)
    if done.returncode != 0:
        raise DemoFailed(f"pg_restore could not read the export: {done.stderr.strip()}")
    entries = [line for line in done.stdout.splitlines() if line and not line.startswith(";")]
    for line in entries[:6]:
        print(f"{DIM}  {line}{END}")
    print(f"{DIM}  ... {len(entries)} entries, {megabytes(target.stat().st_size)}{END}")

    if demo.copy:
        name = demo.copy
        demo.drop_copy()
        say(f"The restored database {name} is dropped again.")
    tell_cost(demo, logical, first_facts, second_facts)


def tell_cost(demo, logical, first, second):
    stored = sum(f.stat().st_size for f in Path(demo.work, "backups").rglob("*") if f.is_file())
    print(f"\n{BOLD}What it cost{END}")
    print(f"  {'the database':<18} {megabytes(logical):>10}   with its indexes; its rows as text are "
          f"{megabytes(first['logicalSize'])}")
    for name, facts in (("first backup", first), ("second backup", second)):
        print(f"  {name:<18} {megabytes(facts['newBytes']):>10}   new, in {demo.times[name]:.1f} s; it refers to"
              f" {megabytes(facts['size'])}")
    print(f"  {'both together':<18} {megabytes(stored):>10}   on disk: the whole repository")
    for name in ("verify", "restore", "export"):
        if name in demo.times:
            print(f"  {name:<18} {demo.times[name]:>8.1f} s")


def prepare(pgstow, work, own):
    """A demo on the database that DATABASE_URL names."""
    service = Path(work, "service.conf")
    service.touch(mode=0o600)
    service.write_text("[demo]\n" + service_entry(os.environ["DATABASE_URL"]))
    demo = Demo(pgstow, work, find_bin(), own)
    demo.database = demo.psql("SELECT current_database()")[0]
    return demo


def run_on_given_database(pgstow, work):
    demo = prepare(pgstow, work, own=False)
    try:
        tell_story(demo)
    finally:
        demo.drop_copy()


def run_on_private_server(pgstow, work):
    say("DATABASE_URL is not set, so this starts a PostgreSQL server of its own, in a temporary folder,"
        " and fills it with a little shop.")
    for key in [k for k in os.environ if k.startswith("PG")]:
        del os.environ[key]
    with PrivateServer(Path(work, "server")) as server:
        server.psql("postgres", "CREATE DATABASE shop")
        server.psql("shop", (HERE / "shop.sql").read_text())
        os.environ["DATABASE_URL"] = server.url("shop")
        tell_story(prepare(pgstow, work, own=True))
    say("The private server is stopped.")


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: demo.py PGSTOW")
    pgstow = Path(sys.argv[1]).resolve()

    def stop(*_):
        raise KeyboardInterrupt

    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, stop)
    for key in [k for k in os.environ if k.startswith(("BACKUP_", "PGSTOW_"))]:
        del os.environ[key]
    work = Path(tempfile.mkdtemp(prefix="pgstow-demo-"))
    work.chmod(0o711)  # the server's user must pass
    os.environ["XDG_STATE_HOME"] = str(work / "state")
    try:
        if os.environ.get("DATABASE_URL"):
            run_on_given_database(pgstow, work)
        else:
            run_on_private_server(pgstow, work)
    except DemoFailed as problem:
        print(f"\nThe demo failed: {problem}", flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; removing what was made.", flush=True)
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("\nThe repository of this demo is removed again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
