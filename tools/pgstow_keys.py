"""The keys of an encrypted repository, for read_pgstow.py; like it written from docs/format.md alone.

Needs cryptography (AES-256-GCM, ChaCha20-Poly1305) and PyNaCl (Argon2id, sealed boxes): on Debian
python3-cryptography and python3-nacl.
"""
import hashlib
import hmac as hmac_module
import json
import os
import pathlib
import re

import nacl.exceptions
import nacl.public
import nacl.pwhash
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from read_pgstow import Damaged, NoKey, Reader, additional, block, need

CIPHERS = {1: AESGCM, 2: ChaCha20Poly1305}
KINDS = ["passphrase", "key-file", "recovery", "write-only"]
TAG, BOX = 1, 2  # what a key block has
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MOST_OPS, MOST_MEMORY = 12, 1 << 30  # of Argon2id


def hmac(key, *parts):
    return hmac_module.new(key, b"".join(parts), hashlib.sha256).digest()


def unseal(cipher, key, nonce, sealed, added, what):
    """sealed: the bytes, and behind them the tag."""
    try:
        return CIPHERS[cipher](key).decrypt(nonce, sealed, added)
    except (InvalidTag, ValueError) as e:
        raise Damaged(what) from e


def unseal_by_key(key, label, digits, added, what):
    data = bytes.fromhex(digits)
    return unseal(2, hmac(key, label, data[:32]), bytes(12), data[32:], added, what)


def before(line, key):
    """The text before the last key of a note's JSON."""
    start, found, rest = line.rpartition(f', "{key}": '.encode())
    need(found and re.fullmatch(rb'"[0-9a-f]*"}', rest), f"a note that does not end with {key}")
    return start


def need_signature(digits, secret, label, signed, what):
    right = hmac(hmac(secret, b"pgstow sign"), label, signed).hex()
    need(hmac_module.compare_digest(right, digits), f"the signature of {what}")


def key_of_file(path):
    """The 32 bytes of a key file."""
    lines = pathlib.Path(path).read_text("ascii", "replace").splitlines()
    letters = " ".join(line for line in lines if not line.startswith("#")).strip()
    letters = re.sub(r"[\s-]", "", letters[len("PGSTOW-KEY"):] if letters.startswith("PGSTOW-KEY") else letters)
    letters = letters.upper().translate(str.maketrans("OIL", "011"))
    if len(letters) != 64 or set(letters) - set(ALPHABET):
        raise NoKey(f"{path} is no key file")
    bits = 0
    for number in range(8):
        *values, last = (ALPHABET.index(letter) for letter in letters[8 * number:8 * number + 8])
        check = number
        for value in values:
            check = (check << 1) ^ (0b100101 if check & 16 else 0) ^ value
            bits = bits << 5 | value
        if check != last:
            raise NoKey(f"{path} has a slip in block {number + 1} of 8")
    data = bits.to_bytes(35, "big")
    if data[0] != 1 or hashlib.sha256(b"PGSTOW-KEY" + data[:33]).digest()[:2] != data[33:]:
        raise NoKey(f"{path} is of another version, or has a slip")
    return data[1:33]


class KeySet:
    """What an epoch seals with: all of it, or as much as a write-only slot may see."""

    def __init__(self, data):
        r = Reader(data)
        need(r.number(1) == 1, "a key set of another version")
        self.id, self.epoch, self.public = r.number(8), r.number(4), r.bytes(32)
        self.full, self.notes = r.number(1) == 1, r.bytes(32)
        if self.full:
            self.secret, self.index, self.ids = r.bytes(32), r.bytes(32), r.bytes(32)
        else:
            rows = r.list(lambda: (r.text(), r.bytes(16), r.bytes(32), r.bytes(32)))
            self.databases = {tag: (index, ids) for _name, tag, index, ids in rows}
            self.tags = {name: tag for name, tag, _index, _ids in rows}
        r.end()

    def tag_of(self, database):
        """None where this key is not for it."""
        return hmac(self.ids, b"pgstow tag" + database.encode())[:16] if self.full else self.tags.get(database)

    def of_database(self, tag):
        """Its index key and its id key; None, None where this key is not for it."""
        if self.full:
            return hmac(self.index, b"pgstow index", tag), hmac(self.ids, b"pgstow ids", tag)
        return self.databases.get(tag, (None, None))


class Sealed:
    """The seal of one object: its key block, and the keys that follow from it. See Plain."""

    def __init__(self, key_set, key_block, label, has):
        r = Reader(key_block)
        self.cipher = r.number(1)
        need(self.cipher in CIPHERS and r.number(1) == has, "a key block of another kind")
        salt = r.bytes(32)
        self.set, self.keys = key_set, {"common": hmac(key_set.notes, label, salt)}
        if has & TAG:
            self.tag = r.bytes(16)
            index, self.ids = key_set.of_database(self.tag)
            self.keys["index"] = index and hmac(index, label, salt)
        if has & BOX:
            box = r.bytes(80)
            self.keys["payload"] = self.open_box(box) if key_set.full else None
        r.end()

    def open_box(self, box):
        try:
            return nacl.public.SealedBox(nacl.public.PrivateKey(self.set.secret)).decrypt(box)
        except nacl.exceptions.CryptoError as e:
            raise Damaged("the box with a pack's key") from e

    def added(self, kind, added):
        return additional(kind, self.set.id.to_bytes(8, "little") + added)

    def legible(self, kind, added, data, check, what):
        right = hmac(hmac(self.keys["common"], b"pgstow check"), self.added(kind, added), data)[:16]
        need(hmac_module.compare_digest(right, check), what)

    def open(self, key, kind, number, added, data, tag, what):
        if self.keys[key] is None:
            raise NoKey("this key may only write backups: rows cannot be read with it" if key == "payload"
                        else "this key is not for backups of that database")
        nonce = number.to_bytes(4, "little") + bytes([kind]) + bytes(7)
        return unseal(self.cipher, self.keys[key], nonce, data + tag, self.added(kind, added), what)

    def is_of(self, database):
        return self.tag == self.set.tag_of(database)

    def hash(self, data):
        return hmac(self.ids, data)


