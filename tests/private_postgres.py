#!/usr/bin/python3
"""PostgreSQL of other versions than the system's, in a private root in a cache folder.

    private_postgres.py 13 17 18        bring these, print where they are

Nothing is installed: no package of the system is touched, no file outside the cache is written. Servers and
tools are the packages of other releases of Debian (13, 17, 18) and of Ubuntu (14, 16). apt itself fetches and
verifies them, with lists and a status file of its own; `dpkg-deb -x` unpacks them; patchelf makes their
programs use the loader and the libraries that came with them, since those of the system are older or newer.
Any other version is the system's own, /usr/lib/postgresql/N/bin.

The cache is $PGSTOW_TEST_POSTGRES or /var/tmp/pgstow-postgres (the account that runs servers must be able
to reach it, which it cannot in most home folders), about 100 MB a version. A version is complete when its
folder has the file `complete`; a run that was interrupted is begun anew; two runs at a time wait for each other.
$PGSTOW_TEST_DEBIAN and $PGSTOW_TEST_UBUNTU name other mirrors.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
UBUNTU_KEYS = "usr/share/keyrings/ubuntu-archive-keyring.gpg"  # in Debian's package ubuntu-keyring
DEBIAN = os.environ.get("PGSTOW_TEST_DEBIAN", "http://deb.debian.org")
UBUNTU = os.environ.get("PGSTOW_TEST_UBUNTU", "http://archive.ubuntu.com")
RECIPE = 2  # counts up when what is built here changes

# Distribution and release: the first that has it counts.
RELEASES = {
    13: [("debian", "bullseye")],
    14: [("ubuntu", "jammy")],
    16: [("ubuntu", "noble")],
    17: [("debian", "trixie")],
    18: [("debian", "forky"), ("debian", "sid")],
}
KEYS_FROM = "trixie"  # the release of Debian whose ubuntu-keyring is taken
PARTS = {
    "bullseye": ["{0}/debian bullseye", "{0}/debian-security bullseye-security"],
    "trixie": ["{0}/debian trixie", "{0}/debian-security trixie-security"],
    "jammy": ["{0}/ubuntu jammy", "{0}/ubuntu jammy-updates"],
    "noble": ["{0}/ubuntu noble", "{0}/ubuntu noble-updates"],
}
# Libraries are followed by their packages' names; of those some are not needed to run a server.
LIBRARY = re.compile(r"^(lib(?!llvm|perl|python|tcl|json-perl|ipc-)|zlib1g|gcc-\d+-base$)")
NOT_NEEDED = re.compile(r"^(libc-bin|libcrypt-dev|libgcc-s1-dev|libpam-modules|libpam-runtime|libpam-modules-bin)$")
NOT_KEPT = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/lib/postgresql/*/lib/bitcode",
            "usr/lib/postgresql/*/lib/llvmjit*", "usr/share/gdb", "usr/share/bug", "usr/lib/*/gconv", "lib/*/gconv"]  # fmt: skip


class Missing(Exception):
    """A version could not be brought; the text says why and what to do."""


class Installed:
    """One version: the folder of its programs (postgres, pg_dump ...), and what it calls itself."""

    def __init__(self, major, bin_folder, text):
        self.major, self.bin, self.text = major, bin_folder, text

    def __repr__(self):
        return f"PostgreSQL {self.text} in {self.bin}"


def cache_folder():
    """The cache: ours alone, since what lies in it is run."""
    folder = Path(os.environ.get("PGSTOW_TEST_POSTGRES") or "/var/tmp/pgstow-postgres")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Missing(
            f"{folder} must be a folder of the user {os.geteuid()} in which nobody else may write: "
            "remove it, or name another in PGSTOW_TEST_POSTGRES"
        )
    return folder


def run(command, **kwargs):
    try:
        done = subprocess.run(
            [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kwargs
        )
    except FileNotFoundError:
        raise Missing(f"the program {command[0]} is not installed") from None
    if done.returncode != 0:
        raise Missing(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


class Release:
    """apt with lists of its own: nothing that it does here is seen by the system's."""

    def __init__(self, folder, mirror, name, keys):
        self.name = name
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        # An old release's lists are signed for a limited time only.
        options = f"[signed-by={keys} check-valid-until=no]"
        parts = PARTS.get(name, ["{0}/debian " + name])
        (folder / "sources.list").write_text(
            "".join(f"deb {options} {part.format(mirror)} main\n" for part in parts)
        )
        self.options = [
            f"Dir::State={folder}/state", f"Dir::State::status={folder}/status", f"Dir::Cache={folder}/cache",
            f"Dir::Etc::sourcelist={folder}/sources.list", "Dir::Etc::sourceparts=/dev/null",
            "Dir::Etc::preferences=/dev/null", "Dir::Etc::preferencesparts=/dev/null",
            "Acquire::Languages=none", "Acquire::Retries=3", "APT::Sandbox::User=root", "APT::Update::Error-Mode=any",
        ]  # fmt: skip
        self.apt("apt-get", "update")

    def apt(self, program, *args, cwd=None):
        options = [word for option in self.options for word in ("-o", option)]
        return run([program, "-q", *options, *args], cwd=cwd, env={**os.environ, "LC_ALL": "C"})

    def show(self, packages):
        """The fields of the newest versions of some packages, by their names."""
        found, fields = {}, {}
        for line in self.apt("apt-cache", "show", "--no-all-versions", *packages).splitlines():
            key, colon, value = line.partition(": ")
            if key == "Package":
                fields = found.setdefault(value, {})
            if colon and not line.startswith(" "):
                fields.setdefault(key, value)
        return found

    def closure(self, packages):
        """These packages and the libraries that they need, with their versions."""
        waiting, versions = set(packages), {}
        while waiting:
            found = self.show(sorted(waiting))
            missing = waiting - set(found)
            if missing:
                raise Missing(f"{self.name} has no package {', '.join(sorted(missing))}")
            versions.update((name, fields["Version"]) for name, fields in found.items())
            needs = ",".join(fields.get(key, "") for fields in found.values() for key in ("Pre-Depends", "Depends"))
            names = {re.split(r"[\s(|:]", need.strip(), maxsplit=1)[0] for need in needs.split(",")}
            waiting = {n for n in names if LIBRARY.match(n) and not NOT_NEEDED.match(n)} - set(versions)
        return versions


    def download(self, versions, folder):
        folder.mkdir()
        self.apt("apt-get", "download", *(f"{name}={version}" for name, version in versions.items()), cwd=folder)
        return sorted(folder.glob("*.deb"))


