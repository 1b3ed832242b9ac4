"""A database on the private server, and the commands that are compared on it: see bench.py."""

import json
import os
import shutil
from pathlib import Path

from measure import CommandFailed, ServerClock, folder_bytes, run_beside, run_timed

PIECE_PAGES = 8192  # of 8 KiB: the ranges in which the floor reads big tables


class Subject:
    def __init__(self, server, work, pgstow, jobs):
        self.server, self.work, self.pgstow, self.jobs = server, Path(work), pgstow, jobs
        self.clock = ServerClock(server.process.pid)
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

    def timed(self, *pipeline, **more):
        """As run_timed, with what the server took for it."""
        return self._with_server(lambda: run_timed(*pipeline, env=self.env, cwd=self.work, **more))

    def _with_server(self, action):
        before = self.clock.read()
        done = action()
        done.server = self.clock.read() - before
        return done

    # ------------------------------------------------------------------ the floor

    def floor_scripts(self, database, connections):
        """COPY commands for so many psqls, of about the same number of pages each."""
        rows = self.server.psql(
            database,
            "SELECT c.oid::regclass, pg_relation_size(c.oid) / 8192 FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_|^information_schema$'",
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

    def _psql(self, database):
        return [self.server.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.server.conninfo(database)]

    def floor(self, database, connections=2):
        """Reading the rows, which no logical backup can be without."""
        scripts = self.floor_scripts(database, connections)
        return self._with_server(lambda: run_beside(self._psql(database), scripts, env=self.env))

    def text_bytes(self, database):
        """The database's rows as COPY text."""
        script = "".join(self.floor_scripts(database, 1))
        done = run_timed(self._psql(database), ["wc", "-c"], stdin=script, env=self.env, capture=True)
        return int(done.output)

    def rows(self, database, table):
        return int(self.server.psql(database, f"SELECT count(*) FROM {table}")[0])

    # ------------------------------------------------------------------ competitors

    def pg_dump(self, database, *options, then=None):
        command = [self.server.bin / "pg_dump", "-d", self.server.conninfo(database), *options]
        return self.timed(command, *([then] if then else []))

    def restic_init(self):
        self.remove("restic")
        run_timed(["restic", "-q", "-r", self.path("restic"), "init"], env=self.env)

    def restic(self, database):
        sink = ["restic", "-q", "-r", self.path("restic"), "backup", "--stdin", "--stdin-filename", "db.dump"]
        return self.pg_dump(database, "-Fc", "-Z0", then=sink)

    def pg_restore(self, file, database, *options):
        self.create(database)
        command = [self.server.bin / "pg_restore", "-d", self.server.conninfo(database), *options]
        return self.timed([*command, self.path(file)])

    def pg_restore_one(self, file, database, table):
        """One table as pgstow restores it: with its rows and its key, analyzed."""
        self.create(database)
        listed = run_timed([self.server.bin / "pg_restore", "-l", self.path(file)], env=self.env, capture=True).output
        wanted = [f" {kind} public {table} " for kind in ("TABLE", "TABLE DATA", "CONSTRAINT")]
        self.path("one.list").write_text("".join(
            line + "\n" for line in listed.splitlines() if any(words in line for words in wanted)))  # fmt: skip
        both = '"$0" -d "$2" -L "$3" "$4" && "$1" -q -d "$2" -c ANALYZE'
        return self.timed(["sh", "-c", both, self.server.bin / "pg_restore", self.server.bin / "psql",
                           self.server.conninfo(database), self.path("one.list"), self.path(file)])  # fmt: skip

    def analyze(self, database):
        command = [self.server.bin / "vacuumdb", "-q", "--analyze-only", "-j", str(self.jobs)]
        return self.timed([*command, "-d", self.server.conninfo(database)])

    def create(self, database):
        self.server.psql("postgres", f"CREATE DATABASE {database}")
        self.server.psql("postgres", "CHECKPOINT")

    def drop(self, database):
        self.server.psql("postgres", f"DROP DATABASE IF EXISTS {database}")

    def sha256sum(self, repo, processes):
        """Reading what verify reads, by a program that only hashes."""
        packs = self.path(repo) / "packs"
        names = ["find", packs, "-type", "f", "-print0"]
        each = ["-n", "1"] if processes > 1 else []
        return run_timed(names, ["xargs", "-0", "-P", str(processes), *each, "sha256sum"], env=self.env)

    # ------------------------------------------------------------------ pgstow

    def run_pgstow(self, repo, database, *words):
        command = [self.pgstow, "--repo", self.path(repo), "--db", self.server.url(database), *words]
        done = self.timed(command, capture=True)
        self.peaks[words[0]] = max(done.peak_bytes, self.peaks.get(words[0], 0))
        return done

    def said(self, done):
        """The JSON document that a command of pgstow has printed."""
        try:
            return json.loads(done.output)
        except ValueError:
            return json.loads(done.output.strip().splitlines()[-1])

    def backup(self, repo, database, *options):
        """Returns time, the id, and by how many bytes the repository grew."""
        before = folder_bytes(self.path(repo))
        done = self.run_pgstow(repo, database, "backup", "--jobs", str(self.jobs), "--json", *options)
        return done, self.said(done)["id"], folder_bytes(self.path(repo)) - before

    def encrypted(self, repo, database):
        """The same into a repository of its own that only a key file opens."""
        done = self.backup(repo, database, "--encrypt", "--key-file", self.path("bench.key"))
        if not any((self.path(repo) / "keys").iterdir()):
            raise CommandFailed("the repository is not encrypted")
        return done

    def verify(self, repo, database, identity):
        return self.run_pgstow(repo, database, "verify", identity, "--level", "data", "--jobs", str(self.jobs))

    def restore(self, repo, database, identity, target, *options):
        self.server.psql("postgres", "CHECKPOINT")
        words = ["restore", identity, "--to-db", target, "--yes", "--jobs", str(self.jobs), "--json"]
        return self.run_pgstow(repo, database, *words, *options)
