"""Timed commands, and the commands that are compared: see bench.py."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PIECE_PAGES = 8192  # of 8 KiB: the ranges in which the floor reads big tables


class CommandFailed(Exception):
    pass


class Timed:
    def __init__(self, seconds, peak_bytes, output):
        self.seconds = seconds
        self.peak_bytes = peak_bytes  # of the largest process in it
        self.output = output


def run_timed(*pipeline, stdin=None, env=None, cwd=None, capture=False):
    """Run commands as a pipeline, from the first one's start to the last one's end.

    stdin: text for the first. What the last one prints is dropped unless it is to be captured.
    """
    os.sync()  # what others have left to be written must not fall into our time
    children, source = [], subprocess.PIPE if stdin is not None else subprocess.DEVNULL
    errors = []
    started = time.monotonic()
    try:
        for number, command in enumerate(pipeline):
            last = number == len(pipeline) - 1
            sink = subprocess.PIPE if capture or not last else subprocess.DEVNULL
            error = tempfile.TemporaryFile()
            errors.append(error)
            child = subprocess.Popen(
                [str(word) for word in command], stdin=source, stdout=sink, stderr=error, env=env, cwd=cwd
            )
            if children and children[-1].stdout:
                children[-1].stdout.close()  # ours; a reader that ends early must be noticed
            children.append(child)
            source = child.stdout
        if stdin is not None:
            children[0].stdin.write(stdin.encode())
            children[0].stdin.close()
        output = children[-1].stdout.read().decode() if capture else ""
        peak, failed = 0, None
        for child, error, command in zip(children, errors, pipeline):
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            peak = max(peak, usage.ru_maxrss * 1024)
            if child.returncode != 0 and not failed:
                error.seek(0)
                tail = error.read().decode(errors="replace").strip()[-1500:]
                failed = f"{Path(str(command[0])).name} ended with {child.returncode}: {tail}"
        seconds = time.monotonic() - started
    except BaseException:
        for child in children:
            if child.returncode is None:
                child.terminate()
                child.wait()
        raise
    finally:
        for error in errors:
            error.close()
    if failed:
        raise CommandFailed(failed)
    return Timed(seconds, peak, output)


def folder_bytes(folder):
    """Of all files in it: what is really there, whatever a program says it wrote."""
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())


class Subject:
    """A database on the private server, and all that is measured with it."""

    def __init__(self, server, work, pgstow, jobs):
        self.server, self.work, self.pgstow, self.jobs = server, Path(work), pgstow, jobs
        self.env = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PG", "BACKUP_", "RESTIC_")) and key != "DATABASE_URL"
        }
        self.env["RESTIC_PASSWORD"] = "bench"
        self.env["RESTIC_CACHE_DIR"] = str(self.work / "restic-cache")
        self.env["XDG_STATE_HOME"] = str(self.work / "state")
        self.env["PATH"] = f"{server.bin}:{self.env['PATH']}"
        self.peaks = {}

    def path(self, name):
        return self.work / name

    def remove(self, name):
        # What pgstow remembers of it goes too: the next one of this name is another one.
        shutil.rmtree(self.work / "state", ignore_errors=True)
        target = self.path(name)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    # ------------------------------------------------------------------ the floor

    def floor_scripts(self, database, connections):
        """COPY commands for so many psqls, of about the same number of pages each."""
        rows = self.server.psql(
            database,
            "SELECT oid::regclass, pg_relation_size(oid) / 8192 FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
        )
        parts = []
        for row in rows:
            table, pages = row.rsplit("|", 1)
            pages = int(pages)
            for start in range(0, max(pages, 1), PIECE_PAGES):
                bound = f" AND ctid < '({start + PIECE_PAGES},0)'" if start + PIECE_PAGES < pages else ""
                query = f"SELECT * FROM {table} WHERE ctid >= '({start},0)'{bound}"
                parts.append((min(PIECE_PAGES, pages - start), f"COPY ({query}) TO STDOUT;\n"))
        scripts, loads = [""] * connections, [0] * connections
        for pages, command in sorted(parts, reverse=True):
            lightest = loads.index(min(loads))
            scripts[lightest] += command
            loads[lightest] += pages
        return scripts

    def floor(self, database, connections=2):
        """Reading the rows, which no logical backup can be without."""
        scripts = self.floor_scripts(database, connections)
        os.sync()
        command = [self.server.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-d", self.server.conninfo(database)]
        started = time.monotonic()
        children = []
        for script in scripts:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self.env)
            child.stdin.write(script.encode())
            child.stdin.close()
            children.append(child)
        statuses = [child.wait() for child in children]
        seconds = time.monotonic() - started
        if any(statuses):
            raise CommandFailed("psql COPY failed")
        return Timed(seconds, 0, "")

    def text_bytes(self, database):
        """The database's rows as COPY text."""
        command = [self.server.bin / "psql", "-X", "-q", "-d", self.server.conninfo(database)]
        script = "".join(self.floor_scripts(database, 1))
        return int(run_timed(command, ["wc", "-c"], stdin=script, env=self.env, capture=True).output)

    # ------------------------------------------------------------------ competitors

    def pg_dump(self, database, *options, then=None):
        command = [self.server.bin / "pg_dump", "-d", self.server.conninfo(database), *options]
        return run_timed(command, *([then] if then else []), env=self.env, cwd=self.work)

    def restic_init(self):
        self.remove("restic")
        run_timed(["restic", "-q", "-r", self.path("restic"), "init"], env=self.env)

    def restic(self, database):
        sink = ["restic", "-q", "-r", self.path("restic"), "backup", "--stdin", "--stdin-filename", "db.dump"]
        return self.pg_dump(database, "-Fc", "-Z0", then=sink)

    def pg_restore(self, file, database):
        self.server.psql("postgres", f"CREATE DATABASE {database}")
        self.server.psql("postgres", "CHECKPOINT")
        command = [self.server.bin / "pg_restore", "-j", str(self.jobs), "-d", self.server.conninfo(database)]
        return run_timed([*command, self.path(file)], env=self.env)

    def analyze(self, database):
        command = [self.server.bin / "vacuumdb", "-q", "--analyze-only", "-j", str(self.jobs)]
        return run_timed([*command, "-d", self.server.conninfo(database)], env=self.env)

    def drop(self, database):
        self.server.psql("postgres", f"DROP DATABASE IF EXISTS {database}")

    # ------------------------------------------------------------------ pgstow

    def run_pgstow(self, repo, database, *words):
        command = [self.pgstow, "--repo", self.path(repo), "--db", self.server.url(database), *words]
        done = run_timed(command, env=self.env, cwd=self.work, capture=True)
        self.peaks[words[0]] = max(done.peak_bytes, self.peaks.get(words[0], 0))
        return done

    def backup(self, repo, database):
        """Returns time, the id, and by how many bytes the repository grew."""
        before = folder_bytes(self.path(repo))
        done = self.run_pgstow(repo, database, "backup", "--jobs", str(self.jobs), "--json")
        try:
            said = json.loads(done.output)
        except ValueError:
            said = json.loads(done.output.strip().splitlines()[-1])
        return done, said["id"], folder_bytes(self.path(repo)) - before

    def verify(self, repo, database, identity):
        return self.run_pgstow(repo, database, "verify", identity, "--level", "data")

    def restore(self, repo, database, identity, target):
        self.server.psql("postgres", "CHECKPOINT")
        words = ["restore", identity, "--to-db", target, "--yes", "--jobs", str(self.jobs)]
        return self.run_pgstow(repo, database, *words)
