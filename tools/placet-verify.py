#!/usr/bin/env python3
"""Verifies an audit ledger: a second program, in another language, that shares no code with the first.

Give it a log's directory and the log's public key. It needs Python 3.9 and nothing else: no package, no
network, no database. It reads C2SP tlog-tiles, tlog-checkpoint, signed-note and tlog-cosignature, and hashes
as RFC 6962 says. Signatures are checked by the strict rule of Ed25519 (RFC 8032, no cofactor, nothing of small
order, every encoding in its one form), in the plain arithmetic of the RFC.

    placet-verify.py DIR --key KEY|FILE [--checkpoint OLD] [--witness KEY|FILE]... [--quorum N] [--json]

Exit codes: 0 verified, 8 verification failed, 2 the command line or a file named on it is wrong.
What each word of the report means is in docs/design/0005-ledger.md.
"""

import argparse
import base64
import binascii
import hashlib
import json
import os
import stat
import sys
import time

# ---------------------------------------------------------------- Ed25519, RFC 8032 section 5.1

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def add(one, two):
    """Adds points in extended coordinates (X, Y, Z, T)."""
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = 2 * one[3] * two[3] * D % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


NEUTRAL = (0, 1, 1, 0)


def multiply(scalar, point):
    total = NEUTRAL
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def same(one, two):
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


