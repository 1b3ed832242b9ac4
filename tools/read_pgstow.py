#!/usr/bin/env python3
"""Reads a pgstow repository without pgstow: written from docs/format.md alone, to prove that it is enough.

    read_pgstow.py REPO                    lists the backups
    read_pgstow.py REPO ID                 lists the streams of a backup
    read_pgstow.py REPO ID NAME > FILE     extracts one: "toc", "large objects", "relations", "globals" or schema.table
    read_pgstow.py REPO ID --archive > F   writes all of it as a custom archive, which pg_restore reads

Needs Python 3.8 and, for compressed data, its compression.zstd (from 3.14), the module zstandard, or the
program zstd.
"""
import hashlib
import json
import pathlib
import subprocess
import sys


class Damaged(Exception):
    pass


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


def decode(codec, data, length):
    need(codec in (0, 1), f"codec {codec} is unknown")
    raw = zstd(data) if codec else data
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


def check(kind, added, data):
    aad = b"pgstow" + (1).to_bytes(2, "little") + bytes([kind]) + added
    return hashlib.sha256(aad + data).digest()[:16]


class Pack:
    """The frames of one pack file."""

    def __init__(self, root, pack):
        self.session, self.n = pack
        self.file = root / "packs" / f"{self.n % 256:02x}" / f"{self.session.hex()}-{self.n}"
        data = self.data = self.file.read_bytes()
        r = Reader(data)
        need(r.bytes(8) == b"PGSTOWPK", f"{self.file} is no pack")
        need(r.number(2) == 1, "another version")
        self.kind = r.number(1)
        need(r.number(1) == 1 and r.pack() == pack, "another pack, or another hash")
        need(r.number(8) == 0 and r.number(2) == 0, "an encrypted pack")
        need(r.bytes(16) == self.check(1, 0, data[:38]), "the header's check")
        need(data[-8:] == b"PGSTOWPF", "the pack is cut short")
        length = int.from_bytes(data[-12:-8], "little")
        footer = data[-28 - length:-28]
        need(data[-28:-12] == self.check(6, 0, footer), "the footer's check")
        r = Reader(footer)
        rows = r.list(lambda: [r.varint() for _ in range(8)])
        r.end()
        self.frames = {row[0]: row for row in rows}
        self.cache = {}

    def check(self, kind, frame, data):
        return check(kind, self.session + self.n.to_bytes(4, "little") + frame.to_bytes(4, "little"), data)

    def frame(self, number):
        """The decoded payload and the (length, id) of its chunks."""
        if number in self.cache:
            return self.cache[number]
        need(number in self.frames, f"{self.file} has no frame {number}")
        _, offset, length, *_ = self.frames[number]
        r = Reader(self.data[offset:offset + length])
        header = r.bytes(r.number(4))
        need(r.bytes(16) == self.check(4, number, header), f"{self.file}: the header of frame {number}")
        h = Reader(header)
        codec, raw, stored, _oid, _piece, columns = h.number(1), *(h.varint() for _ in range(5))
        need(columns == 0, "a frame in columns")
        chunks = h.list(lambda: (h.varint(), h.bytes(20)))
        h.end()
        payload = r.bytes(stored)
        need(r.bytes(16) == self.check(5, number, payload), f"{self.file}: the payload of frame {number}")
        r.end()
        if len(self.cache) > 64:
            self.cache.clear()
        self.cache[number] = decode(codec, payload, raw), chunks
        return self.cache[number]


class Repository:
    def __init__(self, path):
        self.root = pathlib.Path(path)
        self.packs = {}
        self.config = self.note("config")
        need(self.config["format"] == 1 and self.config["hash"] == "sha256", "another format")
        need(not self.config["features"]["read"], "features that are unknown here")

    def note(self, name):
        line, digest = (self.root / name).read_bytes().split(b"\n", 1)
        need(digest == hashlib.sha256(line).hexdigest().encode() + b"\n", f"{name} is damaged")
        return json.loads(line)

    def frame(self, pack, number):
        if pack not in self.packs:
            if len(self.packs) > 16:
                self.packs.clear()
            self.packs[pack] = Pack(self.root, pack)
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
        name = varint(len(backup.encode())) + backup.encode()
        r = Reader(data)
        need(r.bytes(8) == b"PGSTOWMF", "no manifest")
        need(r.number(2) == 1 and r.number(2) == 0, "another version, or flags")
        need(r.number(8) == 0 and r.number(2) == 0, "an encrypted manifest")
        need(r.bytes(16).hex() == repository.config["id"], "made for another repository")
        sections = [(r.number(1), r.number(4), r.number(4), r.bytes(16)) for _ in range(3)]
        need(check(2, b"\0" + name, data[:r.at]) == r.bytes(16), "the manifest's check")
        decoded = []
        for i, (codec, length, stored, expected) in enumerate(sections, 1):
            part = r.bytes(stored)
            need(check(2, bytes([i]) + name, part) == expected, f"the check of section {i}")
            decoded.append(decode(codec, part, length))
        r.end()
        self.facts = json.loads(decoded[0])
        need(self.facts["id"] == backup, "another backup's facts")
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
                    whole = hashlib.sha256(data).digest()
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


def main(argv):
    if len(argv) not in (2, 3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    repository = Repository(argv[1])
    if len(argv) == 2:
        for backup in repository.ids():
            facts = Backup(repository, backup).facts
            print(backup, facts["timestamp"], facts["logicalSize"], facts["databaseVersion"], sep="\t")
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
    try:
        sys.exit(main(sys.argv))
    except Damaged as e:
        print(f"damaged: {e}", file=sys.stderr)
        sys.exit(21)