def open_release(work, distribution, name):
    """Ubuntu's keys come from Debian, so that one keyring of the system vouches for all."""
    if distribution == "debian":
        return Release(work / name, DEBIAN, name, DEBIAN_KEYS)
    keys = Release(work / KEYS_FROM, DEBIAN, KEYS_FROM, DEBIAN_KEYS)
    for package in keys.download(keys.closure(["ubuntu-keyring"]), work / "keys"):
        run(["dpkg-deb", "-x", package, work / "keyring"])
    return Release(work / name, UBUNTU, name, work / "keyring" / UBUNTU_KEYS)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def settle(root, major):
    """Programs of the root run with its own loader and libraries, wherever the root is."""
    folders = [f for f in (root / "usr/lib", root / "lib") for f in f.glob("*-linux-gnu*") if f.is_dir()]
    loaders = [f for folder in folders for f in folder.glob("ld-linux*.so.*")]
    if not loaders:
        raise Missing(f"the packages for PostgreSQL {major} bring no loader (ld-linux*.so) in {root}")
    bin_folder = root / f"usr/lib/postgresql/{major}/bin"
    # DT_RPATH, not DT_RUNPATH: it also counts for what the libraries need themselves.
    path = ":".join(map(str, folders))
    for program in sorted(bin_folder.iterdir()):
        if program.is_symlink() or not is_elf(program):
            continue
        run(["patchelf", "--set-interpreter", loaders[0], "--force-rpath", "--set-rpath", path, program])
    return bin_folder


def bring(major, root):
    problems = []
    for distribution, name in RELEASES[major]:
        work = root / "apt"
        try:
            release = open_release(work, distribution, name)
            versions = release.closure([f"postgresql-{major}", f"postgresql-client-{major}"])
            packages = release.download(versions, work / "packages")
            break
        except Missing as problem:
            problems.append(str(problem))
            shutil.rmtree(work, ignore_errors=True)
    else:
        raise Missing("\n".join(problems))
    for package in packages:
        run(["dpkg-deb", "-x", package, root])
    shutil.rmtree(work)
    for pattern in NOT_KEPT:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    bin_folder = settle(root, major)
    return {"bin": str(bin_folder), "text": check(bin_folder), "from": f"{distribution} {name}", "packages": versions}


def check(bin_folder):
    """Its programs run; the version that the server says."""
    for name in ("initdb", "psql", "pg_dump", "pg_restore"):
        run([bin_folder / name, "--version"])
    return run([bin_folder / "postgres", "--version"]).split(")", 1)[-1].split("(")[0].strip()


def build(major, root):
    """Into an empty folder, which is its final place, since programs will name it."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        facts = {"recipe": RECIPE, **bring(major, root)}
    except Missing as problem:
        shutil.rmtree(root, ignore_errors=True)
        raise Missing(f"PostgreSQL {major} could not be brought: {problem}") from None
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    half = root / "complete.half"
    half.write_text(json.dumps(facts, indent=1) + "\n")
    half.rename(root / "complete")


def read_facts(root):
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        facts = json.loads((root / "complete").read_text())
        if facts["recipe"] == RECIPE and Path(facts["bin"]).is_relative_to(root):
            return facts
    return None


def ensure(major):
    """Bring a version if it is not there. Raises Missing."""
    major = int(major)
    if major not in RELEASES:
        folder = Path(f"/usr/lib/postgresql/{major}/bin")
        if not (folder / "postgres").exists():
            raise Missing(f"there is no {folder}: install postgresql-{major}")
        return Installed(major, folder, check(folder))
    cache = cache_folder()
    root = cache / str(major)
    facts = read_facts(root)
    if not facts:
        with open(cache / f"{major}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            facts = read_facts(root)
            if not facts:
                print(f"bringing PostgreSQL {major} into {root}", file=sys.stderr, flush=True)
                build(major, root)
                facts = read_facts(root)
    return Installed(major, Path(facts["bin"]), facts["text"])


def main():
    wanted = sys.argv[1:]
    if not wanted or not all(word.isdigit() for word in wanted):
        print(__doc__)
        return 2
    try:
        for word in wanted:
            print(f"{word}: {ensure(word)}", flush=True)
    except (Missing, OSError) as problem:
        print(f"private_postgres: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