def point(encoded):
    """The point that 32 bytes encode in their one form, or None."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def is_small(where):
    return same(multiply(8, where), NEUTRAL)


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signature(public, message, signature):
    if len(signature) != 64:
        return False
    key, commitment = point(public), point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= L or is_small(key) or is_small(commitment):
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return same(multiply(scalar, BASE), add(commitment, multiply(challenge, key)))


# ---------------------------------------------------------------- text forms

NOTE_BYTES_MAX = 65536
SIGNATURES_MAX = 64


class Malformed(Exception):
    """Bytes that are not what they should be."""


def unbase64(text):
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise Malformed from None
    # One value has one text.
    if base64.b64encode(raw).decode() != text:
        raise Malformed
    return raw


def decimal(text):
    if not text or not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0"):
        raise Malformed
    number = int(text) if len(text) <= 20 else 2**64
    if number >= 2**64:
        raise Malformed
    return number


def is_key_name(name):
    return bool(name) and not any(char.isspace() or char == "+" or ord(char) < 32 or ord(char) == 127 for char in name)


LOG, WITNESS = 1, 4


class Key:
    """A verifier key: NAME+HASH+BASE64."""

    def __init__(self, text):
        parts = text.split("+", 2)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed from None
        if len(parts) != 3:
            raise Malformed
        self.text, self.name = text, parts[0]
        raw = unbase64(parts[2])
        if not is_key_name(self.name) or len(raw) != 33 or raw[0] not in (LOG, WITNESS):
            raise Malformed
        self.kind, self.public = raw[0], raw[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        where = point(self.public)
        if parts[1] != self.id.hex() or where is None or is_small(where):
            raise Malformed

    def check(self, text, signature):
        """The time that a signature carries (None for a log's); False if it is none."""
        if self.kind == LOG:
            return None if is_signature(self.public, text.encode(), signature) else False
        if len(signature) != 72:
            return False
        when = int.from_bytes(signature[:8], "big")
        if when >= 2**63:
            return False
        message = f"cosignature/v1\ntime {when}\n{text}".encode()
        return when if is_signature(self.public, message, signature[8:]) else False


NO, WRONGLY, YES = "no", "wrongly", "yes"


class Note:
    """A signed note: a text and its signature lines."""

    def __init__(self, raw):
        if len(raw) > NOTE_BYTES_MAX:
            raise Malformed
        try:
            whole = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed from None
        if any(ord(char) < 32 and char != "\n" for char in whole):
            raise Malformed
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise Malformed
        self.text, self.signatures = text + "\n", []
        for line in lines[:-1].split("\n"):
            if not line.startswith("\u2014 "):
                raise Malformed
            name, space, rest = line[2:].partition(" ")
            if not space or not is_key_name(name):
                raise Malformed
            raw_signature = unbase64(rest)
            if len(raw_signature) < 5:
                raise Malformed
            self.signatures.append((name, raw_signature[:4], raw_signature[4:]))
        if len(self.signatures) > SIGNATURES_MAX:
            raise Malformed

    def signed_by(self, key):
        """NO, WRONGLY or YES, and the latest time."""
        answer, latest = NO, None
        for name, key_id, signature in self.signatures:
            if (name, key_id) != (key.name, key.id):
                continue
            when = key.check(self.text, signature)
            if when is False:
                return WRONGLY, None
            answer = YES
            if when is not None:
                latest = when if latest is None else max(latest, when)
        return answer, latest


class Checkpoint:
    """A note whose text is origin, size, root, and further lines."""

    def __init__(self, raw):
        self.note = Note(raw)
        lines = self.note.text[:-1].split("\n")
        if len(lines) < 3 or "" in lines:
            raise Malformed
        self.origin, self.size, self.root = lines[0], decimal(lines[1]), unbase64(lines[2])
        if len(self.root) != 32:
            raise Malformed


# ---------------------------------------------------------------- files

BUNDLE_BYTES_MAX = 256 * (65535 + 2)
ROTATIONS_BYTES_MAX = 65536


def read_file(path, most):
    """The bytes of a regular file, or None if it is not there; Malformed if it is another thing, or too long."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Malformed
        with open(path, "rb") as file:
            raw = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        raise Malformed from None
    if len(raw) > most:
        raise Malformed
    return raw


def tile_name(level, index, width=256):
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place:place + 3] for place in range(0, len(digits), 3)]
    name = "/".join(["tile", str(level)] + ["x" + group for group in groups[:-1]] + groups[-1:])
    return name if width == 256 else f"{name}.p/{width}"


class Log:
    """A log's directory."""

    def __init__(self, path):
        self.path = path

    def read(self, name, most):
        return read_file(os.path.join(self.path, name), most)

    def read_tile(self, level, index, width, most):
        """The bytes, and whether they are of this very width; the full tile serves for a partial one."""
        raw = self.read(tile_name(level, index, width), most)
        if raw is not None:
            return raw, True
        if width < 256:
            raw = self.read(tile_name(level, index), most)
        return raw, False

    def hashes(self, level, index, width):
        """The hashes of a tile, or why there are none."""
        try:
            raw, exact = self.read_tile(level, index, width, 8192)
        except Malformed:
            return None, "malformed"
        if raw is None:
            return None, "missing"
        if len(raw) != 32 * (width if exact else 256):
            return None, "malformed"
        return [raw[place:place + 32] for place in range(0, 32 * width, 32)], None

    def records(self, index, width):
        """The records of a bundle as far as they can be read, and what is wrong with it."""
        try:
            raw, exact = self.read_tile("entries", index, width, BUNDLE_BYTES_MAX)
        except Malformed:
            return [], "malformed"
        if raw is None:
            return [], "missing"
        found, place = [], 0
        while len(found) < width:
            end = place + 2 + int.from_bytes(raw[place:place + 2], "big")
            if place + 2 > len(raw) or end > len(raw):
                return found, "malformed"
            found.append(raw[place + 2:end])
            place = end
        return found, "malformed" if exact and place != len(raw) else None

    def stands_beyond(self, size):
        index, width = size // 256, size % 256
        if os.path.isfile(os.path.join(self.path, tile_name("entries", index))):
            return True
        if any(found > width for found in self.partial_widths(index)):
            return True
        following = os.path.isfile(os.path.join(self.path, tile_name("entries", index + 1)))
        return following or bool(self.partial_widths(index + 1))

    def partial_widths(self, index):
        widths = []
        try:
            names = os.listdir(os.path.join(self.path, tile_name("entries", index) + ".p"))
        except OSError:
            return widths
        for name in names:
            try:
                widths.append(decimal(name))
            except Malformed:
                pass
        return widths


# ---------------------------------------------------------------- RFC 6962


def leaf_hash(record):
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """Adds leaves; keeps, by height, the root of each perfect subtree that is not part of a larger one."""

    def __init__(self, other=None):
        self.size = other.size if other else 0
        self.roots = dict(other.roots) if other else {}

    def add(self, leaf):
        """Adds one leaf; returns the nodes of the stored levels (8, 16, ...) that it completes."""
        height, stored = 0, []
        while height in self.roots:
            leaf = node_hash(self.roots.pop(height), leaf)
            height += 1
            if height % 8 == 0:
                stored.append((height // 8, leaf))
        self.roots[height] = leaf
        self.size += 1
        return stored

    def root(self):
        total = None
        for height in sorted(self.roots):
            total = self.roots[height] if total is None else node_hash(self.roots[height], total)
        return hashlib.sha256(b"").digest() if total is None else total


# ---------------------------------------------------------------- keys over time


class Unchained(Exception):
    """The rotations are no chain from or to the key."""


def read_rotation(raw, size_of_log):
    note = Note(raw)
    lines = note.text.split("\n")
    if len(lines) != 5 or lines[0] != "placet-key-rotation/v1" or lines[4] != "":
        raise Malformed
    index, key = decimal(lines[2]), Key(lines[3])
    if key.name != lines[1] or key.kind != LOG:
        raise Malformed
    return note, index, key


def key_history(log, given, size):
    """Pairs of the smallest head and the key that signs it and larger ones."""
    try:
        raw = log.read("rotations", ROTATIONS_BYTES_MAX) or b""
        text = raw.decode("utf-8")
        if text and not text.endswith("\n"):
            raise Malformed
        indices = [decimal(line) for line in text[:-1].split("\n")] if text else []
    except (Malformed, UnicodeDecodeError):
        raise Unchained from None
    if any(one >= following for one, following in zip(indices, indices[1:])):
        raise Unchained
    history, skipped = [], False
    for index in indices:
        if index >= size:
            continue
        records, _ = log.records(index // 256, min(256, size - index // 256 * 256))
        if len(records) <= index % 256:
            raise Unchained
        try:
            note, stated, following = read_rotation(records[index % 256], size)
        except Malformed:
            raise Unchained from None
        if stated != index:
            raise Unchained

        def is_by(key):
            return key.name == following.name and note.signed_by(key)[0] == YES

        if history:
            if not is_by(history[-1][1]):
                raise Unchained
            history.append((index + 1, following))
        elif not skipped and is_by(given):
            history += [(0, given), (index + 1, following)]
        elif following.text == given.text:
            history.append((index + 1, following))
        else:
            skipped = True
    if not history:
        if skipped:
            raise Unchained
        history = [(0, given)]
    return history


def who_signed(checkpoint, given, history):
    """The key that signed a head, and why none did."""
    if checkpoint.origin != given.name:
        return None, "other_origin"
    fitting = [key for first, key in history if first <= checkpoint.size]
    if not fitting:
        return None, "unsigned"
    answer, _ = checkpoint.note.signed_by(fitting[-1])
    if answer == YES:
        return fitting[-1], None
    return None, "unsigned" if answer == NO else "bad_signature"


# ---------------------------------------------------------------- the verification

PASSED = {"status": "passed"}


def failed(why, at=None):
    return {"status": "failed", "why": why} if at is None else {"status": "failed", "why": why, "at": at}


def not_checked(why):
    return {"status": "not_checked", "why": why}


CHECKS = ["checkpoint", "signature", "records", "root", "tiles", "beyond", "extends", "witnesses", "freshness"]


class Pass:
    """Reads every record once."""

    def __init__(self, log, size, marks):
        self.log, self.size, self.read = log, size, 0
        self.tree, self.stored, self.forked = Tree(), None, False
        self.first_difference = self.first_unreadable = self.bad_bundle = self.bad_tile = None
        self.marks = {mark: None for mark in marks}
        self.filling = {}
        self.mark()
        for number in range(-(-size // 256)):
            if self.tree is None and self.forked and self.stored is None:
                break
            self.bundle(number, min(256, size - number * 256))
        for level in sorted(self.filling):
            self.compare(level)

    def mark(self):
        if self.tree.size in self.marks:
            self.marks[self.tree.size] = self.tree.root()

    def note_tile(self, why, name):
        if self.bad_tile is None:
            self.bad_tile = (why, name)

    def bundle(self, number, width):
        records, why = self.log.records(number, width)
        if why and self.bad_bundle is None:
            self.bad_bundle = (why, tile_name("entries", number, width))
        self.read += len(records)
        kept, why = self.log.hashes(0, number, width)
        if why:
            self.note_tile(why, tile_name(0, number, width))
            kept = []
        for place in range(width):
            index = number * 256 + place
            leaf = leaf_hash(records[place]) if place < len(records) else None
            hash_kept = kept[place] if place < len(kept) else None
            if leaf != hash_kept or leaf is None:
                if self.first_difference is None and leaf != hash_kept:
                    self.first_difference = index
                if not self.forked:
                    self.forked, self.stored = True, Tree(self.tree)
                if leaf is not None and hash_kept is not None:
                    self.note_tile("differs", tile_name(0, number, width))
            if self.forked and self.stored is not None:
                if hash_kept is None:
                    self.stored = None
                else:
                    self.stored.add(hash_kept)
            if leaf is None:
                if self.first_unreadable is None:
                    self.first_unreadable = index
                self.tree = None
            elif self.tree is not None:
                for level, node in self.tree.add(leaf):
                    self.filling.setdefault(level, []).append(node)
                for level in sorted(self.filling):
                    if len(self.filling[level]) == 256:
                        self.compare(level)
                self.mark()

    def compare(self, level):
        """Compares what the records make of the tile that fills on a level with what is stored."""
        made, self.filling[level] = self.filling[level], []
        if not made or self.tree is None:
            return
        last = (self.tree.size >> 8 * level) - 1
        number = last // 256
        width = min(256, (self.size >> 8 * level) - number * 256)
        kept, why = self.log.hashes(level, number, width)
        if why:
            self.note_tile(why, tile_name(level, number, width))
        elif kept != made:
            self.note_tile("differs", tile_name(level, number, width))


class Refused(Exception):
    """A further file does not hold: why, and which."""

    def __init__(self, why, at=None):
        super().__init__(why)
        self.check = failed(why, at)


def read_old(raw, given, history, size):
    try:
        old = Checkpoint(raw)
    except Malformed:
        raise Refused("malformed") from None
    _, why = who_signed(old, given, history)
    if why:
        raise Refused(why)
    if old.size > size:
        raise Refused("shorter")
    return old.size, old.root


def cosigners(note, witnesses, at):
    by, seen = [], set()
    for witness in witnesses:
        answer, when = note.signed_by(witness)
        if answer == WRONGLY:
            raise Refused("bad_cosignature", at)
        if answer == YES and when is not None and witness.public not in seen:
            seen.add(witness.public)
            by.append({"name": witness.name, "at": when})
    return by


def read_witnessed(log, given, history, checkpoint, witnesses, quorum):
    by = cosigners(checkpoint.note, witnesses, "checkpoint")
    if len(by) >= max(1, quorum):
        return checkpoint.size, checkpoint.root, by
    at = "checkpoint.witnessed"
    try:
        raw = log.read(at, NOTE_BYTES_MAX)
        if raw is None:
            raise Refused("quorum_not_met", "checkpoint")
        earlier = Checkpoint(raw)
    except Malformed:
        raise Refused("malformed", at) from None
    _, why = who_signed(earlier, given, history)
    if why:
        raise Refused(why, at)
    by = cosigners(earlier.note, witnesses, at)
    if len(by) < max(1, quorum):
        raise Refused("quorum_not_met", at)
    if earlier.size > checkpoint.size:
        raise Refused("shorter", at)
    return earlier.size, earlier.root, by


def verify(path, given, old_raw, witnesses, quorum):
    log = Log(path)
    report = {"verdict": "failed", "origin": None, "size": None, "root": None, "key": None, "records": 0}
    checks = {name: not_checked("checkpoint_failed") for name in CHECKS}
    report.update({"checks": checks, "old_size": None, "witnessed": None, "first_bad": None})
    try:
        raw = log.read("checkpoint", NOTE_BYTES_MAX)
        checkpoint = Checkpoint(raw) if raw is not None else None
    except Malformed:
        checks["checkpoint"] = failed("malformed", "checkpoint")
        return report
    if checkpoint is None:
        checks["checkpoint"] = failed("missing", "checkpoint")
        return report
    checks.update({name: not_checked("signature_failed") for name in CHECKS})
    checks["checkpoint"] = PASSED
    size, root = checkpoint.size, checkpoint.root
    report.update({"origin": checkpoint.origin, "size": size, "root": base64.b64encode(root).decode()})
    try:
        history = key_history(log, given, size)
    except Unchained:
        checks["signature"] = failed("rotation_bad", "rotations")
        return report
    key, why = who_signed(checkpoint, given, history)
    if why:
        checks["signature"] = failed(why, "checkpoint")
        return report
    report["key"], checks["signature"] = key.text, PASSED

    marks, old, witnessed, old_check, witness_check = [], None, None, None, None
    if old_raw is not None:
        try:
            old = read_old(old_raw, given, history, size)
            marks.append(old[0])
        except Refused as refused:
            old_check = refused.check
    if witnesses:
        try:
            witnessed = read_witnessed(log, given, history, checkpoint, witnesses, quorum)
            marks.append(witnessed[0])
        except Refused as refused:
            witness_check = refused.check

    walk = Pass(log, size, marks)
    report["records"] = walk.read
    made = walk.tree.root() if walk.tree is not None else None
    proven = made == root
    checks["records"] = failed(*walk.bad_bundle) if walk.bad_bundle else PASSED
    if made is None:
        checks["root"] = not_checked("records_incomplete")
    else:
        checks["root"] = PASSED if proven else failed("differs")
    if not proven:
        checks["tiles"] = not_checked("root_not_proven")
    else:
        checks["tiles"] = failed(*walk.bad_tile) if walk.bad_tile else PASSED

    held, forked = 0, None

    def compare(mark_size, mark_root):
        """The check, and whether the records are those of the mark."""
        there = walk.marks.get(mark_size)
        if there is None:
            return not_checked("records_incomplete"), False
        if there != mark_root:
            return failed("differs"), False
        return (PASSED if proven else not_checked("root_not_proven")), True

    if old_raw is None:
        checks["extends"] = not_checked("no_old_checkpoint")
    elif old is None:
        checks["extends"] = old_check
    else:
        report["old_size"] = old[0]
        checks["extends"], holds = compare(*old)
        if holds:
            held = old[0]
        else:
            forked = old[0]
    if not witnesses:
        checks["witnesses"] = not_checked("no_witness_key")
    elif witnessed is None:
        checks["witnesses"] = witness_check
    else:
        checks["witnesses"], holds = compare(witnessed[0], witnessed[1])
        if holds:
            held = max(held, witnessed[0])
            if checks["witnesses"] == PASSED:
                report["witnessed"] = {"size": witnessed[0], "by": witnessed[2]}
        else:
            forked = witnessed[0] if forked is None else min(forked, witnessed[0])
    checks["freshness"] = not_checked("as_of_witness" if report["witnessed"] else "no_witness")
    checks["beyond"] = not_checked("unsigned_records") if log.stands_beyond(size) else PASSED

    rewritten = any(checks[name].get("why") == "differs" for name in ("extends", "witnesses"))
    if proven:
        if forked is not None and rewritten:
            report["first_bad"] = {"from": 0, "to": forked}
    elif walk.stored is not None and walk.stored.root() == root:
        if walk.first_difference is not None:
            report["first_bad"] = {"from": walk.first_difference, "to": walk.first_difference + 1}
    else:
        end = size if walk.first_unreadable is None else walk.first_unreadable + 1
        if forked is not None and rewritten:
            end = min(end, forked)
        if end > held:
            report["first_bad"] = {"from": held, "to": end}
    if proven and all(check["status"] != "failed" for check in checks.values()):
        report["verdict"] = "good"
    return report


# ---------------------------------------------------------------- the command

WORDS = {
    "missing": "it is not there",
    "malformed": "it cannot be read as what it should be",
    "other_origin": "it is of another log than the key",
    "unsigned": "it is not signed by the key",
    "bad_signature": "the signature in the key's name is not over it",
    "rotation_bad": "the listed rotations do not follow from the key, or do not lead to it",
    "differs": "it is not what it was",
    "shorter": "the log is shorter than it was",
    "quorum_not_met": "too few of the witnesses have cosigned",
    "bad_cosignature": "the signature in a witness's name is none",
    "checkpoint_failed": "there is no checkpoint to go by",
    "signature_failed": "the checkpoint is not to be believed",
    "records_incomplete": "a record before could not be read",
    "root_not_proven": "the records do not lead to the signed root",
    "unsigned_records": "records stand behind the checkpoint that no signature covers",
    "no_old_checkpoint": "no earlier checkpoint was given",
    "no_witness_key": "no witness was named",
    "no_witness": "without a witness nobody but the log says what its newest head is",
    "as_of_witness": "what came after the witness's time is not known",
}

DIFFERS = {
    "root": "the records do not lead to the signed one",
    "tiles": "a stored hash is not what the records make it",
    "extends": "its first records are not those of the checkpoint that was kept",
    "witnesses": "its first records are not those that the witnesses saw",
}


def inert(text):
    """Text that does nothing on a screen."""
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)


def in_words(report):
    for name in CHECKS:
        check = report["checks"][name]
        at = f" (`{check['at']}`)" if "at" in check else ""
        if check["status"] == "passed":
            yield f"{name:<11} proven"
        elif check["status"] == "failed":
            words = DIFFERS[name] if check["why"] == "differs" else WORDS[check["why"]]
            yield f"{name:<11} FAILED: {words}{at}"
        else:
            status = "not proven" if name == "freshness" else "not checked"
            yield f"{name:<11} {status}: {WORDS[check['why']]}"
    if report["origin"] is not None:
        yield f"{report['records']} records of `{inert(report['origin'])}` were read, {report['size']} are signed"
    if report["witnessed"]:
        for one in report["witnessed"]["by"]:
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(one["at"], 2**37)))
            yield f"the first {report['witnessed']['size']} were seen by `{inert(one['name'])}` at {when}"
    if report["first_bad"]:
        first, end = report["first_bad"]["from"], report["first_bad"]["to"]
        where = f"has index {first}" if end - first == 1 else f"is among indices {first} to {end - 1}"
        yield f"the first record that was changed or removed {where}"
    yield report["verdict"]


def key_argument(text, parser):
    """A key, or a file whose first line that is not a comment is one."""
    try:
        return Key(text)
    except Malformed:
        pass
    try:
        with open(text, encoding="utf-8") as file:
            lines = [line.strip() for line in file.read(NOTE_BYTES_MAX).split("\n")]
        return Key(next(line for line in lines if line and not line.startswith("#")))
    except (OSError, UnicodeDecodeError, StopIteration, Malformed):
        parser.error(f"`{inert(text)}` is no public key, and no file that holds one")


def main():
    parser = argparse.ArgumentParser(description="verifies an audit ledger, offline")
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--key", required=True, metavar="KEY|FILE", help="the log's public key")
    parser.add_argument("--checkpoint", metavar="OLD", help="a checkpoint that you kept earlier")
    parser.add_argument("--witness", action="append", default=[], metavar="KEY|FILE", help="a witness you trust")
    parser.add_argument("--quorum", type=int, metavar="N", help="how many must have cosigned (all)")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    asked = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    key = key_argument(asked.key, parser)
    witnesses = [key_argument(text, parser) for text in asked.witness]
    if key.kind != LOG:
        parser.error("--key is a witness's key")
    if any(witness.kind != WITNESS for witness in witnesses):
        parser.error("--witness is a log's key")
    quorum = len(witnesses) if asked.quorum is None else asked.quorum
    if asked.quorum is not None and not 1 <= asked.quorum <= len(witnesses):
        parser.error("--quorum is a number from 1 to that of the witnesses")
    old = None
    if asked.checkpoint is not None:
        try:
            with open(asked.checkpoint, "rb") as file:
                old = file.read(NOTE_BYTES_MAX + 1)
        except OSError as error:
            parser.error(f"cannot read `{inert(asked.checkpoint)}`: {error.strerror}")
    report = verify(asked.directory, key, old, witnesses, quorum)
    if asked.json:
        print(json.dumps(report, ensure_ascii=False, separators=(",", ":")))
    else:
        print("\n".join(in_words(report)))
    return 0 if report["verdict"] == "good" else 8


if __name__ == "__main__":
    sys.exit(main())
