#!/usr/bin/env python3
"""Reads a pgstow repository without pgstow: written from docs/format.md alone, to prove that it is enough.

    read_pgstow.py REPO                    lists the backups
    read_pgstow.py REPO ID                 lists the streams of a backup
    read_pgstow.py REPO ID NAME > FILE     extracts one: "toc", "large objects", "relations", "globals" or schema.table
    read_pgstow.py REPO ID --archive > F   writes all of it as a custom archive, which pg_restore reads
    read_pgstow.py REPO --notes            prints every note: its name and its JSON
    read_pgstow.py REPO --keys             lists the key slots and the epochs of an encrypted repository

The key of an encrypted repository comes in as for pgstow itself: PGSTOW_KEY_FILE in the environment names a
key file, PGSTOW_PASSPHRASE is a passphrase. With a key that may only write backups of some databases, theirs
are listed; rows cannot be read with it. Exit status: 21, something is damaged; 41, the key is missing, wrong
or not enough.

Needs Python 3.8; for compressed data its compression.zstd (from 3.14), the module zstandard, or the program
zstd; pgstow_columns.py beside it; for encrypted repositories pgstow_keys.py, and the modules cryptography and nacl.
"""
import hashlib
import json
import pathlib
import subprocess
import sys


class Damaged(Exception):
    """Bytes are not what they were."""


class NoKey(Exception):
    """Nothing is known to be damaged, but the key at hand does not open it."""


def need(condition, what):
    if not condition:
        raise Damaged(what)


def zstd(data):
    try:
        from compression import zstd as module
        return module.decompress(data)
    except ImportError:
        pass
    try:
        import zstandard
        return zstandard.ZstdDecompressor().decompress(data)
    except ImportError:
        pass
    run = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True)
    return run.stdout


def columns(data, length):
    from pgstow_columns import Columns
    r = Reader(data)
    need(r.number(1) == 1, "columns of an unknown version")
    size, stored = r.varint(), r.varint()
    need(stored <= size <= length, "a text that is too long")
    text = r.bytes(stored)
    text = zstd(text) if stored < size else text
    need(len(text) == size, "a text of another length")
    return Columns(Reader, need, data[r.at:], text, length).decode()


def decode(codec, data, length):
    need(codec in (0, 1, 2), f"codec {codec} is unknown")
    raw = columns(data, length) if codec == 2 else zstd(data) if codec else data
    need(len(raw) == length, f"{len(raw)} bytes where {length} should be")
    return raw


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def bytes(self, n):
        need(0 <= n <= len(self.data) - self.at, "too short")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.bytes(n), "little")

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.number(1)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise Damaged("a number that is too long")

    def block(self):
        return self.bytes(self.varint())

    def text(self):
        return self.block().decode("utf-8", "surrogateescape")

    def list(self, read):
        return [read() for _ in range(self.varint())]

    def pack(self):
        return self.bytes(12), self.number(4)

    def end(self):
        need(self.at == len(self.data), "bytes are left over")


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def block(data):
    return varint(len(data)) + data


PACK_HEADER, MANIFEST, TOMBSTONE, FRAME_HEADER, PAYLOAD, FOOTER, NOTE = range(1, 8)


def additional(kind, added):
    return b"pgstow" + (1).to_bytes(2, "little") + bytes([kind]) + added


class Plain:
    """The seal of an object in a plain repository: bytes as they are, and a check. Its like in an encrypted
    one is pgstow_keys.Sealed."""

    @staticmethod
    def legible(kind, added, data, check, what):
        need(hashlib.sha256(additional(kind, added) + data).digest()[:16] == check, what)

    @staticmethod
    def open(_key, kind, _number, added, data, check, what):
        Plain.legible(kind, added, data, check, what)
        return data

    @staticmethod
    def is_of(_database):
        """Whether it was made with the keys of this database."""
        return True

    @staticmethod
    def hash(data):
        """What a chunk's id begins with."""
        return hashlib.sha256(data).digest()


DATA, RECIPES = 1, 2