class Keys:
    """All key sets, opened by the key that the environment names; config and epochs are checked."""

    def __init__(self, repository):
        self.repository, self.folder = repository, repository.root / "keys"
        self.id = repository.config["id"].encode()
        self.slot, secret = self.open_slot()
        self.sets = {}
        first = self.add_set(repository.config["keySet"], secret, 1)
        line = repository.line("config")
        need_signature(repository.config["mac"], first.notes, b"pgstow config", before(line, "mac"), "the config")
        self.newest = first
        self.epochs = [(1, first.id, repository.config["created"])]
        numbers = sorted(int(file.name[len("epoch-"):]) for file in self.folder.glob("epoch-*"))
        need(numbers == list(range(2, len(numbers) + 2)), "an epoch is missing")
        for number in numbers:
            self.add_epoch(number, secret)

    def slots(self):
        for file in sorted(self.folder.glob("*.slot")):
            yield file.stem, self.repository.line(f"keys/{file.name}")

    def open_slot(self):
        """The first slot that a given key opens: its JSON and its secret."""
        given = {}
        if "PGSTOW_KEY_FILE" in os.environ:
            key = key_of_file(os.environ["PGSTOW_KEY_FILE"])
            given = {kind: lambda slot: key for kind in KINDS[1:]}
        if "PGSTOW_PASSPHRASE" in os.environ:
            words = os.fsencode(os.environ["PGSTOW_PASSPHRASE"])
            given["passphrase"] = lambda slot: self.stretched(slot["kdf"], words)
        if not given:
            raise NoKey("the repository is encrypted: set PGSTOW_KEY_FILE or PGSTOW_PASSPHRASE")
        damaged = []
        for slot_id, line in self.slots():
            try:
                slot = json.loads(line)
                if slot["kind"] in given:
                    need(slot["slot"] == slot_id, "another slot")
                    key = given[slot["kind"]](slot)
                    added = block(b"slot") + block(self.id) + block(before(line, "sealed"))
                    r = Reader(unseal_by_key(key, b"pgstow slot", slot["sealed"], added, "a slot, or another's"))
                    return slot, self.read_secret(r, slot)
            except Damaged:
                damaged.append(slot_id)
        raise NoKey(f"the key that was given opens none of the {len(damaged)} slots of its kind")

    @staticmethod
    def stretched(kdf, words):
        need(1 <= kdf["ops"] <= MOST_OPS and kdf["memory"] <= MOST_MEMORY, "a slot that asks for too much")
        return nacl.pwhash.argon2id.kdf(32, words, bytes.fromhex(kdf["salt"]), kdf["ops"], kdf["memory"])

    @staticmethod
    def read_secret(r, slot):
        need(KINDS[r.number(1)] == slot["kind"], "a slot of another kind")
        secret, databases = r.bytes(32), r.list(r.text)
        need(slot["kind"] == "write-only" or not databases, "databases of a slot that is for all")
        r.end()
        return secret

    def add_set(self, set_id, secret, epoch):
        name = f"keys/{self.slot['slot']}.{set_id}"
        added = block(b"set") + block(self.id) + block(name.encode())
        sealed = self.repository.note(name)["sealed"]
        new = KeySet(unseal_by_key(secret, b"pgstow set", sealed, added, f"{name} is damaged"))
        need(new.id == int(set_id, 16) and new.id and new.epoch == epoch, f"{name} is of another set")
        self.sets[new.id] = new
        return new

    def add_epoch(self, number, secret):
        name = f"keys/epoch-{number}"
        line = self.repository.line(name)
        epoch = json.loads(line)
        need_signature(epoch["mac"], self.newest.notes, b"pgstow epoch", before(line, "mac"), name)
        if self.newest.full:
            without_mac = before(line, "mac") + b"}"
            need_signature(epoch["fullMac"], self.newest.index, b"pgstow epoch", before(without_mac, "fullMac"), name)
        need(epoch["repository"].encode() == self.id and epoch["epoch"] == number, f"{name} is of another epoch")
        self.newest = self.add_set(epoch["set"], secret, number)
        self.epochs.append((number, self.newest.id, epoch["created"]))

    def vouched(self, slot_id, line):
        """Whether the slot was made by whoever held the keys that count; None: a full key could tell."""
        if not self.newest.full:
            return None
        name = f"keys/{slot_id}.{self.newest.id:016x}"
        try:
            escrow = self.repository.note(name)["escrow"]
            added = block(b"escrow") + block(self.id) + block(name.encode()) + block(before(line, "sealed"))
            secret = unseal_by_key(self.newest.index, b"pgstow secret", escrow, added, "an escrow")
            self.read_secret(Reader(secret), json.loads(line))
            return True
        except (Damaged, FileNotFoundError):
            return False

    def seal(self, set_id, key_block, label, has):
        need(set_id in self.sets, "sealed by a key set that is not this repository's")
        return Sealed(self.sets[set_id], key_block, label, has)
