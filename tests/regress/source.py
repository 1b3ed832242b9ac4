"""PostgreSQL's regression suite, built from Debian's source package in a cache folder.

Nothing of the system's package sources is touched. The chain that is trusted is apt's own: the suite's
InRelease signed by a key of debian-archive-keyring, in it the hash of Sources.xz, in that the hashes of
the package's files. What is there already, with the right hash or built, is used again.
"""

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org")
SUITES = (
    ("debian-security", "bookworm-security"),
    ("debian", "bookworm-updates"),
    ("debian", "bookworm"),
)
# psql too, since what the tests expect is what a psql of their own minor version prints.
PARTS = ("src/test/regress", "src/bin/psql", "src/test/modules/dummy_seclabel")
LARGEST = 100 << 20  # of anything that is downloaded
FILE_LINE = re.compile(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$")


class SourceError(Exception):
    """The source package could not be had or built."""


def download(address):
    try:
        with urllib.request.urlopen(address, timeout=120) as answer:
            data = answer.read(LARGEST + 1)
    except (urllib.error.URLError, OSError) as problem:
        raise SourceError(f"{address}: {problem}") from None
    if len(data) > LARGEST:
        raise SourceError(f"{address}: larger than {LARGEST} bytes")
    return data


def with_hash(address, sha256):
    data = download(address)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SourceError(f"{address}: the SHA-256 is not the one that Debian signed")
    return data


def section(paragraph, name):
    """The lines of a field that has files: {name: sha256}."""
    found, inside = {}, False
    for line in paragraph.splitlines():
        if not line.startswith(" "):
            inside = line.startswith(f"{name}:")
        elif inside and (match := FILE_LINE.match(line)):
            found[match.group(3)] = match.group(1)
    return found


def signed_release(address, folder):
    """The text of an InRelease that a key of Debian's archive has signed."""
    signed = folder / "InRelease"
    signed.write_bytes(download(address))
    done = subprocess.run(
        ["gpgv", "--keyring", KEYRING, "--status-fd", "2", "--output", "-", signed],
        capture_output=True, text=True,
    )  # fmt: skip
    # One signature of several may be by a key that is newer than the keyring.
    status = [line for line in done.stderr.splitlines() if line.startswith("[GNUPG:]")]
    valid = [line for line in status if line.startswith("[GNUPG:] VALIDSIG ")]
    if not valid or any(line.startswith("[GNUPG:] BADSIG ") for line in status):
        raise SourceError(f"{address}: no valid signature:\n{done.stderr}")
    return done.stdout


def candidates(package, folder):
    """(version, base address, {file: sha256}), newest first, of all suites."""
    found = []
    for archive, suite in SUITES:
        base = f"{MIRROR}/{archive}"
        release = signed_release(f"{base}/dists/{suite}/InRelease", folder)
        wanted = section(release, "SHA256").get("main/source/Sources.xz")
        if not wanted:
            raise SourceError(f"{base}/dists/{suite}/InRelease names no main/source/Sources.xz")
        index = lzma.decompress(with_hash(f"{base}/dists/{suite}/main/source/Sources.xz", wanted))
        for paragraph in index.decode().split("\n\n"):
            if not paragraph.startswith(f"Package: {package}\n"):
                continue
            fields = dict(re.findall(r"^(Version|Directory): (.*)$", paragraph, re.MULTILINE))
            files = section(paragraph, "Checksums-Sha256")
            found.append((fields["Version"], f"{base}/{fields['Directory']}", files))
    if not found:
        raise SourceError(f"no suite of {', '.join(s for _, s in SUITES)} has {package}")
    found.sort(key=lambda c: [int(n) for n in re.findall(r"\d+", c[0])], reverse=True)
    return found


def unpack(package, folder, say):
    """Downloads the newest version that the mirror has and unpacks it. Returns (version, tree)."""
    problems = []
    for version, base, files in candidates(package, folder):
        tree = folder / f"{package}-{version}"
        if tree.is_dir():
            return version, tree
        say(f"downloading {package} {version}")
        try:
            for name, sha256 in files.items():
                if Path(name).name != name:
                    raise SourceError(f"{name}: not the name of a file")
                (folder / name).write_bytes(with_hash(f"{base}/{name}", sha256))
        except SourceError as problem:
            # Some mirrors carry the index of the security archive without its sources.
            say(f"{problem}; trying an older version")
            problems.append(str(problem))
            continue
        dsc = next(name for name in files if name.endswith(".dsc"))
        half = folder / "unpacking"
        shutil.rmtree(half, ignore_errors=True)
        # Its signature is a developer's; that it is the right file is known by its hash.
        run(["dpkg-source", "--no-check", "-x", folder / dsc, half], folder / "unpack.log", folder)
        half.rename(tree)
        return version, tree
    raise SourceError("; ".join(problems))


def run(command, log, cwd):
    with open(log, "ab") as out:
        done = subprocess.run([str(word) for word in command], cwd=cwd, stdout=out, stderr=out)
    if done.returncode != 0:
        tail = log.read_text(errors="replace")[-3000:]
        raise SourceError(f"{' '.join(map(str, command))} failed, see {log}:\n{tail}")


def prepare(package, folder, say):
    """A tree with PARTS built. Returns (version, it)."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    built = sorted(folder.glob(f"{package}-*/built"), key=lambda path: path.stat().st_mtime)
    if built:
        tree = built[-1].parent
        return tree.name[len(package) + 1 :], tree
    version, tree = unpack(package, folder, say)
    say("configuring and compiling what the suite needs")
    log = folder / "build.log"
    # What only the server's own programs need is left out: the suite runs against Debian's.
    run(["./configure", "--without-readline", "--without-zlib"], log, tree)
    for part in PARTS:
        run(["make", "-s", f"-j{os.cpu_count()}", "-C", tree / part, "all"], log, tree)
    (tree / "built").touch()
    return version, tree