class Pack:
    """The frames of one pack file."""

    def __init__(self, repository, pack):
        self.session, self.n = pack
        self.file = repository.root / "packs" / f"{self.n % 256:02x}" / f"{self.session.hex()}-{self.n}"
        data = self.data = self.file.read_bytes()
        r = Reader(data)
        need(r.bytes(8) == b"PGSTOWPK", f"{self.file} is no pack")
        need(r.number(2) == 1, "another version")
        self.kind = r.number(1)
        need(r.number(1) == 1 and r.pack() == pack, "another pack, or another hash")
        need(self.kind in (DATA, RECIPES), "a pack of an unknown kind")
        self.seal = repository.seal(r, b"pgstow pack", 3 if self.kind == DATA else 1)
        header = data[:r.at]
        self.seal.legible(PACK_HEADER, self.added(0), header, r.bytes(16), f"{self.file}: the header's check")
        need(data[-8:] == b"PGSTOWPF", f"{self.file} is cut short")
        length = int.from_bytes(data[-12:-8], "little")
        need(length <= len(data) - r.at - 28, f"{self.file}: the footer's length")
        r = Reader(self.open("index", FOOTER, 0, data[-28 - length:-28], data[-28:-12], "the footer"))
        rows = r.list(lambda: [r.varint() for _ in range(8)])
        r.end()
        self.frames = {row[0]: row for row in rows}
        self.cache = {}

    def added(self, frame):
        return self.session + self.n.to_bytes(4, "little") + frame.to_bytes(4, "little")

    def open(self, key, kind, frame, data, check, what):
        return self.seal.open(key, kind, frame, self.added(frame), data, check, f"{self.file}: {what}")

    def frame(self, number):
        """The decoded payload and the (length, id) of its chunks."""
        if number in self.cache:
            return self.cache[number]
        need(number in self.frames, f"{self.file} has no frame {number}")
        _, offset, length, *_ = self.frames[number]
        r = Reader(self.data[offset:offset + length])
        header = r.bytes(r.number(4))
        h = Reader(self.open("index", FRAME_HEADER, number, header, r.bytes(16), f"the header of frame {number}"))
        codec, raw, stored, _oid, _piece, columns = h.number(1), *(h.varint() for _ in range(5))
        need(columns == 0, "a frame in columns")
        chunks = h.list(lambda: (h.varint(), h.bytes(20)))
        h.end()
        key = "payload" if self.kind == DATA else "index"
        payload = self.open(key, PAYLOAD, number, r.bytes(stored), r.bytes(16), f"the payload of frame {number}")
        r.end()
        if len(self.cache) > 64:
            self.cache.clear()
        self.cache[number] = decode(codec, payload, raw), chunks
        return self.cache[number]


class Repository:
    def __init__(self, path):
        self.root = pathlib.Path(path)
        self.packs, self.keys = {}, None
        self.config = self.note("config")
        need(self.config["format"] == 1 and self.config["hash"] == "sha256", "another format")
        needed = self.config["features"]["read"]
        need(needed in ([], ["encryption"]), "features that are unknown here")
        if needed:
            from pgstow_keys import Keys
            self.keys = Keys(self)

    def line(self, name):
        """The JSON of a legible note, as it stands there."""
        line, _, digest = (self.root / name).read_bytes().partition(b"\n")
        need(digest == hashlib.sha256(line).hexdigest().encode() + b"\n", f"{name} is damaged")
        return line

    def note(self, name):
        if not self.keys or name.startswith("keys/"):
            return json.loads(self.line(name))
        data = (self.root / name).read_bytes()
        r = Reader(data)
        need(r.bytes(8) == b"PGSTOWNT" and r.number(2) == 1, f"{name} is no sealed note")
        seal = self.seal(r, b"pgstow note", 0)
        need(len(data) - r.at >= 16, f"{name} is cut short")
        return json.loads(seal.open("common", NOTE, 0, block(name.encode()), data[r.at:-16], data[-16:],
                                    f"{name} is damaged"))

    def notes(self):
        """The names of all notes but config and those of the keys."""
        for file in sorted(self.root.rglob("*")):
            name = file.relative_to(self.root)
            if file.is_file() and name.parts[0] not in ("config", "packs", "backups", "keys", "tmp"):
                yield str(name)

    def seal(self, r, label, has):
        """The seal of an object whose header r is read up to the key-set id."""
        set_id, key_block = r.number(8), r.bytes(r.number(2))
        if self.keys:
            return self.keys.seal(set_id, key_block, label, has)
        need(set_id == 0 and not key_block, "an encrypted object in a plain repository")
        return Plain

    def frame(self, pack, number):
        if pack not in self.packs:
            if len(self.packs) > 16:
                self.packs.clear()
            self.packs[pack] = Pack(self, pack)
        return self.packs[pack].frame(number)

    def ids(self):
        for file in sorted((self.root / "backups").glob("*.manifest")):
            backup = file.name[:-len(".manifest")]
            with file.open("rb") as f:
                tombstone = f.read(8) == b"PGSTOWTS"
            if not tombstone and not (self.root / "trash" / backup).exists():
                yield backup


class Backup:
    def __init__(self, repository, backup):
        self.repository, self.id = repository, backup
        data = (repository.root / "backups" / f"{backup}.manifest").read_bytes()
        name = block(backup.encode())
        r = Reader(data)
        need(r.bytes(8) == b"PGSTOWMF", "no manifest")
        need(r.number(2) == 1 and r.number(2) == 0, "another version, or flags")
        seal = repository.seal(r, b"pgstow manifest", 1)
        need(r.bytes(16).hex() == repository.config["id"], "made for another repository")
        sections = [(r.number(1), r.number(4), r.number(4), r.bytes(16)) for _ in range(3)]
        header = data[:r.at]
        seal.legible(MANIFEST, b"\0" + name, header, r.bytes(16), "the manifest's check")
        decoded = []
        for i, (codec, length, stored, expected) in enumerate(sections, 1):
            key = "common" if i == 2 else "index"
            part = seal.open(key, MANIFEST, i, bytes([i]) + name, r.bytes(stored), expected, f"section {i}")
            decoded.append(decode(codec, part, length))
        r.end()
        self.seal, self.facts = seal, json.loads(decoded[0])
        need(self.facts["id"] == backup, "another backup's facts")
        need(seal.is_of(self.facts["database"]), "sealed by keys of another database")
        self.packs = self.read_packs(Reader(decoded[1]))
        self.streams = self.read_streams(Reader(decoded[2]))

    @staticmethod
    def read_packs(r):
        packs = r.list(lambda: (r.pack(), r.number(1), r.varint(), r.varint(), r.varint(), r.bytes(32)))
        r.end()
        return [p[0] for p in packs]

    def read_streams(self, r):
        def recipe():
            kind = r.number(1)
            need(kind <= 2, "a recipe of an unknown kind")
            if kind == 0:
                return kind, r.block()
            return kind, (self.packs[r.varint()], r.varint(), r.varint(), r.bytes(20))

        def piece():
            return {"rows": r.varint(), "bytes": r.varint(), "chunks": r.varint(), "digest": r.bytes(32),
                    "recipe": recipe()}

        def stream():
            s = {"kind": r.number(1), "dump_id": r.varint(), "oid": r.varint(), "schema": r.text(),
                 "name": r.text(), "pages": r.varint(), "bits": r.number(1), "framed": r.number(1),
                 "rows": r.varint(), "bytes": r.varint(), "digest": r.bytes(32), "pieces": r.list(piece)}
            whole = hashlib.sha256(b"".join(p["digest"] for p in s["pieces"])).digest()
            need(whole == s["digest"], "a stream's digest")
            need(s["rows"] == sum(p["rows"] for p in s["pieces"]), "a stream's rows")
            need(s["bytes"] == sum(p["bytes"] for p in s["pieces"]), "a stream's bytes")
            return s

        streams = r.list(stream)
        r.end()
        return streams

    def pages(self, recipe):
        kind, where = recipe
        if kind == 0:
            yield where
            return
        pack, frame, length, expected = where
        data = self.repository.frame(pack, frame)[0]
        need(len(data) == length and hashlib.sha256(data).digest()[:20] == expected, "a recipe's hash")
        if kind == 1:
            yield data
            return
        r = Reader(data)
        need(r.number(1) == 2, "no index")
        packs = r.list(r.pack)
        pages = r.list(lambda: (packs[r.varint()], r.varint(), r.varint(), r.varint(), r.varint(),
                                r.bytes(20)))
        for pack, frame, length, _chunks, _bytes, expected in pages:
            yield from self.pages((1, (pack, frame, length, expected)))

    @staticmethod
    def places(page):
        """(pack, frame, number in the frame, length, id) of every chunk."""
        r = Reader(page)
        need(r.number(1) == 1, "no recipe page")
        packs = r.list(r.pack)
        frames = r.list(lambda: (packs[r.varint()], r.varint()))
        runs = r.list(lambda: (frames[r.varint()], r.varint(), r.varint()))
        for (pack, frame), first, count in runs:
            for i in range(first, first + count):
                yield pack, frame, i, r.varint(), r.bytes(20)
        r.end()

    def read(self, stream, write):
        for number, piece in enumerate(stream["pieces"]):
            digest, chunks, size, rows = hashlib.sha256(), 0, 0, 0
            for page in self.pages(piece["recipe"]):
                for pack, frame, i, length, name in self.places(page):
                    raw, known = self.repository.frame(pack, frame)
                    need(i < len(known) and known[i] == (length, name), "a chunk is not where it should be")
                    start = sum(n for n, _ in known[:i])
                    data = raw[start:start + length]
                    whole = self.seal.hash(data)
                    need(whole[:20] == name, "a chunk's hash")
                    digest.update(length.to_bytes(4, "little") + whole)
                    chunks, size, rows = chunks + 1, size + length, rows + data.count(b"\n")
                    write(data)
            need(chunks == piece["chunks"] and size == piece["bytes"], f"piece {number} is not complete")
            need(digest.digest() == piece["digest"], f"the digest of piece {number}")
            need(not stream["framed"] or rows == piece["rows"], f"the rows of piece {number}")


LABELS = {1: "toc", 3: "large objects", 4: "relations", 5: "globals"}
TABLE, OBJECTS = 2, 3


def label(stream):
    return LABELS.get(stream["kind"]) or f"{stream['schema']}.{stream['name']}"


class Archive:
    """A custom archive: the table of contents with its compression set to none, then a block for each stream."""

    PIECE = 1 << 20

    def __init__(self, toc, write):
        need(toc[:5] == b"PGDMP" and toc[10] == 1, "no custom archive's table of contents")
        self.width, self.write, self.piece = toc[8], write, bytearray()
        none = b"\0" if toc[6] >= 15 else self.int(0)
        write(toc[:11] + none + toc[11 + len(none):])

    def int(self, n):
        n -= (n > 0x7fffffff) << 32  # large OIDs: as pg_dump's int
        return bytes([n < 0]) + abs(n).to_bytes(self.width, "little")

    def data(self, data):
        self.piece += data
        while len(self.piece) >= self.PIECE:
            self.flush(self.PIECE)

    def flush(self, n):
        if n:
            self.write(self.int(n) + self.piece[:n])
        del self.piece[:n]

    def end(self):
        self.flush(len(self.piece))
        self.write(self.int(0))

    def table(self, dump_id, read):
        self.write(b"\1" + self.int(dump_id))
        read(self.data)
        self.data(b"\\.\n\n\n")
        self.end()

    def objects(self, dump_id, read):
        self.write(b"\3" + self.int(dump_id))
        pending, inside = bytearray(), False

        def take(data):
            """OID, {length, bytes}, 0: cut anywhere."""
            nonlocal inside
            pending.extend(data)
            while len(pending) >= 4:
                n = int.from_bytes(pending[:4], "little")
                if inside and len(pending) < 4 + n:
                    return
                if not inside:
                    self.write(self.int(n))
                elif n:
                    self.data(bytes(pending[4:4 + n]))
                else:
                    self.end()
                inside, used = not inside or n > 0, 4 + (n if inside else 0)
                del pending[:used]

        read(take)
        need(not pending and not inside, "large objects that end too early")
        self.write(self.int(0))


def write_archive(backup, write):
    toc = bytearray()
    backup.read(next(s for s in backup.streams if s["kind"] == 1), toc.extend)
    archive = Archive(bytes(toc), write)
    for stream in backup.streams:
        if stream["kind"] in (TABLE, OBJECTS):
            part = archive.table if stream["kind"] == TABLE else archive.objects
            part(stream["dump_id"], lambda take, s=stream: backup.read(s, take))


def show_list(repository):
    for backup in repository.ids():
        try:
            facts = Backup(repository, backup).facts
            print(backup, facts["timestamp"], facts["logicalSize"], facts["databaseVersion"], sep="\t")
        except NoKey as e:
            print(f"{backup}: {e}", file=sys.stderr)
    if repository.keys and not repository.keys.newest.full:
        print("this key may only write backups: rows cannot be read with it", file=sys.stderr)


def show_notes(repository):
    for name in repository.notes():
        print(name, json.dumps(repository.note(name), ensure_ascii=False), sep="\t")


def show_keys(keys):
    if not keys:
        raise NoKey("the repository is not encrypted")
    for slot_id, line in keys.slots():
        slot = json.loads(line)
        state = {True: "good", False: "not vouched for", None: "-"}[keys.vouched(slot_id, line)]
        print("slot", slot_id, slot["kind"], slot["name"], slot["created"], state, sep="\t")
    for number, set_id, created in keys.epochs:
        print("epoch", number, f"{set_id:016x}", created, sep="\t")


def main(argv):
    if len(argv) not in (2, 3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    repository = Repository(argv[1])
    if len(argv) == 2:
        show_list(repository)
        return 0
    if argv[2:] == ["--notes"]:
        show_notes(repository)
        return 0
    if argv[2:] == ["--keys"]:
        show_keys(repository.keys)
        return 0
    backup = Backup(repository, argv[2])
    if argv[3:] == ["--archive"]:
        write_archive(backup, sys.stdout.buffer.write)
        return 0
    for stream in backup.streams:
        if len(argv) == 3:
            print(label(stream), stream["rows"], stream["bytes"], sep="\t")
        elif label(stream) == argv[3]:
            backup.read(stream, sys.stdout.buffer.write)
            return 0
    if len(argv) == 4:
        print(f"{argv[2]} has no stream {argv[3]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.modules["read_pgstow"] = sys.modules[__name__]  # pgstow_keys imports it by this name
    try:
        sys.exit(main(sys.argv))
    except Damaged as e:
        print(f"damaged: {e}", file=sys.stderr)
        sys.exit(21)
    except NoKey as e:
        print(f"no key: {e}", file=sys.stderr)
        sys.exit(41)
